package io.carillon.node.app;

import io.carillon.model.channel.ChannelName;
import io.carillon.model.channel.Namespace;
import io.carillon.model.event.Event;
import io.carillon.node.app.MessageLog.Draft;
import io.carillon.node.app.MessageLog.Once;
import io.carillon.node.app.MessageLog.Outcome;
import io.carillon.node.app.MessageLog.Page;
import io.carillon.node.dialect.Command;
import io.carillon.node.dispatch.Application;
import io.carillon.node.identity.Authenticator;
import io.carillon.node.identity.Credentials;
import io.carillon.node.identity.Principal;
import io.carillon.node.identity.Rule;
import io.carillon.node.identity.Verdict;
import io.carillon.node.session.Endpoint;
import io.carillon.node.session.Session;
import java.util.HashMap;
import java.util.Map;
import java.util.Objects;
import java.util.Set;
import java.util.UUID;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionStage;
import org.jspecify.annotations.Nullable;

/**
 * Visitors and agents in conversations: a session is in the room of the one conversation it names and only listens; what
 * is said comes over HTTP. The token of a visitor names his conversation, that of an agent his kind.
 */
public final class Conversation implements Application {
    /** The claim that names a visitor's conversation; of a session's principal, the conversation it is in. */
    private static final String CLAIM = "conversation_id";

    private static final String AGENT = "agent";

    /** Type of the events that are what is said. */
    private static final String MESSAGE = "new_message";

    private final MessageLog log;
    private final ConversationSettings settings;

    Conversation(MessageLog log, ConversationSettings settings) {
        this.log = log;
        this.settings = settings;
    }

    @Override
    public String dialect() {
        return "conversation";
    }

    /** An unsigned number of 64 bits in its one spelling; null when the text is none. */
    public static @Nullable String number(@Nullable String text) {
        if (text == null || !text.matches("[0-9]{1,20}")) return null;
        try {
            return Long.toUnsignedString(Long.parseUnsignedLong(text));
        } catch (NumberFormatException e) {
            return null;
        }
    }

    /** Whether it is an agent, who may be in every conversation. */
    public static boolean agent(Principal principal) {
        return AGENT.equals(principal.kind());
    }

    @Override
    public CompletionStage<Verdict> admit(Endpoint endpoint, Credentials credentials, Authenticator authenticator) {
        String conversation = number(credentials.query().get(CLAIM));
        if (conversation == null) {
            return CompletableFuture.completedFuture(new Verdict.Refused(
                    400, "conversation_id is missing or no unsigned integer of 64 bits", "parameter"));
        }
        boolean open = authenticator.openIdentity();
        return authenticator
                .authenticateAsync(credentials, new Rule(endpoint.queryToken(), "user_id"))
                .thenApply(verdict -> switch (verdict) {
                    case Verdict.Granted granted -> {
                        Principal principal = granted.principal();
                        boolean visitor = open && principal.expiresAt() == Long.MAX_VALUE;
                        yield visitor || mayEnter(principal, conversation)
                                ? new Verdict.Granted(in(conversation, principal), granted.subprotocol())
                                : new Verdict.Refused(403, "the token is not for this conversation", "user");
                    }
                    case Verdict.Refused refused
                    when open && refused.noCredential() -> new Verdict.Granted(visitor(conversation), null);
                    case Verdict.Refused refused -> refused;
                });
    }

    private static boolean mayEnter(Principal principal, String conversation) {
        if (agent(principal)) return true;
        Object named = principal.claims().get(CLAIM);
        return named != null && conversation.equals(number(named.toString()));
    }

    private static Principal in(String conversation, Principal principal) {
        var claims = new HashMap<>(principal.claims());
        claims.put(CLAIM, conversation);
        return new Principal(
                principal.user(), principal.name(), principal.kind(), principal.rooms(), principal.expiresAt(), claims);
    }

    /** Somebody who showed nothing: nobody else's user id, so that nobody else's limits. */
    private static Principal visitor(String conversation) {
        return in(
                conversation,
                new Principal("visitor-" + UUID.randomUUID(), null, null, Set.of(), Long.MAX_VALUE, Map.of()));
    }

    private static String of(Session session) {
        return Objects.toString(session.principal().claims().get(CLAIM));
    }

    @Override
    public @Nullable Principal renewed(Session session, Principal fresh) {
        String conversation = of(session);
        return mayEnter(fresh, conversation) ? in(conversation, fresh) : null;
    }

    @Override
    public Set<String> rooms(Session session) {
        return Set.of(of(session));
    }

    @Override
    public void passed(ChannelName channel, Event event) {
        if (channel.kind() == ChannelName.Kind.ROOM) log.passed(channel, MESSAGE, event);
    }

    /** A heartbeat and a fresh token are good; whatever else comes is nothing to this application. */
    @Override
    public boolean received(Session session, Command command) {
        return !(command instanceof Command.Ping || command instanceof Command.Refresh);
    }

    /** What is wrong with the content and what is right; null when it is good. */
    public @Nullable String wrong(String content) {
        return MessageText.wrong(content, settings.maxContent().toBytes());
    }

    /**
     * Stores the message and pushes it to every session of the conversation.
     *
     * @param conversation a {@link #number}
     * @param content not {@link #wrong}
     * @param key the caller's {@code Idempotency-Key}; null for none
     */
    public CompletionStage<Outcome> post(
            Namespace namespace, String conversation, String content, boolean agent, @Nullable String key) {
        var draft = new Draft(
                MESSAGE,
                "\"room\":\"" + conversation + "\",",
                "\"conversation_id\":" + conversation + ",\"content\":" + MessageText.json(content)
                        + ",\"sender_is_agent\":" + agent,
                key == null ? null : new Once(key, true, settings.retries()),
                null);
        return log.append(ChannelName.room(namespace, conversation), draft, settings.kept());
    }

    /** Messages of the conversation behind this id. */
    public CompletionStage<Page> after(Namespace namespace, String conversation, String id, int limit) {
        return log.read(ChannelName.room(namespace, conversation), id, limit, settings.kept());
    }
}
