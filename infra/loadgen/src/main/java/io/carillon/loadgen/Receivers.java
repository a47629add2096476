package io.carillon.loadgen;

import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/** Connections opened and held together, and what they received. The counters may be read from any thread. */
interface Receivers {
    /** Opens all, and waits until each is ready or refused, at most {@code seconds}. */
    void open(long seconds) throws InterruptedException;

    /** Closes all, and waits until they are gone, at most ten seconds. */
    void close() throws InterruptedException;

    /** What they received, and how soon. */
    List<Tally> tallies();

    int ready();

    int refused();

    @Nullable
    String firstRefusal();

    /** How many connections the server closed, by close code; 0 stands for no close frame. */
    Map<String, Integer> closedByServer();

    default long events() {
        return tallies().stream().mapToLong(Tally::events).sum();
    }

    default long bytes() {
        return tallies().stream().mapToLong(Tally::bytes).sum();
    }
}
