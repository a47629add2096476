package io.carillon.client;

import io.carillon.client.CarillonClient.State;
import java.util.concurrent.CompletableFuture;
import org.jspecify.annotations.Nullable;

/**
 * What keeps a client connected until it is over: when the next connection is opened, by which transport and from where
 * on, and when there is to be none any more. There is one connection at a time at most.
 *
 * <p>Guarded by the client's lock, under which every method is called but {@link #stop} and those that give futures.
 */
final class Dialer {
    private static final int TIMEOUTS_BEFORE_FALLBACK = 2;

    /** A connection that was ready for so long was a good one. */
    private static final long STEADY = 5_000;

    final Core<?> core;
    private final Guard<?> guard;
    private final Opener opener;
    private final Backoff backoff;
    private final CompletableFuture<Void> ready = new CompletableFuture<>();
    private final CompletableFuture<RefusedException> end = new CompletableFuture<>();
    private State state = State.IDLE;
    private @Nullable Runnable reconnect;
    private long drainWindow;
    private int timeouts;

    /** Attempts since there was a WebSocket last. */
    private int failures;

    Dialer(Core<?> core, Opener opener) {
        this.core = core;
        this.guard = core.guard;
        this.opener = opener;
        ClientBuilder<?> settings = core.settings;
        this.backoff = new Backoff(settings.backoffBase.toMillis(), settings.backoffCap.toMillis(), core.random);
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
        core.inbox.start();
        attempt();
    }

    /** A connection has caught up. */
    void ready() {
        core.identity.accepted();
        become(State.READY);
    }

    private void become(State next) {
        if (state == next || over()) return;
        state = next;
        core.inbox.state(next);
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
            opener.over(code, sentence);
            var why = new RefusedException(code, sentence);
            guard.background(() -> {
                ready.completeExceptionally(why);
                end.complete(why);
            });
            core.inbox.end();
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
        if (core.identity.wanting()) core.identity.ask(this::supplied);
        else open(opener.fallsBackAfter(failures));
    }

    private void supplied(@Nullable String fresh) {
        if (state != State.CONNECTING || guard.connection != null) return;
        if (fresh == null) retry(backoff.next());
        else open(opener.fallsBackAfter(failures));
    }

    private void open(boolean fallback) {
        drainWindow = 0;
        try {
            opener.open(this, fallback);
        } catch (IllegalArgumentException e) {
            // What it says may hold the token.
            stop("bad_request", "the path or the token has characters that no request may have");
        }
    }

    private void retry(long millis) {
        become(State.WAITING);
        reconnect = core.timer.in(millis, () -> guard.locked(this::attempt));
    }

    // ---- what connections report

    /** A WebSocket is open. */
    void opened() {
        timeouts = 0;
        failures = 0;
    }

    /** A WebSocket takes over from what served in its place, and has still to catch up. */
    void replaced() {
        become(State.CONNECTING);
    }

    /** The server names the window over which those it closes now come back. */
    void drain(long window) {
        drainWindow = window;
    }

    /** A handshake was given up. */
    void timedOut(boolean fallback) {
        failures++;
        if (++timeouts >= TIMEOUTS_BEFORE_FALLBACK && !fallback && opener.fallsBack()) open(true);
        else retry(backoff.next());
    }

    /** There was no answer to a handshake. */
    void failed() {
        failures++;
        retry(backoff.next());
    }

    /** The server answered the handshake, but not with a connection. */
    void refused(boolean fallback, int status, long retryAfter) {
        failures++;
        if (status == 401) {
            if (core.identity.denied()) retry(backoff.next());
            else stop("unauthorized", "the server does not take the identity");
        } else if (status == 429 || status >= 500 && status != 501) {
            retry(retryAfter * 1000 + backoff.next());
        } else if (!fallback && opener.fallsBack()) {
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
        if (readyAt >= 0 && core.timer.now() - readyAt >= STEADY) backoff.settled();
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
                if (core.identity.expired()) retry(backoff.next());
                else stop("unauthorized", "the token has expired and there is no other");
            }
            default -> retry(backoff.next());
        }
    }
}
