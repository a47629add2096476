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
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.atomic.AtomicBoolean;
import org.jspecify.annotations.Nullable;

/**
 * What a fan-out costs with nothing around it: takes any WebSocket upgrade, subscribes to one Redis channel, and writes
 * each message to every connection; where asked to, it also subscribes to the channel of each connection's user and
 * writes those messages to that connection. Tokens are read, not checked. No sessions, and no limits but one: a
 * connection with more than 8 MiB unsent is closed.
 *
 * <p>Messages that arrive while a loop writes to its connections are joined into one buffer and leave in one write per
 * connection in its next sweep.
 */
@SuppressWarnings("FutureReturnValueIgnored") // void promises carry no outcome; a failure closes the channel
final class FloorServer {

    private static final int MOST_UNSENT = 8 * 1024 * 1024;
    private static final int MOST_QUEUED = 100_000;

    /** Something to write: to all of a lane where {@code client} is null. */
    private record Due(byte[] payload, @Nullable Channel client) {}

    private final List<Lane> lanes = new ArrayList<>();
    private final Map<String, Channel> users = new ConcurrentHashMap<>();
    private final boolean merge;
    private final boolean perUser;
    private final String broadcast;
    private volatile @Nullable RedisConnection redis;

    private FloorServer(Arguments arguments, Transport transport) {
        for (EventLoop loop : transport.loops()) {
            lanes.add(new Lane(loop));
        }
        merge = arguments.flag("merge", true);
        perUser = arguments.flag("users", false);
        broadcast = arguments.text("channel", "carillon:push:broadcast:{push}");
    }

    static void run(Arguments arguments) throws Exception {
        int cores = Runtime.getRuntime().availableProcessors();
        Transport transport = Transport.open(arguments.integer("loops", cores), "floor");
        FloorServer server = new FloorServer(arguments, transport);
        RedisConnection redis =
                RedisConnection.open(transport, transport.loops().getFirst(), arguments.redis(), server::message);
        redis.send(RedisConnection.command("SUBSCRIBE", server.broadcast));
        server.redis = redis;
        Channel listener = server.listen(transport, arguments.integer("port", 0));
        System.out.println("floor listens on " + listener.localAddress() + ", "
                + transport.loops().size() + " loops, " + (transport.epoll() ? "epoll" : "nio"));
        listener.closeFuture().sync();
    }

    /** A floor in this process that has nothing to say: something to connect to. */
    static Channel silent(Transport transport) throws InterruptedException {
        return new FloorServer(Arguments.parse(), transport).listen(transport, 0);
    }

    private Channel listen(Transport transport, int port) throws InterruptedException {
        return new ServerBootstrap()
                .group(transport.group())
                .channel(transport.serverSocket())
                .option(ChannelOption.SO_BACKLOG, 4096)
                .childOption(ChannelOption.TCP_NODELAY, true)
                .childOption(ChannelOption.RECVBUF_ALLOCATOR, new AdaptiveRecvByteBufAllocator(64, 512, 16_384))
                .childHandler(new ChannelInitializer<>() {
                    @Override
                    protected void initChannel(Channel ch) {
                        ch.pipeline().addLast(new Client());
                    }
                })
                .bind("127.0.0.1", port)
                .sync()
                .channel();
    }

    private void message(Object reply) {
        if (reply instanceof List<?> items
                && items.size() == 3
                && items.get(0) instanceof byte[] kind
                && kind.length == "message".length()
                && items.get(1) instanceof byte[] topic
                && items.get(2) instanceof byte[] payload) {
            Channel user = perUser ? users.get(new String(topic, StandardCharsets.US_ASCII)) : null;
            if (user != null) {
                lane(user.eventLoop()).offer(new Due(payload, user));
            } else {
                for (Lane lane : lanes) {
                    lane.offer(new Due(payload, null));
                }
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
        private final ConcurrentLinkedQueue<Due> queue = new ConcurrentLinkedQueue<>();
        private final AtomicBoolean due = new AtomicBoolean();

        /** The loop's. */
        private final List<Channel> clients = new ArrayList<>();

        Lane(EventLoop loop) {
            this.loop = loop;
        }

        void offer(Due event) {
            queue.add(event);
            if (due.compareAndSet(false, true)) {
                loop.execute(this::sweep);
            }
        }

        private void sweep() {
            due.set(false);
            ByteBuf joined = null;
            int count = 0;
            Due event;
            while (count < MOST_QUEUED && (event = queue.poll()) != null) {
                count++;
                byte[] payload = event.payload();
                Channel client = event.client();
                if (client != null) {
                    ByteBuf frame = PooledByteBufAllocator.DEFAULT.directBuffer(payload.length + 16);
                    Frames.text(frame, payload);
                    client.writeAndFlush(frame, client.voidPromise());
                    continue;
                }
                if (joined == null) {
                    joined = PooledByteBufAllocator.DEFAULT.directBuffer(payload.length + 16);
                }
                Frames.text(joined, payload);
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
        private String topic = "";

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
            String key = header(head, "sec-websocket-key:");
            String answer = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                    + "Sec-WebSocket-Accept: " + proof(key) + "\r\n\r\n";
            ctx.writeAndFlush(Unpooled.wrappedBuffer(answer.getBytes(StandardCharsets.US_ASCII)), ctx.voidPromise());
            lane(ctx.channel().eventLoop()).clients.add(ctx.channel());
            RedisConnection to = redis;
            if (perUser && to != null) {
                topic = "carillon:push:user:{" + subject(header(head, "authorization:")) + "}";
                users.put(topic, ctx.channel());
                to.send(RedisConnection.command("SUBSCRIBE", topic));
            }
        }

        @Override
        public void channelInactive(ChannelHandlerContext ctx) {
            lane(ctx.channel().eventLoop()).clients.remove(ctx.channel());
            RedisConnection to = redis;
            if (!topic.isEmpty() && to != null && users.remove(topic, ctx.channel())) {
                to.send(RedisConnection.command("UNSUBSCRIBE", topic));
            }
        }

        @Override
        public void exceptionCaught(ChannelHandlerContext ctx, Throwable cause) {
            ctx.close();
        }
    }

    private static String header(String head, String name) {
        return head.lines()
                .filter(line -> line.regionMatches(true, 0, name, 0, name.length()))
                .map(line -> line.substring(name.length()).strip())
                .findFirst()
                .orElse("");
    }

    /** The user a token names, unchecked. */
    private static String subject(String authorization) {
        String[] parts = authorization.split("\\.", -1);
        if (parts.length != 3) {
            return "nobody";
        }
        String claims = new String(Base64.getUrlDecoder().decode(parts[1]), StandardCharsets.UTF_8);
        return claims.replaceFirst(".*\"sub\":\"([^\"]*)\".*", "$1");
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
