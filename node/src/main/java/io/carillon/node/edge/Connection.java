package io.carillon.node.edge;

import io.carillon.node.identity.Principal;
import io.carillon.node.session.CloseCode;
import io.carillon.node.session.Endpoint;
import io.carillon.node.session.Session;
import io.carillon.node.session.Socket;
import io.netty.buffer.ByteBuf;
import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.ChannelInboundHandlerAdapter;
import io.netty.channel.ChannelOption;
import io.netty.channel.ChannelOutboundBuffer;
import io.netty.util.ReferenceCountUtil;
import io.netty.util.concurrent.EventExecutor;
import java.util.concurrent.ThreadLocalRandom;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * A session's connection after the 101: the only handler of its channel, but for TLS. Reads frames, answers pings and
 * closes, and is looked after by its loop. There are ten thousand of these: no timers, no queues, few fields. Owned by
 * its loop.
 */
@SuppressWarnings("FutureReturnValueIgnored") // what fails closes the channel, which channelInactive sees
final class Connection extends ChannelInboundHandlerAdapter implements Socket, FrameReader.Sink, Timed {
    private static final Logger log = LoggerFactory.getLogger(Connection.class);

    // States.
    private static final byte OPEN = 0;

    /** Our close frame is out, the client's is awaited. */
    private static final byte CLOSING = 1;

    /** Everything is said; the client is to close TCP. */
    private static final byte LINGERING = 2;

    private static final int BROKEN = 1006;

    private final Reception reception;
    private final EdgeLoop loop;
    private final FrameReader reader;
    private final Session session;
    private final String address;

    @SuppressWarnings("NullAway.Init") // set before anything else is called
    private ChannelHandlerContext context;

    /** When the client was last heard, while open; when TCP is dropped, after. Loop's time. */
    private long mark;

    private long nextPing;

    /** When the bucket of the client's pings and pongs is full. */
    private long controls;

    /** The newest ping that could not be answered yet. */
    private byte @Nullable [] pingWaiting;

    private int slot = -1;
    private byte state = OPEN;
    private boolean ended;
    private boolean slow;
    private boolean answered;

    Connection(Reception reception, EdgeLoop loop, Endpoint endpoint, Principal principal, String address) {
        this.reception = reception;
        this.loop = loop;
        this.address = address;
        this.reader = new FrameReader(this, endpoint.maxMessage(), reception.settings.fragments());
        this.session = new Session(
                reception.ids.next(), endpoint, principal, this, reception.outbox, reception.clock.millis());
        this.mark = loop.now();
        this.controls = mark;
        // Spread, so that those who came together are not pinged together ever after.
        long ping = endpoint.ping().toNanos();
        this.nextPing = mark + ping / 2 + ThreadLocalRandom.current().nextLong(ping / 2 + 1);
    }

    @Override
    public void handlerAdded(ChannelHandlerContext ctx) {
        context = ctx;
        loop.add(this);
        loop.connections++;
    }

    /** The 101 is written: the session begins. */
    void open() {
        reception.metrics.opened(session.endpoint().name());
        try {
            reception.listener.opened(session);
        } catch (RuntimeException e) {
            log.error("A session could not begin. session={}", session.id(), e);
            close(CloseCode.INTERNAL_ERROR);
        }
    }

    // What the channel says.

    @Override
    public void channelRead(ChannelHandlerContext ctx, Object message) {
        try {
            if (state == LINGERING || !(message instanceof ByteBuf bytes)) return;
            loop.bytesIn += bytes.readableBytes();
            if (state == OPEN) mark = loop.now();
            reader.read(bytes, loop.now());
        } finally {
            ReferenceCountUtil.release(message);
        }
    }

    @Override
    public void channelReadComplete(ChannelHandlerContext ctx) {
        if (answered) {
            answered = false;
            ctx.flush();
        }
    }

    @Override
    public void channelWritabilityChanged(ChannelHandlerContext ctx) {
        if (state != OPEN || !ctx.channel().isWritable()) return;
        byte[] ping = pingWaiting;
        if (ping != null) {
            pingWaiting = null;
            ctx.write(ControlFrames.pong(ctx.alloc(), ping), ctx.voidPromise());
        }
        session.writable();
    }

    @Override
    public void channelInactive(ChannelHandlerContext ctx) {
        reader.stop();
        state = LINGERING;
        if (slot >= 0) {
            loop.remove(this);
            loop.connections--;
            reception.admission.release(address);
        }
        end(BROKEN);
        // Reactor's metrics, where they are on, count the connection.
        ctx.fireChannelInactive();
    }

    @Override
    public void exceptionCaught(ChannelHandlerContext ctx, Throwable cause) {
        // Resets and broken TLS are the client's business: the session ends with 1006, and that is counted.
        if (log.isDebugEnabled()) log.debug("A connection failed. session={} cause={}", session.id(), cause.toString());
        ctx.close();
    }

    @Override
    public void tick(long now) {
        if (state != OPEN) {
            if (now - mark >= 0) drop();
            return;
        }
        Endpoint endpoint = session.endpoint();
        if (!context.channel().config().isAutoRead()) {
            // Whoever stopped reading has kept the client from being heard.
            mark = now;
        } else if (reader.assembling() && now - reader.since() >= reception.assemblyNanos) {
            reader.stop();
            failed(CloseCode.POLICY, "assembly");
            return;
        } else if (now - mark >= endpoint.silence().toNanos()) {
            close(CloseCode.SILENT);
            return;
        }
        if (now - nextPing >= 0) {
            nextPing = now + endpoint.ping().toNanos();
            if (context.channel().isWritable()) {
                context.writeAndFlush(ControlFrames.ping(context.alloc()), context.voidPromise());
            }
        }
    }

    // What the frames come to.

    @Override
    public void message(byte[] text) {
        loop.framesIn++;
        try {
            reception.listener.received(session, text);
        } catch (RuntimeException e) {
            log.error("A message could not be handled; its session is closed. session={}", session.id(), e);
            close(CloseCode.INTERNAL_ERROR);
        }
    }

    @Override
    public void ping(byte[] payload) {
        loop.framesIn++;
        if (state != OPEN || tooMany()) return;
        if (context.channel().isWritable()) {
            context.write(ControlFrames.pong(context.alloc(), payload), context.voidPromise());
            answered = true;
        } else {
            // Only the newest is answered (RFC 6455 §5.5.3): what waits for a client that does not read stays small.
            pingWaiting = payload;
        }
    }

    @Override
    public void pong() {
        loop.framesIn++;
        if (state == OPEN) tooMany();
    }

    private boolean tooMany() {
        if (reception.controlNanos == 0) return false;
        long next = Bucket.take(controls, loop.exactly(), reception.controlNanos, reception.settings.controlBurst());
        if (next != controls) {
            controls = next;
            return false;
        }
        reader.stop();
        failed(CloseCode.ABUSE, "control_flood");
        return true;
    }

    @Override
    public void closed(int code) {
        loop.framesIn++;
        if (state == OPEN) {
            linger(ControlFrames.closeAnswer(context.alloc(), code));
            end(code);
        } else if (state == CLOSING) {
            linger(context.alloc().buffer(0));
        }
    }

    @Override
    public void failed(CloseCode code, String kind) {
        if (state == CLOSING) {
            // It has our close frame already, and gets no second.
            linger(context.alloc().buffer(0));
            return;
        }
        reception.metrics.failed(kind);
        linger(ControlFrames.close(context.alloc(), code));
        end(code.code());
    }

    private void linger(ByteBuf last) {
        state = LINGERING;
        mark = loop.now() + reception.lingerNanos;
        pingWaiting = null;
        Farewell.send(context, last);
        context.channel().config().setAutoRead(true);
    }

    private void drop() {
        // A slow client that has not read again: what waits for it is given up with the connection. Had the close frame
        // gone to the kernel, it would be on its way.
        if (slow && pendingBytes() > 0) context.channel().config().setOption(ChannelOption.SO_LINGER, 0);
        context.close();
    }

    /** Drops TCP, whatever state it is in. */
    void force() {
        context.close();
    }

    private void end(int code) {
        if (ended) return;
        ended = true;
        Endpoint endpoint = session.endpoint();
        reception.metrics.closed(endpoint.name(), code);
        if (endpoint.sessionsPerUser() > 0) reception.admission.leave(endpoint.namespace(), session.user());
        try {
            reception.listener.closed(session, code);
        } catch (RuntimeException e) {
            log.error("A session could not end in order. session={}", session.id(), e);
        }
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
        if (state != OPEN) {
            frames.release();
            return;
        }
        loop.bytesOut += frames.readableBytes();
        context.write(frames, context.voidPromise());
    }

    @Override
    public void flush() {
        context.flush();
    }

    @Override
    public boolean writable() {
        return state == OPEN && context.channel().isWritable();
    }

    @Override
    public long pendingBytes() {
        ChannelOutboundBuffer pending = context.channel().unsafe().outboundBuffer();
        return pending == null ? 0 : pending.totalPendingWriteBytes();
    }

    @Override
    public void close(CloseCode code) {
        if (state != OPEN) return;
        state = CLOSING;
        // From the last tick, so never earlier than the setting says.
        mark = loop.exactly() + reception.closingNanos;
        slow = code == CloseCode.TOO_SLOW;
        pingWaiting = null;
        reader.discard();
        context.writeAndFlush(ControlFrames.close(context.alloc(), code), context.voidPromise());
        context.channel().config().setAutoRead(true);
        // Not from within the call: whoever closes a session may be in the middle of a walk over all of them.
        loop.executor().execute(() -> end(code.code()));
    }

    @Override
    public void reading(boolean on) {
        if (state == OPEN) context.channel().config().setAutoRead(on);
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
