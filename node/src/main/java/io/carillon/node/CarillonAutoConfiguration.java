package io.carillon.node;

import io.micrometer.core.instrument.MeterRegistry;
import jakarta.servlet.DispatcherType;
import jakarta.servlet.Filter;
import org.springframework.beans.factory.ObjectProvider;
import org.springframework.boot.autoconfigure.AutoConfiguration;
import org.springframework.boot.autoconfigure.condition.ConditionalOnProperty;
import org.springframework.boot.autoconfigure.condition.ConditionalOnWebApplication;
import org.springframework.boot.data.redis.autoconfigure.DataRedisConnectionDetails;
import org.springframework.boot.ssl.SslBundles;
import org.springframework.boot.web.servlet.FilterRegistrationBean;
import org.springframework.context.SmartLifecycle;
import org.springframework.context.annotation.Bean;
import org.springframework.core.Ordered;
import org.springframework.core.env.ConfigurableEnvironment;
import org.springframework.web.context.WebApplicationContext;

/**
 * A node inside a servlet application that sets {@code carillon.enabled=true}: the same endpoints in the application's own
 * server, in the same cluster (docs/embedding.md).
 */
@AutoConfiguration
@ConditionalOnProperty("carillon.enabled")
@ConditionalOnWebApplication(type = ConditionalOnWebApplication.Type.SERVLET)
public class CarillonAutoConfiguration {
    @Bean
    EmbeddedNode carillonNode(
            WebApplicationContext application,
            ConfigurableEnvironment settings,
            ObjectProvider<MeterRegistry> registry,
            ObjectProvider<DataRedisConnectionDetails> redis,
            ObjectProvider<SslBundles> bundles) {
        return new EmbeddedNode(application, settings, registry, redis, bundles);
    }

    /** Behind the application's own filters, its security above all. */
    @Bean
    FilterRegistrationBean<Filter> carillonFilter(EmbeddedNode carillonNode) {
        var registration = new FilterRegistrationBean<Filter>(carillonNode::filter);
        registration.setName("carillon");
        registration.setDispatcherTypes(DispatcherType.REQUEST);
        registration.setOrder(Ordered.LOWEST_PRECEDENCE);
        return registration;
    }

    /** Sessions are handed over before the application's server stops, which would cut them. */
    @Bean
    SmartLifecycle carillonDrain(EmbeddedNode carillonNode) {
        return new SmartLifecycle() {
            private volatile boolean running;

            @Override
            public void start() {
                running = true;
            }

            @Override
            public void stop() {
                carillonNode.drain().join();
                running = false;
            }

            @Override
            public void stop(Runnable callback) {
                var unused = carillonNode.drain().whenComplete((nothing, failure) -> {
                    running = false;
                    callback.run();
                });
            }

            @Override
            public boolean isRunning() {
                return running;
            }

            @Override
            public int getPhase() {
                return Integer.MAX_VALUE - 512;
            }
        };
    }
}
