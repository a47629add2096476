package io.carillon.loadgen;

import java.util.LinkedHashMap;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.LockSupport;

/**
 * Gives a sink its events at a fixed rate. The schedule is laid down at the start and never bent: an event that could
 * not leave in time still carries the time it should have left, so every delay counts as latency.
 */
final class Pacer {

    private static final long ANSWERS_AT_MOST = TimeUnit.SECONDS.toNanos(10);

    private Pacer() {}

    /** Publishes {@code rate * seconds} events, then waits for their answers, at most ten seconds. */
    static Map<String, Object> run(Sink sink, double rate, double seconds) throws InterruptedException {
        long total = Math.max(1, Math.round(rate * seconds));
        double gap = 1e9 / rate;
        sink.answers().reset();
        long start = System.nanoTime() + 2_000_000;
        long worstLag = 0;
        long next = 0;
        long giveUp = start + (long) (total * gap) + TimeUnit.SECONDS.toNanos(20);
        while (next < total) {
            long now = System.nanoTime();
            if (now > giveUp) {
                break;
            }
            while (next < total) {
                long due = start + (long) (next * gap);
                if (due > now) {
                    break;
                }
                worstLag = Math.max(worstLag, now - due);
                sink.send(next++, due);
            }
            sink.flush();
            long wait = start + (long) (next * gap) - System.nanoTime();
            if (next < total && wait > 0) {
                LockSupport.parkNanos(wait);
            }
        }
        // The window ends where the event after the last would be due, so that rate * window is what was published.
        while (System.nanoTime() < start + (long) (next * gap)) {
            LockSupport.parkNanos(start + (long) (next * gap) - System.nanoTime());
        }
        long sent = System.nanoTime();
        while (sink.answers().total() < next && System.nanoTime() - sent < ANSWERS_AT_MOST) {
            Thread.sleep(1);
        }
        Answers answers = sink.answers();
        Map<String, Object> result = new LinkedHashMap<>();
        result.put("published", next);
        result.put("seconds", (sent - start) / 1e9);
        result.put("accepted", answers.accepted());
        result.put("failed", answers.failed());
        if (answers.firstFailure() != null) {
            result.put("firstFailure", answers.firstFailure());
        }
        result.put("receivers", answers.receivers());
        result.put("worstLagMillis", worstLag / 1e6);
        result.put("answer", Percentiles.of(answers.latency(), false));
        return result;
    }
}
