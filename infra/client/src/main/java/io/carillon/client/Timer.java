package io.carillon.client;

import java.util.concurrent.Future;
import java.util.concurrent.ScheduledExecutorService;
import java.util.concurrent.TimeUnit;

/** Time, and what is to be done later; injected, so that tests hold both in their hands. */
interface Timer {
    /** Milliseconds that only ever grow; their zero means nothing. */
    long now();

    /** Runs the task once, later, on a thread of the timer; the answer takes it back. */
    Runnable in(long millis, Runnable task);

    /** The machine's time. */
    static Timer of(ScheduledExecutorService scheduler) {
        return new Timer() {
            @Override
            public long now() {
                return TimeUnit.NANOSECONDS.toMillis(System.nanoTime());
            }

            @Override
            public Runnable in(long millis, Runnable task) {
                Future<?> future = scheduler.schedule(task, millis, TimeUnit.MILLISECONDS);
                return () -> future.cancel(false);
            }
        };
    }
}
