package io.carillon.loadgen;

import io.netty.bootstrap.Bootstrap;
import io.netty.channel.AdaptiveRecvByteBufAllocator;
import io.netty.channel.ChannelFuture;
import io.netty.channel.ChannelOption;
import io.netty.channel.EventLoop;
import io.netty.channel.epoll.EpollChannelOption;
import java.net.InetSocketAddress;
import java.net.URI;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicReferenceArray;
import org.jspecify.annotations.Nullable;

/**
 * Many connections opened and held together: WebSockets, or event streams where the URL is {@code http:}. Each event loop opens its own share and keeps a bounded number of
 * handshakes under way.
 */
final class Fleet implements Receivers {

    /**
     * @param window handshakes under way at once
     * @param sources source addresses {@code 127.0.0.1} to {@code 127.0.0.<sources>}, one port range each; 0 leaves
     *     the choice to the system
     */
    record Plan(
            List<URI> urls,
            int connections,
            int window,
            int sources,
            String userPrefix,
            boolean awaitFrame,
            int sample,
            @Nullable Tokens tokens) {}

    private final Transport transport;
    private final Plan plan;
    private final List<Tally> tallies = new ArrayList<>();
    private final List<byte[]> requests;
    private final AtomicReferenceArray<@Nullable ReceivingConnection> connections;
    private final CountDownLatch pending;
    private final Counts counts = new Counts();
    private final AtomicInteger open = new AtomicInteger();
    private volatile boolean closing;

    Fleet(Transport transport, Plan plan) {
        this.transport = transport;
        this.plan = plan;
        this.connections = new AtomicReferenceArray<>(plan.connections());
        this.pending = new CountDownLatch(plan.connections());
        this.requests = new ArrayList<>(plan.connections());
        for (int i = 0; i < plan.connections(); i++) {
            URI url = plan.urls().get(i % plan.urls().size());
            String path = url.getRawQuery() == null ? url.getRawPath() : url.getRawPath() + "?" + url.getRawQuery();
            Tokens tokens = plan.tokens();
            String token = tokens == null ? null : tokens.of(plan.userPrefix() + i, 7200);
            requests.add(
                    stream(url)
                            ? ReceivingConnection.streamRequest(url.getHost(), url.getPort(), path, token)
                            : ReceivingConnection.request(url.getHost(), url.getPort(), path, token));
        }
        for (int i = 0; i < transport.loops().size(); i++) {
            tallies.add(new Tally());
        }
    }

    private static boolean stream(URI url) {
        return url.getScheme().equals("http");
    }

    @Override
    public void open(long seconds) throws InterruptedException {
        int loops = transport.loops().size();
        for (int loop = 0; loop < loops; loop++) {
            new Opening(loop, loops).start(Math.max(1, plan.window() / loops));
        }
        if (!pending.await(seconds, TimeUnit.SECONDS)) {
            throw counts.late(seconds, plan.connections());
        }
    }

    /** The share of one event loop; its fields belong to that loop. */
    private final class Opening implements ReceivingConnection.Listener {
        private final EventLoop loop;
        private final Tally tally;
        private final Bootstrap bootstrap;
        private final int step;
        private int next;

        Opening(int index, int step) {
            this.loop = transport.loops().get(index);
            this.tally = tallies.get(index);
            this.next = index;
            this.step = step;
            this.bootstrap = new Bootstrap()
                    .group(loop)
                    .channel(transport.socket())
                    .option(ChannelOption.TCP_NODELAY, true)
                    .option(ChannelOption.CONNECT_TIMEOUT_MILLIS, 20_000)
                    .option(ChannelOption.RECVBUF_ALLOCATOR, new AdaptiveRecvByteBufAllocator(512, 2048, 65_536));
            if (transport.epoll()) {
                bootstrap.option(EpollChannelOption.IP_BIND_ADDRESS_NO_PORT, true);
            }
        }

        void start(int window) {
            loop.execute(() -> {
                for (int i = 0; i < window; i++) {
                    openNext();
                }
            });
        }

        private void openNext() {
            if (next >= plan.connections() || closing) {
                return;
            }
            int index = next;
            next += step;
            URI url = plan.urls().get(index % plan.urls().size());
            ReceivingConnection connection = new ReceivingConnection(
                    requests.get(index), stream(url), plan.awaitFrame(), tally, plan.sample(), this);
            connections.set(index, connection);
            InetSocketAddress remote = new InetSocketAddress(url.getHost(), url.getPort());
            InetSocketAddress local =
                    plan.sources() == 0 ? null : new InetSocketAddress("127.0.0." + (1 + index % plan.sources()), 0);
            ChannelFuture connecting = bootstrap.clone().handler(connection).connect(remote, local);
            connecting.addListener(done -> {
                if (done.isSuccess()) {
                    open.incrementAndGet();
                } else {
                    refuse(String.valueOf(done.cause()));
                }
            });
        }

        private void refuse(String reason) {
            counts.wasRefused(reason);
            pending.countDown();
            openNext();
        }

        @Override
        public void ready(ReceivingConnection connection) {
            counts.becameReady();
            pending.countDown();
            openNext();
        }

        @Override
        public void closed(ReceivingConnection connection, int code, @Nullable String refusal) {
            open.decrementAndGet();
            if (refusal != null) {
                refuse(refusal);
            } else if (!closing) {
                counts.wasClosed(code);
            }
        }
    }

    @Nullable
    ReceivingConnection connection(int index) {
        return connections.get(index);
    }

    EventLoop loop(int index) {
        return transport.loops().get(index % transport.loops().size());
    }

    @Override
    public void close() throws InterruptedException {
        closing = true;
        for (int i = 0; i < plan.connections(); i++) {
            ReceivingConnection connection = connections.get(i);
            if (connection != null) {
                loop(i).execute(connection::close);
            }
        }
        for (int i = 0; i < 1000 && open.get() > 0; i++) {
            Thread.sleep(10);
        }
    }

    @Override
    public List<Tally> tallies() {
        return tallies;
    }

    @Override
    public Counts counts() {
        return counts;
    }
}
