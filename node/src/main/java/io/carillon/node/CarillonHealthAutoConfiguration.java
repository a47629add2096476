package io.carillon.node;

import org.springframework.boot.autoconfigure.AutoConfiguration;
import org.springframework.boot.autoconfigure.condition.ConditionalOnBean;
import org.springframework.boot.autoconfigure.condition.ConditionalOnClass;
import org.springframework.boot.health.autoconfigure.contributor.ConditionalOnEnabledHealthIndicator;
import org.springframework.boot.health.contributor.Health;
import org.springframework.boot.health.contributor.HealthIndicator;
import org.springframework.context.annotation.Bean;

/** The node's part in the health of the application it is in, where that has an actuator. */
@AutoConfiguration(after = CarillonAutoConfiguration.class)
@ConditionalOnClass(HealthIndicator.class)
@ConditionalOnBean(EmbeddedNode.class)
@ConditionalOnEnabledHealthIndicator("carillon")
public class CarillonHealthAutoConfiguration {
    /** Out of service while the node drains or has no Redis. */
    @Bean
    HealthIndicator carillonHealthIndicator(EmbeddedNode carillonNode) {
        return () -> (carillonNode.serves() ? Health.up() : Health.outOfService()).build();
    }
}
