package io.carillon.model.publish;

import org.jspecify.annotations.Nullable;
import org.springframework.boot.context.properties.ConfigurationProperties;
import org.springframework.boot.context.properties.bind.DefaultValue;

/**
 * How this service publishes.
 *
 * @param prefix first word of the cluster's keys, as its nodes have it ({@code carillon.redis.prefix})
 * @param way what {@link EventPublisher} does unless told otherwise: {@code durable}, {@code ingress} or {@code plain}
 * @param service name of the service's ingress stream; {@code spring.application.name} when left out
 * @param mode {@code standalone} or {@code cluster}; {@code auto} asks {@code carillon:config}, which the service needs
 *     the right to read for, and else goes by the connection
 */
@ConfigurationProperties("carillon.publisher")
public record PublisherSettings(
        @DefaultValue("carillon") String prefix,
        @DefaultValue("durable") Way way,
        @Nullable String service,
        @DefaultValue("auto") Mode mode) {
    /** How the Redis in use spreads messages. */
    public enum Mode {
        AUTO,
        STANDALONE,
        CLUSTER
    }
}
