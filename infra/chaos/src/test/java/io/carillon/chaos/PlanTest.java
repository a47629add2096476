package io.carillon.chaos;

import static org.assertj.core.api.Assertions.assertThat;

import io.carillon.chaos.Plan.Fault;
import io.carillon.chaos.Plan.Profile;
import io.carillon.chaos.Plan.Step;
import java.util.EnumSet;
import java.util.List;
import java.util.Set;
import java.util.stream.Collectors;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

class PlanTest {
    @Test
    void theSameSeedGivesTheSameScheduleAndAnotherSeedAnother() {
        Plan one = Plan.of(7, 10, Profile.STANDALONE, 3, List.of());
        assertThat(Plan.of(7, 10, Profile.STANDALONE, 3, List.of())).isEqualTo(one);
        assertThat(Plan.of(8, 10, Profile.STANDALONE, 3, List.of()).steps()).isNotEqualTo(one.steps());
    }

    @ParameterizedTest
    @EnumSource(Profile.class)
    void everyKindComesBeforeAnyComesAgain(Profile profile) {
        List<Step> steps = Plan.of(1, 60, profile, 3, List.of()).steps();
        Set<Fault> kinds =
                steps.stream().map(Step::fault).collect(Collectors.toCollection(() -> EnumSet.noneOf(Fault.class)));
        assertThat(steps.stream().limit(kinds.size()).map(Step::fault)).containsExactlyInAnyOrderElementsOf(kinds);
        assertThat(kinds).contains(Fault.NODE_KILL, Fault.PUBSUB_KILL);
        assertThat(kinds.contains(Fault.REDIS_EMPTY)).isEqualTo(profile == Profile.STANDALONE);
        assertThat(kinds.contains(Fault.PRIMARY_KILL)).isEqualTo(profile != Profile.STANDALONE);
    }

    @Test
    void faultsDoNotOverlapAndTheEndIsQuiet() {
        for (long seed = 0; seed < 50; seed++) {
            Plan plan = Plan.of(seed, 2, Profile.STANDALONE, 3, List.of());
            assertThat(plan.steps()).isNotEmpty();
            double free = 0;
            for (Step step : plan.steps()) {
                assertThat(step.at()).isGreaterThanOrEqualTo(free);
                free = step.at() + step.hold();
            }
            assertThat(free).isLessThanOrEqualTo(plan.seconds() - 20);
        }
    }

    @Test
    void onlyWhatWasAskedFor() {
        assertThat(Plan.of(1, 5, Profile.STANDALONE, 3, List.of(Fault.POISON, Fault.NODE_KILL))
                        .steps())
                .extracting(Step::fault)
                .containsOnly(Fault.POISON, Fault.NODE_KILL);
    }
}
