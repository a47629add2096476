package io.carillon.node.ingress;

import io.carillon.model.channel.ChannelName;
import io.carillon.model.event.Event;
import io.carillon.model.event.EventCodec;
import io.carillon.model.redis.Boot;
import io.carillon.model.redis.Keys;
import io.carillon.node.backplane.Backplane.Appended;
import io.carillon.node.backplane.Backplane.Retention;
import io.carillon.node.backplane.Backplane.Source;
import io.carillon.node.backplane.BackplaneListener;
import io.carillon.node.backplane.DeadLetters;
import io.carillon.node.backplane.Deployment;
import io.carillon.node.backplane.RedisBackplane;
import io.carillon.node.backplane.RedisConnections;
import io.carillon.node.backplane.RedisSettings;
import io.carillon.node.backplane.TestStreams;
import io.carillon.node.dispatch.Applications;
import io.carillon.node.dispatch.Publisher;
import io.carillon.node.session.EndpointSettings;
import io.carillon.node.session.OverLimit;
import io.carillon.node.testing.Poll;
import io.lettuce.core.RedisURI;
import io.micrometer.core.instrument.simple.SimpleMeterRegistry;
import java.time.Duration;
import java.time.InstantSource;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.function.IntSupplier;
import org.jspecify.annotations.Nullable;
import org.springframework.util.unit.DataSize;

/** The part of a node that drains streams, over connections of its own, so that it can die as a node does. */
final class Member implements Publisher, AutoCloseable {
    static final Retention KEEP = new Retention(1_000_000, 3600);
    static final EndpointSettings ENDPOINTS = new EndpointSettings(Map.of(
            "push",
            new EndpointSettings.One(
                    "/api/ws/connect",
                    "push",
                    null,
                    DataSize.ofKilobytes(512),
                    20,
                    40,
                    Set.of(),
                    true,
                    10,
                    OverLimit.REFUSE,
                    false,
                    false,
                    Set.of("typing"),
                    Map.of(),
                    EndpointSettings.History.DEFAULT,
                    Duration.ofSeconds(60),
                    Duration.ofSeconds(25),
                    false,
                    true)));

    final Boot boot = Boot.random();
    final SimpleMeterRegistry registry = new SimpleMeterRegistry();
    final AtomicInteger relayed = new AtomicInteger();
    final RedisConnections connections;
    final Ingress ingress;
    private final RedisBackplane backplane;
    /** Dies with the event of this number, counted from its start: published, and never taken from the stream. */
    private final int diesAfter;

    private volatile boolean dead;

    Member(RedisURI uri, Keys keys, IngressSettings settings, IntSupplier nodes, int diesAfter) {
        this.diesAfter = diesAfter;
        connections = new RedisConnections(new RedisSettings(
                new Deployment.Standalone(uri), keys, boot.id(), Duration.ofMillis(50), 50_000, null, null));
        backplane = new RedisBackplane(connections, InstantSource.system());
        ingress = new Ingress(
                boot,
                keys,
                connections,
                TestStreams.of(connections),
                this,
                new DeadLetters(connections, keys, InstantSource.system()),
                new EntryReader(ENDPOINTS, new Applications(List.of(), ENDPOINTS)),
                settings,
                new IngressMetrics(registry),
                nodes,
                () -> false);
        backplane.start(new Silent());
        Poll.until("it is connected", Duration.ofSeconds(20), backplane::connected);
        ingress.start();
    }

    static Member of(RedisURI uri, Keys keys, String service) {
        return new Member(uri, keys, settings(service), () -> 1, Integer.MAX_VALUE);
    }

    static IngressSettings settings(String... services) {
        return new IngressSettings(Set.of(services), Duration.ofSeconds(2), Duration.ofSeconds(1), 256);
    }

    @Override
    public CompletionStage<Published> publish(
            ChannelName channel, Event event, boolean durable, @Nullable Retention retention) {
        return backplane
                .publish(channel, EventCodec.write(event))
                .thenApply(receivers -> new Published(String.valueOf(event.id()), null, receivers, false));
    }

    @Override
    public CompletionStage<Appended> relay(ChannelName channel, Event event, Source source) {
        if (dead) return new CompletableFuture<>();
        CompletionStage<Appended> appended =
                backplane.append(channel, EventCodec.write(event), String.valueOf(event.id()), KEEP, source);
        if (relayed.incrementAndGet() != diesAfter) return appended;
        // The event is in Redis when the node dies, and so may be some of those behind it that are on their way.
        var never = new CompletableFuture<Appended>();
        dead = true;
        var unused = appended.whenComplete((ok, failure) -> Thread.startVirtualThread(connections::close));
        return never;
    }

    boolean dead() {
        return dead;
    }

    @Override
    public void close() {
        if (dead) Thread.startVirtualThread(ingress::stop);
        else ingress.stop();
        backplane.stop();
        connections.close();
    }

    /** Nobody listens here. */
    private static final class Silent implements BackplaneListener {
        @Override
        public void subscribed(ChannelName channel) {}

        @Override
        public void lost(ChannelName channel) {}

        @Override
        public void message(ChannelName channel, byte[] message) {}

        @Override
        public void control(byte[] message) {}

        @Override
        public void linked(boolean up) {}
    }
}
