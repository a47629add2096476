package io.carillon.client;

import java.net.URI;
import java.net.http.HttpClient;
import java.time.Duration;
import java.util.concurrent.Executor;
import java.util.concurrent.ScheduledExecutorService;
import java.util.concurrent.ThreadLocalRandom;
import java.util.function.Supplier;
import java.util.random.RandomGenerator;
import org.jspecify.annotations.Nullable;

/**
 * Settings that every client has; to be left alone once it is built. Durations are positive, limits at least 1.
 *
 * @param <B> the builder itself
 */
abstract class ClientBuilder<B extends ClientBuilder<B>> {
    private static final FrameListener NOBODY = new FrameListener() {};

    final URI address;
    String path;

    @Nullable
    String token;

    @Nullable
    Supplier<String> tokens;

    private @Nullable HttpClient http;
    private @Nullable ScheduledExecutorService scheduler;
    FrameListener tap = NOBODY;
    int maxQueued = 1_000;
    Duration connectTimeout = Duration.ofSeconds(10);
    Duration requestTimeout = Duration.ofSeconds(10);
    Duration resendWithin;
    Duration backoffBase = Duration.ofMillis(500);
    Duration backoffCap = Duration.ofSeconds(20);

    @Nullable
    Duration silence;

    ClientBuilder(URI address, String path, Duration resendWithin) {
        if (address.getScheme() == null || !address.getScheme().matches("https?") || address.getHost() == null) {
            throw new IllegalArgumentException("the address is http://host:port or https://host:port");
        }
        this.address = address;
        this.path = path;
        this.resendWithin = resendWithin;
    }

    abstract B self();

    /** One token, for as long as it lasts. It goes into the {@code Authorization} header and nowhere else. */
    public B token(String value) {
        token = value;
        return self();
    }

    /** Where tokens come from: asked before the first connection, and whenever the last one ends. May block. */
    public B tokens(Supplier<String> supplier) {
        tokens = supplier;
        return self();
    }

    /** The WebSocket's endpoint, another than the dialect's usual one, and its query, if any. */
    public B path(String value) {
        path = value;
        return self();
    }

    /** Shares connections and threads with other clients, which all without one do among themselves, too. */
    public B http(HttpClient client) {
        http = client;
        return self();
    }

    /** The same for timers, whose tasks are short. */
    public B scheduler(ScheduledExecutorService service) {
        scheduler = service;
        return self();
    }

    /** Sees every frame as it comes. */
    public B tap(FrameListener listener) {
        tap = listener;
        return self();
    }

    /** Messages, and questions, that may wait; more fail with {@code queue_full}. Default 1,000. */
    public B maxQueued(int messages) {
        maxQueued = atLeastOne(messages);
        return self();
    }

    /** Time for a handshake. Default 10 s. */
    public B connectTimeout(Duration value) {
        connectTimeout = positive(value);
        return self();
    }

    /** Time for an answer to a question. Default 10 s. */
    public B requestTimeout(Duration value) {
        requestTimeout = positive(value);
        return self();
    }

    /**
     * How long a message that was sent and not answered is sent again; then it fails with {@code in_doubt}. Shorter than
     * the cluster remembers what it has taken. That is as long as it keeps an event's history, 300 s after a channel's last
     * one: default 4 min. Messages of chats and conversations it knows for 24 h: default 12 h.
     */
    public B resendWithin(Duration value) {
        resendWithin = positive(value);
        return self();
    }

    /** The first window a client comes back within, and the largest. Default 500 ms, 20 s. */
    public B backoff(Duration base, Duration cap) {
        backoffBase = positive(base);
        backoffCap = positive(cap);
        return self();
    }

    /** Silence after which a connection is dead. Default twice the heartbeat: 25 s, or what the server names. */
    public B silence(Duration value) {
        silence = positive(value);
        return self();
    }

    // ---- what it is built with

    /** The address, without a slash at its end. */
    String base() {
        return address.toString().replaceAll("/+$", "");
    }

    /** Where WebSockets are opened. */
    URI socketAddress() {
        return URI.create(base().replaceFirst("^http", "ws") + path);
    }

    HttpClient http() {
        return http != null ? http : Shared.HTTP;
    }

    Timer timer() {
        return Timer.of(scheduler != null ? scheduler : Shared.SCHEDULER);
    }

    static RandomGenerator chance() {
        return () -> ThreadLocalRandom.current().nextLong();
    }

    static Executor threads() {
        return task -> Thread.ofVirtual().start(task);
    }

    static Duration positive(Duration value) {
        if (value.toMillis() <= 0) throw new IllegalArgumentException("a duration is a millisecond at least");
        return value;
    }

    static int atLeastOne(int value) {
        if (value < 1) throw new IllegalArgumentException("a limit is 1 at least");
        return value;
    }
}
