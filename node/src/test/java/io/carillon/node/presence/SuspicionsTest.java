package io.carillon.node.presence;

import static org.assertj.core.api.Assertions.assertThat;

import io.carillon.node.presence.Suspicions.Look;
import io.carillon.node.presence.Suspicions.Suspect;
import java.util.List;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;

class SuspicionsTest {
    private final Suspicions suspicions = new Suspicions(PresenceSettings.defaults());

    private void look(int second, long own, Look... looks) {
        look(second, "redis-1", own, looks);
    }

    private boolean look(int second, String redis, long own, Look... looks) {
        return suspicions.look(TimeUnit.SECONDS.toNanos(second), redis, own, List.of(looks));
    }

    private static Look silent(String score) {
        return new Look("dead.0", score, 0, false);
    }

    private static Look expired(String score) {
        return new Look("dead.0", score, 1, true);
    }

    private void quiet(int from, int to) {
        for (int second = from; second <= to; second++) look(second, 1);
    }

    @Test
    void aNodeSilentAtTwoLooksWithTheSameScoreIsAccused() {
        quiet(0, 9);
        look(10, 1, silent("100"));
        assertThat(suspicions.accused()).isEmpty();
        look(11, 1, silent("100"));
        assertThat(suspicions.accused()).containsExactly(new Suspect("dead.0", "100"));
    }

    @Test
    void aNodeThatBeatsIsNotAccusedHoweverSilent() {
        quiet(0, 9);
        for (int second = 10; second < 30; second++) {
            look(second, 1, silent("" + second));
            assertThat(suspicions.accused()).isEmpty();
        }
    }

    @Test
    void oneLookWithASubscriberBeginsAnew() {
        quiet(0, 9);
        look(10, 1, silent("100"));
        look(11, 1, new Look("dead.0", "100", 1, false));
        look(12, 1, silent("100"));
        assertThat(suspicions.accused()).isEmpty();
    }

    @Test
    void aWatcherThatJustCameBackAccusesNobody() {
        for (int second = 0; second < 5; second++) look(second, 1, silent("100"));
        assertThat(suspicions.accused()).isEmpty();
        look(5, 1, silent("100"));
        look(6, 1, silent("100"));
        assertThat(suspicions.accused()).hasSize(1);
        suspicions.broken();
        assertThat(suspicions.accused()).isEmpty();
        for (int second = 7; second < 12; second++) look(second, 1, silent("100"));
        assertThat(suspicions.accused()).isEmpty();
    }

    @Test
    void aWatcherWithoutItsOwnSubscriptionAccusesNobody() {
        quiet(0, 9);
        for (int second = 10; second < 20; second++) look(second, 0, silent("100"));
        for (int second = 20; second < 25; second++) look(second, 1, silent("100"));
        assertThat(suspicions.accused()).isEmpty();
        look(25, 1, silent("100"));
        look(26, 1, silent("100"));
        assertThat(suspicions.accused()).hasSize(1);
    }

    @Test
    void anotherPrimaryBeginsAnew() {
        quiet(0, 9);
        look(10, 1, silent("100"));
        assertThat(look(11, "redis-2", 1, silent("100"))).isTrue();
        for (int second = 12; second < 16; second++) look(second, "redis-2", 1, silent("100"));
        assertThat(suspicions.accused()).isEmpty();
    }

    @Test
    void aPauseOfTheWatcherBeginsAnew() {
        quiet(0, 9);
        look(10, 1, silent("100"));
        look(16, 1, silent("100"));
        look(17, 1, silent("100"));
        assertThat(suspicions.accused()).isEmpty();
    }

    @Test
    void anExpiredLeaseCountsOnlyAfterTheGrace() {
        for (int second = 0; second <= 12; second++) {
            look(second, 1, expired("100"));
            assertThat(suspicions.accused()).isEmpty();
        }
        look(13, 1, expired("100"));
        assertThat(suspicions.accused()).hasSize(1);
    }

    @Test
    void aStepOfTheClockAccusesNobodyWhoBeats() {
        quiet(0, 20);
        look(21, 1, expired("100"));
        look(22, 1, expired("60100"));
        assertThat(suspicions.accused()).isEmpty();
    }
}
