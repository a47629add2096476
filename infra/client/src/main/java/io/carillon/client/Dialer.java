package io.carillon.client;

import static java.nio.charset.StandardCharsets.UTF_8;

import io.carillon.client.CarillonClient.Builder;
import io.carillon.client.CarillonClient.State;
import java.net.URI;
import java.net.URLEncoder;
import java.util.List;
import java.util.Objects;
import java.util.concurrent.CompletableFuture;
import org.jspecify.annotations.Nullable;

/**
 * What keeps a client connected until it is over: when the next connection is opened, by which transport and from where
 * on, and when there is to be none any more. There is one connection at a time at most.
 *
 * <p>Guarded by the client's lock, under which every method is called but {@link #stop} and those that give futures.
 */
final class Dialer {
    private static final int TIMEOUTS_BEFORE_STREAM = 2;

    /** A connection that was ready for so long was a good one. */
    private static final long STEADY = 5_000;

    private final CarillonClient client;
    private final Builder settings;
    private final Guard guard;
    private final Transport sockets;
    private final Transport streams;
    private final Backoff backoff;
    private final CompletableFuture<Void> ready = new CompletableFuture<>();
    private final CompletableFuture<RefusedException> end = new CompletableFuture<>();
    private State state = State.IDLE;
    private @Nullable Runnable reconnect;
    private @Nullable String lastEventId;
    private boolean streamed;
    private long drainWindow;
    private int timeouts;
    private long nextRef;

    Dialer(CarillonClient client, Transport sockets, Transport streams) {
        this.client = client;
        this.settings = client.settings;
        this.guard = client.guard;
        this.sockets = sockets;
        this.streams = streams;
        this.backoff = new Backoff(settings.backoffBase.toMillis(), settings.backoffCap.toMillis(), client.random);
    }

    // ---- what the client is doing

    State state() {
        return state;
    }

    boolean over() {
        return state == State.CLOSED;
    }

    CompletableFuture<Void> whenReady() {
        return ready.copy();
    }

    CompletableFuture<RefusedException> whenOver() {
        return end.copy();
    }

    /** Starts, if it has not started before. */
    void start() {
        if (state != State.IDLE) return;
        client.handlers.start();
        attempt();
    }

    /** A connection has caught up. */
    void ready() {
        client.identity.accepted();
        become(State.READY);
    }

    private void become(State next) {
        if (state == next || over()) return;
        state = next;
        client.handlers.state(next);
        if (next == State.READY) guard.background(() -> ready.complete(null));
    }

    /** Ends the client; what waits fails for this reason. */
    void stop(String code, String sentence) {
        Connection open;
        guard.lock.lock();
        try {
            if (over()) return;
            open = guard.connection;
            if (reconnect != null) reconnect.run();
            if (open != null) open.forget();
            become(State.CLOSED);
            client.messages.fail(code, sentence);
            client.questions.fail(code, sentence);
            client.channels.fail(code, sentence);
            var why = new RefusedException(code, sentence);
            guard.background(() -> {
                ready.completeExceptionally(why);
                end.complete(why);
            });
            client.handlers.end();
        } finally {
            guard.lock.unlock();
        }
        if (open != null) open.close();
    }

    // ---- opening

    void attempt() {
        if (over()) return;
        reconnect = null;
        become(State.CONNECTING);
        if (!client.identity.wanting()) {
            open(false);
            return;
        }
        guard.background(() -> {
            String fresh = client.identity.ask();
            guard.locked(() -> supplied(fresh));
        });
    }

    private void supplied(@Nullable String fresh) {
        if (state != State.CONNECTING || guard.connection != null) return;
        if (fresh == null) {
            retry(backoff.next());
        } else {
            client.identity.token(fresh);
            open(false);
        }
    }

    private void open(boolean stream) {
        String token = client.identity.token();
        drainWindow = 0;
        var opening = new Connection(client, stream, streamed);
        guard.connection = opening;
        opening.hurry();
        try {
            opening.link(
                    stream
                            ? streams.open(streamAddress(), token, lastEventId, opening)
                            : sockets.open(socketAddress(), token, null, opening));
        } catch (IllegalArgumentException e) {
            // What it says may hold the token.
            stop("bad_request", "the path or the token has characters that no request may have");
        }
    }

    private URI socketAddress() {
        String address = settings.address.toString().replaceAll("/+$", "");
        return URI.create(address.replaceFirst("^http", "ws") + settings.path);
    }

    private URI streamAddress() {
        List<String> named = client.channels.named(client.identity.userOrSubject());
        String path = Objects.requireNonNull(settings.streamPath);
        return URI.create(settings.address.toString().replaceAll("/+$", "")
                + path
                + (path.contains("?") ? "&" : "?")
                + "channels="
                + URLEncoder.encode(String.join(",", named), UTF_8));
    }

    private void retry(long millis) {
        become(State.WAITING);
        reconnect = client.timer.in(millis, () -> guard.locked(this::attempt));
    }

    /** A name for a question, other than all before it on any connection. */
    String nextRef() {
        return Long.toString(++nextRef, 36);
    }

    // ---- what connections report

    /** A WebSocket is open. */
    void opened() {
        timeouts = 0;
    }

    /** The server names the window over which those it closes now come back. */
    void drain(long window) {
        drainWindow = window;
    }

    /** A WebSocket has said where its channels are: the place of a stream before it is of no more use. */
    void welcomed() {
        streamed = false;
        lastEventId = null;
    }

    /** An event stream flows. */
    void streaming() {
        streamed = true;
    }

    /** Whether the last connection that came to something was an event stream. */
    boolean streamed() {
        return streamed;
    }

    /** Where the next event stream goes on. */
    void mark(String eventId) {
        lastEventId = eventId;
    }

    /** A handshake was given up. */
    void timedOut(boolean stream) {
        if (++timeouts >= TIMEOUTS_BEFORE_STREAM && !stream && settings.streamPath != null) open(true);
        else retry(backoff.next());
    }

    /** There was no answer to a handshake. */
    void failed() {
        retry(backoff.next());
    }

    /** The server answered the handshake, but not with a connection. */
    void refused(boolean stream, int status, long retryAfter) {
        if (status == 401) {
            if (client.identity.denied()) retry(backoff.next());
            else stop("unauthorized", "the server does not take the identity");
        } else if (status == 429 || status >= 500 && status != 501) {
            retry(retryAfter * 1000 + backoff.next());
        } else if (!stream && settings.streamPath != null) {
            // The server is there and does not upgrade, or something between does not let it.
            open(true);
        } else if (status == 400 || status == 403 || status == 404) {
            stop("refused", "the server refused the connection with status " + status);
        } else {
            retry(backoff.next());
        }
    }

    /** An open connection has ended. */
    void lost(int code, long readyAt) {
        if (readyAt >= 0 && client.timer.now() - readyAt >= STEADY) backoff.settled();
        long window = drainWindow;
        drainWindow = 0;
        if (code >= 4500 && code <= 4999) {
            stop("closed_" + code, "the server closed the session for good, with " + code);
            return;
        }
        switch (code) {
            case 1012 -> retry(backoff.within(window > 0 ? window : Backoff.UNNAMED_WINDOW));
            case 1013, 4429, 4430 -> retry(backoff.next(Backoff.OVERLOADED));
            case 4401 -> {
                if (client.identity.expired()) retry(backoff.next());
                else stop("unauthorized", "the token has expired and there is no other");
            }
            default -> retry(backoff.next());
        }
    }
}
