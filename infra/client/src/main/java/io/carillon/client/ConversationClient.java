package io.carillon.client;

import io.carillon.model.event.EventIds;
import java.net.URI;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.Executor;
import java.util.function.Consumer;
import java.util.random.RandomGenerator;

/**
 * A visitor or an agent in one conversation, over any number of connections. Safe from any thread.
 *
 * <ul>
 *   <li><b>Messages that come</b> go to handlers one after another, on one virtual thread of the client: what is kept
 *       first, then each once, by growing id, over whatever transport and any number of reconnects; the client's own ones,
 *       too. Ids grow by one, so a hole is something missed, and is read; where it is no longer kept, the gap handlers are
 *       told. While 1,000 messages wait for their handlers, nothing more is read.
 *   <li><b>Messages that are sent</b> are posted, one at a time, in the order of the calls, and wait (1,000 at most) while
 *       there is no connection. What has no answer, or was refused for the moment, is posted again with the same {@code
 *       Idempotency-Key}, and is one message to the conversation.
 *   <li><b>Connections</b> that end are opened again as those of a {@link CarillonClient}. Where no WebSocket can be had,
 *       the client <b>polls</b>, and tries a WebSocket now and then, which takes over.
 * </ul>
 *
 * <p>Failures are {@link RefusedException}s.
 */
public final class ConversationClient extends FeedClient<ConversationMessage, ConversationMessage, ConversationClient> {
    private final ConversationDialect conversation;

    private ConversationClient(
            Builder settings, Core<FeedConnection> core, ConversationDialect dialect, Transport sockets, Calls calls) {
        super(settings, core, dialect, sockets, calls);
        this.conversation = dialect;
    }

    /**
     * Starts a client of one conversation.
     *
     * @param address the front door or a node, {@code http://host:port} or {@code https://host:port}
     * @param conversation its number, unsigned: {@link Long#parseUnsignedLong} reads those beyond a {@code long}
     */
    public static Builder at(String address, long conversation) {
        return new Builder(URI.create(address), conversation);
    }

    @Override
    ConversationClient self() {
        return this;
    }

    /** Adds a handler for gaps, called on the handlers' thread, between the messages that the gap lies between. */
    public ConversationClient onGap(Consumer<MessageGap> handler) {
        feed.onGap(handler);
        return this;
    }

    /** Says something as the visitor: now, or when there is a connection. Done when the conversation has the message. */
    public CompletableFuture<ConversationMessage> send(String content) {
        return send(content, false, EventIds.next(System.currentTimeMillis()));
    }

    /** The same as an agent, which the token must be of. */
    public CompletableFuture<ConversationMessage> sendAsAgent(String content) {
        return send(content, true, EventIds.next(System.currentTimeMillis()));
    }

    /**
     * The same under a key of the application's own, which makes it one message however often it is sent.
     *
     * @param key 1 to 255 visible ASCII characters, never used for another message
     */
    public CompletableFuture<ConversationMessage> send(String content, boolean asAgent, String key) {
        if (!key.matches("[!-~]{1,255}")) {
            throw new IllegalArgumentException("a key has 1 to 255 visible ASCII characters");
        }
        return post(conversation.body(content, asAgent), key);
    }

    /** Settings of one client, to be left alone once it is built; durations are positive, limits at least 1. */
    public static final class Builder extends FeedBuilder<Builder> {
        private final long conversation;

        private Builder(URI address, long conversation) {
            super(address, "/ws");
            this.conversation = conversation;
        }

        @Override
        URI socketAddress() {
            String more = (path.contains("?") ? "&" : "?") + "conversation_id=" + Long.toUnsignedString(conversation);
            return URI.create(super.socketAddress() + more);
        }

        @Override
        Builder self() {
            return this;
        }

        /** A client that is not connected yet. */
        public ConversationClient build() {
            return build(timer(), chance(), threads(), new WebSockets(http()), new HttpCalls(http()));
        }

        ConversationClient build(
                Timer timer, RandomGenerator random, Executor background, Transport sockets, Calls calls) {
            var core = new Core<FeedConnection>(this, null, timer, random, background);
            return new ConversationClient(this, core, new ConversationDialect(conversation), sockets, calls);
        }
    }
}
