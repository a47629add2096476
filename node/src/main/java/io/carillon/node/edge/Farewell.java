package io.carillon.node.edge;

import io.netty.buffer.ByteBuf;
import io.netty.channel.Channel;
import io.netty.channel.ChannelFutureListener;
import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.socket.DuplexChannel;
import io.netty.handler.ssl.SslHandler;

/**
 * Says a last thing and shuts the output, so that what the client still sends cannot reset the connection before it has
 * read it (RFC 9112 §9.6, RFC 6455 §7.1.1).
 */
final class Farewell {
    private Farewell() {}

    @SuppressWarnings("FutureReturnValueIgnored") // what fails closes the channel, and its handlers see that
    static void send(ChannelHandlerContext context, ByteBuf last) {
        context.writeAndFlush(last).addListener(written -> {
            if (!written.isSuccess()) {
                context.close();
                return;
            }
            SslHandler tls = context.pipeline().get(SslHandler.class);
            if (tls == null) shut(context.channel());
            else tls.closeOutbound().addListener(closed -> shut(context.channel()));
        });
    }

    @SuppressWarnings("FutureReturnValueIgnored")
    private static void shut(Channel channel) {
        if (channel instanceof DuplexChannel duplex) {
            duplex.shutdownOutput().addListener(ChannelFutureListener.CLOSE_ON_FAILURE);
        } else {
            channel.close();
        }
    }
}
