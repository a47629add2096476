package io.carillon.node.dispatch;

import jakarta.validation.constraints.Positive;
import jakarta.validation.constraints.PositiveOrZero;
import java.time.Duration;
import org.springframework.boot.context.properties.ConfigurationProperties;
import org.springframework.boot.context.properties.bind.DefaultValue;
import org.springframework.validation.annotation.Validated;

/**
 * How much a client that comes back is sent of what it missed.
 *
 * @param events missed events of one channel; whoever missed more is told that it is not recovered
 * @param bytes bytes of them; whoever is sent more is told then that it is not recovered
 * @param held frames of one channel that wait behind what is being sent; beyond it durable ones are read from the
 *     history, others dropped
 * @param heldBytes the same in bytes
 * @param keptBytes bytes of rooms' and broadcasts' events that a node keeps for others who missed the same; 0 = none
 * @param kept how long they are kept after they were last asked for
 */
@Validated
@ConfigurationProperties("carillon.recovery")
public record RecoverySettings(
        @Positive @DefaultValue("2048") int events,
        @Positive @DefaultValue("16777216") long bytes,
        @Positive @DefaultValue("128") int held,
        @Positive @DefaultValue("262144") long heldBytes,
        @PositiveOrZero @DefaultValue("16777216") long keptBytes,
        @DefaultValue("5s") Duration kept) {}
