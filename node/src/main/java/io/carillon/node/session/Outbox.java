package io.carillon.node.session;

import io.netty.buffer.ByteBuf;
import java.util.ArrayDeque;
import java.util.Deque;
import org.jspecify.annotations.Nullable;

/**
 * A session's bounded queue of frames and the only writer of its socket. Frames leave in the order in which they were
 * offered. Owned by the session's event loop.
 *
 * <p>While the socket takes more, frames pass straight through; the queue exists only for a client that reads slower
 * than it is sent to, or whose first frame (the welcome) is not out yet.
 */
public final class Outbox {
    private final Socket socket;
    private final OutboxSettings settings;
    private @Nullable Deque<Waiting> queue;
    private int frames;
    private long bytes;
    private boolean held = true;
    private boolean closed;

    /** Time of the loop's clock since which the kernel has not taken everything; -1 while it has. */
    private long stuckSince = -1;

    private long stuckBytes;

    private record Waiting(ByteBuf buffer, int frames, long since) {}

    Outbox(Socket socket, OutboxSettings settings) {
        this.socket = socket;
        this.settings = settings;
    }

    /**
     * Takes encoded frames, over whose reference it takes. Never blocks.
     *
     * @param count how many frames the buffer holds
     * @param now milliseconds of the loop's clock
     * @return false when the client is too slow: the queue would pass its limit of bytes or frames, and the frames are
     *     dropped
     */
    public boolean offer(ByteBuf buffer, int count, long now) {
        if (closed) {
            buffer.release();
            return true;
        }
        Deque<Waiting> waiting = queue;
        if (!held && (waiting == null || waiting.isEmpty()) && socket.writable()) {
            socket.write(buffer);
            return true;
        }
        int size = buffer.readableBytes();
        // An empty queue takes anything once: one batch larger than the limit is not the client's slowness.
        if (frames > 0
                && (bytes + size + socket.pendingBytes() > settings.bytes() || frames + count > settings.frames())) {
            buffer.release();
            return false;
        }
        if (waiting == null) queue = waiting = new ArrayDeque<>(4);
        waiting.addLast(new Waiting(buffer, count, now));
        frames += count;
        bytes += size;
        return true;
    }

    /** Writes past the queue: for the welcome, while everything else is held. */
    public void first(ByteBuf buffer) {
        if (closed) buffer.release();
        else socket.write(buffer);
    }

    /** From now on frames leave. */
    public void release() {
        held = false;
        drain();
    }

    /** Hands the socket what it takes. */
    public void drain() {
        Deque<Waiting> waiting = queue;
        if (held || closed || waiting == null) return;
        while (socket.writable()) {
            Waiting next = waiting.pollFirst();
            if (next == null) {
                queue = null;
                return;
            }
            frames -= next.frames;
            bytes -= next.buffer.readableBytes();
            socket.write(next.buffer);
        }
    }

    /**
     * Looks whether frames wait too long: the oldest in the queue, or a rest that the kernel has not taken any of.
     *
     * @return false when the client is too slow
     */
    public boolean onTime(long now) {
        if (closed) return true;
        long deadline = settings.age().toMillis();
        Deque<Waiting> waiting = queue;
        Waiting oldest = waiting == null ? null : waiting.peekFirst();
        if (oldest != null && !held && now - oldest.since >= deadline) return false;
        long pending = socket.pendingBytes();
        if (pending == 0 || pending < stuckBytes) stuckSince = -1;
        else if (stuckSince < 0) stuckSince = now;
        stuckBytes = pending;
        return stuckSince < 0 || now - stuckSince < deadline;
    }

    /** Frames waiting. */
    public int frames() {
        return frames;
    }

    /** Bytes waiting here and in the socket. */
    public long bytes() {
        return bytes + (closed ? 0 : socket.pendingBytes());
    }

    /** Drops what waits; nothing is written any more. */
    void close() {
        closed = true;
        Deque<Waiting> waiting = queue;
        queue = null;
        if (waiting != null) waiting.forEach(w -> w.buffer.release());
        frames = 0;
        bytes = 0;
    }
}
