package io.carillon.node.dispatch;

import io.carillon.model.channel.ChannelName;
import io.carillon.model.channel.Position;
import io.carillon.node.dialect.Dialect;
import io.carillon.node.session.CloseCode;
import io.carillon.node.session.Session;
import io.carillon.node.session.Trail;
import io.netty.buffer.ByteBuf;
import io.netty.util.concurrent.EventExecutor;
import io.netty.util.internal.PlatformDependent;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Queue;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicLong;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The fan-out of one event loop. Work comes in through one queue; a sweep takes everything that came in during the
 * sweep before, joins the frames of each channel into one shared buffer and does one write for each session. There is
 * no timer: at low load a sweep carries one event at once, at high load the batches grow by themselves, since sends are
 * nearly the whole cost.
 *
 * <p>{@link #run}, {@link #deliver} and {@link #full(boolean)} are safe from any thread; everything else belongs to the loop.
 */
final class Lane {
    private static final Logger log = LoggerFactory.getLogger(Lane.class);

    private final int index;
    private final EventExecutor loop;
    private final DispatchMetrics metrics;
    private final long limit;

    private final Queue<Object> inbox = PlatformDependent.newMpscQueue();
    private final AtomicBoolean scheduled = new AtomicBoolean();
    private final AtomicLong waiting = new AtomicLong();

    // Owned by the loop from here on.
    private final Map<ChannelName, List<LaneChannel>> channels = new HashMap<>();
    private final List<LaneChannel> collecting = new ArrayList<>();
    private final List<Session> sessions = new ArrayList<>();
    private List<Session> unflushed = new ArrayList<>();

    private long sent;

    // Written by the loop, read by the metrics.
    private volatile long outboxBytes;
    private volatile long framesOut;

    /**
     * @param limit bytes of frames that may wait here
     */
    Lane(int index, EventExecutor loop, long limit, DispatchMetrics metrics) {
        this.index = index;
        this.loop = loop;
        this.limit = limit;
        this.metrics = metrics;
    }

    int index() {
        return index;
    }

    EventExecutor loop() {
        return loop;
    }

    /** Milliseconds of the loop's own clock. */
    long now() {
        return System.nanoTime() / 1_000_000;
    }

    /** Frames handed to sessions of this loop, ever. */
    long framesOut() {
        return framesOut;
    }

    /** Bytes that wait in the outboxes and sockets of this loop, as of the last look. */
    long outboxBytes() {
        return outboxBytes;
    }

    /** Whether more waits than events of the kind may add to: the last half is for those that are kept. */
    boolean full(boolean durable) {
        return waiting.get() > (durable ? limit : limit / 2);
    }

    void run(Runnable task) {
        inbox.add(task);
        schedule();
    }

    /** Hands the frame to the channel's sessions of this loop; takes over the delivery's reference. */
    void deliver(Delivery delivery) {
        waiting.addAndGet(delivery.frame().readableBytes());
        inbox.add(delivery);
        schedule();
    }

    private void schedule() {
        if (scheduled.compareAndSet(false, true)) loop.execute(this::sweep);
    }

    private void sweep() {
        // What comes in while this sweep runs waits for the next, so that reads of the loop get their turn.
        int due = inbox.size();
        for (int i = 0; i < due; i++) {
            Object next = inbox.poll();
            if (next == null) break;
            try {
                if (next instanceof Delivery delivery) take(delivery);
                else ((Runnable) next).run();
            } catch (RuntimeException e) {
                log.error("A task of a lane failed; the others go on. lane={}", index, e);
            }
        }
        for (LaneChannel channel : collecting) send(channel);
        collecting.clear();
        flush();
        scheduled.set(false);
        if (!inbox.isEmpty()) schedule();
    }

    private void flush() {
        List<Session> due = unflushed;
        if (due.isEmpty()) return;
        framesOut = sent;
        // A flush may fail and close its session, which may write to others: they go into a fresh list.
        unflushed = new ArrayList<>();
        for (Session session : due) session.socket().flush();
        if (unflushed.isEmpty()) {
            due.clear();
            unflushed = due;
        }
    }

    private void take(Delivery delivery) {
        waiting.addAndGet(-delivery.frame().readableBytes());
        LaneChannel channel = find(delivery.channel(), delivery.dialect());
        if (channel == null) {
            delivery.frame().release();
            return;
        }
        if (delivery.position() != null) channel.position(delivery.position());
        channel.keep(delivery);
        // What ends a block of an event stream is each stream's own.
        if (delivery.toAll() && !delivery.dialect().stream()) {
            if (channel.collect(delivery.frame())) collecting.add(channel);
            return;
        }
        settle(channel);
        try {
            int receivers = 0;
            for (Session session : List.copyOf(channel.members())) {
                if (delivery.isFor(session)) {
                    send(session, delivery.channel(), delivery.frame().retainedDuplicate(), delivery.position());
                    receivers++;
                } else {
                    pass(session, delivery.channel(), delivery.position());
                }
            }
            metrics.delivered(receivers);
        } finally {
            delivery.frame().release();
        }
    }

    /** The holds of the channel's sessions, whatever their dialect. */
    void resynced(ChannelName name, Position position) {
        List<LaneChannel> here = channels.get(name);
        if (here == null) return;
        for (LaneChannel channel : here) {
            channel.position(position);
            for (Session session : channel.everybody()) {
                session.attached(name, position);
                Hold hold = channel.holdOf(session);
                if (hold != null) hold.resynced(position);
            }
        }
    }

    /** What came for the channel's members so far leaves before anything else, and to these members alone. */
    private void settle(LaneChannel channel) {
        if (channel.collected() > 0) {
            send(channel);
            collecting.remove(channel);
        }
    }

    private void send(LaneChannel channel) {
        int count = channel.collected();
        if (count == 0) return;
        ByteBuf joined = channel.join();
        try {
            List<Session> members = channel.members();
            // Backwards: a session found too slow leaves the list while it is walked.
            for (int i = members.size() - 1; i >= 0; i--) {
                if (i < members.size()) send(members.get(i), joined.retainedDuplicate(), count);
            }
            metrics.delivered((long) count * members.size());
        } finally {
            joined.release();
        }
    }

    /** Queues frames for the session; they are flushed at the end of the sweep. */
    void send(Session session, ByteBuf frames, int count) {
        if (!session.outbox().offer(frames, count, now())) {
            slow(session);
            return;
        }
        sent += count;
        unflushed.add(session);
    }

    /** Queues an event's frame for the session, and where it takes an event stream to. */
    void send(Session session, ChannelName channel, ByteBuf frame, @Nullable Position position) {
        Trail trail = session.trail();
        if (trail == null) {
            send(session, frame, 1);
            return;
        }
        if (position != null) trail.at(channel, position);
        send(session, Frames.end(frame.alloc(), frame, position == null ? null : trail.id()), 1);
    }

    /** An event that is not for the session takes an event stream on, too. */
    private static void pass(Session session, ChannelName channel, @Nullable Position position) {
        Trail trail = session.trail();
        if (trail != null && position != null) trail.at(channel, position);
    }

    /** The same from outside a sweep, on the loop: flushed with the next. */
    void sendSoon(Session session, ByteBuf frame) {
        send(session, frame, 1);
        schedule();
    }

    /** Flushes the session with the next sweep. */
    void flushSoon(Session session) {
        unflushed.add(session);
        schedule();
    }

    private void slow(Session session) {
        metrics.slow();
        session.socket().close(CloseCode.TOO_SLOW);
    }

    @Nullable
    LaneChannel find(ChannelName name, Dialect dialect) {
        List<LaneChannel> here = channels.get(name);
        if (here == null) return null;
        for (LaneChannel channel : here) {
            if (channel.dialect() == dialect) return channel;
        }
        return null;
    }

    /** Sessions of this loop on the channel, whatever their dialect. */
    List<Session> members(ChannelName name) {
        List<LaneChannel> here = channels.get(name);
        if (here == null) return List.of();
        if (here.size() == 1) return here.getFirst().everybody();
        List<Session> all = new ArrayList<>();
        for (LaneChannel channel : here) all.addAll(channel.everybody());
        return all;
    }

    /** The session is on the channel, which stands at the position. */
    void add(ChannelName name, Dialect dialect, Session session, Position position) {
        LaneChannel channel = find(name, dialect);
        if (channel == null) {
            channel = new LaneChannel(name, dialect, position);
            channels.computeIfAbsent(name, n -> new ArrayList<>(1)).add(channel);
        }
        settle(channel);
        channel.position(position);
        channel.add(session);
    }

    /** From now on what comes for the session on this channel waits; false when it is not on it, or waits already. */
    boolean hold(LaneChannel channel, Session session, Hold hold) {
        settle(channel);
        return channel.hold(session, hold);
    }

    /** Where the channel stands, after everything up to there is handed to its sessions. */
    Position position(LaneChannel channel) {
        settle(channel);
        return channel.position();
    }

    /** What waited for the session on this channel leaves, but for what lies before the position; it waits no longer. */
    void release(LaneChannel channel, Session session, Position sent) {
        // What this sweep brought so far waits for the session already: it must not come with the others' as well.
        settle(channel);
        channel.release(session, sent, (frame, at) -> send(session, channel.name(), frame, at));
        flushSoon(session);
    }

    /** Takes the session off the channel; whether it was on it. */
    boolean remove(ChannelName name, Dialect dialect, Session session) {
        LaneChannel channel = find(name, dialect);
        if (channel == null || !channel.remove(session)) return false;
        if (channel.idle()) {
            List<LaneChannel> here = channels.get(name);
            if (here != null) {
                here.remove(channel);
                if (here.isEmpty()) channels.remove(name);
            }
        }
        return true;
    }

    /** Sessions of this loop; not to be changed. */
    List<Session> sessions() {
        return sessions;
    }

    void enter(Session session) {
        session.slot(sessions.size());
        sessions.add(session);
    }

    void exit(Session session) {
        int slot = session.slot();
        if (slot < 0) return;
        Session last = sessions.removeLast();
        if (last != session) {
            sessions.set(slot, last);
            last.slot(slot);
        }
        session.slot(-1);
    }

    /**
     * Closes the sessions for which most waits: a tenth of those that anything waits for, one at least. Frames are
     * shared, so how much that frees is seen only when it is done.
     */
    void closeSlowest() {
        List<Session> waiting = new ArrayList<>();
        for (Session session : sessions) {
            if (session.outbox().frames() > 0) waiting.add(session);
        }
        waiting.sort(Comparator.comparingLong(session -> -session.outbox().bytes()));
        for (Session session : waiting.subList(0, (waiting.size() + 9) / 10)) slow(session);
    }

    /** Looks after the sessions once: clients that do not read in time are closed. */
    void checkOutboxes() {
        long now = now();
        long bytes = 0;
        for (int i = sessions.size() - 1; i >= 0; i--) {
            if (i >= sessions.size()) continue;
            Session session = sessions.get(i);
            bytes += session.outbox().bytes();
            if (!session.outbox().onTime(now)) slow(session);
        }
        outboxBytes = bytes;
    }
}
