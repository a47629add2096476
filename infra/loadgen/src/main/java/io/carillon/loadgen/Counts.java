package io.carillon.loadgen;

import java.util.Map;
import java.util.TreeMap;
import java.util.concurrent.ConcurrentSkipListMap;
import java.util.concurrent.atomic.AtomicInteger;
import org.jspecify.annotations.Nullable;

/** How many connections became ready, were refused, and were closed by the server. Safe from any thread. */
final class Counts {
    private final AtomicInteger ready = new AtomicInteger();
    private final AtomicInteger refused = new AtomicInteger();
    private final Map<Integer, AtomicInteger> closeCodes = new ConcurrentSkipListMap<>();
    private volatile @Nullable String firstRefusal;

    void becameReady() {
        ready.incrementAndGet();
    }

    void wasRefused(String reason) {
        if (firstRefusal == null) {
            firstRefusal = reason;
        }
        refused.incrementAndGet();
    }

    /** @param code 0 where there was no close frame */
    void wasClosed(int code) {
        closeCodes.computeIfAbsent(code, c -> new AtomicInteger()).incrementAndGet();
    }

    int ready() {
        return ready.get();
    }

    int refused() {
        return refused.get();
    }

    @Nullable
    String firstRefusal() {
        return firstRefusal;
    }

    /** How many connections the server closed, by close code; 0 stands for no close frame. */
    Map<String, Integer> closedByServer() {
        Map<String, Integer> copy = new TreeMap<>();
        closeCodes.forEach((code, count) -> copy.put(String.valueOf(code), count.get()));
        return copy;
    }

    /** That not all are ready in time. */
    IllegalStateException late(long seconds, int wanted) {
        String refusal = firstRefusal;
        return new IllegalStateException("after " + seconds + " s only " + ready() + " of " + wanted
                + " connections are ready" + (refusal == null ? "" : "; one was refused: " + refusal));
    }
}
