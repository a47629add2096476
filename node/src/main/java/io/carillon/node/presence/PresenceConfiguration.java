package io.carillon.node.presence;

import io.carillon.model.channel.Namespace;
import io.carillon.model.redis.Boot;
import io.carillon.model.redis.Keys;
import io.carillon.node.backplane.ScriptRunner;
import io.micrometer.core.instrument.MeterRegistry;
import java.time.Clock;
import java.util.List;
import java.util.Map;
import java.util.function.Supplier;
import org.springframework.beans.factory.ObjectProvider;
import org.springframework.boot.context.properties.EnableConfigurationProperties;
import org.springframework.context.SmartLifecycle;
import org.springframework.context.annotation.Bean;
import org.springframework.context.annotation.Configuration;
import org.springframework.core.env.Environment;
import org.springframework.data.redis.core.StringRedisTemplate;

/** Wires this room; the lease is held from before the first session until after the last. */
@Configuration(proxyBeanMethods = false)
@EnableConfigurationProperties(PresenceSettings.class)
class PresenceConfiguration {
    @Bean
    PresenceQueries presenceQueries(StringRedisTemplate redis, Keys keys) {
        return new PresenceQueries(redis, keys);
    }

    /** What the node says of itself with each beat; {@link NodeState} is told by the rooms that know. */
    @Bean
    NodeState nodeState() {
        return new NodeState();
    }

    @Bean(destroyMethod = "")
    RedisPresence presence(
            Boot boot,
            Keys keys,
            ScriptRunner scripts,
            PresenceSettings settings,
            NodeState state,
            List<Namespace> servedNamespaces,
            MeterRegistry registry,
            Environment environment,
            Clock clock,
            ObjectProvider<org.springframework.boot.info.BuildProperties> build) {
        long since = clock.millis();
        String version = build.stream().findFirst().map(b -> b.getVersion()).orElse("unknown");
        String address = environment.getProperty("server.address", "127.0.0.1");
        Supplier<NodeDescription> description = () -> NodeDescription.of(
                boot.id(),
                address,
                environment.getProperty("local.server.port", Integer.class, 0),
                version,
                state.draining() ? "draining" : "up",
                since,
                Map.of());
        var metrics = new PresenceMetrics(registry);
        servedNamespaces.forEach(namespace -> metrics.serve(namespace.name()));
        return new RedisPresence(boot.id(), keys, scripts, settings, description, metrics);
    }

    @Bean
    SmartLifecycle leaseLifecycle(RedisPresence presence) {
        return new SmartLifecycle() {
            private volatile boolean running;

            @Override
            public void start() {
                presence.start();
                running = true;
            }

            @Override
            public void stop() {
                presence.stop();
                running = false;
            }

            @Override
            public boolean isRunning() {
                return running;
            }

            @Override
            public int getPhase() {
                return 200;
            }
        };
    }
}
