package io.carillon.node.edge;

import io.carillon.node.session.CloseCode;
import io.carillon.node.session.Session;
import io.netty.buffer.ByteBuf;
import io.netty.channel.Channel;
import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.ChannelInboundHandlerAdapter;
import io.netty.channel.ChannelOption;
import io.netty.channel.ChannelOutboundBuffer;
import io.netty.util.concurrent.EventExecutor;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * A session's connection on the node's own listener, whatever is spoken on it: the only handler of its channel, but for
 * TLS. There are ten thousand of these: no timers, no queues, few fields. Owned by its loop.
 */
@SuppressWarnings("FutureReturnValueIgnored") // what fails closes the channel, which channelInactive sees
abstract class NettyCarrier extends ChannelInboundHandlerAdapter implements Carrier {
    private static final Logger log = LoggerFactory.getLogger(NettyCarrier.class);

    // States.
    static final byte OPEN = 0;

    /** Our last word is out, the client's is awaited. */
    static final byte CLOSING = 1;

    /** Everything is said; the client is to close TCP. */
    static final byte LINGERING = 2;

    private static final int BROKEN = 1006;

    final Reception reception;
    final EdgeLoop loop;
    final Session session;
    private final String address;

    @SuppressWarnings("NullAway.Init") // set before anything else is called
    ChannelHandlerContext context;

    /**
     * Where writes end anyway, null where TLS is on the way: objects of the pipeline that need not be touched, ten thousand
     * times and in no cache, when an event for everyone comes.
     */
    private Channel.@Nullable Unsafe straight;

    /** When the client was last heard, while open; when TCP is dropped, after. Loop's time. */
    long mark;

    byte state = OPEN;
    private int slot = -1;
    private boolean ended;
    private boolean slow;

    NettyCarrier(Reception reception, EdgeLoop loop, Interview.Accepted accepted) {
        this.reception = reception;
        this.loop = loop;
        this.address = accepted.arrival().address();
        this.session = reception.session(accepted, this);
        this.mark = loop.now();
    }

    /** Says the last thing before a close that this side begins, behind all that was written. */
    abstract void sayGoodbye(CloseCode code);

    /** Nothing is read or kept any more. */
    abstract void release();

    @Override
    public void handlerAdded(ChannelHandlerContext ctx) {
        context = ctx;
        loop.add(this);
        loop.connections++;
    }

    /** Handlers of the handshake are gone; no other comes. */
    void settled() {
        if (context.pipeline().firstContext() == context)
            straight = context.channel().unsafe();
    }

    /** The client has its answer: the session begins. */
    void open() {
        reception.opened(session);
    }

    @Override
    public void channelInactive(ChannelHandlerContext ctx) {
        state = LINGERING;
        release();
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

    /** Says a last thing and waits for the client to leave. */
    void linger(ByteBuf last) {
        state = LINGERING;
        mark = loop.now() + reception.lingerNanos;
        Farewell.send(context, last);
    }

    /** What waited for the client too long is given up, with the connection. */
    void drop() {
        // A slow client that has not read again: had the close frame gone to the kernel, it would be on its way.
        if (slow && pendingBytes() > 0) context.channel().config().setOption(ChannelOption.SO_LINGER, 0);
        context.close();
    }

    @Override
    public void force() {
        context.close();
    }

    @Override
    public boolean owes() {
        return state == OPEN && session.outbox().frames() > 0;
    }

    void end(int code) {
        if (ended) return;
        ended = true;
        reception.ended(session, code);
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
        if (straight != null) straight.write(frames, straight.voidPromise());
        else context.write(frames, context.voidPromise());
    }

    @Override
    public void flush() {
        if (straight != null) straight.flush();
        else context.flush();
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
        release();
        sayGoodbye(code);
        // Not from within the call: whoever closes a session may be in the middle of a walk over all of them.
        loop.executor().execute(() -> end(code.code()));
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
