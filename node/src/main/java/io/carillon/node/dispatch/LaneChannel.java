package io.carillon.node.dispatch;

import io.carillon.model.channel.ChannelName;
import io.carillon.model.channel.Position;
import io.carillon.node.dialect.Dialect;
import io.carillon.node.session.Session;
import io.netty.buffer.ByteBuf;
import java.util.ArrayList;
import java.util.IdentityHashMap;
import java.util.List;
import java.util.Map;
import java.util.function.BiConsumer;
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

    /** Position of the newest event that came here. */
    private Position position;

    /** Sessions that are being sent what they missed, with what came for them meanwhile. */
    private @Nullable Map<Session, Hold> holding;

    LaneChannel(ChannelName name, Dialect dialect, Position position) {
        this.name = name;
        this.dialect = dialect;
        this.position = position;
    }

    ChannelName name() {
        return name;
    }

    Dialect dialect() {
        return dialect;
    }

    /** Where the channel stands here: position of the newest event that came, or of the last session that did. */
    Position position() {
        return position;
    }

    void position(Position reached) {
        position = reached;
    }

    List<Session> members() {
        return members;
    }

    void add(Session session) {
        members.add(session);
    }

    /** Takes the session off, with what waits for it; whether it was on. */
    boolean remove(Session session) {
        Hold hold = unhold(session);
        if (hold == null) return !unhoused(session);
        hold.drop();
        hold.gone();
        return true;
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

    /** From now on what comes for the session goes to the hold; false when it is not on the channel, or waits already. */
    boolean hold(Session session, Hold hold) {
        if (unhoused(session)) return false;
        Map<Session, Hold> waiting = holding;
        if (waiting == null) holding = waiting = new IdentityHashMap<>(2);
        waiting.put(session, hold);
        return true;
    }

    /** The hold of the session; null when it has none. */
    @Nullable
    Hold holdOf(Session session) {
        Map<Session, Hold> waiting = holding;
        return waiting == null ? null : waiting.get(session);
    }

    /** Keeps the delivery's frame for the sessions whose frames wait. */
    void keep(Delivery delivery) {
        Map<Session, Hold> waiting = holding;
        if (waiting == null) return;
        waiting.forEach((session, hold) -> {
            if (delivery.isFor(session)) hold.add(delivery.frame(), delivery.position());
        });
    }

    /** Its frames wait no longer: those behind the position go to {@code then}, and the session is a member again. */
    void release(Session session, Position sent, BiConsumer<ByteBuf, @Nullable Position> then) {
        Hold hold = unhold(session);
        if (hold == null) return;
        members.add(session);
        hold.release(sent, then);
    }

    private @Nullable Hold unhold(Session session) {
        Map<Session, Hold> waiting = holding;
        if (waiting == null) return null;
        Hold hold = waiting.remove(session);
        if (waiting.isEmpty()) holding = null;
        return hold;
    }

    /** Whether nobody is on the channel and nothing is to be sent. */
    boolean idle() {
        return members.isEmpty() && holding == null && frames.isEmpty();
    }

    /** Everybody on the channel. */
    List<Session> everybody() {
        Map<Session, Hold> waiting = holding;
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
