package io.carillon.node.edge;

import io.carillon.node.session.CloseCode;
import io.carillon.node.session.Session;
import io.netty.buffer.ByteBuf;
import io.netty.util.concurrent.EventExecutor;
import java.io.IOException;
import java.util.Queue;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.RejectedExecutionException;
import java.util.concurrent.ThreadLocalRandom;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicLong;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * A session's connection in a servlet container, where to write is to wait: what the loop writes is queued, and one
 * virtual thread, there only while something is queued, is the sole writer. The loop never waits for a client, and what
 * waits for one is told byte by byte, so that the session's outbox sees a slow one.
 */
abstract class QueuedCarrier implements Carrier {
    private static final Logger log = LoggerFactory.getLogger(QueuedCarrier.class);

    /** The queue takes no more beyond this many bytes, until it is below {@link #LOW} again. As on a listener of ours. */
    private static final int HIGH = 64 * 1024;

    private static final int LOW = 32 * 1024;
    private static final int BROKEN = 1006;
    private static final Object PING = new Object();

    private enum State {
        /** The client is being answered. */
        ANSWERING,
        OPEN,
        /** Our last word is queued, the client's is awaited. */
        CLOSING,
        GONE
    }

    final Reception reception;
    final EdgeLoop loop;
    final Session session;
    private final String address;

    // Owned by the loop.
    private State state = State.ANSWERING;
    /** When the client was last heard, while open; when the connection is given up, else. Loop's time. */
    private long mark;

    private long nextPing;
    private int slot = -1;
    private boolean ended;

    // Between the loop and the writer.
    /** Buffers, and words to say in between. Bounded by the session's outbox, which stops at the high mark. */
    private final Queue<Object> queue = new ConcurrentLinkedQueue<>();

    private final AtomicLong pending = new AtomicLong();
    private final AtomicBoolean writing = new AtomicBoolean();
    private final AtomicBoolean relieving = new AtomicBoolean();
    private volatile boolean choked;
    private volatile boolean broken;
    private volatile @Nullable Thread writer;

    QueuedCarrier(Reception reception, EdgeLoop loop, Interview.Accepted accepted) {
        this.reception = reception;
        this.loop = loop;
        this.address = accepted.arrival().address();
        this.session = reception.session(accepted, this);
    }

    // The writer's part: these may wait for the client.

    /** Sends a piece from the buffer and moves its reader index behind it. */
    abstract void send(ByteBuf frames) throws IOException;

    abstract void sendPing() throws IOException;

    /** Says why the session ends, as the last thing. */
    abstract void sendGoodbye(CloseCode code) throws IOException;

    /** Closes the connection without a word; may be called more than once, from any thread but a loop. */
    abstract void hangUp();

    // The loop's.

    /** Looks after what only this transport has; the session is open. */
    abstract void look(long now);

    /** Nothing is put together any more. */
    abstract void deafen();

    /** The client is being answered: from here on the loop sees to what was counted in for it. */
    void answering() {
        loop.add(this);
        loop.connections++;
        mark = loop.exactly() + reception.handshakeNanos;
    }

    /** The client has its answer: the session begins. */
    void open() {
        if (state != State.ANSWERING) {
            Thread.startVirtualThread(this::hangUp);
            return;
        }
        state = State.OPEN;
        mark = loop.now();
        // Spread, so that those who came together are not pinged together ever after.
        long ping = session.endpoint().ping().toNanos();
        nextPing = mark + ping / 2 + ThreadLocalRandom.current().nextLong(ping / 2 + 1);
        reception.opened(session);
    }

    boolean isOpen() {
        return state == State.OPEN;
    }

    /** The client was heard. */
    void heard() {
        if (state == State.OPEN) mark = loop.now();
    }

    /** The connection is no more. */
    void gone(int code) {
        if (state == State.GONE) return;
        boolean opened = state != State.ANSWERING;
        state = State.GONE;
        broken = true;
        deafen();
        if (slot >= 0) {
            loop.remove(this);
            loop.connections--;
        }
        reception.admission.release(address);
        if (opened) {
            end(code);
        } else if (session.endpoint().sessionsPerUser() > 0) {
            reception.admission.leave(session.endpoint().namespace(), session.user());
        }
        // What is queued still is given back.
        flush();
    }

    private void end(int code) {
        if (ended) return;
        ended = true;
        reception.ended(session, code);
    }

    @Override
    public void tick(long now) {
        switch (state) {
            case ANSWERING, CLOSING -> {
                if (now - mark >= 0) force();
            }
            case OPEN -> {
                look(now);
                if (state != State.OPEN) return;
                if (now - mark >= session.endpoint().silence().toNanos()) {
                    close(CloseCode.SILENT);
                } else if (now - nextPing >= 0) {
                    nextPing = now + session.endpoint().ping().toNanos();
                    if (!choked) {
                        queue.add(PING);
                        flush();
                    }
                }
            }
            case GONE -> {}
        }
    }

    @Override
    public boolean owes() {
        return state == State.OPEN && (session.outbox().frames() > 0 || pending.get() > 0);
    }

    @Override
    public void force() {
        // A writer that waits for the client waits no longer.
        Thread waiting = writer;
        if (waiting != null) waiting.interrupt();
        Thread.startVirtualThread(this::hangUp);
        gone(BROKEN);
    }

    // The session's socket.

    @Override
    public EventExecutor loop() {
        return loop.executor();
    }

    @Override
    public String address() {
        return address;
    }

    @Override
    public void write(ByteBuf frames) {
        int size = frames.readableBytes();
        if (state != State.OPEN || size == 0) {
            frames.release();
            return;
        }
        loop.bytesOut += size;
        boolean much = pending.addAndGet(size) > HIGH;
        queue.add(frames);
        if (much) {
            choked = true;
            // The writer may have looked in between, and does not look again.
            if (pending.get() < LOW) choked = false;
        }
    }

    @Override
    public void flush() {
        if (!queue.isEmpty() && writing.compareAndSet(false, true)) {
            Thread.ofVirtual().name("carillon-writer").start(this::work);
        }
    }

    @Override
    public boolean writable() {
        return state == State.OPEN && !choked;
    }

    @Override
    public long pendingBytes() {
        return pending.get();
    }

    @Override
    public void close(CloseCode code) {
        if (state == State.ANSWERING) {
            force();
            return;
        }
        if (state != State.OPEN) return;
        state = State.CLOSING;
        // From the last tick, so never earlier than the setting says.
        mark = loop.exactly() + reception.closingNanos;
        deafen();
        queue.add(code);
        flush();
        // Not from within the call: whoever closes a session may be in the middle of a walk over all of them.
        loop.executor().execute(() -> end(code.code()));
    }

    // The writer.

    private void work() {
        while (true) {
            writer = Thread.currentThread();
            for (Object next = queue.poll(); next != null; next = queue.poll()) say(next);
            writer = null;
            writing.set(false);
            if (queue.isEmpty() || !writing.compareAndSet(false, true)) return;
        }
    }

    private void say(Object what) {
        try {
            if (what instanceof ByteBuf frames) write(frames, this);
            else if (broken) return;
            else if (what instanceof CloseCode code) sendGoodbye(code);
            else sendPing();
        } catch (IOException | RuntimeException e) {
            broken = true;
            if (log.isDebugEnabled()) log.debug("A connection failed. session={} cause={}", session.id(), e.toString());
            // First, so that nothing that goes wrong at hanging up keeps the session.
            onLoop(() -> gone(BROKEN));
            hangUp();
        }
    }

    private static void write(ByteBuf frames, QueuedCarrier to) throws IOException {
        try {
            while (!to.broken && frames.isReadable()) {
                int before = frames.readableBytes();
                to.send(frames);
                to.taken(before - frames.readableBytes());
            }
        } finally {
            to.taken(frames.readableBytes());
            frames.release();
        }
    }

    private void taken(int bytes) {
        long left = pending.addAndGet(-bytes);
        if (left < LOW && choked && relieving.compareAndSet(false, true)) onLoop(this::relieve);
    }

    private void relieve() {
        relieving.set(false);
        if (!choked) return;
        choked = false;
        if (state == State.OPEN) session.writable();
    }

    /** Runs it on the loop; not at all where the loops have ended, and the sessions with them. */
    final void onLoop(Runnable task) {
        try {
            loop.executor().execute(task);
        } catch (RejectedExecutionException e) {
            log.debug("A connection outlived the node's loops. session={}", session.id());
        }
    }

    @Override
    public int slot() {
        return slot;
    }

    @Override
    public void slot(int place) {
        slot = place;
    }
}
