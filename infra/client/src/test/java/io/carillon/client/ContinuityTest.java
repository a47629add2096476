package io.carillon.client;

import static org.assertj.core.api.Assertions.assertThat;

import io.carillon.client.Continuity.Fate;
import io.carillon.model.channel.Position;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import org.junit.jupiter.api.Test;
import tools.jackson.databind.json.JsonMapper;
import tools.jackson.databind.node.ObjectNode;

class ContinuityTest {
    private final Continuity room = new Continuity(new Position("e", 3));

    private static Received event(String epoch, long offset) {
        return new Received(JsonMapper.shared()
                .createObjectNode()
                .put("type", "chat")
                .put("channel", "room:r")
                .put("epoch", epoch)
                .put("offset", offset));
    }

    private static Received owed(String epoch, long offset) {
        Received event = event(epoch, offset);
        ((ObjectNode) event.frame()).put("id", "owed").put("ack", true);
        return event;
    }

    private Fate take(String epoch, long offset) {
        Received event = event(epoch, offset);
        return room.take(event, Objects.requireNonNull(event.position()));
    }

    private static List<Long> offsets(Continuity.Release release) {
        return release.events().stream()
                .map(one -> Objects.requireNonNull(one.position()).offset())
                .toList();
    }

    @Test
    void eachOffsetIsPassedOnOnceAndHolesAreNoMatter() {
        assertThat(take("e", 3)).isEqualTo(Fate.REPEATED);
        assertThat(take("e", 4)).isEqualTo(Fate.PASSED_ON);
        assertThat(take("e", 7)).isEqualTo(Fate.PASSED_ON);
        assertThat(take("e", 7)).isEqualTo(Fate.REPEATED);
        assertThat(take("e", 5)).isEqualTo(Fate.REPEATED);
        assertThat(room.position()).isEqualTo(new Position("e", 7));
        assertThat(take("f", 1)).isEqualTo(Fate.PASSED_ON);
        assertThat(room.position()).isEqualTo(new Position("f", 1));
    }

    @Test
    void whatWasNotAcknowledgedForLongTakesNobodyBackToItsEpoch() {
        for (boolean holding : new boolean[] {false, true}) {
            if (holding) room.hold();
            Received old = owed("gone", 9);
            assertThat(room.take(old, new Position("gone", 9))).isEqualTo(Fate.REPEATED);
            assertThat(room.position()).isEqualTo(new Position("e", 3));
        }
        room.resumed(true, new Position("e", 3));
        // A node that listened all the time goes on under a new epoch.
        assertThat(room.take(owed("f", 4), new Position("f", 4))).isEqualTo(Fate.PASSED_ON);
        assertThat(room.position()).isEqualTo(new Position("f", 4));
    }

    @Test
    void whatCameByItselfBeforeTheMissedIsPutBehindIt() {
        room.hold();
        assertThat(take("e", 8)).isEqualTo(Fate.HELD);
        assertThat(take("e", 9)).isEqualTo(Fate.HELD);
        assertThat(take("e", 4)).isEqualTo(Fate.PASSED_ON);
        assertThat(take("e", 6)).isEqualTo(Fate.HELD);
        Continuity.Release release = room.resumed(true, new Position("e", 10));
        assertThat(release.gap()).isFalse();
        assertThat(offsets(release)).containsExactly(6L, 8L, 9L);
        // Up to here everything was sent, for others or not.
        assertThat(room.position()).isEqualTo(new Position("e", 10));
        assertThat(take("e", 11)).isEqualTo(Fate.PASSED_ON);
    }

    @Test
    void aHistoryThatDoesNotReachBackIsAGapAndOnlyWhatLiesBehindItFollows() {
        room.hold();
        take("e", 90);
        take("e", 101);
        Continuity.Release release = room.resumed(false, new Position("e", 100));
        assertThat(release.gap()).isTrue();
        assertThat(offsets(release)).containsExactly(101L);
        room.hold();
        take("e", 120);
        release = room.resumed(false, new Position("f", 2));
        assertThat(offsets(release)).isEmpty();
        assertThat(room.position()).isEqualTo(new Position("f", 2));
    }

    @Test
    void anUnusedChannelMayTurnOutToHaveAnotherEpoch() {
        var unused = new Continuity(new Position("~p.1", 0));
        unused.hold();
        Received first = event("e", 1);
        // It follows on nothing, so it waits for the server's word.
        assertThat(unused.take(first, new Position("e", 1))).isEqualTo(Fate.HELD);
        Continuity.Release release = unused.resumed(true, new Position("e", 1));
        assertThat(release.gap()).isFalse();
        assertThat(offsets(release)).containsExactly(1L);
        assertThat(unused.position()).isEqualTo(new Position("e", 1));
    }

    @Test
    void ownMessagesAreSeenButNeverHideWhatIsStillOnItsWay() {
        room.own(new Position("e", 6));
        // Sent by others before it, arriving after its answer.
        assertThat(take("e", 4)).isEqualTo(Fate.PASSED_ON);
        assertThat(take("e", 5)).isEqualTo(Fate.PASSED_ON);
        assertThat(room.position()).isEqualTo(new Position("e", 6));
        room.own(new Position("e", 7));
        assertThat(room.position()).isEqualTo(new Position("e", 7));
        room.own(new Position("e", 9));
        room.hold();
        // The next session would be sent it.
        assertThat(take("e", 9)).isEqualTo(Fate.REPEATED);
        assertThat(take("e", 8)).isEqualTo(Fate.PASSED_ON);
        assertThat(room.position()).isEqualTo(new Position("e", 9));
    }

    @Test
    void theFirstMessageOfAChannelGivesItItsEpoch() {
        var unused = new Continuity(new Position("~p.1", 0));
        unused.own(new Position("e", 1));
        assertThat(unused.position()).isEqualTo(new Position("e", 1));
    }

    @Test
    void resyncMovesOn() {
        room.hold();
        take("e", 5);
        room.resync(new Position("f", 1));
        assertThat(room.position()).isEqualTo(new Position("f", 1));
        assertThat(offsets(room.resumed(true, new Position("f", 1)))).isEmpty();
    }

    @Test
    void whatIsHeldIsBoundedAndMoreIsAGap() {
        room.hold();
        var held = new ArrayList<Fate>();
        for (long i = 0; i <= Continuity.MOST_HELD; i++) held.add(take("e", 10 + i));
        assertThat(held).containsOnly(Fate.HELD);
        Continuity.Release release = room.resumed(true, new Position("e", 20_000));
        assertThat(release.gap()).isTrue();
        assertThat(release.events()).isEmpty();
        assertThat(room.position()).isEqualTo(new Position("e", 20_000));
    }

    @Test
    void ownMessagesRememberedAreBounded() {
        for (long i = 0; i < Continuity.MOST_SEEN + 10; i++) room.own(new Position("e", 10 + i));
        assertThat(take("e", 10 + Continuity.MOST_SEEN)).isEqualTo(Fate.REPEATED);
    }
}
