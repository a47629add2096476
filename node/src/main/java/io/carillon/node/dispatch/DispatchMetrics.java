package io.carillon.node.dispatch;

import io.micrometer.core.instrument.Counter;
import io.micrometer.core.instrument.FunctionCounter;
import io.micrometer.core.instrument.Gauge;
import io.micrometer.core.instrument.MeterRegistry;
import io.micrometer.core.instrument.Timer;
import java.time.Duration;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import java.util.function.LongSupplier;

/** What is counted about dispatch; {@code docs/metrics.md} says what each means. */
public final class DispatchMetrics {
    private final MeterRegistry registry;
    private final Counter delivered;
    private final Counter slow;
    private final Map<String, Counter> dropped = new ConcurrentHashMap<>();
    private final Timer durable;
    private final Timer ephemeral;
    private final Counter failed;
    private final Timer delivery;
    private final Counter recovered;
    private final Counter heldDropped;
    private LongSupplier framesOut = () -> 0;
    private final Map<String, Counter> refused = new ConcurrentHashMap<>();

    public DispatchMetrics(MeterRegistry registry) {
        this.registry = registry;
        delivered = registry.counter("carillon.deliveries");
        slow = registry.counter("carillon.outbox.slow");
        durable = timer("carillon.publish", "kind", "durable");
        ephemeral = timer("carillon.publish", "kind", "ephemeral");
        failed = registry.counter("carillon.publish.failures");
        delivery = timer("carillon.delivery");
        recovered = registry.counter("carillon.recovery.events");
        heldDropped = registry.counter("carillon.recovery.dropped");
    }

    private Timer timer(String name, String... tags) {
        return Timer.builder(name)
                .tags(tags)
                .serviceLevelObjectives(
                        Duration.ofMillis(1),
                        Duration.ofMillis(2),
                        Duration.ofMillis(5),
                        Duration.ofMillis(10),
                        Duration.ofMillis(25),
                        Duration.ofMillis(50),
                        Duration.ofMillis(100),
                        Duration.ofMillis(250),
                        Duration.ofSeconds(1),
                        Duration.ofSeconds(5))
                .register(registry);
    }

    void lanes(LongSupplier outboxBytes, LongSupplier framesOut) {
        this.framesOut = framesOut;
        FunctionCounter.builder("carillon.frames", this, metrics -> metrics.framesOut.getAsLong())
                .tag("direction", "out")
                .description("Frames handed to sessions")
                .register(registry);
        Gauge.builder("carillon.outbox.bytes", outboxBytes::getAsLong)
                .description("Bytes waiting in outboxes and sockets")
                .strongReference(true)
                .register(registry);
    }

    void recovery(LongSupplier keptBytes) {
        Gauge.builder("carillon.recovery.kept.bytes", keptBytes::getAsLong)
                .description("Bytes of events kept for clients that missed the same")
                .strongReference(true)
                .register(registry);
    }

    /** An event was sent to a session that had missed it. */
    void recovered() {
        recovered.increment();
    }

    /** Events without a history that came while a session was sent older ones, and were too many to wait. */
    void heldDropped(int events) {
        if (events > 0) heldDropped.increment(events);
    }

    void delivered(long frames) {
        delivered.increment(frames);
    }

    void slow() {
        slow.increment();
    }

    /**
     * An event was not handed to the loops now.
     *
     * @param kept whether it is read again later; lost otherwise
     * @param reason what was full, one of a closed set of words
     */
    void dropped(boolean kept, String reason) {
        dropped.computeIfAbsent(
                        (kept ? "durable " : "ephemeral ") + reason,
                        key -> registry.counter(
                                "carillon.dispatch.dropped", "kind", kept ? "durable" : "ephemeral", "reason", reason))
                .increment();
    }

    void memory(LongSupplier used) {
        Gauge.builder("carillon.frames.memory", used::getAsLong)
                .description("Memory of frames that wait for clients")
                .strongReference(true)
                .baseUnit("bytes")
                .register(registry);
    }

    void published(boolean kept, long nanos) {
        (kept ? durable : ephemeral).record(Duration.ofNanos(nanos));
    }

    void publishFailed() {
        failed.increment();
    }

    /** From the event's acceptance to its hand-over to the sessions' loops. */
    void dispatched(long millis) {
        delivery.record(Duration.ofMillis(Math.max(0, millis)));
    }

    /**
     * A client's message was refused.
     *
     * @param code one of the dialects' stable codes
     */
    void refused(String code) {
        refused.computeIfAbsent(code, c -> registry.counter("carillon.messages.refused", "code", c))
                .increment();
    }
}
