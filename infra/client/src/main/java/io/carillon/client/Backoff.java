package io.carillon.client;

import java.util.random.RandomGenerator;

/**
 * When a client comes back: full jitter, a moment drawn from all of a window that doubles with each failure. A crowd that
 * lost its node at one moment comes back spread, and a client that fails again and again asks less and less.
 *
 * <p>Times are milliseconds. Not for sharing between threads.
 */
final class Backoff {
    /** Server that is full, connection that was too slow or too loud: no window is shorter than this. */
    static final long OVERLOADED = 5_000;

    /** What a 1012 is spread over where no {@code drain} frame named a time. */
    static final long UNNAMED_WINDOW = 3_000;

    private final long base;
    private final long cap;
    private final RandomGenerator random;
    private int failures;

    Backoff(long base, long cap, RandomGenerator random) {
        this.base = base;
        this.cap = cap;
        this.random = random;
    }

    /** After a failure. */
    long next() {
        return next(0);
    }

    /** The same, with a window of at least so much. */
    long next(long atLeast) {
        long window = Math.min(cap, base << Math.min(failures, 20));
        failures++;
        return within(Math.max(window, atLeast));
    }

    /** Any moment of the window. */
    long within(long window) {
        return window <= 0 ? 0 : random.nextLong(window + 1);
    }

    /** The connection held: what comes now is a new failure. */
    void settled() {
        failures = 0;
    }
}
