package io.carillon.node.app;

import io.carillon.model.redis.Keys;
import io.carillon.node.backplane.ScriptRunner;
import io.carillon.node.dispatch.Application;
import io.carillon.node.dispatch.DispatchSettings;
import io.carillon.node.dispatch.Publisher;
import io.carillon.node.session.EndpointSettings;
import io.micrometer.core.instrument.MeterRegistry;
import java.time.Clock;
import java.util.concurrent.ScheduledExecutorService;
import java.util.concurrent.ScheduledThreadPoolExecutor;
import java.util.concurrent.ThreadPoolExecutor;
import org.springframework.beans.factory.annotation.Qualifier;
import org.springframework.boot.context.properties.EnableConfigurationProperties;
import org.springframework.context.annotation.Bean;
import org.springframework.context.annotation.Configuration;

/** Wires the applications. */
@Configuration(proxyBeanMethods = false)
@EnableConfigurationProperties({ConversationSettings.class, ChatSettings.class, LineSettings.class})
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

    /** For what is to happen a little later; nothing on it waits. Given by name only, so that Boot still makes its own. */
    @Bean(destroyMethod = "shutdownNow", defaultCandidate = false)
    ScheduledExecutorService lineTimer() {
        return new ScheduledThreadPoolExecutor(
                1,
                Thread.ofPlatform().daemon().name("carillon-line").factory(),
                new ThreadPoolExecutor.DiscardPolicy());
    }

    @Bean
    ActivationCodes activationCodes(ScriptRunner redis, Keys keys, LineSettings settings) {
        return new ActivationCodes(redis, keys, settings.codes());
    }

    @Bean
    LineGroups lineGroups(
            ScriptRunner redis,
            Keys keys,
            LineSettings settings,
            DispatchSettings dispatch,
            EndpointSettings endpoints,
            Clock clock,
            MeterRegistry metrics) {
        return new LineGroups(redis, keys, settings, dispatch, endpoints, clock, metrics);
    }

    @Bean
    LineWindows lineWindows(
            LineGroups groups,
            ActivationCodes codes,
            Clock clock,
            @Qualifier("lineTimer") ScheduledExecutorService lineTimer) {
        return new LineWindows(groups, codes, clock, lineTimer);
    }

    @Bean
    Application lineDashboard(
            LineGroups groups,
            LineWindows windows,
            LineSettings settings,
            Clock clock,
            @Qualifier("lineTimer") ScheduledExecutorService lineTimer) {
        return new LineDashboard(groups, windows, settings, clock, lineTimer);
    }
}
