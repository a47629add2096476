package io.carillon.node.channel;

import io.carillon.node.backplane.Backplane;
import io.micrometer.core.instrument.MeterRegistry;
import io.netty.channel.EventLoopGroup;
import java.time.Clock;
import org.springframework.beans.factory.annotation.Qualifier;
import org.springframework.boot.context.properties.EnableConfigurationProperties;
import org.springframework.context.annotation.Bean;
import org.springframework.context.annotation.Configuration;

@Configuration(proxyBeanMethods = false)
@EnableConfigurationProperties(ChannelSettings.class)
class ChannelConfiguration {
    @Bean
    Channels channels(
            Backplane backplane,
            @Qualifier("nodeLoops") EventLoopGroup nodeLoops,
            ChannelSettings settings,
            MeterRegistry registry,
            Clock clock) {
        return new Channels(backplane, Loops.of(nodeLoops), settings, new ChannelMetrics(registry), clock);
    }
}
