package io.carillon.node.scenario;

import java.time.Duration;
import java.util.concurrent.Callable;
import java.util.concurrent.locks.LockSupport;
import java.util.function.Predicate;

/** Waits for a condition, never for a length of time: asks again and again until it holds or a deadline passes. */
final class Poll {
    private Poll() {}

    /** Returns the first answer that is wanted; fails with the last one after {@code within}. */
    static <T> T until(String what, Duration within, Callable<T> ask, Predicate<T> wanted) {
        long deadline = System.nanoTime() + within.toNanos();
        while (true) {
            Object last;
            try {
                T answer = ask.call();
                if (wanted.test(answer)) {
                    return answer;
                }
                last = answer;
            } catch (Exception e) {
                last = e;
            }
            if (System.nanoTime() > deadline) {
                throw new AssertionError(what + " did not come within " + within + "; last seen: " + last);
            }
            LockSupport.parkNanos(20_000_000);
        }
    }

    static void until(String what, Duration within, Callable<Boolean> ask) {
        until(what, within, ask, answer -> answer);
    }
}
