package io.carillon.client;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.Random;
import java.util.stream.LongStream;
import org.junit.jupiter.api.Test;

class BackoffTest {
    @Test
    void theWindowDoublesUpToItsCapAndIsUsedInFull() {
        long[] windows = {500, 1_000, 2_000, 4_000, 8_000, 16_000, 20_000, 20_000};
        for (int failure = 0; failure < windows.length; failure++) {
            long smallest = Long.MAX_VALUE;
            long largest = 0;
            for (int seed = 0; seed < 400; seed++) {
                var backoff = new Backoff(500, 20_000, new Random(seed * 7919L));
                for (int before = 0; before < failure; before++) backoff.next();
                long wait = backoff.next();
                smallest = Math.min(smallest, wait);
                largest = Math.max(largest, wait);
            }
            assertThat(largest)
                    .as("failure %d", failure)
                    .isLessThanOrEqualTo(windows[failure])
                    .isGreaterThan(windows[failure] * 9 / 10);
            assertThat(smallest).as("failure %d", failure).isBetween(0L, windows[failure] / 10);
        }
    }

    @Test
    void overloadIsGivenTimeAndAGoodConnectionIsANewStart() {
        var backoff = new Backoff(500, 20_000, new Random(1));
        assertThat(LongStream.range(0, 200)
                        .map(i -> {
                            backoff.settled();
                            return backoff.next(Backoff.OVERLOADED);
                        })
                        .max()
                        .getAsLong())
                .isBetween(4_500L, 5_000L);
        for (int i = 0; i < 10; i++) backoff.next();
        backoff.settled();
        assertThat(backoff.next()).isLessThanOrEqualTo(500);
    }
}
