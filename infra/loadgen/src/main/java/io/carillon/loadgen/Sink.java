package io.carillon.loadgen;

/**
 * Where published events go. {@link #send} and {@link #flush} are called by the pacing thread; the rest may be read by
 * any thread.
 */
interface Sink {

    /** Takes event {@code number}, due at {@code scheduledNanos}; it may wait in a batch until {@link #flush}. */
    void send(long number, long scheduledNanos);

    /** Lets everything taken so far go out. */
    void flush();

    /** How the answers stand. */
    Answers answers();

    void close() throws InterruptedException;
}
