package io.carillon.client;

import io.carillon.model.channel.Position;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.TreeSet;
import org.jspecify.annotations.Nullable;

/**
 * How far a client has come in one channel, and what to make of the next event: each is passed on once, in order.
 *
 * <p>Between {@code resume} and {@code resumed} the server sends what was missed, behind whatever came first by itself.
 * So what follows directly on the position is passed on, and the rest is held back and sorted. The client's own messages
 * count as seen: the server never sends them to the session they came from, but would to the next.
 *
 * <p>Owned by the client's lock.
 */
final class Continuity {
    /** Events held back at most: a room's whole history several times over. Beyond, the channel has a gap. */
    static final int MOST_HELD = 8_192;

    /** Own messages remembered ahead of the position at most. */
    static final int MOST_SEEN = 1_000;

    /** What becomes of an event. */
    enum Fate {
        /** It is next. */
        PASSED_ON,
        /** It was there before. */
        REPEATED,
        /** It waits for {@code resumed}. */
        HELD
    }

    /** What was held back and goes on now; a gap lies before it. */
    record Release(List<Received> events, boolean gap) {}

    private final TreeSet<Long> seen = new TreeSet<>();
    private Position position;
    private @Nullable ArrayList<Received> held;
    private boolean overflown;

    Continuity(Position position) {
        this.position = position;
    }

    Position position() {
        return position;
    }

    boolean holding() {
        return held != null;
    }

    /** A {@code resume} is being sent. */
    void hold() {
        if (held == null) held = new ArrayList<>();
        overflown = false;
    }

    Fate take(Received event, Position at) {
        ArrayList<Received> waiting = held;
        boolean sameEpoch = at.epoch().equals(position.epoch());
        if (sameEpoch && (at.offset() <= position.offset() || seen.contains(at.offset()))) return Fate.REPEATED;
        // What nobody acknowledged is kept for longer than the history it was in: it takes nobody back there.
        if (!sameEpoch && event.ack() && at.offset() != position.offset() + 1) return Fate.REPEATED;
        if (waiting == null || sameEpoch && at.offset() == position.offset() + 1) {
            moveTo(at);
            return Fate.PASSED_ON;
        }
        if (waiting.size() == MOST_HELD) {
            overflown = true;
            waiting.clear();
        }
        if (!overflown) waiting.add(event);
        return Fate.HELD;
    }

    /** The answer to {@code resume}. */
    Release resumed(boolean recovered, Position to) {
        Position before = position;
        List<Received> waiting = held == null ? new ArrayList<>() : held;
        boolean gap = !recovered || overflown;
        held = null;
        overflown = false;
        if (gap) {
            position = to;
            seen.clear();
        }
        waiting.sort(Comparator.comparingLong(event -> offset(event)));
        var events = new ArrayList<Received>();
        for (Received event : waiting) {
            Position at = event.position();
            if (at == null || !follows(at) || seen.contains(at.offset())) continue;
            moveTo(at);
            events.add(event);
        }
        boolean moved = !position.equals(before);
        boolean ahead = position.epoch().equals(to.epoch()) ? to.offset() > position.offset() : !moved;
        if (ahead) moveTo(to);
        return new Release(events, gap);
    }

    /** The server cannot prove what lies before. */
    void resync(Position to) {
        position = to;
        seen.clear();
        if (held != null) held.removeIf(event -> event.position() == null || !follows(event.position()));
    }

    /** The client's own message is at this place. */
    void own(Position at) {
        if (!at.epoch().equals(position.epoch())) {
            // Its first event gave an unused channel its epoch.
            if (position.offset() != 0) return;
            position = new Position(at.epoch(), 0);
            seen.clear();
        }
        if (at.offset() <= position.offset()) return;
        // What was sent before by others may still be on its way.
        seen.add(at.offset());
        if (seen.size() > MOST_SEEN) seen.pollFirst();
        absorb();
    }

    private boolean follows(Position at) {
        return at.epoch().equals(position.epoch()) ? at.offset() > position.offset() : position.offset() == 0;
    }

    private void moveTo(Position at) {
        if (!at.epoch().equals(position.epoch())) seen.clear();
        position = at;
        seen.headSet(at.offset(), true).clear();
        absorb();
    }

    private void absorb() {
        while (seen.remove(position.offset() + 1)) position = new Position(position.epoch(), position.offset() + 1);
    }

    private static long offset(Received event) {
        Position at = event.position();
        return at == null ? 0 : at.offset();
    }
}
