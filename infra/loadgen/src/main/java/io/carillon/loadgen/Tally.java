package io.carillon.loadgen;

import java.lang.invoke.MethodHandles;
import java.lang.invoke.VarHandle;
import java.util.concurrent.TimeUnit;
import org.HdrHistogram.Histogram;
import org.HdrHistogram.SingleWriterRecorder;

/**
 * What the connections of one event loop received. Written by that loop only, or by one thread at a time; any thread may
 * read the counters and take the latencies, as the main thread does.
 */
final class Tally {

    /** Anything slower is recorded as this. */
    static final long LONGEST = TimeUnit.SECONDS.toNanos(120);

    private static final VarHandle EVENTS;
    private static final VarHandle BYTES;

    static {
        try {
            EVENTS = MethodHandles.lookup().findVarHandle(Tally.class, "events", long.class);
            BYTES = MethodHandles.lookup().findVarHandle(Tally.class, "bytes", long.class);
        } catch (ReflectiveOperationException e) {
            throw new ExceptionInInitializerError(e);
        }
    }

    private final SingleWriterRecorder latency = new SingleWriterRecorder(1_000, LONGEST, 3);

    @SuppressWarnings("UnusedVariable") // through its handle
    private long events;

    @SuppressWarnings("UnusedVariable") // through its handle
    private long bytes;

    /** Called once per read, not per frame, so that counting costs nothing at millions of frames a second. */
    void add(long moreEvents, long moreBytes) {
        EVENTS.setOpaque(this, (long) EVENTS.getOpaque(this) + moreEvents);
        BYTES.setOpaque(this, (long) BYTES.getOpaque(this) + moreBytes);
    }

    void latency(long nanos) {
        latency.recordValue(Math.clamp(nanos, 0L, LONGEST));
    }

    long events() {
        return (long) EVENTS.getOpaque(this);
    }

    long bytes() {
        return (long) BYTES.getOpaque(this);
    }

    /** The latencies since the last call. */
    Histogram takeLatencies() {
        return latency.getIntervalHistogram();
    }
}
