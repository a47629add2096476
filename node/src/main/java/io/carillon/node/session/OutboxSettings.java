package io.carillon.node.session;

import jakarta.validation.constraints.Positive;
import java.time.Duration;
import org.springframework.boot.context.properties.ConfigurationProperties;
import org.springframework.boot.context.properties.bind.DefaultValue;
import org.springframework.validation.annotation.Validated;

/**
 * When a client is too slow. Whichever is passed first closes the session with 4430.
 *
 * @param bytes bytes that may wait for one session
 * @param frames frames that may wait for one session
 * @param age how long the oldest may wait
 */
@Validated
@ConfigurationProperties("carillon.outbox")
public record OutboxSettings(
        @Positive @DefaultValue("1048576") long bytes,
        @Positive @DefaultValue("1000") int frames,
        @DefaultValue("10s") Duration age) {}
