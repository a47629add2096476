package io.carillon.node.ops;

import io.carillon.node.backplane.Backplane;
import io.micrometer.core.instrument.Gauge;
import io.micrometer.core.instrument.MeterRegistry;
import io.micrometer.core.instrument.binder.MeterBinder;
import org.springframework.stereotype.Component;

/** Whether the node has Redis, as a gauge. */
@Component
final class RedisMetrics implements MeterBinder {
    private final Backplane backplane;

    RedisMetrics(Backplane backplane) {
        this.backplane = backplane;
    }

    @Override
    public void bindTo(MeterRegistry registry) {
        Gauge.builder("carillon.redis.up", () -> backplane.connected() ? 1 : 0)
                .description("1 while the node's probes through Redis come back")
                .register(registry);
    }
}
