package io.carillon.node.app;

import io.carillon.model.redis.Keys;
import io.carillon.node.backplane.ScriptRunner;
import io.carillon.node.dispatch.DispatchSettings;
import io.carillon.node.session.EndpointSettings;
import io.micrometer.core.instrument.MeterRegistry;
import org.springframework.boot.context.properties.EnableConfigurationProperties;
import org.springframework.context.annotation.Bean;
import org.springframework.context.annotation.Configuration;

/** Wires this room. */
@Configuration(proxyBeanMethods = false)
@EnableConfigurationProperties(ConversationSettings.class)
class AppConfiguration {
    @Bean
    MessageLog messageLog(
            ScriptRunner redis,
            Keys keys,
            DispatchSettings dispatch,
            EndpointSettings endpoints,
            MeterRegistry registry) {
        return new MessageLog(redis, keys, dispatch, endpoints, registry);
    }

    @Bean
    Conversation conversation(MessageLog log, ConversationSettings settings) {
        return new Conversation(log, settings);
    }
}
