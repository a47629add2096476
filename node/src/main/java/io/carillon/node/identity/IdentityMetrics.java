package io.carillon.node.identity;

import io.micrometer.core.instrument.Counter;
import io.micrometer.core.instrument.MeterRegistry;
import java.util.EnumMap;
import java.util.Map;

/** Counters of this room. Every series exists from the start, so that their number never grows. */
final class IdentityMetrics {
    private final Map<Reason, Counter> failures = new EnumMap<>(Reason.class);

    IdentityMetrics(MeterRegistry registry) {
        for (Reason reason : Reason.values()) {
            failures.put(
                    reason,
                    Counter.builder("carillon.auth.failures")
                            .description("credentials refused")
                            .tag("reason", reason.word())
                            .register(registry));
        }
    }

    void refused(Reason reason) {
        Counter counter = failures.get(reason);
        if (counter != null) counter.increment();
    }

    void refused(Verdict.Refused refused) {
        for (Reason reason : Reason.values()) {
            if (reason.word().equals(refused.reason())) refused(reason);
        }
    }
}
