package io.carillon.node.api;

import jakarta.validation.constraints.Positive;
import jakarta.validation.constraints.PositiveOrZero;
import org.springframework.boot.context.properties.ConfigurationProperties;
import org.springframework.boot.context.properties.bind.DefaultValue;
import org.springframework.validation.annotation.Validated;

/**
 * The HTTP API for services and operators, {@code carillon.api}.
 *
 * @param callsPerSecond calls a second on average that one API key may make to one node; 429 over it; 0 = no limit
 * @param callBurst calls at once
 */
@Validated
@ConfigurationProperties("carillon.api")
public record ApiSettings(
        @PositiveOrZero @DefaultValue("10000") int callsPerSecond,
        @Positive @DefaultValue("20000") int callBurst) {}
