package io.carillon.node.edge;

import io.carillon.node.session.CloseCode;
import io.netty.buffer.ByteBuf;
import io.netty.buffer.ByteBufUtil;
import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.ChannelOption;
import io.netty.util.ReferenceCountUtil;
import java.util.concurrent.ThreadLocalRandom;

/**
 * A session's event stream (WHATWG HTML §9.2): the body of an HTTP answer that ends with the connection. The client says
 * nothing; that it is gone is seen when the kernel cannot bring it a comment for as long as a session may be silent.
 */
@SuppressWarnings("FutureReturnValueIgnored") // what fails closes the channel, which channelInactive sees
final class EventStream extends NettyCarrier {
    /** How long sent bytes may stay unacknowledged, milliseconds (tcp(7), TCP_USER_TIMEOUT). */
    private static final ChannelOption<Integer> USER_TIMEOUT =
            ChannelOption.valueOf("io.netty.channel.epoll.EpollChannelOption#TCP_USER_TIMEOUT");

    private long nextComment;

    EventStream(Reception reception, EdgeLoop loop, Interview.Accepted accepted) {
        super(reception, loop, accepted);
        long pause = accepted.endpoint().ping().toNanos();
        this.nextComment = mark + pause / 2 + ThreadLocalRandom.current().nextLong(pause / 2 + 1);
    }

    @Override
    public void handlerAdded(ChannelHandlerContext ctx) {
        super.handlerAdded(ctx);
        // The native transport's; another says no, and the kernel's own patience has to do.
        ctx.channel()
                .config()
                .setOption(
                        USER_TIMEOUT,
                        Math.toIntExact(session.endpoint().silence().toMillis()));
    }

    @Override
    public void channelRead(ChannelHandlerContext ctx, Object message) {
        ReferenceCountUtil.release(message);
    }

    @Override
    public void channelReadComplete(ChannelHandlerContext ctx) {}

    @Override
    public void channelWritabilityChanged(ChannelHandlerContext ctx) {
        if (state == OPEN && ctx.channel().isWritable()) session.writable();
    }

    @Override
    public void tick(long now) {
        if (state != OPEN) {
            if (now - mark >= 0) drop();
            return;
        }
        if (now - nextComment < 0) return;
        nextComment = now + session.endpoint().ping().toNanos();
        // What is written ends with a block: a comment never comes inside one.
        if (context.channel().isWritable()) {
            context.writeAndFlush(ByteBufUtil.writeAscii(context.alloc(), ": ping\n\n"), context.voidPromise());
        }
    }

    @Override
    void sayGoodbye(CloseCode code) {
        ByteBuf last = ByteBufUtil.writeAscii(context.alloc(), goodbye(code));
        Farewell.send(context, last);
    }

    /** The last block of a stream. */
    static String goodbye(CloseCode code) {
        return "event: close\ndata: {\"type\":\"close\",\"code\":" + code.code() + ",\"reason\":\"" + code.reason()
                + "\"}\n\n";
    }

    @Override
    void release() {}
}
