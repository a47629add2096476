package io.carillon.node.dispatch;

import io.carillon.model.channel.ChannelName;
import io.carillon.model.channel.Position;
import io.carillon.node.dialect.Dialect;
import io.carillon.node.session.Session;
import io.netty.buffer.ByteBuf;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.IdentityHashMap;
import java.util.List;
import java.util.Map;
import java.util.function.BiConsumer;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;

/**
 * The sessions of one event loop on one channel that speak one dialect, and the frames of the current sweep for them.
 * Owned by the loop.
 */
final class LaneChannel {
    private final ChannelName name;
    private final Dialect dialect;
    private final List<Session> members = new ArrayList<>(1);
    private final List<ByteBuf> frames = new ArrayList<>(2);
    private int bytes;

    /** Sessions that are being sent what they missed, and what came for them meanwhile. */
    private @Nullable Map<Session, Deque<Held>> holding;

    /** A frame that waits for older ones. */
    private record Held(ByteBuf frame, @Nullable Position position) {}

    LaneChannel(ChannelName name, Dialect dialect) {
        this.name = name;
        this.dialect = dialect;
    }

    ChannelName name() {
        return name;
    }

    Dialect dialect() {
        return dialect;
    }

    List<Session> members() {
        return members;
    }

    void add(Session session) {
        members.add(session);
    }

    /** Takes the session off, with what waits for it; whether it was on. */
    boolean remove(Session session) {
        Deque<Held> waiting = unhold(session);
        if (waiting != null) {
            waiting.forEach(held -> held.frame.release());
            return true;
        }
        return !unhoused(session);
    }

    /** Takes the session off the members; whether it was none. */
    private boolean unhoused(Session session) {
        int index = members.indexOf(session);
        if (index < 0) return true;
        // Order among receivers means nothing: fill the hole with the last.
        Session last = members.removeLast();
        if (index < members.size()) members.set(index, last);
        return false;
    }

    /** From now on the session's frames wait; false when it is not on the channel, or they wait already. */
    boolean hold(Session session) {
        if (unhoused(session)) return false;
        Map<Session, Deque<Held>> waiting = holding;
        if (waiting == null) holding = waiting = new IdentityHashMap<>(2);
        waiting.put(session, new ArrayDeque<>());
        return true;
    }

    /** Keeps the delivery's frame for the sessions whose frames wait; one that has {@code limit} already goes to {@code full}. */
    void keep(Delivery delivery, int limit, Consumer<Session> full) {
        Map<Session, Deque<Held>> waiting = holding;
        if (waiting == null) return;
        waiting.forEach((session, frames) -> {
            if (!delivery.isFor(session)) return;
            if (frames.size() >= limit) full.accept(session);
            else frames.add(new Held(delivery.frame().retainedDuplicate(), delivery.position()));
        });
    }

    /** As {@link #release(Session, Position, BiConsumer)} where the positions are of no interest. */
    void release(Session session, Position sent, Consumer<ByteBuf> then) {
        release(session, sent, (frame, at) -> then.accept(frame));
    }

    /** Its frames wait no longer: those behind the position go to {@code then}, and the session is a member again. */
    void release(Session session, Position sent, BiConsumer<ByteBuf, @Nullable Position> then) {
        Deque<Held> frames = unhold(session);
        if (frames == null) return;
        members.add(session);
        for (Held held : frames) {
            Position at = held.position;
            boolean repeated = at != null && at.epoch().equals(sent.epoch()) && at.offset() <= sent.offset();
            if (repeated) held.frame.release();
            else then.accept(held.frame, at);
        }
    }

    private @Nullable Deque<Held> unhold(Session session) {
        Map<Session, Deque<Held>> waiting = holding;
        if (waiting == null) return null;
        Deque<Held> frames = waiting.remove(session);
        if (waiting.isEmpty()) holding = null;
        return frames;
    }

    /** Whether nobody is on the channel and nothing is to be sent. */
    boolean idle() {
        return members.isEmpty() && holding == null && frames.isEmpty();
    }

    /** Everybody on the channel. */
    List<Session> everybody() {
        Map<Session, Deque<Held>> waiting = holding;
        if (waiting == null) return List.copyOf(members);
        var all = new ArrayList<>(members);
        all.addAll(waiting.keySet());
        return all;
    }

    /** Whether this is the first frame of the sweep. */
    boolean collect(ByteBuf frame) {
        frames.add(frame);
        bytes += frame.readableBytes();
        return frames.size() == 1;
    }

    int collected() {
        return frames.size();
    }

    /** The collected frames as one buffer, whose reference the caller gets. */
    ByteBuf join() {
        ByteBuf joined;
        if (frames.size() == 1) {
            joined = frames.getFirst();
        } else {
            joined = frames.getFirst().alloc().directBuffer(bytes);
            for (ByteBuf frame : frames) {
                joined.writeBytes(frame, frame.readerIndex(), frame.readableBytes());
                frame.release();
            }
        }
        frames.clear();
        bytes = 0;
        return joined;
    }
}
