package io.carillon.node.app;

import io.carillon.model.redis.Keys;
import io.carillon.node.backplane.ScriptRunner;
import io.carillon.node.dispatch.Application;
import io.carillon.node.dispatch.DispatchSettings;
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

/** Wires this room. */
@Configuration(proxyBeanMethods = false)
@EnableConfigurationProperties(LineSettings.class)
class AppConfiguration {
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
