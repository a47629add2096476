package io.carillon.node.ingress;

import io.carillon.model.redis.Boot;
import io.carillon.model.redis.Keys;
import io.carillon.node.backplane.DeadLetters;
import io.carillon.node.backplane.ScriptRunner;
import io.carillon.node.backplane.Streams;
import io.carillon.node.dispatch.Applications;
import io.carillon.node.dispatch.Publisher;
import io.carillon.node.presence.NodeState;
import io.carillon.node.presence.PresenceQueries;
import io.carillon.node.session.EndpointSettings;
import io.micrometer.core.instrument.MeterRegistry;
import org.springframework.boot.context.properties.EnableConfigurationProperties;
import org.springframework.context.SmartLifecycle;
import org.springframework.context.annotation.Bean;
import org.springframework.context.annotation.Configuration;
import org.springframework.dao.DataAccessException;

/** Wires this room; streams are drained from after events flow until before they stop. */
@Configuration(proxyBeanMethods = false)
@EnableConfigurationProperties({IngressSettings.class, EndpointSettings.class})
class IngressConfiguration {
    @Bean
    Ingress ingress(
            Boot boot,
            Keys keys,
            ScriptRunner scripts,
            Streams streams,
            Publisher publisher,
            DeadLetters letters,
            EndpointSettings endpoints,
            Applications applications,
            IngressSettings settings,
            MeterRegistry registry,
            PresenceQueries queries,
            NodeState state) {
        return new Ingress(
                boot,
                keys,
                scripts,
                streams,
                publisher,
                letters,
                new EntryReader(endpoints, applications),
                settings,
                new IngressMetrics(registry),
                () -> count(queries),
                state::draining);
    }

    /** Alone, as far as anybody knows, while Redis does not say. */
    private static int count(PresenceQueries queries) {
        try {
            return queries.nodes().size();
        } catch (DataAccessException e) {
            return 1;
        }
    }

    @Bean
    SmartLifecycle ingressFlow(Ingress ingress) {
        return new SmartLifecycle() {
            private volatile boolean running;

            @Override
            public void start() {
                ingress.start();
                running = true;
            }

            @Override
            public void stop() {
                ingress.stop();
                running = false;
            }

            @Override
            public boolean isRunning() {
                return running;
            }

            @Override
            public int getPhase() {
                return 300;
            }
        };
    }
}
