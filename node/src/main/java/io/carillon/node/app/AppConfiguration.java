package io.carillon.node.app;

import io.carillon.model.redis.Keys;
import io.carillon.node.backplane.ScriptRunner;
import io.carillon.node.dispatch.Application;
import io.carillon.node.dispatch.DispatchSettings;
import io.carillon.node.dispatch.Publisher;
import io.carillon.node.session.EndpointSettings;
import io.micrometer.core.instrument.MeterRegistry;
import java.time.Clock;
import org.springframework.boot.context.properties.EnableConfigurationProperties;
import org.springframework.context.annotation.Bean;
import org.springframework.context.annotation.Configuration;

/** Wires the applications. */
@Configuration(proxyBeanMethods = false)
@EnableConfigurationProperties({ConversationSettings.class, ChatSettings.class})
class AppConfiguration {
    @Bean
    Application feedback(Publisher publisher, Clock clock) {
        return new Feedback(publisher, clock);
    }

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

    @Bean
    Chat chat(MessageLog log, ScriptRunner redis, Keys keys, ChatSettings settings) {
        return new Chat(log, redis, keys, settings);
    }
}
