package io.carillon.chaos;

import java.util.Random;

/** When a client comes back: full jitter over a window that doubles from half a second to twenty. */
final class Backoff {
    private static final double BASE = 0.5;
    private static final double CAP = 20;
    private static final double STEADY = 60;

    private final Random random;
    private int failures;

    Backoff(Random random) {
        this.random = random;
    }

    /** Seconds to wait after a connection that held for {@code held} seconds. */
    double next(double held) {
        if (held > STEADY) failures = 0;
        double window = Math.min(CAP, BASE * (1 << Math.min(failures, 10)));
        failures++;
        return random.nextDouble() * window;
    }

    /** Connected, and told that nothing was missed: the next loss is a new one. */
    void settled() {
        failures = 0;
    }
}
