package io.carillon.node.testing;

import java.time.Duration;
import java.util.concurrent.Callable;
import java.util.concurrent.locks.LockSupport;

/** Waits for something to become true, no longer than a deadline. */
public final class Poll {
    private Poll() {}

    /** Asks until the answer is yes; fails with the last other answer when it does not come in time. */
    public static void until(String what, Duration within, Callable<Boolean> ask) {
        long deadline = System.nanoTime() + within.toNanos();
        while (true) {
            Object last;
            try {
                if (ask.call()) return;
                last = false;
            } catch (Exception e) {
                last = e;
            }
            if (System.nanoTime() > deadline) {
                throw new AssertionError(what + ": not within " + within + "; last answer " + last);
            }
            LockSupport.parkNanos(5_000_000);
        }
    }
}
