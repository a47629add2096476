package io.carillon.node.testing;

import java.time.Duration;
import java.util.concurrent.Callable;
import java.util.concurrent.locks.LockSupport;
import java.util.function.Predicate;
import java.util.function.Supplier;

/** Waits for a condition, never for a length of time: asks again and again until it holds or a deadline passes. */
public final class Poll {
    private Poll() {}

    /** Returns the first answer that is wanted; fails with the last one when none comes in time. */
    public static <T> T until(String what, Duration within, Callable<T> ask, Predicate<T> wanted) {
        long deadline = System.nanoTime() + within.toNanos();
        while (true) {
            Object last;
            try {
                T answer = ask.call();
                if (wanted.test(answer)) return answer;
                last = answer;
            } catch (Exception | AssertionError e) {
                last = e;
            }
            if (System.nanoTime() > deadline) {
                throw new AssertionError(what + ": not within " + within + "; last seen: " + last);
            }
            LockSupport.parkNanos(5_000_000);
        }
    }

    /** Asks until the answer is yes; returns how long that took. */
    public static Duration until(String what, Duration within, Callable<Boolean> ask) {
        long start = System.nanoTime();
        until(what, within, ask, answer -> answer);
        return Duration.ofNanos(System.nanoTime() - start);
    }

    /** The same, with words that are found when it fails. */
    public static Duration until(Supplier<String> what, Duration within, Callable<Boolean> ask) {
        try {
            return until("it", within, ask);
        } catch (AssertionError e) {
            throw new AssertionError(what.get(), e);
        }
    }
}
