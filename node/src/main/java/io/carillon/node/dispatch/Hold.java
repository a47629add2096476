package io.carillon.node.dispatch;

import io.carillon.model.channel.Position;
import io.netty.buffer.ByteBuf;
import java.util.ArrayDeque;
import java.util.Deque;
import java.util.function.BiConsumer;
import org.jspecify.annotations.Nullable;

/**
 * What came on a channel for a session that is still being sent older events. Bounded: what does not fit is dropped, all
 * of it, and {@link #missed} says up to where; durable events of it are read from the history, as the older ones are.
 * Owned by the session's loop.
 */
class Hold {
    private final int maxFrames;
    private final long maxBytes;
    private final Deque<Held> frames = new ArrayDeque<>(4);
    private long bytes;
    private int dropped;
    private @Nullable Position missed;

    /** A frame that waits for older ones; holds one reference. */
    private record Held(ByteBuf frame, @Nullable Position position) {}

    Hold(int maxFrames, long maxBytes) {
        this.maxFrames = maxFrames;
        this.maxBytes = maxBytes;
    }

    void add(ByteBuf frame, @Nullable Position position) {
        if (frames.size() >= maxFrames || bytes + frame.readableBytes() > maxBytes) {
            for (Held held : frames) {
                if (held.position == null) dropped++;
                else missed = held.position;
            }
            drop();
            if (frame.readableBytes() > maxBytes) {
                if (position == null) dropped++;
                else missed = position;
                return;
            }
        }
        frames.add(new Held(frame.retainedDuplicate(), position));
        bytes += frame.readableBytes();
    }

    /** Position of the newest durable event that did not fit; null when all did. */
    @Nullable
    Position missed() {
        return missed;
    }

    /** Events without a history that did not fit. */
    int dropped() {
        return dropped;
    }

    /** Frees everything that waits. */
    void drop() {
        for (Held held : frames) held.frame.release();
        frames.clear();
        bytes = 0;
    }

    /** Hands on what lies behind the position, with its reference, and frees the rest. */
    void release(Position sent, BiConsumer<ByteBuf, @Nullable Position> then) {
        for (Held held : frames) {
            Position at = held.position;
            boolean repeated = at != null && at.epoch().equals(sent.epoch()) && at.offset() <= sent.offset();
            if (repeated) held.frame.release();
            else then.accept(held.frame, at);
        }
        frames.clear();
        bytes = 0;
    }

    /** The session has left the channel; nothing waits any more. */
    void gone() {}

    /** What came before cannot be proven complete; the channel goes on from the position. */
    void resynced(Position position) {}
}
