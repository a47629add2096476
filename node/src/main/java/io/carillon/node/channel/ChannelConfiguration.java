package io.carillon.node.channel;

import io.carillon.node.backplane.Backplane;
import io.micrometer.core.instrument.MeterRegistry;
import io.netty.util.concurrent.EventExecutor;
import java.util.List;
import org.springframework.boot.context.properties.EnableConfigurationProperties;
import org.springframework.context.annotation.Bean;
import org.springframework.context.annotation.Configuration;

@Configuration(proxyBeanMethods = false)
@EnableConfigurationProperties(ChannelSettings.class)
class ChannelConfiguration {
    @Bean
    Channels channels(
            Backplane backplane, List<EventExecutor> eventLoops, ChannelSettings settings, MeterRegistry registry) {
        return new Channels(backplane, eventLoops, settings, new ChannelMetrics(registry));
    }
}
