package io.carillon.node.dispatch;

import io.carillon.model.channel.ChannelName;
import io.carillon.model.channel.Position;
import io.carillon.node.dispatch.Recovery.Page;
import io.carillon.node.session.Session;
import io.netty.buffer.ByteBuf;
import java.util.ArrayDeque;
import java.util.Queue;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;

/**
 * Brings one session what it missed of one channel: the events between the position its client names and the start of
 * what reached the session by itself. What comes meanwhile waits behind them. The history is read a page at a time, and
 * only as fast as the client reads; while it does not, nothing is kept for it here. What waits and does not fit is read
 * from the history too.
 *
 * <p>No event goes out twice on a session: what was sent since the start is passed over, and once everything behind the
 * client's position is sent, the session's start is that position. Owned by the session's loop.
 */
final class Resume extends Hold {
    /** What came of it; {@code code} says why a channel was not recovered where its history is not the reason. */
    record Verdict(boolean recovered, @Nullable String code) {}

    static final Verdict RECOVERED = new Verdict(true, null);
    static final Verdict LOST = new Verdict(false, null);
    static final Verdict NOT_IN_ROOM = new Verdict(false, "not_in_room");
    static final Verdict NOT_ALLOWED = new Verdict(false, "not_allowed");
    static final Verdict BAD_ID = new Verdict(false, "bad_id");
    static final Verdict UNAVAILABLE = new Verdict(false, "unavailable");
    static final Verdict BUSY = new Verdict(false, "busy");

    /** Resumes of one channel of one session that may wait for each other. */
    private static final int MOST_BEHIND = 16;

    private final Lane lane;
    private final Session session;
    private final ChannelName name;
    private final LaneChannel place;
    private final Position from;
    private final Position start;

    /** Up to here, from the start on, events were sent as they came. */
    private final Position live;

    private final Recovery recovery;
    private final RecoverySettings settings;
    private final DispatchMetrics metrics;
    private final Consumer<Missed> sent;
    private final Consumer<Verdict> done;
    private final Queue<Runnable> behind = new ArrayDeque<>(1);

    private Position until;
    private Position reached;
    private long sentBytes;
    private boolean proven;
    private boolean finished;

    private Resume(
            Lane lane,
            Session session,
            LaneChannel place,
            Position from,
            Position start,
            Recovery recovery,
            RecoverySettings settings,
            DispatchMetrics metrics,
            Consumer<Missed> sent,
            Consumer<Verdict> done) {
        super(settings.held(), settings.heldBytes());
        this.lane = lane;
        this.session = session;
        this.name = place.name();
        this.place = place;
        this.from = from;
        this.start = start;
        this.live = lane.position(place);
        this.recovery = recovery;
        this.settings = settings;
        this.metrics = metrics;
        this.sent = sent;
        this.done = done;
        this.until = start;
        this.reached = from;
    }

    /**
     * Judges the position, and from now on holds back what comes for the session if events are to be sent first.
     *
     * @param sent is told of each event sent
     * @param done is told once, on the loop; never when the session is closed before
     * @return the resume to {@link #run}; null when everything is said already
     */
    static @Nullable Resume begin(
            Lane lane,
            Session session,
            LaneChannel place,
            Position from,
            Recovery recovery,
            RecoverySettings settings,
            DispatchMetrics metrics,
            Consumer<Missed> sent,
            Consumer<Verdict> done) {
        Position start = session.start(place.name());
        if (start == null) {
            done.accept(NOT_IN_ROOM);
            return null;
        }
        Position here = lane.position(place);
        boolean within = from.epoch().equals(start.epoch())
                && from.epoch().equals(here.epoch())
                && from.offset() >= start.offset()
                && from.offset() <= here.offset();
        if (within || from.equals(start)) {
            done.accept(RECOVERED);
            return null;
        }
        if (session.broken(place.name()) || start.offset() - from.offset() > settings.events()) {
            done.accept(LOST);
            return null;
        }
        var resume = new Resume(lane, session, place, from, start, recovery, settings, metrics, sent, done);
        return lane.hold(place, session, resume) ? resume : null;
    }

    /** Runs the task once this one is over; false when too many wait for that. */
    boolean then(Runnable task) {
        return behind.size() < MOST_BEHIND && behind.add(task);
    }

    void run() {
        if (finished || session.state() == Session.State.CLOSED) return;
        if (!session.reads()) {
            session.whenDrained(this::run);
            return;
        }
        if (proven && arrived()) {
            Position missed = missed();
            if (missed == null || reached(missed)) {
                finish(RECOVERED);
                return;
            }
            // What waited did not fit: it is in the history by now.
            until = missed;
        }
        recovery.since(name, reached, start).whenComplete((page, failure) -> lane.run(() -> take(page)));
    }

    private boolean arrived() {
        return until.offset() == 0 || reached(until);
    }

    private boolean reached(Position position) {
        return reached.offset() >= position.offset() && reached.epoch().equals(position.epoch());
    }

    private void take(@Nullable Page page) {
        if (finished || session.state() == Session.State.CLOSED) return;
        if (page == null) {
            finish(UNAVAILABLE);
            return;
        }
        if (!page.proven()) {
            finish(LOST);
            return;
        }
        proven = true;
        boolean moved = false;
        for (Missed item : page.items()) {
            Position at = item.position();
            if (at.offset() <= reached.offset() || at.offset() > until.offset()) continue;
            if (!session.reads()) {
                // Not kept for a client that does not read: asked for again when it does.
                session.whenDrained(this::run);
                return;
            }
            boolean wasSent = at.offset() > start.offset() && at.offset() <= live.offset();
            if (!wasSent && item.isFor(session)) {
                send(item);
                if (sentBytes > settings.bytes()) {
                    finish(LOST);
                    return;
                }
            }
            reached = at;
            moved = true;
        }
        // An answer without what is missing: the history has lost it without saying so.
        if (!moved && !arrived()) finish(LOST);
        else run();
    }

    private void send(Missed item) {
        ByteBuf frame = item.frame(place.dialect());
        if (frame == null) return;
        sentBytes += frame.readableBytes();
        metrics.recovered();
        sent.accept(item);
        lane.send(session, name, frame, item.position());
        lane.flushSoon(session);
    }

    private void finish(Verdict verdict) {
        finished = true;
        // A position ahead of the node's own proves nothing about what is still to come.
        if (verdict.recovered() && from.offset() <= start.offset()) session.attached(name, from);
        else if (sentBytes > 0) session.broke(name);
        metrics.heldDropped(dropped());
        lane.release(place, session, reached);
        end(verdict);
    }

    @Override
    void gone() {
        if (finished) return;
        finished = true;
        if (session.state() != Session.State.CLOSED) end(NOT_IN_ROOM);
    }

    @Override
    void resynced(Position position) {
        if (!finished) finish(LOST);
    }

    private void end(Verdict verdict) {
        done.accept(verdict);
        for (Runnable next = behind.poll(); next != null; next = behind.poll()) next.run();
    }
}
