package io.carillon.node.dispatch;

import jakarta.validation.constraints.Positive;
import java.time.Duration;
import org.springframework.boot.context.properties.ConfigurationProperties;
import org.springframework.boot.context.properties.bind.DefaultValue;
import org.springframework.validation.annotation.Validated;

/**
 * How events that ask for an acknowledgement are kept and sent again.
 *
 * @param events events of one user that may wait; one more, and the oldest waits no longer
 * @param age how long an event waits
 * @param again how often a session is sent what still waits
 * @param settle how long after its welcome a session is first sent what waits, unless it resumes before
 */
@Validated
@ConfigurationProperties("carillon.ack")
public record AckSettings(
        @Positive @DefaultValue("1000") int events,
        @DefaultValue("24h") Duration age,
        @DefaultValue("10s") Duration again,
        @DefaultValue("1s") Duration settle) {
    public AckSettings {
        if (events > 100_000) throw new IllegalArgumentException("carillon.ack.events is 1 to 100000");
        if (age.toSeconds() < 1 || age.toDays() > 100) {
            throw new IllegalArgumentException("carillon.ack.age is 1s to 100d");
        }
        if (again.toMillis() < 1000) throw new IllegalArgumentException("carillon.ack.again is 1s or more");
        if (settle.isNegative()) throw new IllegalArgumentException("carillon.ack.settle is 0s or more");
    }
}
