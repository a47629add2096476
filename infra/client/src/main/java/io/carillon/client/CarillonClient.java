package io.carillon.client;

import static java.nio.charset.StandardCharsets.UTF_8;

import io.carillon.model.channel.Ids;
import java.lang.System.Logger;
import java.net.URI;
import java.time.Duration;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.Executor;
import java.util.function.Consumer;
import java.util.random.RandomGenerator;
import org.jspecify.annotations.Nullable;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;
import tools.jackson.databind.node.ObjectNode;

/**
 * A user's session in a Carillon cluster that outlives its connections. Safe from any thread.
 *
 * <ul>
 *   <li><b>Events</b> go to handlers, in the order in which they came, on one virtual thread of the client. A durable event
 *       is passed on once, in the order of its channel, over any number of reconnects; where that cannot be proven, the
 *       gap handlers are told. An event that asks for an acknowledgement is acknowledged when its handlers have run, and
 *       handed to them again when one of them threw. While 1,000 events wait for their handlers nothing more is read from
 *       the connection, so a client that is too slow is slow to the server, too.
 *   <li><b>Messages</b> leave one at a time, in the order of the calls. What has no answer when the connection is lost is
 *       sent again on the next under the same id, and is one event to the cluster.
 *   <li><b>Connections</b> that end are opened again with full jitter, spread over the window that {@code drain} names, or
 *       later where the server is overloaded; close codes from 4500 on, and identities that are refused, end the client.
 *   <li>Where a server can be reached and a WebSocket cannot, events come by an <b>event stream</b>. Nothing can be sent
 *       on it: what waits goes on waiting, questions fail with {@code no_websocket}.
 * </ul>
 */
public final class CarillonClient implements AutoCloseable {
    /** What a client is doing. */
    public enum State {
        /** Not asked to connect yet. */
        IDLE,
        /** Opening a connection, or catching up on it. */
        CONNECTING,
        /** Connected; everything missed has come, every room is joined. */
        READY,
        /** Without a connection until the next attempt. */
        WAITING,
        /** Over, by {@link #close} or by the server. */
        CLOSED
    }

    /** Takes an event. What it throws is logged, and keeps the event from being acknowledged. */
    @FunctionalInterface
    public interface Handler {
        void handle(Received event) throws Exception;
    }

    /** The type under which {@link #on} hears every event. */
    public static final String EVERY = "*";

    /** Of all parts of the client, under the one name that applications know. */
    static final Logger LOG = System.getLogger(CarillonClient.class.getName());

    private static final JsonMapper JSON = JsonMapper.shared();

    // What a client is made of. Its connections have to do with all of it; the others are given what they use.
    final Builder settings;
    final Guard<PushConnection> guard;
    final Identity identity;
    final Handlers handlers;
    final Channels channels;
    final Messages messages;
    final Questions questions;
    private final Inbox inbox;
    private final Dialer dialer;

    private CarillonClient(
            Builder settings,
            Timer timer,
            RandomGenerator random,
            Executor background,
            Transport sockets,
            Transport streams) {
        var core = new Core<PushConnection>(settings, settings.user, timer, random, background);
        this.settings = settings;
        this.guard = core.guard;
        this.identity = core.identity;
        this.inbox = core.inbox;
        this.handlers = new Handlers(guard, inbox);
        this.channels = new Channels(guard, handlers);
        this.messages = new Messages(settings, guard, timer, identity, channels);
        this.questions = new Questions(settings, guard, timer);
        this.dialer = new Dialer(core, new PushOpener(this, sockets, streams));
    }

    /**
     * Starts a client of the cluster at this address.
     *
     * @param address the front door or a node, {@code http://host:port} or {@code https://host:port}
     */
    public static Builder at(String address) {
        return new Builder(URI.create(address));
    }

    /**
     * Adds a handler for events of a type: one of the application's, a notice ({@code degraded}, {@code restored}, {@code
     * presence_join}, …), or {@link #EVERY} event. Add them before {@link #connect}, so that nothing comes too early.
     */
    public CarillonClient on(String type, Handler handler) {
        handlers.on(type, handler);
        return this;
    }

    /** Adds a handler for gaps, called on the handlers' thread, between the events that the gap lies between. */
    public CarillonClient onGap(Consumer<Gap> handler) {
        handlers.onGap(handler);
        return this;
    }

    /** Adds a handler for changes of state, called on the handlers' thread. */
    public CarillonClient onState(Consumer<State> handler) {
        inbox.onState(handler);
        return this;
    }

    /** Connects, and goes on doing so; done when the client is ready for the first time, failed when it never will be. */
    public CompletableFuture<Void> connect() {
        guard.locked(dialer::start);
        return dialer.whenReady();
    }

    /**
     * Sends a message: now, or when there is a connection. Done when the cluster has the event; failed with a
     * {@link RefusedException} otherwise. A durable message that was sent once and has no answer for
     * {@link Builder#resendWithin} fails with {@code in_doubt}.
     */
    public CompletableFuture<Sent> send(Message message) {
        ObjectNode frame = Messages.frame(message);
        // With room for the ref.
        if (frame.toString().getBytes(UTF_8).length + 40 > settings.maxMessage) {
            return RefusedException.future("too_large", "a message has " + settings.maxMessage + " bytes at most");
        }
        guard.lock.lock();
        try {
            return dialer.over() ? closed() : messages.send(message, frame);
        } finally {
            guard.lock.unlock();
        }
    }

    /** Enters a room, on every connection from now on; done with the number of users in it, 0 on an event stream. */
    public CompletableFuture<Integer> join(String room) {
        Ids.check(room, "room");
        guard.lock.lock();
        try {
            return dialer.over() ? closed() : channels.join(room);
        } finally {
            guard.lock.unlock();
        }
    }

    /** Leaves a room; what still comes from it is dropped. */
    public void leave(String room) {
        Ids.check(room, "room");
        guard.locked(() -> channels.leave(room));
    }

    /** Who is in a room that the client is in. */
    public CompletableFuture<Members> presence(String room) {
        Ids.check(room, "room");
        return ask(JSON.createObjectNode().put("type", "presence").put("room", room))
                .thenApply(answer -> new Members(
                        room,
                        answer.path("count").asLong(0),
                        answer.path("users")
                                .valueStream()
                                .map(JsonNode::asString)
                                .toList()));
    }

    /**
     * What is kept of a channel behind an offset.
     *
     * @param channel {@code broadcast}, the user's own {@code user:<id>}, or {@code room:<id>} of a room the client is in
     * @param after the offset; negative for the start of what is kept
     * @param limit 1 to 1,000 events
     */
    public CompletableFuture<HistoryPage> history(String channel, long after, int limit) {
        ObjectNode frame = JSON.createObjectNode()
                .put("type", "history")
                .put("channel", channel)
                .put("limit", limit);
        if (after >= 0) frame.put("after", after);
        return ask(frame)
                .thenApply(answer -> new HistoryPage(
                        channel,
                        answer.path("events").valueStream().map(Received::new).toList(),
                        Received.position(answer)));
    }

    /**
     * Asks the server something else of the dialect, such as {@code ping}; done with its answer. Asked again on the next
     * connection if this one is lost; fails with {@code timeout} after {@link Builder#requestTimeout}.
     */
    public CompletableFuture<Received> request(ObjectNode frame) {
        return ask(frame.deepCopy()).thenApply(Received::new);
    }

    /** What the client is doing. */
    public State state() {
        guard.lock.lock();
        try {
            return dialer.state();
        } finally {
            guard.lock.unlock();
        }
    }

    /** Messages that wait for the cluster's answer. */
    public int queued() {
        guard.lock.lock();
        try {
            return messages.size();
        } finally {
            guard.lock.unlock();
        }
    }

    /** Done when the client is closed, with the reason. */
    public CompletableFuture<RefusedException> whenClosed() {
        return dialer.whenOver();
    }

    /** Says goodbye and ends. Events whose handlers have not begun are not handed on; what waits fails with {@code closed}. */
    @Override
    public void close() {
        guard.locked(inbox::clear);
        dialer.stop("closed", "the client was closed");
    }

    private CompletableFuture<JsonNode> ask(ObjectNode frame) {
        guard.lock.lock();
        try {
            return dialer.over() ? closed() : questions.ask(frame);
        } finally {
            guard.lock.unlock();
        }
    }

    private static <T> CompletableFuture<T> closed() {
        return RefusedException.future("closed", "the client is closed");
    }

    /** Settings of one client, to be left alone once it is built; durations are positive, limits at least 1. */
    public static final class Builder extends ClientBuilder<Builder> {
        @Nullable
        String streamPath = "/api/ws/events";

        @Nullable
        String user;

        int maxMessage = 512 * 1024;

        private Builder(URI address) {
            super(address, "/api/ws/connect", Duration.ofMinutes(4));
        }

        @Override
        Builder self() {
            return this;
        }

        /** Path and query of event streams, such as {@code /api/ws/events?namespace=second}; null for no fallback. */
        public Builder eventStream(@Nullable String value) {
            streamPath = value;
            return this;
        }

        /** Whose session it is, where that is not the token's {@code sub}; only event streams need to know. */
        public Builder user(String id) {
            user = Ids.check(id, "user");
            return this;
        }

        /** The endpoint's message size, bytes: a larger one would end the connection. Default 512 KiB. */
        public Builder maxMessage(int bytes) {
            maxMessage = atLeastOne(bytes);
            return this;
        }

        /** A client that is not connected yet. */
        public CarillonClient build() {
            return build(timer(), chance(), threads(), new WebSockets(http()), new EventStreams(http()));
        }

        CarillonClient build(
                Timer timer, RandomGenerator random, Executor background, Transport sockets, Transport streams) {
            return new CarillonClient(this, timer, random, background, sockets, streams);
        }
    }
}
