package io.carillon.loadgen;

import io.netty.bootstrap.ServerBootstrap;
import io.netty.buffer.ByteBuf;
import io.netty.buffer.PooledByteBufAllocator;
import io.netty.buffer.Unpooled;
import io.netty.channel.AdaptiveRecvByteBufAllocator;
import io.netty.channel.Channel;
import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.ChannelInboundHandlerAdapter;
import io.netty.channel.ChannelInitializer;
import io.netty.channel.ChannelOption;
import io.netty.channel.EventLoop;
import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.ArrayList;
import java.util.Base64;
import java.util.List;
import java.util.Locale;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.atomic.AtomicBoolean;
import org.jspecify.annotations.Nullable;

/**
 * What a fan-out costs with nothing around it: takes any WebSocket upgrade, subscribes to one Redis channel, and writes
 * each message to every connection. No tokens, no sessions, no limits but one: a connection with more than 8 MiB unsent
 * is closed.
 *
 * <p>Messages that arrive while a loop writes to its connections are joined into one buffer and leave in one write per
 * connection in its next sweep.
 */
@SuppressWarnings("FutureReturnValueIgnored") // void promises carry no outcome; a failure closes the channel
final class FloorServer {

    private static final int MOST_UNSENT = 8 * 1024 * 1024;
    private static final int MOST_QUEUED = 100_000;

    private final List<Lane> lanes = new ArrayList<>();
    private final boolean merge;

    private FloorServer(boolean merge) {
        this.merge = merge;
    }

    static void run(Arguments arguments) throws Exception {
        int cores = Runtime.getRuntime().availableProcessors();
        Transport transport = Transport.open(arguments.integer("loops", cores), "floor");
        FloorServer server = new FloorServer(arguments.flag("merge", true));
        for (EventLoop loop : transport.loops()) {
            server.lanes.add(server.new Lane(loop));
        }
        String channel = arguments.text("channel", "carillon:push:broadcast:{push}");
        RedisConnection redis =
                RedisConnection.open(transport, transport.loops().getFirst(), arguments.redis(), server::message);
        redis.send(RedisConnection.command("SUBSCRIBE", channel));
        Channel listener = new ServerBootstrap()
                .group(transport.group())
                .channel(transport.serverSocket())
                .option(ChannelOption.SO_BACKLOG, 4096)
                .childOption(ChannelOption.TCP_NODELAY, true)
                .childOption(ChannelOption.RECVBUF_ALLOCATOR, new AdaptiveRecvByteBufAllocator(64, 512, 16_384))
                .childHandler(new ChannelInitializer<>() {
                    @Override
                    protected void initChannel(Channel ch) {
                        ch.pipeline().addLast(server.new Client());
                    }
                })
                .bind("127.0.0.1", arguments.integer("port", 0))
                .sync()
                .channel();
        System.out.println("floor listens on " + listener.localAddress() + ", "
                + transport.loops().size() + " loops, " + (transport.epoll() ? "epoll" : "nio"));
        listener.closeFuture().sync();
    }

    private void message(Object reply) {
        if (reply instanceof List<?> items
                && items.size() == 3
                && items.get(0) instanceof byte[] kind
                && kind.length == "message".length()
                && items.get(2) instanceof byte[] payload) {
            for (Lane lane : lanes) {
                lane.offer(payload);
            }
        }
    }

    private Lane lane(EventLoop loop) {
        for (Lane lane : lanes) {
            if (lane.loop == loop) {
                return lane;
            }
        }
        throw new IllegalStateException("a connection on a foreign loop");
    }

    /** The connections of one event loop, and the messages they are to get. */
    private final class Lane {
        private final EventLoop loop;
        private final ConcurrentLinkedQueue<byte[]> queue = new ConcurrentLinkedQueue<>();
        private final AtomicBoolean due = new AtomicBoolean();

        /** The loop's. */
        private final List<Channel> clients = new ArrayList<>();

        Lane(EventLoop loop) {
            this.loop = loop;
        }

        void offer(byte[] payload) {
            queue.add(payload);
            if (due.compareAndSet(false, true)) {
                loop.execute(this::sweep);
            }
        }

        private void sweep() {
            due.set(false);
            ByteBuf joined = null;
            int count = 0;
            byte[] payload;
            while (count < MOST_QUEUED && (payload = queue.poll()) != null) {
                if (joined == null) {
                    joined = PooledByteBufAllocator.DEFAULT.directBuffer(payload.length + 16);
                }
                Frames.text(joined, payload);
                count++;
                if (!merge) {
                    write(joined);
                    joined = null;
                }
            }
            if (joined != null) {
                write(joined);
            }
        }

        private void write(ByteBuf frame) {
            for (int i = clients.size() - 1; i >= 0; i--) {
                Channel client = clients.get(i);
                if (!client.isWritable() && client.bytesBeforeWritable() > MOST_UNSENT) {
                    client.close();
                } else {
                    client.writeAndFlush(frame.retainedDuplicate(), client.voidPromise());
                }
            }
            frame.release();
        }
    }

    /** One connection: the upgrade, then silence. */
    private final class Client extends ChannelInboundHandlerAdapter {
        private @Nullable StringBuilder request = new StringBuilder();

        @Override
        public void channelRead(ChannelHandlerContext ctx, Object message) {
            ByteBuf in = (ByteBuf) message;
            StringBuilder text = request;
            if (text != null) {
                text.append(in.toString(StandardCharsets.ISO_8859_1));
                if (text.length() > 16_384) {
                    ctx.close();
                } else if (text.indexOf("\r\n\r\n") >= 0) {
                    request = null;
                    accept(ctx, text.toString());
                }
            }
            in.release();
        }

        private void accept(ChannelHandlerContext ctx, String head) {
            String key = head.lines()
                    .filter(line -> line.toLowerCase(Locale.ROOT).startsWith("sec-websocket-key:"))
                    .map(line -> line.substring(line.indexOf(':') + 1).strip())
                    .findFirst()
                    .orElse("");
            String answer = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                    + "Sec-WebSocket-Accept: " + proof(key) + "\r\n\r\n";
            ctx.writeAndFlush(Unpooled.wrappedBuffer(answer.getBytes(StandardCharsets.US_ASCII)), ctx.voidPromise());
            lane(ctx.channel().eventLoop()).clients.add(ctx.channel());
        }

        @Override
        public void channelInactive(ChannelHandlerContext ctx) {
            lane(ctx.channel().eventLoop()).clients.remove(ctx.channel());
        }

        @Override
        public void exceptionCaught(ChannelHandlerContext ctx, Throwable cause) {
            ctx.close();
        }
    }

    /** RFC 6455 §4.2.2. */
    private static String proof(String key) {
        try {
            byte[] digest = MessageDigest.getInstance("SHA-1")
                    .digest((key + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11").getBytes(StandardCharsets.US_ASCII));
            return Base64.getEncoder().encodeToString(digest);
        } catch (NoSuchAlgorithmException e) {
            throw new IllegalStateException("SHA-1 is not available", e);
        }
    }
}
