package io.carillon.node.channel;

import io.carillon.model.event.InvalidEventException;
import io.micrometer.core.instrument.Counter;
import io.micrometer.core.instrument.Gauge;
import io.micrometer.core.instrument.MeterRegistry;
import java.util.EnumMap;
import java.util.Map;
import java.util.function.IntSupplier;

/** What is counted about channels; {@code docs/metrics.md} says what each means. */
public final class ChannelMetrics {
    private final MeterRegistry registry;
    private final Counter dropped;
    private final Counter duplicate;
    private final Counter gap;
    private final Counter filled;
    private final Counter resync;
    private final Map<InvalidEventException.Code, Counter> invalid = new EnumMap<>(InvalidEventException.Code.class);

    public ChannelMetrics(MeterRegistry registry) {
        this.registry = registry;
        dropped = registry.counter("carillon.channel.dropped");
        duplicate = registry.counter("carillon.channel.duplicates");
        gap = registry.counter("carillon.channel.gaps");
        filled = registry.counter("carillon.channel.filled");
        resync = registry.counter("carillon.channel.resyncs");
        for (InvalidEventException.Code code : InvalidEventException.Code.values()) {
            invalid.put(code, registry.counter("carillon.backplane.invalid", "code", code.text()));
        }
    }

    void channels(IntSupplier count) {
        Gauge.builder("carillon.channels", count::getAsInt)
                .strongReference(true)
                .register(registry);
    }

    void dropped() {
        dropped.increment();
    }

    void duplicate() {
        duplicate.increment();
    }

    void gap() {
        gap.increment();
    }

    void filled() {
        filled.increment();
    }

    void resync() {
        resync.increment();
    }

    void invalid(InvalidEventException.Code code) {
        Counter counter = invalid.get(code);
        if (counter != null) counter.increment();
    }
}
