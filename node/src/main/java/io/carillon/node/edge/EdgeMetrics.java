package io.carillon.node.edge;

import io.micrometer.core.instrument.Counter;
import io.micrometer.core.instrument.FunctionCounter;
import io.micrometer.core.instrument.Gauge;
import io.micrometer.core.instrument.MeterRegistry;
import java.util.Collection;
import java.util.HashMap;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ConcurrentMap;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.function.ToLongFunction;

/** Counts of the door. Tags come from closed sets: never a user, an address or a path. */
final class EdgeMetrics {
    static final String NO_ENDPOINT = "none";

    private final MeterRegistry registry;
    private final Map<String, AtomicInteger> sessions = new HashMap<>();
    private final ConcurrentMap<Tags, Counter> counters = new ConcurrentHashMap<>();

    private record Tags(String name, String first, String second) {}

    EdgeMetrics(MeterRegistry registry, EdgeLoops loops, Collection<String> endpoints) {
        this.registry = registry;
        for (String endpoint : endpoints) {
            var open = new AtomicInteger();
            sessions.put(endpoint, open);
            Gauge.builder("carillon.sessions", open, AtomicInteger::get)
                    .description("Open sessions")
                    .tag("endpoint", endpoint)
                    .register(registry);
        }
        perLoop("carillon.frames", "in", "Frames read from clients", loops, loop -> loop.framesIn);
        perLoop("carillon.bytes", "in", "Bytes of frames read from clients", loops, loop -> loop.bytesIn);
        perLoop("carillon.bytes", "out", "Bytes of frames handed to sockets", loops, loop -> loop.bytesOut);
    }

    private void perLoop(
            String name, String direction, String description, EdgeLoops loops, ToLongFunction<EdgeLoop> count) {
        FunctionCounter.builder(
                        name, loops, all -> all.all().stream().mapToLong(count).sum())
                .description(description)
                .tag("direction", direction)
                .register(registry);
    }

    /** A handshake was answered. */
    void connected(String endpoint, String result) {
        counters.computeIfAbsent(
                        new Tags("carillon.connects", endpoint, result),
                        tags -> Counter.builder(tags.name)
                                .description("Handshakes answered")
                                .tag("endpoint", tags.first)
                                .tag("result", tags.second)
                                .register(registry))
                .increment();
    }

    void opened(String endpoint) {
        open(endpoint, 1);
    }

    void closed(String endpoint, int code) {
        open(endpoint, -1);
        counters.computeIfAbsent(
                        new Tags("carillon.closes", endpoint, codeTag(code)),
                        tags -> Counter.builder(tags.name)
                                .description("Sessions ended")
                                .tag("endpoint", tags.first)
                                .tag("code", tags.second)
                                .register(registry))
                .increment();
    }

    /** A client broke the protocol. */
    void failed(String kind) {
        counters.computeIfAbsent(
                        new Tags("carillon.protocol.errors", kind, ""),
                        tags -> Counter.builder(tags.name)
                                .description("Clients that broke RFC 6455")
                                .tag("kind", tags.first)
                                .register(registry))
                .increment();
    }

    /** Sessions open now. */
    int sessions() {
        int sum = 0;
        for (AtomicInteger open : sessions.values()) sum += open.get();
        return sum;
    }

    private void open(String endpoint, int change) {
        AtomicInteger open = sessions.get(endpoint);
        if (open != null) open.addAndGet(change);
    }

    /** Clients may close with any of two thousand codes: those without a meaning here are one. */
    private static String codeTag(int code) {
        return code >= 1000 && code <= 1014 || ControlFrames.known(code) ? Integer.toString(code) : "other";
    }
}
