package io.carillon.client;

import static java.nio.charset.StandardCharsets.UTF_8;

import io.carillon.model.event.EventIds;
import java.net.URI;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.Executor;
import java.util.function.LongConsumer;
import java.util.random.RandomGenerator;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.node.ObjectNode;

/**
 * A member's session in a chat that outlives its connections. Safe from any thread.
 *
 * <ul>
 *   <li><b>Messages that come</b> go to handlers one after another, on one virtual thread of the client: what is kept
 *       first, then each once, by growing id, over whatever transport and any number of reconnects; the member's own ones,
 *       too. While 1,000 wait for their handlers, nothing more is read.
 *   <li><b>Messages that are sent</b> leave one at a time, in the order of the calls, and wait (1,000 at most) while there
 *       is no connection. What has no answer, or was refused for the moment, is sent again under the same {@code
 *       client_id}, and is one message to the chat.
 *   <li><b>Connections</b> that end are opened again as those of a {@link CarillonClient}. Where no WebSocket can be had,
 *       the client <b>polls</b> and posts, and tries a WebSocket now and then, which takes over.
 * </ul>
 *
 * <p>Failures are {@link RefusedException}s. The members' count is told when it changes.
 */
public final class ChatClient extends FeedClient<ChatMessage, ChatSent, ChatClient> {
    private final ChatDialect chat;
    private final int maxMessage;

    private ChatClient(
            Builder settings, Core<FeedConnection> core, ChatDialect dialect, Transport sockets, Calls calls) {
        super(settings, core, dialect, sockets, calls);
        this.chat = dialect;
        this.maxMessage = settings.maxMessage;
    }

    /**
     * Starts a member's client.
     *
     * @param address the front door or a node, {@code http://host:port} or {@code https://host:port}
     */
    public static Builder at(String address) {
        return new Builder(URI.create(address));
    }

    @Override
    ChatClient self() {
        return this;
    }

    /** Adds a handler for how many users are online, called on the handlers' thread when that changes. */
    public ChatClient onOnline(LongConsumer handler) {
        chat.onOnline(handler);
        return this;
    }

    /** How many users were online by what the client heard last; 0 before. */
    public long online() {
        core.guard.lock.lock();
        try {
            return chat.count();
        } finally {
            core.guard.lock.unlock();
        }
    }

    /** Says something to everyone: now, or when there is a connection. Done when the chat has the message. */
    public CompletableFuture<ChatSent> send(String content) {
        return send(content, EventIds.next(System.currentTimeMillis()));
    }

    /**
     * The same under a mark of the application's own, which makes it one message however often it is sent.
     *
     * @param clientId 1 to 128 characters, never used for another message
     */
    public CompletableFuture<ChatSent> send(String content, String clientId) {
        if (clientId.isEmpty() || clientId.length() > 128) {
            throw new IllegalArgumentException("a client id has 1 to 128 characters");
        }
        ObjectNode body = ChatDialect.body(content, clientId);
        if (ChatDialect.framed(body).toString().getBytes(UTF_8).length > maxMessage) {
            return RefusedException.future("too_large", "a message has " + maxMessage + " bytes at most");
        }
        return post(body, clientId);
    }

    /** Who is online. */
    public CompletableFuture<OnlineUsers> onlineUsers() {
        core.guard.lock.lock();
        try {
            if (over()) return closed();
            var future = new CompletableFuture<OnlineUsers>();
            ask(future, true);
            return future.copy();
        } finally {
            core.guard.lock.unlock();
        }
    }

    private void ask(CompletableFuture<OnlineUsers> future, boolean mayRenew) {
        requests.get(ChatDialect.ONLINE, reply -> {
            if (reply.good()) core.guard.background(() -> future.complete(users(reply.body())));
            else if (reply.renewable() && mayRenew) ask(future, false);
            else core.guard.fail(future, reply.code(), reply.sentence());
        });
    }

    private static OnlineUsers users(JsonNode answer) {
        return new OnlineUsers(
                answer.path("count").asLong(0),
                answer.path("users")
                        .valueStream()
                        .map(user -> new OnlineUsers.User(
                                user.path("id").asString(""), user.path("name").asString("")))
                        .toList());
    }

    /** Settings of one client, to be left alone once it is built; durations are positive, limits at least 1. */
    public static final class Builder extends FeedBuilder<Builder> {
        private int maxMessage = 4096;

        private Builder(URI address) {
            super(address, "/api/chat/ws");
        }

        @Override
        Builder self() {
            return this;
        }

        /** The endpoint's message size, bytes: a larger one would end the connection. Default 4 KiB. */
        public Builder maxMessage(int bytes) {
            maxMessage = atLeastOne(bytes);
            return this;
        }

        /** A client that is not connected yet. */
        public ChatClient build() {
            return build(timer(), chance(), threads(), new WebSockets(http()), new HttpCalls(http()));
        }

        ChatClient build(Timer timer, RandomGenerator random, Executor background, Transport sockets, Calls calls) {
            var core = new Core<FeedConnection>(this, null, timer, random, background);
            return new ChatClient(this, core, new ChatDialect(core.inbox), sockets, calls);
        }
    }
}
