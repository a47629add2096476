package io.carillon.loadgen;

import io.netty.bootstrap.Bootstrap;
import io.netty.buffer.ByteBuf;
import io.netty.buffer.Unpooled;
import io.netty.channel.Channel;
import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.ChannelInitializer;
import io.netty.channel.ChannelOption;
import io.netty.channel.EventLoop;
import io.netty.channel.SimpleChannelInboundHandler;
import java.net.URI;
import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.concurrent.ArrayBlockingQueue;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.TimeUnit;
import java.util.function.Consumer;

/** A plain connection to one Redis. Replies come to {@code onReply} on the event loop, in the order of the commands. */
@SuppressWarnings("FutureReturnValueIgnored") // void promises carry no outcome; a failure closes the channel
final class RedisConnection {

    private final Channel channel;

    private RedisConnection(Channel channel) {
        this.channel = channel;
    }

    /** Connects and authenticates; {@code redis://[[user]:password@]host:port}. */
    static RedisConnection open(Transport transport, EventLoop loop, String url, Consumer<Object> onReply)
            throws InterruptedException {
        URI uri = URI.create(url);
        String account = uri.getUserInfo();
        boolean[] greeting = {account != null};
        Bootstrap bootstrap = new Bootstrap()
                .group(loop)
                .channel(transport.socket())
                .option(ChannelOption.TCP_NODELAY, true)
                .handler(new ChannelInitializer<>() {
                    @Override
                    protected void initChannel(Channel ch) {
                        ch.pipeline().addLast(new RedisReplies(), new SimpleChannelInboundHandler<Object>() {
                            @Override
                            protected void channelRead0(ChannelHandlerContext ctx, Object reply) {
                                if (greeting[0]) {
                                    greeting[0] = false;
                                    if (reply instanceof RedisReplies.Failure failure) {
                                        System.err.println("loadgen: Redis refuses: " + failure.message());
                                        ctx.close();
                                    }
                                } else {
                                    onReply.accept(reply);
                                }
                            }
                        });
                    }
                });
        int port = uri.getPort() < 0 ? 6379 : uri.getPort();
        Channel channel = bootstrap.connect(uri.getHost(), port).sync().channel();
        RedisConnection connection = new RedisConnection(channel);
        if (account != null) {
            int colon = account.indexOf(':');
            String user = colon < 0 ? "" : account.substring(0, colon);
            String password = account.substring(colon + 1);
            connection.send(user.isEmpty() ? command("AUTH", password) : command("AUTH", user, password));
        }
        return connection;
    }

    /** Runs a few commands one by one and gives their replies: for looking at Redis, not for load. */
    static Object ask(Transport transport, String url, String... words) throws InterruptedException {
        BlockingQueue<Object> replies = new ArrayBlockingQueue<>(1);
        RedisConnection connection = open(transport, transport.loops().getFirst(), url, replies::offer);
        try {
            connection.send(command(words));
            Object reply = replies.poll(5, TimeUnit.SECONDS);
            if (reply == null) {
                throw new IllegalStateException("no answer from Redis to " + words[0]);
            }
            return reply;
        } finally {
            connection.close();
        }
    }

    static String text(Object reply) {
        return reply instanceof byte[] bytes ? new String(bytes, StandardCharsets.UTF_8) : reply.toString();
    }

    static ByteBuf command(String... words) {
        ByteBuf out = Unpooled.buffer(128);
        append(
                out,
                List.of(words).stream()
                        .map(word -> word.getBytes(StandardCharsets.UTF_8))
                        .toArray(byte[][]::new));
        return out;
    }

    static void append(ByteBuf out, byte[]... words) {
        number(out, '*', words.length);
        for (byte[] word : words) {
            number(out, '$', word.length);
            out.writeBytes(word).writeByte('\r').writeByte('\n');
        }
    }

    private static void number(ByteBuf out, char kind, int value) {
        out.writeByte(kind);
        out.writeCharSequence(Integer.toString(value), StandardCharsets.US_ASCII);
        out.writeByte('\r').writeByte('\n');
    }

    void send(ByteBuf commands) {
        channel.writeAndFlush(commands, channel.voidPromise());
    }

    boolean active() {
        return channel.isActive();
    }

    void close() {
        channel.close();
    }
}
