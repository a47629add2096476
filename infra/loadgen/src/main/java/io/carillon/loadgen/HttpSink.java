package io.carillon.loadgen;

import io.netty.bootstrap.Bootstrap;
import io.netty.buffer.Unpooled;
import io.netty.channel.Channel;
import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.ChannelInitializer;
import io.netty.channel.ChannelOption;
import io.netty.channel.EventLoop;
import io.netty.channel.SimpleChannelInboundHandler;
import io.netty.handler.codec.http.DefaultFullHttpRequest;
import io.netty.handler.codec.http.FullHttpRequest;
import io.netty.handler.codec.http.FullHttpResponse;
import io.netty.handler.codec.http.HttpClientCodec;
import io.netty.handler.codec.http.HttpHeaderNames;
import io.netty.handler.codec.http.HttpMethod;
import io.netty.handler.codec.http.HttpObjectAggregator;
import io.netty.handler.codec.http.HttpVersion;
import java.net.URI;
import java.nio.charset.StandardCharsets;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.List;

/**
 * Publishes through the HTTP API on kept-alive connections, one request under way on each. Events wait in a bounded queue
 * for a free connection, and that wait counts.
 */
@SuppressWarnings("FutureReturnValueIgnored") // void promises carry no outcome; a failure closes the channel
final class HttpSink implements Sink {

    private static final int MOST_WAITING = 10_000;

    private record Due(byte[] body, String path, long scheduledNanos) {}

    private final String host;
    private final String key;
    private final String[] fields;
    private final boolean toUsers;
    private final EventText[] events;
    private final EventLoop loop;
    private final Answers answers = new Answers();
    private final List<Channel> channels = new ArrayList<>();

    /** The event loop's. */
    private final Deque<Due> waiting = new ArrayDeque<>();

    private final Deque<Channel> free = new ArrayDeque<>();

    HttpSink(Transport transport, URI base, String key, int connections, List<String> users, int size, boolean durable)
            throws InterruptedException {
        this.host = base.getHost() + ":" + base.getPort();
        this.key = key;
        this.toUsers = !users.isEmpty();
        this.fields = toUsers
                ? users.stream().map(user -> "\"to\":\"" + user + "\",").toArray(String[]::new)
                : new String[] {""};
        this.events = new EventText[fields.length];
        for (int i = 0; i < fields.length; i++) {
            events[i] = new EventText(fields[i] + "\"durable\":" + durable + ",", size);
        }
        this.loop = transport.loops().getFirst();
        Bootstrap bootstrap = new Bootstrap()
                .group(loop)
                .channel(transport.socket())
                .option(ChannelOption.TCP_NODELAY, true)
                .handler(new ChannelInitializer<>() {
                    @Override
                    protected void initChannel(Channel ch) {
                        ch.pipeline().addLast(new HttpClientCodec(), new HttpObjectAggregator(65_536), new Replies());
                    }
                });
        for (int i = 0; i < connections; i++) {
            Channel channel =
                    bootstrap.connect(base.getHost(), base.getPort()).sync().channel();
            channels.add(channel);
            loop.execute(() -> free.add(channel));
        }
    }

    @Override
    public void send(long number, long scheduledNanos) {
        Due due = new Due(
                events[(int) (number % events.length)].bytes(scheduledNanos, number),
                toUsers ? "/api/ws/send" : "/api/ws/broadcast",
                scheduledNanos);
        loop.execute(() -> {
            Channel channel = free.poll();
            if (channel != null) {
                post(channel, due);
            } else if (waiting.size() < MOST_WAITING) {
                waiting.add(due);
            } else {
                answers.failed("more than " + MOST_WAITING + " requests wait for a connection");
            }
        });
    }

    private void post(Channel channel, Due due) {
        channel.attr(Replies.SCHEDULED).set(due.scheduledNanos());
        FullHttpRequest request = new DefaultFullHttpRequest(
                HttpVersion.HTTP_1_1, HttpMethod.POST, due.path(), Unpooled.wrappedBuffer(due.body()));
        request.headers()
                .set(HttpHeaderNames.HOST, host)
                .set(HttpHeaderNames.AUTHORIZATION, "Bearer " + key)
                .set(HttpHeaderNames.CONTENT_TYPE, "application/json")
                .set(HttpHeaderNames.CONTENT_LENGTH, due.body().length);
        channel.writeAndFlush(request, channel.voidPromise());
    }

    private final class Replies extends SimpleChannelInboundHandler<FullHttpResponse> {
        private static final io.netty.util.AttributeKey<Long> SCHEDULED =
                io.netty.util.AttributeKey.valueOf("carillon.scheduled");

        @Override
        protected void channelRead0(ChannelHandlerContext ctx, FullHttpResponse response) {
            int status = response.status().code();
            Long scheduled = ctx.channel().attr(SCHEDULED).get();
            if (status / 100 == 2 && scheduled != null) {
                answers.accepted(scheduled, 0);
            } else {
                answers.failed(status + " " + response.content().toString(StandardCharsets.UTF_8));
            }
            Due next = waiting.poll();
            if (next != null) {
                post(ctx.channel(), next);
            } else {
                free.add(ctx.channel());
            }
        }
    }

    @Override
    public void flush() {
        // Each request has left with send(), or waits for a connection.
    }

    @Override
    public Answers answers() {
        return answers;
    }

    @Override
    public void close() {
        for (Channel channel : channels) {
            channel.close();
        }
    }
}
