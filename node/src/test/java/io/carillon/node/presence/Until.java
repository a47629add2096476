package io.carillon.node.presence;

import java.time.Duration;
import java.util.concurrent.locks.LockSupport;
import java.util.function.BooleanSupplier;
import java.util.function.Supplier;

/** Waits for a condition, with a deadline. */
final class Until {
    private Until() {}

    /** Polls until it holds; returns how long that took. */
    static Duration holds(String what, Duration deadline, BooleanSupplier condition) {
        return holds(() -> what, deadline, condition);
    }

    static Duration holds(Supplier<String> what, Duration deadline, BooleanSupplier condition) {
        long start = System.nanoTime();
        while (!condition.getAsBoolean()) {
            if (System.nanoTime() - start > deadline.toNanos()) {
                throw new AssertionError("not within " + deadline + ": " + what.get());
            }
            LockSupport.parkNanos(5_000_000);
        }
        return Duration.ofNanos(System.nanoTime() - start);
    }
}
