package io.carillon.loadgen;

import java.util.List;

/** Connections opened and held together, and what they received. The counters may be read from any thread. */
interface Receivers {
    /** Opens all, and waits until each is ready or refused, at most {@code seconds}. */
    void open(long seconds) throws InterruptedException;

    /** Closes all; may wait until they are gone, ten seconds at most. */
    void close() throws InterruptedException;

    /** What they received, and how soon. */
    List<Tally> tallies();

    /** What became of the connections. */
    Counts counts();

    default long events() {
        return tallies().stream().mapToLong(Tally::events).sum();
    }

    default long bytes() {
        return tallies().stream().mapToLong(Tally::bytes).sum();
    }
}
