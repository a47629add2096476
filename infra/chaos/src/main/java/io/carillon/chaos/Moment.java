package io.carillon.chaos;

/** The run's clock: seconds since it began. */
final class Moment {
    private final long began = System.nanoTime();

    double now() {
        return (System.nanoTime() - began) / 1e9;
    }

    /** Waits, for at least this long unless the thread is interrupted. */
    static void pause(double seconds) throws InterruptedException {
        if (seconds > 0) Thread.sleep(Math.round(seconds * 1000));
    }
}
