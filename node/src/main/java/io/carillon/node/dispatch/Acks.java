package io.carillon.node.dispatch;

import io.carillon.model.channel.ChannelName;
import io.carillon.model.event.Event;
import io.carillon.node.dispatch.Acknowledgements.Page;
import io.carillon.node.dispatch.Acknowledgements.Waiting;
import io.carillon.node.session.Session;
import io.netty.buffer.ByteBuf;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.IdentityHashMap;
import java.util.Iterator;
import java.util.Map;
import java.util.Queue;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/**
 * Sends the sessions of one event loop what their users have not acknowledged yet: some moments after the welcome, or
 * behind a resume, and then again and again until nothing waits. Redis is asked only for sessions that have just come
 * or to which an event went that asks for an acknowledgement; what another session acknowledges is gone from Redis, so
 * no node has to be told. An event that a session was sent a moment ago, live or by a resume, is not repeated yet.
 *
 * <p>Owned by the loop, like the lane it goes with.
 */
final class Acks {
    /** Questions to Redis under way. */
    private static final int AT_ONCE = 64;

    private final Lane lane;
    private final Dispatch dispatch;
    private final Acknowledgements acknowledgements;
    private final AckSettings settings;
    private final DispatchMetrics metrics;
    private final Map<Session, Debt> debts = new IdentityHashMap<>();

    /** Walks that wait for their turn to ask; each session has one at most. */
    private final Queue<Walk> waiting = new ArrayDeque<>();

    private int asking;

    // Written by the loop, read by the metrics.
    private volatile int size;

    /** What a session may have to be sent again. */
    private static final class Debt {
        /** When it is looked at again, milliseconds of the loop's clock. */
        private long due;

        private boolean walking;

        /** Whether something came while it was looked at. */
        private boolean touched;

        /** When each event was last sent to it, by id. */
        private @Nullable Map<String, Long> sent;
    }

    Acks(
            Lane lane,
            Dispatch dispatch,
            Acknowledgements acknowledgements,
            AckSettings settings,
            DispatchMetrics metrics) {
        this.lane = lane;
        this.dispatch = dispatch;
        this.acknowledgements = acknowledgements;
        this.settings = settings;
        this.metrics = metrics;
    }

    /** Sessions here that wait to be sent something again, or to be looked at. */
    int size() {
        return size;
    }

    /** The session was welcomed: what waits for its user is sent soon. */
    void opened(Session session) {
        for (Session other : lane.members(session.userChannel())) {
            // Another tab of the user that owes nothing was looked at, and would have heard of more.
            if (other != session && other.state() == Session.State.OPEN && !debts.containsKey(other)) return;
        }
        debt(session).due = lane.now() + settings.settle().toMillis();
    }

    /** The session has what it missed; what waits beyond that is sent at once. */
    void resumed(Session session) {
        Debt debt = debts.get(session);
        if (debt != null) debt.due = lane.now();
    }

    /** An event that asks for an acknowledgement goes to the sessions of its channel. */
    void passed(ChannelName channel, Event event) {
        for (Session session : lane.members(channel)) {
            if (event.session() != null && !event.session().equals(session.id())) continue;
            if (event.exclude() == null || !event.exclude().equals(session.id())) sent(session, event);
        }
    }

    /** The event was sent to the session. */
    void sent(Session session, @Nullable Event event) {
        if (event == null || !event.ack() || event.id() == null) return;
        Debt debt = debts.get(session);
        if (debt == null) {
            debt = debt(session);
            debt.due = lane.now() + settings.again().toMillis();
        }
        debt.touched = true;
        note(debt, event.id());
    }

    /** Whether the session was asked to acknowledge the event, and has not yet. */
    boolean asked(Session session, String id) {
        Debt debt = debts.get(session);
        return debt != null && debt.sent != null && debt.sent.containsKey(id);
    }

    /** The session has acknowledged it. */
    void acknowledged(Session session, String id) {
        Debt debt = debts.get(session);
        if (debt != null && debt.sent != null) debt.sent.remove(id);
    }

    void closed(Session session) {
        debts.remove(session);
        size = debts.size();
    }

    /** Looks after the sessions whose time has come; once a second. */
    void tick() {
        if (debts.isEmpty()) return;
        long now = lane.now();
        var due = new ArrayList<Session>();
        for (Map.Entry<Session, Debt> entry : debts.entrySet()) {
            if (!entry.getValue().walking && entry.getValue().due - now <= 0) due.add(entry.getKey());
        }
        for (Session session : due) look(session);
    }

    private Debt debt(Session session) {
        Debt debt = debts.computeIfAbsent(session, s -> new Debt());
        size = debts.size();
        return debt;
    }

    private void note(Debt debt, String id) {
        Map<String, Long> sent = debt.sent;
        if (sent == null) debt.sent = sent = new HashMap<>(4);
        // What Redis keeps is bounded; so is what is noted of it.
        if (sent.size() < 2 * settings.events() || sent.containsKey(id)) sent.put(id, lane.now());
    }

    private void look(Session session) {
        Debt debt = debts.get(session);
        if (debt == null || debt.walking) return;
        if (session.state() != Session.State.OPEN || resuming(session)) {
            debt.due = lane.now() + settings.settle().toMillis();
            return;
        }
        debt.walking = true;
        debt.touched = false;
        new Walk(session, debt).next();
    }

    private boolean resuming(Session session) {
        LaneChannel place = dispatch.place(lane, session, session.userChannel());
        return place != null && place.holdOf(session) != null;
    }

    private void ask() {
        while (asking < AT_ONCE) {
            Walk next = waiting.poll();
            if (next == null) return;
            if (debts.get(next.session) == next.debt) next.send();
        }
    }

    /** One way through everything that waits for a session's user, as fast as the client reads. */
    private final class Walk {
        private final Session session;
        private final Debt debt;
        private final Set<String> seen = new HashSet<>();
        private long after;

        private Walk(Session session, Debt debt) {
            this.session = session;
            this.debt = debt;
        }

        private void next() {
            if (debts.get(session) != debt) return;
            if (!session.reads()) {
                session.whenDrained(this::next);
                return;
            }
            waiting.add(this);
            ask();
        }

        private void send() {
            asking++;
            acknowledgements
                    .pending(session.userChannel(), after)
                    .whenComplete((page, failure) -> lane.run(() -> {
                        asking--;
                        take(page);
                        ask();
                    }));
        }

        private void take(@Nullable Page page) {
            if (debts.get(session) != debt) return;
            if (page == null) {
                // Redis is away: what was noted stays, and the next turn tries again.
                end(false);
                return;
            }
            for (Waiting waiting : page.events()) {
                if (!session.reads()) {
                    session.whenDrained(this::next);
                    return;
                }
                after = waiting.accepted();
                Missed item = Missed.read(waiting.message());
                if (item != null) send(item);
            }
            if (page.more()) next();
            else end(true);
        }

        private void send(Missed item) {
            Event event = item.event();
            String id = event == null ? null : event.id();
            if (id == null || !item.isFor(session)) return;
            seen.add(id);
            // It comes by itself, in its turn. Sent now it would overtake what lies before it, and a client that keeps
            // positions would take that for seen.
            LaneChannel place = dispatch.place(lane, session, session.userChannel());
            if (place == null || item.position().offset() > lane.position(place).offset()) return;
            Long last = debt.sent == null ? null : debt.sent.get(id);
            // A second of slack: turns are looked at once a second.
            if (last != null && lane.now() - last < settings.again().toMillis() - 1000) return;
            ByteBuf frame = dispatch.frame(session, item);
            if (frame == null) return;
            note(debt, id);
            metrics.redelivered();
            lane.sendSoon(session, frame);
        }

        private void end(boolean whole) {
            debt.walking = false;
            debt.due = lane.now() + settings.again().toMillis();
            if (!whole) return;
            Map<String, Long> sent = debt.sent;
            if (!debt.touched && sent != null) forget(sent);
            if (seen.isEmpty() && !debt.touched) {
                debts.remove(session);
                size = debts.size();
            }
        }

        /** What waits no longer was acknowledged elsewhere, or is too old. */
        private void forget(Map<String, Long> sent) {
            Iterator<String> ids = sent.keySet().iterator();
            while (ids.hasNext()) {
                if (!seen.contains(ids.next())) ids.remove();
            }
        }
    }
}
