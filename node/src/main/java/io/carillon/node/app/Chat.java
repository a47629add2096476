package io.carillon.node.app;

import io.carillon.model.channel.ChannelName;
import io.carillon.model.channel.Namespace;
import io.carillon.model.event.Event;
import io.carillon.model.event.Payload;
import io.carillon.model.redis.Keys;
import io.carillon.node.app.MessageLog.Draft;
import io.carillon.node.app.MessageLog.Once;
import io.carillon.node.app.MessageLog.Outcome;
import io.carillon.node.app.MessageLog.Page;
import io.carillon.node.app.MessageLog.Rate;
import io.carillon.node.backplane.ScriptRunner;
import io.carillon.node.dialect.Command;
import io.carillon.node.dialect.Notice;
import io.carillon.node.dialect.TypedFrames;
import io.carillon.node.dispatch.Application;
import io.carillon.node.dispatch.Desk;
import io.carillon.node.identity.Authenticator;
import io.carillon.node.identity.Credentials;
import io.carillon.node.identity.Principal;
import io.carillon.node.identity.Rule;
import io.carillon.node.identity.Verdict;
import io.carillon.node.session.Endpoint;
import io.carillon.node.session.Session;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.ConcurrentHashMap;
import org.jspecify.annotations.Nullable;

/**
 * A chat of everyone in the namespace: what one member says, over the socket or over HTTP, is numbered, kept and told to
 * all. Every session is also in one room, by which the cluster knows who is online.
 */
public final class Chat implements Application {
    /** The room of everyone who is online. */
    public static final String ROOM = "online";

    /** Longest mark of a client for its own message, in characters. */
    public static final int MAX_CLIENT_ID = 128;

    /** Type of the events that are what members say. */
    private static final String MESSAGE = "message";

    private final MessageLog log;
    private final ScriptRunner redis;
    private final Keys keys;
    private final ChatSettings settings;
    private final Map<Namespace, OnlineCount> counts = new ConcurrentHashMap<>();

    private @Nullable Desk desk;

    Chat(MessageLog log, ScriptRunner redis, Keys keys, ChatSettings settings) {
        this.log = log;
        this.redis = redis;
        this.keys = keys;
        this.settings = settings;
    }

    @Override
    public String dialect() {
        return "chat";
    }

    @Override
    public void start(Desk with) {
        desk = with;
    }

    private Desk desk() {
        Desk with = desk;
        if (with == null) throw new IllegalStateException("the application was not started");
        return with;
    }

    /** A token, also where an open identity would do elsewhere. */
    @Override
    public CompletionStage<Verdict> admit(Endpoint endpoint, Credentials credentials, Authenticator authenticator) {
        return authenticator.authenticateAsync(credentials, new Rule(endpoint.queryToken(), null));
    }

    @Override
    public Set<String> rooms(Session session) {
        return Set.of(ROOM);
    }

    @Override
    public boolean announces() {
        return true;
    }

    // ---- what is said

    @Override
    public boolean received(Session session, Command command) {
        if (!(command instanceof Command.Publish publish)) return false;
        String mark = publish.ref();
        String content = TypedFrames.text(publish.event().content());
        String wrong = content == null ? "content must be a string" : wrong(content);
        if (content == null || wrong != null) {
            desk().refuse(session, mark, "bad_frame", String.valueOf(wrong));
            return true;
        }
        Once once = mark == null ? null : marked(session.principal(), mark);
        var unused = say(session.endpoint().namespace(), session.principal(), content, once)
                .whenComplete((outcome, failure) -> {
                    switch (outcome) {
                        case null -> desk().unavailable(session, mark, failure);
                        case Outcome.Stored stored ->
                            desk().send(
                                            session,
                                            new Notice.Answer(
                                                    "ack", mark, Payload.ofJson("{\"id\":" + stored.id() + "}")));
                        case Outcome.Limited limited -> desk().limit(session, mark);
                        case Outcome.Conflict conflict ->
                            desk().refuse(session, mark, "conflict", "this client_id came with another message");
                    }
                });
        return true;
    }

    /** What is wrong with the content and what is right; null when it is good. */
    public @Nullable String wrong(String content) {
        return MessageText.wrong(content, settings.maxContent().toBytes());
    }

    /**
     * Stores the message and tells it to everyone.
     *
     * @param content not {@link #wrong}
     * @param mark the client's own for its message, under which a repetition is the first; null for none
     * @param key the caller's {@code Idempotency-Key}, under which another message is a conflict; null for none
     */
    public CompletionStage<Outcome> post(
            Namespace namespace, Principal sender, String content, @Nullable String mark, @Nullable String key) {
        Once once = null;
        if (mark != null) once = marked(sender, mark);
        else if (key != null) once = new Once("key " + sender.user() + ' ' + key, true, settings.age());
        return say(namespace, sender, content, once);
    }

    private Once marked(Principal sender, String mark) {
        return new Once("client " + sender.user() + ' ' + mark, false, settings.age());
    }

    private CompletionStage<Outcome> say(Namespace namespace, Principal sender, String content, @Nullable Once once) {
        var draft = new Draft(
                MESSAGE,
                "\"from\":\"" + sender.user() + "\",",
                "\"user_id\":\"" + sender.user() + "\",\"username\":" + MessageText.json(shown(nameOf(sender)))
                        + ",\"content\":" + MessageText.json(shown(content)),
                once,
                new Rate(sender.user(), settings.messagesPerSecond(), settings.burst()));
        return log.append(ChannelName.broadcast(namespace), draft, settings.kept());
    }

    private static String nameOf(Principal principal) {
        String name = principal.name();
        return name == null ? principal.user() : name;
    }

    /** The text as members get to see it. */
    public String shown(String text) {
        return settings.escape() ? MessageText.escaped(text) : text;
    }

    /** Messages behind this id. */
    public CompletionStage<Page> after(Namespace namespace, String id, int limit) {
        return log.read(ChannelName.broadcast(namespace), id, limit, settings.kept());
    }

    // ---- who is here

    private OnlineCount count(Namespace namespace) {
        return counts.computeIfAbsent(
                namespace,
                of -> new OnlineCount(ChannelName.room(of, ROOM), desk(), redis, keys, settings.onlineEvery()));
    }

    @Override
    public void entered(Session session, String room, long members) {
        count(session.endpoint().namespace()).entered(session, members);
    }

    @Override
    public void closed(Session session) {
        count(session.endpoint().namespace()).closed(session);
    }

    @Override
    public void passed(ChannelName channel, Event event) {
        if (channel.kind() == ChannelName.Kind.ROOM && channel.id().equals(ROOM)) {
            count(channel.namespace()).changed();
        } else if (channel.kind() == ChannelName.Kind.BROADCAST) {
            log.passed(channel, MESSAGE, event);
        }
    }

    @Override
    public void restored() {
        counts.values().forEach(OnlineCount::changed);
    }
}
