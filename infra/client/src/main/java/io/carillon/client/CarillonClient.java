package io.carillon.client;

import static java.nio.charset.StandardCharsets.UTF_8;

import io.carillon.model.channel.Ids;
import io.carillon.model.channel.Position;
import io.carillon.model.event.EventIds;
import java.lang.System.Logger;
import java.lang.System.Logger.Level;
import java.net.URI;
import java.net.URLEncoder;
import java.net.http.HttpClient;
import java.time.Duration;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Base64;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.Executor;
import java.util.concurrent.Executors;
import java.util.concurrent.ScheduledExecutorService;
import java.util.concurrent.ScheduledThreadPoolExecutor;
import java.util.concurrent.ThreadLocalRandom;
import java.util.concurrent.locks.Condition;
import java.util.concurrent.locks.ReentrantLock;
import java.util.function.Consumer;
import java.util.function.Supplier;
import java.util.random.RandomGenerator;
import org.jspecify.annotations.Nullable;
import tools.jackson.core.JacksonException;
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

    private static final Logger LOG = System.getLogger(CarillonClient.class.getName());
    private static final JsonMapper JSON = JsonMapper.shared();

    private static final String NO_WEBSOCKET = "there is only an event stream, which takes nothing";

    private static final int MOST_WAITING = 1_000;
    private static final int MOST_CHANNELS = 200;
    private static final int MOST_ACKS = 2_000;
    private static final int MOST_DENIALS = 3;
    private static final int TIMEOUTS_BEFORE_STREAM = 2;
    private static final long TRY_AGAIN = 500;

    /** A connection that was ready for so long was a good one. */
    private static final long STEADY = 5_000;

    private static final long HEARTBEAT = 25_000;

    /** Threads and connections that clients share unless they are given others. */
    private static final class Shared {
        static final ScheduledExecutorService SCHEDULER = scheduler();
        static final HttpClient HTTP = HttpClient.newBuilder()
                .executor(Executors.newVirtualThreadPerTaskExecutor())
                .version(HttpClient.Version.HTTP_1_1)
                .build();

        private static ScheduledExecutorService scheduler() {
            var scheduler = new ScheduledThreadPoolExecutor(
                    1,
                    Thread.ofPlatform().daemon().name("carillon-client-timer").factory());
            scheduler.setRemoveOnCancelPolicy(true);
            return scheduler;
        }
    }

    /** A message that the cluster has not answered for. */
    private static final class Outgoing {
        final Message message;
        final ObjectNode frame;
        final CompletableFuture<Sent> future = new CompletableFuture<>();

        @Nullable
        Runnable doubt;

        Outgoing(Message message, ObjectNode frame) {
            this.message = message;
            this.frame = frame;
        }
    }

    /** A question to the server, asked again on the next connection while it has no answer. */
    private record Question(ObjectNode frame, CompletableFuture<JsonNode> future) {}

    private enum AckState {
        UNDER_WAY,
        DONE
    }

    private final Builder settings;
    private final Timer timer;
    private final RandomGenerator random;
    private final Executor background;
    private final Transport sockets;
    private final Transport streams;
    private final Map<String, List<Handler>> handlers = new ConcurrentHashMap<>();
    private final List<Consumer<Gap>> gapHandlers = new CopyOnWriteArrayList<>();
    private final List<Consumer<State>> stateHandlers = new CopyOnWriteArrayList<>();
    private final CompletableFuture<Void> ready = new CompletableFuture<>();
    private final CompletableFuture<RefusedException> end = new CompletableFuture<>();

    private final ReentrantLock lock = new ReentrantLock();
    private final Condition work = lock.newCondition();

    // Guarded by the lock, as everything below.
    private final Backoff backoff;
    private final Map<String, Continuity> channels = new LinkedHashMap<>();
    private final Set<String> rooms = new LinkedHashSet<>();
    private final Map<String, List<CompletableFuture<Integer>>> joining = new HashMap<>();
    private final ArrayDeque<Outgoing> queue = new ArrayDeque<>();
    private final List<Question> questions = new ArrayList<>();
    private final ArrayDeque<Runnable> inbox = new ArrayDeque<>();
    private final Map<String, AckState> acks = new LinkedHashMap<>();
    private State state = State.IDLE;
    private @Nullable Connection connection;
    private @Nullable String token;
    private @Nullable String user;
    private @Nullable String lastEventId;
    private boolean streamed;
    private long drainWindow;
    private int denials;
    private int timeouts;
    private long nextRef;
    private boolean inFlight;
    private boolean pausing;
    private @Nullable Runnable reconnect;

    private CarillonClient(
            Builder settings,
            Timer timer,
            RandomGenerator random,
            Executor background,
            Transport sockets,
            Transport streams) {
        this.settings = settings;
        this.timer = timer;
        this.random = random;
        this.background = background;
        this.sockets = sockets;
        this.streams = streams;
        this.token = settings.token;
        this.user = settings.user;
        this.backoff = new Backoff(settings.backoffBase.toMillis(), settings.backoffCap.toMillis(), random);
    }

    /**
     * Starts a client of the cluster at this address.
     *
     * @param address the front door or a node, {@code http://host:port} or {@code https://host:port}
     */
    public static Builder at(String address) {
        return new Builder(URI.create(address));
    }

    // ---- what the application calls

    /**
     * Adds a handler for events of a type: one of the application's, a notice ({@code degraded}, {@code restored}, {@code
     * presence_join}, …), or {@link #EVERY} event. Add them before {@link #connect}, so that nothing comes too early.
     */
    public CarillonClient on(String type, Handler handler) {
        handlers.computeIfAbsent(type, t -> new CopyOnWriteArrayList<>()).add(handler);
        return this;
    }

    /** Adds a handler for gaps, called on the handlers' thread, between the events that the gap lies between. */
    public CarillonClient onGap(Consumer<Gap> handler) {
        gapHandlers.add(handler);
        return this;
    }

    /** Adds a handler for changes of state, called on the handlers' thread. */
    public CarillonClient onState(Consumer<State> handler) {
        stateHandlers.add(handler);
        return this;
    }

    /** Connects, and goes on doing so; done when the client is ready for the first time, failed when it never will be. */
    public CompletableFuture<Void> connect() {
        lock.lock();
        try {
            if (state == State.IDLE) {
                Thread.ofVirtual().name("carillon-client").start(this::runHandlers);
                attempt();
            }
        } finally {
            lock.unlock();
        }
        return ready.copy();
    }

    /**
     * Sends a message: now, or when there is a connection. Done when the cluster has the event; failed with a
     * {@link RefusedException} otherwise. A durable message that was sent once and has no answer for
     * {@link Builder#resendWithin} fails with {@code in_doubt}.
     */
    public CompletableFuture<Sent> send(Message message) {
        ObjectNode frame = JSON.createObjectNode().put("type", message.type());
        if (message.to() != null) frame.put("to", message.to());
        if (message.room() != null) frame.put("room", message.room());
        if (message.content() != null) frame.set("content", JSON.valueToTree(message.content()));
        frame.put("id", message.id() != null ? message.id() : EventIds.next(System.currentTimeMillis()));
        if (!message.durable()) frame.put("durable", false);
        // With room for the ref.
        if (frame.toString().getBytes(UTF_8).length + 40 > settings.maxMessage) {
            return refused("too_large", "a message has " + settings.maxMessage + " bytes at most");
        }
        lock.lock();
        try {
            if (state == State.CLOSED) return refused("closed", "the client is closed");
            if (!message.durable()) return sendNow(frame, message);
            if (queue.size() >= settings.maxQueued) {
                return refused("queue_full", settings.maxQueued + " messages wait already");
            }
            var outgoing = new Outgoing(message, frame);
            queue.add(outgoing);
            flush();
            return outgoing.future.copy();
        } finally {
            lock.unlock();
        }
    }

    /** Enters a room, on every connection from now on; done with the number of users in it, 0 on an event stream. */
    public CompletableFuture<Integer> join(String room) {
        Ids.check(room, "room");
        var future = new CompletableFuture<Integer>();
        lock.lock();
        try {
            if (state == State.CLOSED) return refused("closed", "the client is closed");
            rooms.add(room);
            joining.computeIfAbsent(room, r -> new ArrayList<>()).add(future);
            Connection open = connection;
            if (open != null && open.open) {
                if (open.stream) redial(open);
                else open.join(room);
            }
        } finally {
            lock.unlock();
        }
        return future;
    }

    /** Leaves a room; what still comes from it is dropped. */
    public void leave(String room) {
        Ids.check(room, "room");
        lock.lock();
        try {
            boolean there = rooms.remove(room);
            channels.remove("room:" + room);
            failJoins(room, "closed", "the room was left");
            Connection open = connection;
            if (open == null || !open.open) return;
            if (!open.stream) {
                open.ask(JSON.createObjectNode().put("type", "leave").put("room", room), a -> {}, (c, s) -> {});
            } else if (there) {
                redial(open);
            }
        } finally {
            lock.unlock();
        }
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
        lock.lock();
        try {
            return state;
        } finally {
            lock.unlock();
        }
    }

    /** Messages that wait for the cluster's answer. */
    public int queued() {
        lock.lock();
        try {
            return queue.size();
        } finally {
            lock.unlock();
        }
    }

    /** Done when the client is closed, with the reason. */
    public CompletableFuture<RefusedException> whenClosed() {
        return end.copy();
    }

    /** Says goodbye and ends. Events whose handlers have not begun are not handed on; what waits fails with {@code closed}. */
    @Override
    public void close() {
        lock.lock();
        try {
            inbox.clear();
        } finally {
            lock.unlock();
        }
        stop("closed", "the client was closed");
    }

    // ---- connecting

    /** Under the lock. */
    private void attempt() {
        if (state == State.CLOSED) return;
        reconnect = null;
        become(State.CONNECTING);
        Supplier<String> supplier = settings.tokens;
        if (token != null || supplier == null) {
            open(false);
            return;
        }
        background.execute(() -> {
            String fresh;
            try {
                fresh = supplier.get();
            } catch (RuntimeException e) {
                LOG.log(Level.WARNING, "no token: {0}", e.toString());
                fresh = null;
            }
            locked(null, fresh, this::supplied);
        });
    }

    private void supplied(@Nullable String fresh) {
        if (state != State.CONNECTING || connection != null) return;
        if (fresh == null || fresh.isBlank()) {
            retry(backoff.next());
        } else {
            token = fresh;
            open(false);
        }
    }

    private void open(boolean stream) {
        var opening = new Connection(stream);
        connection = opening;
        opening.patience = timer.in(settings.connectTimeout.toMillis(), opening::tooLong);
        opening.link = stream
                ? streams.open(streamAddress(), token, lastEventId, opening)
                : sockets.open(socketAddress(), token, null, opening);
    }

    private URI socketAddress() {
        String address = settings.address.toString().replaceAll("/+$", "");
        return URI.create(address.replaceFirst("^http", "ws") + settings.path);
    }

    private URI streamAddress() {
        var named = new ArrayList<String>(List.of("broadcast"));
        String me = user();
        if (me != null) named.add("user:" + me);
        for (String room : rooms) named.add("room:" + room);
        String path = Objects.requireNonNull(settings.streamPath);
        return URI.create(settings.address.toString().replaceAll("/+$", "")
                + path
                + (path.contains("?") ? "&" : "?")
                + "channels="
                + URLEncoder.encode(String.join(",", named), UTF_8));
    }

    /** Whose session it is: an event stream has to name its channels, and no welcome says so. */
    private @Nullable String user() {
        if (user != null || token == null) return user;
        String[] parts = token.split("\\.");
        if (parts.length != 3) return null;
        try {
            String subject = JSON.readTree(Base64.getUrlDecoder().decode(parts[1]))
                    .path("sub")
                    .asString("");
            return Ids.valid(subject) ? subject : null;
        } catch (IllegalArgumentException | JacksonException e) {
            return null;
        }
    }

    private void retry(long millis) {
        become(State.WAITING);
        reconnect = timer.in(millis, () -> locked(null, null, nothing -> attempt()));
    }

    /** Gives a connection up for another, at once. */
    private void redial(Connection old) {
        old.give();
        attempt();
    }

    private void stop(String code, String sentence) {
        Connection open;
        lock.lock();
        try {
            if (state == State.CLOSED) return;
            open = connection;
            connection = null;
            if (reconnect != null) reconnect.run();
            if (open != null) open.forget();
            become(State.CLOSED);
            for (Outgoing one : queue) {
                if (one.doubt != null) one.doubt.run();
                fail(one.future, code, sentence);
            }
            queue.clear();
            for (Question one : questions) fail(one.future, code, sentence);
            questions.clear();
            for (String room : List.copyOf(joining.keySet())) failJoins(room, code, sentence);
            var why = new RefusedException(code, sentence);
            background(() -> {
                ready.completeExceptionally(why);
                end.complete(why);
            });
            work.signalAll();
        } finally {
            lock.unlock();
        }
        if (open != null && open.link != null) open.link.close();
    }

    private void become(State next) {
        if (state == next || state == State.CLOSED) return;
        state = next;
        for (Consumer<State> handler : stateHandlers) hand(() -> handler.accept(next));
        if (next == State.READY) background(() -> ready.complete(null));
    }

    /** Runs a step with the lock, if that connection is still the client's; null for a step of any time. */
    private <T extends @Nullable Object> void locked(@Nullable Connection of, T value, Consumer<T> step) {
        lock.lock();
        try {
            if (of == null || of == connection) step.accept(value);
        } finally {
            lock.unlock();
        }
    }

    /** One connection, from its handshake on. Its state belongs to the client's lock. */
    private final class Connection implements Transport.Listener {
        final boolean stream;
        final Map<String, Answer> answers = new HashMap<>();
        final Set<String> joins = new LinkedHashSet<>();
        Transport.@Nullable Link link;

        @Nullable
        Runnable patience;

        @Nullable
        Runnable watch;

        boolean open;
        boolean flowing;
        boolean paused;
        int resumes;
        /** Whether a stream came before, which knew positions that this connection does not. */
        final boolean afterStream = streamed;

        long silence = settings.silence != null ? settings.silence.toMillis() : 2 * HEARTBEAT;
        long heardAt;
        long readyAt = -1;

        Connection(boolean stream) {
            this.stream = stream;
        }

        private Transport.Link link() {
            return Objects.requireNonNull(link);
        }

        void send(ObjectNode frame) {
            link().send(frame.toString());
        }

        /** Sends a frame that is answered, by its {@code ref}. */
        void ask(ObjectNode frame, Consumer<JsonNode> answered, Refused refused) {
            ask(frame, answered, refused, () -> {});
        }

        /** The same; {@code lost} runs where the connection ends before. */
        void ask(ObjectNode frame, Consumer<JsonNode> answered, Refused refused, Runnable lost) {
            String ref = Long.toString(++nextRef, 36);
            answers.put(ref, new Answer(answered, refused, lost));
            send(frame.put("ref", ref));
        }

        /** Runs a step on this connection somewhat later, if it is still there. */
        void soon(Runnable step) {
            timer.in(TRY_AGAIN + random.nextLong(TRY_AGAIN), () -> locked(this, step, Runnable::run));
        }

        // -- the transport's side

        @Override
        public void opened() {
            locked(this, null, nothing -> {
                settings.tap.opened();
                open = true;
                heardAt = timer.now();
                if (patience != null) patience.run();
                watch();
                if (!stream) begin();
                link().more();
            });
        }

        @Override
        public void heard() {
            locked(this, null, nothing -> heardAt = timer.now());
        }

        @Override
        public void frame(String text) {
            JsonNode parsed = null;
            try {
                parsed = JSON.readTree(text);
            } catch (JacksonException e) {
                LOG.log(Level.WARNING, "a frame that is no JSON was dropped");
            }
            locked(this, parsed, frame -> {
                settings.tap.frame(text);
                heardAt = timer.now();
                if (frame != null) received(this, frame);
                if (connection != this) return;
                if (inbox.size() < MOST_WAITING) link().more();
                else paused = true;
            });
        }

        @Override
        public void mark(String eventId) {
            locked(this, eventId, id -> {
                lastEventId = id;
                if (!flowing) {
                    flowing = true;
                    streaming(this);
                }
            });
        }

        @Override
        public void closed(int code) {
            locked(this, code, c -> {
                settings.tap.closed(c);
                lost(c);
            });
        }

        @Override
        public void refused(int status, long retryAfter) {
            locked(this, null, nothing -> {
                settings.tap.refused(status);
                forget();
                notOpened(this, status, retryAfter);
            });
        }

        @Override
        public void failed(Throwable cause) {
            locked(this, null, nothing -> {
                settings.tap.refused(0);
                forget();
                connection = null;
                LOG.log(Level.DEBUG, "no connection: {0}", cause.toString());
                retry(backoff.next());
            });
        }

        // -- under the lock

        private void tooLong() {
            locked(this, null, nothing -> {
                if (open) return;
                give();
                if (++timeouts >= TIMEOUTS_BEFORE_STREAM && !stream && settings.streamPath != null) open(true);
                else retry(backoff.next());
            });
        }

        private void watch() {
            long left = heardAt + silence - timer.now();
            watch = timer.in(
                    Math.max(left, 1),
                    () -> locked(this, null, nothing -> {
                        // What is not asked for cannot be heard.
                        if (paused) heardAt = timer.now();
                        if (timer.now() - heardAt < silence) {
                            watch();
                            return;
                        }
                        give();
                        lostFor(1006, readyAt);
                    }));
        }

        /** Cuts it and forgets about it. */
        void give() {
            if (open) settings.tap.closed(1006);
            else settings.tap.refused(0);
            forget();
            if (link != null) link.abort();
            connection = null;
        }

        void forget() {
            if (patience != null) patience.run();
            if (watch != null) watch.run();
            for (Answer one : answers.values()) one.lost.run();
            answers.clear();
            inFlight = false;
            pausing = false;
        }

        private void lost(int code) {
            forget();
            connection = null;
            lostFor(code, readyAt);
        }

        private void begin() {
            timeouts = 0;
            var known = new ArrayList<String>();
            for (String channel : channels.keySet()) {
                if (!channel.startsWith("room:") || rooms.contains(channel.substring(5))) known.add(channel);
            }
            for (int i = 0; i < known.size(); i += MOST_CHANNELS) {
                resume(known.subList(i, Math.min(known.size(), i + MOST_CHANNELS)));
            }
            for (String room : rooms) if (!channels.containsKey("room:" + room)) join(room);
        }

        void join(String room) {
            joins.add(room);
            ask(JSON.createObjectNode().put("type", "join").put("room", room), answer -> {}, (code, sentence) -> {
                if (!rooms.contains(room)) {
                    joins.remove(room);
                } else if (passing(code)) {
                    soon(() -> {
                        if (rooms.contains(room)) join(room);
                        else joins.remove(room);
                    });
                    return;
                } else {
                    joins.remove(room);
                    rooms.remove(room);
                    failJoins(room, code, sentence);
                }
                settle();
            });
        }

        void resume(List<String> named) {
            ObjectNode frame = JSON.createObjectNode().put("type", "resume");
            ObjectNode positions = frame.putObject("channels");
            for (String channel : named) {
                Continuity one = channels.get(channel);
                if (one == null) continue;
                one.hold();
                positions
                        .putObject(channel)
                        .put("epoch", one.position().epoch())
                        .put("offset", one.position().offset());
            }
            if (positions.isEmpty()) return;
            var names = List.copyOf(named);
            resumes++;
            ask(
                    frame,
                    answer -> {
                        resumes--;
                        resumed(this, answer.path("channels"));
                        settle();
                    },
                    (code, sentence) -> {
                        resumes--;
                        resumeLater(names);
                    });
        }

        void resumeLater(List<String> named) {
            resumes++;
            soon(() -> {
                resumes--;
                resume(named);
                settle();
            });
        }

        void settle() {
            if (!flowing || resumes > 0 || !joins.isEmpty() || readyAt >= 0) {
                if (readyAt >= 0) flush();
                return;
            }
            readyAt = timer.now();
            denials = 0;
            become(State.READY);
            for (Question one : questions) put(one);
            flush();
        }

        void put(Question question) {
            ask(
                    question.frame,
                    answer -> {
                        if (questions.remove(question)) background(() -> question.future.complete(answer));
                    },
                    (code, sentence) -> {
                        if (passing(code) && questions.contains(question)) soon(() -> put(question));
                        else if (questions.remove(question)) fail(question.future, code, sentence);
                    });
        }
    }

    @FunctionalInterface
    private interface Refused {
        void because(String code, String sentence);
    }

    private record Answer(Consumer<JsonNode> answered, Refused refused, Runnable lost) {}

    /** Whether the same may be taken a moment later. */
    private static boolean passing(String code) {
        return code.equals("rate_limited") || code.equals("unavailable") || code.equals("busy");
    }

    /** The server answered the handshake, but not with a connection. */
    private void notOpened(Connection refused, int status, long retryAfter) {
        connection = null;
        if (status == 401) {
            denied();
        } else if (status == 429 || status >= 500 && status != 501) {
            retry(retryAfter * 1000 + backoff.next());
        } else if (!refused.stream && settings.streamPath != null) {
            // The server is there and does not upgrade, or something between does not let it.
            open(true);
        } else if (status == 400 || status == 403 || status == 404) {
            stop("refused", "the server refused the connection with status " + status);
        } else {
            retry(backoff.next());
        }
    }

    private void denied() {
        if (settings.tokens == null || ++denials >= MOST_DENIALS) {
            stop("unauthorized", "the server does not take the identity");
            return;
        }
        token = null;
        retry(backoff.next());
    }

    /** An open connection has ended. */
    private void lostFor(int code, long readyAt) {
        if (readyAt >= 0 && timer.now() - readyAt >= STEADY) backoff.settled();
        long window = drainWindow;
        drainWindow = 0;
        if (code >= 4500 && code <= 4999) {
            stop("closed_" + code, "the server closed the session for good, with " + code);
            return;
        }
        if (code == 1009) tooLarge();
        switch (code) {
            case 1012 -> retry(backoff.within(window > 0 ? window : Backoff.UNNAMED_WINDOW));
            case 1013, 4429, 4430 -> retry(backoff.next(Backoff.OVERLOADED));
            case 4401 -> {
                if (settings.tokens == null) {
                    stop("unauthorized", "the token has expired and there is no other");
                    return;
                }
                token = null;
                retry(backoff.next());
            }
            default -> retry(backoff.next());
        }
    }

    /** The one message under way cannot have been taken, and would end the next connection too. */
    private void tooLarge() {
        Outgoing first = queue.peek();
        if (first == null || first.doubt == null) return;
        queue.remove(first);
        first.doubt.run();
        fail(first.future, "too_large", "the server does not take a message of this size");
    }

    // ---- what comes; all under the lock

    private void received(Connection on, JsonNode frame) {
        String type = frame.path("type").asString("");
        switch (type) {
            case "welcome" -> welcomed(on, frame);
            case "joined" -> joined(on, frame);
            case "left" -> left(frame);
            case "resync" -> resync(frame);
            case "drain" -> drainWindow = frame.path("reconnect_within_ms").asLong(0);
            case "token_expiring" -> refresh(on);
            default -> {}
        }
        switch (type) {
            case "welcome", "joined", "left", "resumed", "sent", "history", "presence", "refreshed", "pong" ->
                answered(on, frame);
            case "error" -> failed(on, frame);
            case "resync" -> {}
            case "drain", "token_expiring", "degraded", "restored", "presence_join", "presence_leave" ->
                notice(new Received(frame));
            default -> event(on, new Received(frame));
        }
    }

    private void welcomed(Connection on, JsonNode welcome) {
        user = welcome.path("user").asString(user);
        if (settings.silence == null) on.silence = 2 * welcome.path("heartbeat").asLong(HEARTBEAT);
        on.flowing = true;
        for (Map.Entry<String, JsonNode> one : welcome.path("channels").properties()) {
            Position at = Received.position(one.getValue());
            if (at == null || channels.containsKey(one.getKey())) continue;
            channels.put(one.getKey(), new Continuity(at));
            // Where a stream had come to is not known here.
            if (on.afterStream) gap(one.getKey(), null, at);
        }
        streamed = false;
        lastEventId = null;
        on.settle();
    }

    /** An event stream flows: from the id it was given, or from now on. */
    private void streaming(Connection on) {
        if (!streamed) {
            // What came between the last connection and now cannot be asked for here.
            channels.forEach((channel, one) -> gap(channel, one.position(), null));
            channels.clear();
        }
        streamed = true;
        for (String room : rooms) {
            List<CompletableFuture<Integer>> waiting = joining.remove(room);
            if (waiting != null) waiting.forEach(future -> background(() -> future.complete(0)));
        }
        on.readyAt = timer.now();
        denials = 0;
        become(State.READY);
        for (Question one : List.copyOf(questions)) fail(one.future, "no_websocket", NO_WEBSOCKET);
        questions.clear();
    }

    private void joined(Connection on, JsonNode frame) {
        String room = frame.path("room").asString("");
        String channel = "room:" + room;
        Position at = Received.position(frame);
        Continuity known = channels.get(channel);
        on.joins.remove(room);
        if (frame.has("ref") && !rooms.contains(room)) {
            // Left meanwhile.
            on.settle();
            return;
        }
        if (known == null && at != null) {
            channels.put(channel, new Continuity(at));
            if (on.afterStream && on.readyAt < 0) gap(channel, null, at);
        } else if (known != null
                && at != null
                && !known.holding()
                && !known.position().equals(at)) {
            // An operator's doing: the room was known from a connection before.
            if (!rooms.contains(room)) on.resume(List.of(channel));
        }
        List<CompletableFuture<Integer>> waiting = joining.remove(room);
        if (waiting != null) {
            int members = frame.path("members").asInt(0);
            for (CompletableFuture<Integer> future : waiting) background(() -> future.complete(members));
        }
        on.settle();
    }

    private void left(JsonNode frame) {
        String room = frame.path("room").asString("");
        // The answer to one's own leave may come behind a new join.
        if (frame.has("ref")) return;
        rooms.remove(room);
        channels.remove("room:" + room);
        notice(new Received(frame));
    }

    private void resumed(Connection on, JsonNode outcomes) {
        var again = new ArrayList<String>();
        for (Map.Entry<String, JsonNode> one : outcomes.properties()) {
            String channel = one.getKey();
            Continuity known = channels.get(channel);
            if (known == null) continue;
            JsonNode outcome = one.getValue();
            String code = outcome.path("code").asString("");
            Position to = Received.position(outcome);
            if (passing(code)) {
                again.add(channel);
                continue;
            }
            if (!code.isEmpty() || to == null) {
                // Not the client's any more.
                channels.remove(channel);
                if (channel.startsWith("room:")) rooms.remove(channel.substring(5));
                gap(channel, known.position(), null);
                continue;
            }
            Position before = known.position();
            Continuity.Release release = known.resumed(outcome.path("recovered").asBoolean(false), to);
            if (release.gap()) gap(channel, before, to);
            release.events().forEach(this::passOn);
            String room = channel.startsWith("room:") ? channel.substring(5) : "";
            // Asked for while there was no connection: who is in it the server has still to say.
            if (joining.containsKey(room)) on.join(room);
        }
        if (!again.isEmpty()) on.resumeLater(again);
    }

    private void resync(JsonNode frame) {
        String channel = frame.path("channel").asString("");
        Position to = Received.position(frame);
        if (to == null) return;
        Continuity known = channels.get(channel);
        gap(channel, known == null ? null : known.position(), to);
        if (known == null) channels.put(channel, new Continuity(to));
        else known.resync(to);
    }

    private void answered(Connection on, JsonNode frame) {
        Answer answer = on.answers.remove(frame.path("ref").asString(""));
        if (answer != null) answer.answered.accept(frame);
    }

    private void failed(Connection on, JsonNode frame) {
        Answer answer = on.answers.remove(frame.path("ref").asString(""));
        String code = frame.path("code").asString("error");
        if (answer != null) {
            answer.refused.because(code, frame.path("error").asString(""));
        } else {
            LOG.log(Level.WARNING, "the server answered {0}", code);
            notice(new Received(frame));
        }
    }

    private void refresh(Connection on) {
        Supplier<String> supplier = settings.tokens;
        if (supplier == null || on.stream) return;
        background.execute(() -> {
            String fresh;
            try {
                fresh = supplier.get();
            } catch (RuntimeException e) {
                LOG.log(Level.WARNING, "no token: {0}", e.toString());
                return;
            }
            locked(on, fresh, given -> {
                if (given == null || given.isBlank()) return;
                token = given;
                renew(on, given);
            });
        });
    }

    private void renew(Connection on, String given) {
        on.ask(JSON.createObjectNode().put("type", "refresh").put("token", given), answer -> {}, (code, sentence) -> {
            if (passing(code)) on.soon(() -> renew(on, given));
            else LOG.log(Level.WARNING, "the fresh token was refused: {0}", code);
        });
    }

    // ---- events to handlers

    private void event(Connection on, Received event) {
        String channel = event.channel();
        Position at = event.position();
        if (channel == null || at == null) {
            passOn(event);
            return;
        }
        Continuity known = channels.get(channel);
        if (known == null) {
            String room = event.room();
            if (channel.startsWith("room:") && room != null && !on.stream) return; // left
            // An event stream says where it stands by its first event.
            passOn(event);
            channels.put(channel, new Continuity(at));
            return;
        }
        String id = event.id();
        boolean owed = event.ack() && id != null;
        switch (known.take(event, at)) {
            case PASSED_ON -> passOn(event);
            case REPEATED -> {
                // It comes again because it was not acknowledged.
                if (owed) passOn(event);
            }
            case HELD -> {}
        }
    }

    private void passOn(Received event) {
        String id = event.id();
        if (own(event)) return;
        if (event.ack() && id != null) {
            AckState fate = acks.get(id);
            if (fate == AckState.DONE) {
                acknowledge(id);
                return;
            }
            if (fate == AckState.UNDER_WAY) return;
            acks.put(id, AckState.UNDER_WAY);
            if (acks.size() > MOST_ACKS) acks.remove(acks.keySet().iterator().next());
            hand(() -> {
                boolean handled = handle(event, true);
                locked(null, id, one -> {
                    if (handled) {
                        acks.put(one, AckState.DONE);
                        acknowledge(one);
                    } else {
                        acks.remove(one);
                    }
                });
            });
            return;
        }
        hand(() -> handle(event, true));
    }

    private void notice(Received notice) {
        if (handlers.containsKey(notice.type())) hand(() -> handle(notice, false));
    }

    private void acknowledge(String id) {
        Connection open = connection;
        if (open == null || !open.open || open.stream) return;
        open.send(JSON.createObjectNode().put("type", "ack").put("id", id));
    }

    private void gap(String channel, @Nullable Position from, @Nullable Position to) {
        var gap = new Gap(channel, from, to);
        for (Consumer<Gap> handler : gapHandlers) hand(() -> handler.accept(gap));
    }

    /** Whether there was a handler, and none threw. */
    private boolean handle(Received event, boolean toEvery) {
        boolean any = false;
        boolean good = true;
        var all = new ArrayList<>(handlers.getOrDefault(event.type(), List.of()));
        if (toEvery) all.addAll(handlers.getOrDefault(EVERY, List.of()));
        for (Handler handler : all) {
            any = true;
            try {
                handler.handle(event);
            } catch (Exception e) {
                good = false;
                LOG.log(Level.WARNING, "a handler of " + event.type() + " failed", e);
            }
        }
        return any && good;
    }

    private void hand(Runnable task) {
        inbox.add(task);
        work.signal();
    }

    private void runHandlers() {
        while (true) {
            Runnable task;
            Transport.Link thirsty = null;
            lock.lock();
            try {
                while (inbox.isEmpty() && state != State.CLOSED) work.awaitUninterruptibly();
                task = inbox.poll();
                if (task == null) return;
                Connection open = connection;
                if (open != null && open.paused && inbox.size() < MOST_WAITING / 2) {
                    open.paused = false;
                    open.heardAt = timer.now();
                    thirsty = open.link();
                }
            } finally {
                lock.unlock();
            }
            // Not under the lock: what waits in the transport may come by this very call.
            if (thirsty != null) thirsty.more();
            try {
                task.run();
            } catch (RuntimeException e) {
                LOG.log(Level.WARNING, "a handler failed", e);
            }
        }
    }

    // ---- messages and questions; under the lock, but for the first

    private CompletableFuture<JsonNode> ask(ObjectNode frame) {
        var question = new Question(frame, new CompletableFuture<>());
        lock.lock();
        try {
            if (state == State.CLOSED) return refused("closed", "the client is closed");
            Connection open = connection;
            if (open != null && open.stream && open.open) return refused("no_websocket", NO_WEBSOCKET);
            if (questions.size() >= settings.maxQueued) {
                return refused("queue_full", settings.maxQueued + " questions wait already");
            }
            questions.add(question);
            Runnable cancel = timer.in(
                    settings.requestTimeout.toMillis(),
                    () -> locked(null, question, late -> {
                        if (questions.remove(late)) fail(late.future, "timeout", "no answer in time");
                    }));
            var unused = question.future.whenComplete((answer, failure) -> cancel.run());
            if (open != null && open.readyAt >= 0) open.put(question);
        } finally {
            lock.unlock();
        }
        return question.future.copy();
    }

    private CompletableFuture<Sent> sendNow(ObjectNode frame, Message message) {
        Connection open = connection;
        if (open == null || open.readyAt < 0) return refused("not_connected", "there is no connection");
        if (open.stream) return refused("no_websocket", NO_WEBSOCKET);
        var future = new CompletableFuture<Sent>();
        Runnable late =
                timer.in(settings.requestTimeout.toMillis(), () -> fail(future, "timeout", "no answer in time"));
        var unused = future.whenComplete((sent, failure) -> late.run());
        open.ask(
                frame,
                answer -> complete(future, message, answer),
                (code, sentence) -> fail(future, code, sentence),
                () -> fail(future, "connection_lost", "the connection ended before the answer"));
        return future.copy();
    }

    /** Sends the first message that waits, if it is its turn. */
    private void flush() {
        Connection open = connection;
        if (open == null || open.stream || open.readyAt < 0 || inFlight || pausing) return;
        Outgoing first = queue.peek();
        if (first == null) return;
        inFlight = true;
        if (first.doubt == null) {
            first.doubt = timer.in(settings.resendWithin.toMillis(), () -> locked(null, first, this::doubt));
        }
        open.ask(
                first.frame,
                answer -> {
                    inFlight = false;
                    taken(first, answer);
                    flush();
                },
                (code, sentence) -> {
                    inFlight = false;
                    if (passing(code)) {
                        pausing = true;
                        open.soon(() -> {
                            pausing = false;
                            flush();
                        });
                        return;
                    }
                    if (queue.remove(first)) {
                        if (first.doubt != null) first.doubt.run();
                        fail(first.future, code, sentence);
                    }
                    flush();
                });
    }

    private void taken(Outgoing message, JsonNode answer) {
        if (!queue.remove(message)) return;
        if (message.doubt != null) message.doubt.run();
        complete(message.future, message.message, answer);
    }

    private void complete(CompletableFuture<Sent> future, Message message, JsonNode answer) {
        Position at = Received.position(answer);
        Position self = Received.position(answer.path("self"));
        String to = message.to();
        String room = message.room();
        String channel = to != null ? "user:" + to : room != null ? "room:" + room : "broadcast";
        own(channel, at);
        if (user != null) own("user:" + user, self);
        var sent = new Sent(answer.path("id").asString(""), at);
        background(() -> future.complete(sent));
    }

    /** Whether this is the message under way, whose answer was lost: on another connection it comes as one that was missed. */
    private boolean own(Received event) {
        Outgoing first = queue.peek();
        return first != null
                && first.doubt != null
                && user != null
                && user.equals(event.from())
                && first.frame.path("id").asString("").equals(event.id());
    }

    private void own(String channel, @Nullable Position at) {
        Continuity known = channels.get(channel);
        if (known != null && at != null) known.own(at);
    }

    /** The cluster may no longer know the message's id: sent again, it might be there twice. */
    private void doubt(Outgoing message) {
        Connection open = connection;
        boolean asked = inFlight && queue.peek() == message;
        if (!queue.remove(message)) return;
        // A server that does not answer for minutes is not one to go on with.
        if (asked && open != null) redial(open);
        fail(message.future, "in_doubt", "sent without an answer, too long ago to send it again");
    }

    private void failJoins(String room, String code, String sentence) {
        List<CompletableFuture<Integer>> waiting = joining.remove(room);
        if (waiting != null) waiting.forEach(future -> fail(future, code, sentence));
    }

    private void fail(CompletableFuture<?> future, String code, String sentence) {
        background(() -> future.completeExceptionally(new RefusedException(code, sentence)));
    }

    private static <T> CompletableFuture<T> refused(String code, String sentence) {
        return CompletableFuture.failedFuture(new RefusedException(code, sentence));
    }

    /** What depends on a future may wait, or call the client: never under the lock, never on the transport's threads. */
    private void background(Runnable task) {
        background.execute(task);
    }

    /** Settings of a client; durations are positive, limits at least 1. */
    public static final class Builder {
        private static final FrameListener NOBODY = new FrameListener() {};

        private final URI address;
        private String path = "/api/ws/connect";
        private @Nullable String streamPath = "/api/ws/events";
        private @Nullable String token;
        private @Nullable Supplier<String> tokens;
        private @Nullable String user;
        private @Nullable HttpClient http;
        private @Nullable ScheduledExecutorService scheduler;
        private FrameListener tap = NOBODY;
        private int maxQueued = 1_000;
        private int maxMessage = 512 * 1024;
        private Duration connectTimeout = Duration.ofSeconds(10);
        private Duration requestTimeout = Duration.ofSeconds(10);
        private Duration resendWithin = Duration.ofMinutes(4);
        private Duration backoffBase = Duration.ofMillis(500);
        private Duration backoffCap = Duration.ofSeconds(20);
        private @Nullable Duration silence;

        private Builder(URI address) {
            if (address.getScheme() == null || !address.getScheme().matches("https?") || address.getHost() == null) {
                throw new IllegalArgumentException("the address is http://host:port or https://host:port");
            }
            this.address = address;
        }

        /** One token, for as long as it lasts. It goes into the {@code Authorization} header and nowhere else. */
        public Builder token(String value) {
            token = value;
            return this;
        }

        /** Where tokens come from: asked before the first connection, and whenever the last one ends. May block. */
        public Builder tokens(Supplier<String> supplier) {
            tokens = supplier;
            return this;
        }

        /** The endpoint, another than {@code /api/ws/connect} of the same dialect, and its query, if any. */
        public Builder path(String value) {
            path = value;
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

        /** Shares connections and threads with other clients, which all without one do among themselves, too. */
        public Builder http(HttpClient client) {
            http = client;
            return this;
        }

        /** The same for timers, whose tasks are short. */
        public Builder scheduler(ScheduledExecutorService service) {
            scheduler = service;
            return this;
        }

        /** Sees every frame as it comes. */
        public Builder tap(FrameListener listener) {
            tap = listener;
            return this;
        }

        /** Messages, and questions, that may wait; more fail with {@code queue_full}. Default 1,000. */
        public Builder maxQueued(int messages) {
            maxQueued = atLeastOne(messages);
            return this;
        }

        /** The endpoint's message size, bytes: a larger one would end the connection. Default 512 KiB. */
        public Builder maxMessage(int bytes) {
            maxMessage = atLeastOne(bytes);
            return this;
        }

        /** Time for a handshake. Default 10 s. */
        public Builder connectTimeout(Duration value) {
            connectTimeout = positive(value);
            return this;
        }

        /** Time for an answer to a question. Default 10 s. */
        public Builder requestTimeout(Duration value) {
            requestTimeout = positive(value);
            return this;
        }

        /**
         * How long a message that was sent and not answered is sent again; then it fails with {@code in_doubt}. Shorter than
         * the cluster remembers ids, which is as long as it keeps history: 300 s after a channel's last event. Default 4 min.
         */
        public Builder resendWithin(Duration value) {
            resendWithin = positive(value);
            return this;
        }

        /** The first window a client comes back within, and the largest. Default 500 ms, 20 s. */
        public Builder backoff(Duration base, Duration cap) {
            backoffBase = positive(base);
            backoffCap = positive(cap);
            return this;
        }

        /** Silence after which a connection is dead. Default twice the heartbeat that the server names. */
        public Builder silence(Duration value) {
            silence = positive(value);
            return this;
        }

        /** A client that is not connected yet. */
        public CarillonClient build() {
            HttpClient shared = http != null ? http : Shared.HTTP;
            return build(
                    Timer.of(scheduler != null ? scheduler : Shared.SCHEDULER),
                    () -> ThreadLocalRandom.current().nextLong(),
                    task -> Thread.ofVirtual().start(task),
                    new WebSockets(shared),
                    new EventStreams(shared));
        }

        CarillonClient build(
                Timer timer, RandomGenerator random, Executor background, Transport sockets, Transport streams) {
            return new CarillonClient(this, timer, random, background, sockets, streams);
        }

        private static Duration positive(Duration value) {
            if (value.toMillis() <= 0) throw new IllegalArgumentException("a duration is a millisecond at least");
            return value;
        }

        private static int atLeastOne(int value) {
            if (value < 1) throw new IllegalArgumentException("a limit is 1 at least");
            return value;
        }
    }
}
