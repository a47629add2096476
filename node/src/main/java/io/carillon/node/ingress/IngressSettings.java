package io.carillon.node.ingress;

import io.carillon.model.channel.Ids;
import jakarta.validation.constraints.Max;
import jakarta.validation.constraints.Positive;
import java.time.Duration;
import java.util.Set;
import org.springframework.boot.context.properties.ConfigurationProperties;
import org.springframework.boot.context.properties.bind.DefaultValue;
import org.springframework.validation.annotation.Validated;

/**
 * How streams of services are found and drained.
 *
 * @param services whose streams are read from the start; others are found by the scan
 * @param scan how often one node of the cluster looks for streams, and each for what was found
 * @param lock how long a stream stays with a node that does not renew it: what it takes until another goes on after a
 *     crash
 * @param batch most entries published before they are taken from the stream
 */
@Validated
@ConfigurationProperties("carillon.ingress")
public record IngressSettings(
        @DefaultValue Set<String> services,
        @DefaultValue("10s") Duration scan,
        @DefaultValue("5s") Duration lock,
        @Positive @Max(1000) @DefaultValue("256") int batch) {
    public IngressSettings {
        services.forEach(service -> {
            if (!Ids.valid(service)) {
                throw new IllegalArgumentException(
                        "carillon.ingress.services holds names of 1 to 128 characters of A-Z a-z 0-9 . _ : @ ~ + = -");
            }
        });
        if (lock.compareTo(Duration.ofSeconds(1)) < 0) {
            throw new IllegalArgumentException("carillon.ingress.lock is at least 1s, three times its renewal");
        }
        if (scan.compareTo(Duration.ofMillis(100)) < 0) {
            throw new IllegalArgumentException("carillon.ingress.scan is at least 100ms");
        }
    }

    /** How often a lock is renewed. */
    Duration renewal() {
        return lock.dividedBy(5);
    }
}
