package io.carillon.node.dispatch;

import io.carillon.model.channel.ChannelName;
import io.carillon.node.dialect.Dialect;
import io.carillon.node.session.Session;
import io.netty.buffer.ByteBuf;
import java.util.ArrayList;
import java.util.List;

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

    boolean remove(Session session) {
        int index = members.indexOf(session);
        if (index < 0) return false;
        // Order among receivers means nothing: fill the hole with the last.
        Session last = members.removeLast();
        if (index < members.size()) members.set(index, last);
        return true;
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
