package io.carillon.node.presence;

import io.micrometer.core.instrument.Counter;
import io.micrometer.core.instrument.Gauge;
import io.micrometer.core.instrument.MeterRegistry;
import io.micrometer.core.instrument.TimeGauge;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicLong;

/**
 * What presence tells the dashboards: {@code carillon_users_online{namespace}} (over all nodes, read from Redis each
 * second), {@code carillon_nodes}, {@code carillon_node_fenced_total}, {@code carillon_nodes_reaped_total} and
 * {@code carillon_beat_age_seconds}. Safe from any thread.
 */
public final class PresenceMetrics {
    private final MeterRegistry registry;
    private final Map<String, AtomicLong> online = new ConcurrentHashMap<>();
    private final AtomicLong nodes = new AtomicLong();
    private final Counter fenced;
    private final Counter reaped;
    private volatile long lastBeat = System.nanoTime();

    public PresenceMetrics(MeterRegistry registry) {
        this.registry = registry;
        fenced = Counter.builder("carillon.node.fenced")
                .description("Times this node was taken for dead and registered everything again")
                .register(registry);
        reaped = Counter.builder("carillon.nodes.reaped")
                .description("Dead nodes this node cleaned up after")
                .register(registry);
        Gauge.builder("carillon.nodes", nodes, AtomicLong::get)
                .description("Nodes with a lease")
                .strongReference(true)
                .register(registry);
        TimeGauge.builder("carillon.beat.age", this, TimeUnit.NANOSECONDS, metrics -> metrics.beatAge())
                .description("Time since Redis last took this node's beat")
                .strongReference(true)
                .register(registry);
    }

    void fenced() {
        fenced.increment();
    }

    void reaped() {
        reaped.increment();
    }

    void beat(long leased) {
        lastBeat = System.nanoTime();
        nodes.set(leased);
    }

    /** The namespace's users are counted from now on. */
    void serve(String namespace) {
        online.computeIfAbsent(namespace, name -> {
            var value = new AtomicLong();
            Gauge.builder("carillon.users.online", value, AtomicLong::get)
                    .description("Users online, over all nodes")
                    .tag("namespace", name)
                    .strongReference(true)
                    .register(registry);
            return value;
        });
    }

    /** Namespaces whose users are counted. */
    Set<String> namespaces() {
        return Set.copyOf(online.keySet());
    }

    void online(String namespace, long users) {
        AtomicLong value = online.get(namespace);
        if (value != null) value.set(users);
    }

    /** Users online in the namespace over all nodes, at most about two seconds old. */
    public long usersOnline(String namespace) {
        AtomicLong value = online.get(namespace);
        return value == null ? 0 : value.get();
    }

    /** Nanoseconds since Redis last took this node's beat. */
    long beatAge() {
        return System.nanoTime() - lastBeat;
    }

    double fencedCount() {
        return fenced.count();
    }

    double reapedCount() {
        return reaped.count();
    }
}
