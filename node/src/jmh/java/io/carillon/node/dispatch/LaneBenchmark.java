package io.carillon.node.dispatch;

import io.carillon.node.session.EndpointSettings;
import io.carillon.model.channel.ChannelName;
import io.carillon.model.channel.Position;
import io.carillon.model.channel.Namespace;
import io.carillon.node.dialect.Dialect;
import io.carillon.node.dialect.push.PushDialect;
import io.carillon.node.identity.Principal;
import io.carillon.node.session.CloseCode;
import io.carillon.node.session.Endpoint;
import io.carillon.node.session.OverLimit;
import io.carillon.node.session.OutboxSettings;
import io.carillon.node.session.Session;
import io.carillon.node.session.Socket;
import io.micrometer.core.instrument.simple.SimpleMeterRegistry;
import io.netty.buffer.ByteBuf;
import io.netty.buffer.ByteBufAllocator;
import io.netty.channel.embedded.EmbeddedChannel;
import io.netty.util.concurrent.EventExecutor;
import java.time.Duration;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.TimeUnit;
import org.openjdk.jmh.annotations.Benchmark;
import org.openjdk.jmh.annotations.BenchmarkMode;
import org.openjdk.jmh.annotations.Fork;
import org.openjdk.jmh.annotations.Measurement;
import org.openjdk.jmh.annotations.Mode;
import org.openjdk.jmh.annotations.OutputTimeUnit;
import org.openjdk.jmh.annotations.Param;
import org.openjdk.jmh.annotations.Scope;
import org.openjdk.jmh.annotations.Setup;
import org.openjdk.jmh.annotations.State;
import org.openjdk.jmh.annotations.TearDown;
import org.openjdk.jmh.annotations.Warmup;

/**
 * The fan-out of one event loop without the kernel: one sweep over the sessions of a channel, with one event or with a
 * batch that came in while the sweep before was running. The figure is for a whole sweep; deliveries in it are
 * {@code sessions * events}.
 */
@State(Scope.Thread)
@BenchmarkMode(Mode.AverageTime)
@OutputTimeUnit(TimeUnit.MICROSECONDS)
@Warmup(iterations = 3, time = 1)
@Measurement(iterations = 5, time = 1)
@Fork(value = 1, jvmArgs = {"-XX:+UseSerialGC", "-XX:+UseCompactObjectHeaders", "-Xmx256m"})
public class LaneBenchmark {

    private static final ChannelName CHANNEL = ChannelName.broadcast(Namespace.PUSH);

    @Param({"1", "5000"})
    int sessions;

    @Param({"1", "50"})
    int events;

    private final EmbeddedChannel channel = new EmbeddedChannel();
    private final Dialect dialect = new PushDialect();
    private final byte[] text = new byte[240];
    private final Lane lane = new Lane(0, channel.eventLoop(), Long.MAX_VALUE, new DispatchMetrics(new SimpleMeterRegistry()));

    @Setup
    public void open() {
        Endpoint endpoint = new Endpoint(
                "push",
                "/ws",
                "push",
                Namespace.PUSH,
                1024,
                0,
                1,
                Set.of(),
                true,
                0, OverLimit.REFUSE,
                true,
                false,
                Set.of(),
                Map.of(),
                EndpointSettings.History.DEFAULT,
                Duration.ofSeconds(60),
                Duration.ofSeconds(25),
                false);
        for (int i = 0; i < sessions; i++) {
            Session session = new Session(
                    "s" + i,
                    endpoint,
                    new Principal("u" + i, null, null, Set.of(), Long.MAX_VALUE, Map.of()),
                    new Sink(channel.eventLoop()),
                    new OutboxSettings(1 << 20, 1000, Duration.ofSeconds(10)),
                    0);
            session.open();
            session.outbox().release();
            lane.enter(session);
            lane.add(CHANNEL, dialect, session, new Position("e", 0));
        }
    }

    @TearDown
    public void close() {
        channel.finishAndReleaseAll();
    }

    @Benchmark
    public void sweep() {
        ByteBuf frame = Frames.text(ByteBufAllocator.DEFAULT, text);
        for (int i = 0; i < events; i++) {
            lane.deliver(new Delivery(CHANNEL, dialect, frame.retainedDuplicate(), null, null, null, null, null));
        }
        frame.release();
        channel.runPendingTasks();
    }

    /** A connection whose kernel takes everything at once. */
    private record Sink(EventExecutor loop) implements Socket {

        @Override
        public String address() {
            return "127.0.0.1";
        }

        @Override
        public void write(ByteBuf frames) {
            frames.release();
        }

        @Override
        public void flush() {
            // There is no kernel.
        }

        @Override
        public boolean writable() {
            return true;
        }

        @Override
        public long pendingBytes() {
            return 0;
        }

        @Override
        public void close(CloseCode code) {
            throw new IllegalStateException("closed with " + code);
        }
    }
}
