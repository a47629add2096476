package io.carillon.node.edge;

import io.carillon.node.session.Bucket;
import io.carillon.node.session.CloseCode;
import io.carillon.node.session.Endpoint;
import io.netty.buffer.ByteBuf;
import io.netty.channel.ChannelHandlerContext;
import io.netty.util.ReferenceCountUtil;
import java.util.concurrent.ThreadLocalRandom;
import org.jspecify.annotations.Nullable;

/**
 * A session's WebSocket connection after the 101: reads frames, answers pings and closes.
 */
@SuppressWarnings("FutureReturnValueIgnored") // what fails closes the channel, which channelInactive sees
final class Connection extends NettyCarrier implements FrameReader.Sink {
    private final FrameReader reader;

    private long nextPing;

    /** When the bucket of the client's pings and pongs is full. */
    private long controls;

    /** The newest ping that could not be answered yet. */
    private byte @Nullable [] pingWaiting;

    private boolean answered;

    Connection(Reception reception, EdgeLoop loop, Interview.Accepted accepted) {
        super(reception, loop, accepted);
        Endpoint endpoint = accepted.endpoint();
        this.reader = new FrameReader(this, endpoint.maxMessage(), reception.settings.fragments());
        this.controls = mark;
        // Spread, so that those who came together are not pinged together ever after.
        long ping = endpoint.ping().toNanos();
        this.nextPing = mark + ping / 2 + ThreadLocalRandom.current().nextLong(ping / 2 + 1);
    }

    // What the channel says.

    @Override
    public void channelRead(ChannelHandlerContext ctx, Object message) {
        try {
            if (state == LINGERING || !(message instanceof ByteBuf bytes)) return;
            loop.bytesIn += bytes.readableBytes();
            if (state == OPEN && !session.endpoint().mustSpeak()) mark = loop.now();
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
    public void tick(long now) {
        if (state != OPEN) {
            if (now - mark >= 0) drop();
            return;
        }
        Endpoint endpoint = session.endpoint();
        if (reader.assembling() && now - reader.since() >= reception.assemblyNanos) {
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
        if (state == OPEN) mark = loop.now();
        reception.received(session, text);
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

    @Override
    void sayGoodbye(CloseCode code) {
        context.writeAndFlush(ControlFrames.close(context.alloc(), code), context.voidPromise());
    }

    @Override
    void release() {
        pingWaiting = null;
        // The client's close frame is still awaited.
        if (state == CLOSING) reader.discard();
        else reader.stop();
    }

    @Override
    void linger(ByteBuf last) {
        pingWaiting = null;
        super.linger(last);
    }
}
