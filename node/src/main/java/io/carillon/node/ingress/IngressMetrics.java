package io.carillon.node.ingress;

import io.micrometer.core.instrument.Counter;
import io.micrometer.core.instrument.Gauge;
import io.micrometer.core.instrument.MeterRegistry;
import io.micrometer.core.instrument.Tags;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.atomic.AtomicLong;

/** What this node did with entries of streams. */
final class IngressMetrics {
    /** Services with a tag of their own; the rest share one. */
    static final int SERVICES = 50;

    private static final String OTHERS = "other";

    private final MeterRegistry registry;
    private final Counter published;
    private final Counter duplicates;
    private final Counter plain;
    private final Counter late;
    private final AtomicLong owned = new AtomicLong();
    private final Map<String, Backlog> backlogs = new ConcurrentHashMap<>();

    IngressMetrics(MeterRegistry registry) {
        this.registry = registry;
        published = entries("published");
        duplicates = entries("duplicate");
        plain = entries("plain");
        late = entries("late");
        Gauge.builder("carillon.ingress.streams", owned, AtomicLong::get)
                .description("streams this node drains")
                .register(registry);
    }

    private Counter entries(String result) {
        return Counter.builder("carillon.ingress.entries")
                .description("entries of streams that were dealt with")
                .tag("result", result)
                .register(registry);
    }

    void published(boolean duplicate) {
        (duplicate ? duplicates : published).increment();
    }

    void plain() {
        plain.increment();
    }

    void late() {
        late.increment();
    }

    /** @param reason of a closed set */
    void failed(String reason) {
        registry.counter("carillon.ingress.failures", Tags.of("reason", reason)).increment();
    }

    void own(int streams) {
        owned.set(streams);
    }

    /** Entries that wait in the stream of a service this node drains; 0 for one it no longer does. */
    void backlog(String service, long entries) {
        Backlog known = backlogs.get(service);
        if (known == null) {
            String tag = backlogs.size() < SERVICES ? service : OTHERS;
            known = backlogs.computeIfAbsent(tag, this::gauge);
        }
        if (entries == 0) known.of.remove(service);
        else known.of.put(service, entries);
    }

    private Backlog gauge(String tag) {
        var backlog = new Backlog(new ConcurrentHashMap<>());
        Gauge.builder("carillon.ingress.backlog", backlog, Backlog::sum)
                .description("entries that wait in streams this node drains")
                .tag("service", tag)
                .register(registry);
        return backlog;
    }

    /** Entries by service; more than one service only where they share a tag. */
    private record Backlog(Map<String, Long> of) {
        double sum() {
            return of.values().stream().mapToLong(Long::longValue).sum();
        }
    }
}
