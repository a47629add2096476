package io.carillon.loadgen;

import java.util.concurrent.atomic.AtomicReference;
import java.util.concurrent.atomic.LongAdder;
import org.HdrHistogram.ConcurrentHistogram;
import org.HdrHistogram.Histogram;
import org.jspecify.annotations.Nullable;

/** The answers publishers got, and how long each took from the event's scheduled time. Safe for many threads. */
final class Answers {

    private final LongAdder accepted = new LongAdder();
    private final LongAdder failed = new LongAdder();
    private final LongAdder receivers = new LongAdder();
    private final AtomicReference<@Nullable String> firstFailure = new AtomicReference<>();
    private final Histogram latency = new ConcurrentHistogram(1_000, Tally.LONGEST, 3);

    void accepted(long scheduledNanos, long receiving) {
        accepted.increment();
        receivers.add(receiving);
        latency.recordValue(Math.clamp(System.nanoTime() - scheduledNanos, 0L, Tally.LONGEST));
    }

    void failed(String reason) {
        failed.increment();
        firstFailure.compareAndSet(null, reason);
    }

    void reset() {
        accepted.reset();
        failed.reset();
        receivers.reset();
        firstFailure.set(null);
        latency.reset();
    }

    long total() {
        return accepted.sum() + failed.sum();
    }

    long accepted() {
        return accepted.sum();
    }

    long failed() {
        return failed.sum();
    }

    long receivers() {
        return receivers.sum();
    }

    @Nullable
    String firstFailure() {
        return firstFailure.get();
    }

    Histogram latency() {
        return latency;
    }
}
