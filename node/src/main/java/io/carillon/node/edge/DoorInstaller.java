package io.carillon.node.edge;

import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.ChannelInboundHandlerAdapter;
import io.netty.channel.ChannelPipeline;
import io.netty.handler.ssl.SslHandshakeCompletionEvent;
import reactor.netty.NettyPipeline;

/** Puts the door in once TLS has agreed on HTTP/1.1: until then there is nothing for it to stand ahead of. */
final class DoorInstaller extends ChannelInboundHandlerAdapter {
    static final String NAME = "carillon.door";

    private final Door door;
    private boolean settled;

    private DoorInstaller(Door door) {
        this.door = door;
    }

    /** Puts the door ahead of the HTTP server, now or after TLS; whether there was a place for it. */
    static boolean install(ChannelPipeline pipeline, Door door) {
        if (pipeline.get(NettyPipeline.HttpTrafficHandler) != null) {
            pipeline.addBefore(NettyPipeline.HttpTrafficHandler, NAME, door);
        } else if (pipeline.get(NettyPipeline.H2OrHttp11Codec) != null) {
            pipeline.addAfter(NettyPipeline.H2OrHttp11Codec, null, new DoorInstaller(door));
        } else {
            return false;
        }
        return true;
    }

    @Override
    public void userEventTriggered(ChannelHandlerContext ctx, Object event) {
        if (event instanceof SslHandshakeCompletionEvent) settle(ctx);
        ctx.fireUserEventTriggered(event);
    }

    @Override
    public void channelRead(ChannelHandlerContext ctx, Object message) {
        settle(ctx);
        ctx.fireChannelRead(message);
    }

    private void settle(ChannelHandlerContext ctx) {
        if (settled) return;
        settled = true;
        ChannelPipeline pipeline = ctx.pipeline();
        if (pipeline.get(NettyPipeline.HttpTrafficHandler) != null) {
            pipeline.addBefore(NettyPipeline.HttpTrafficHandler, NAME, door);
        } else {
            door.leave();
        }
        pipeline.remove(this);
    }

    @Override
    public void channelInactive(ChannelHandlerContext ctx) {
        door.leave();
        ctx.fireChannelInactive();
    }
}
