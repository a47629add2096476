package io.carillon.node.app;

import io.carillon.node.dispatch.Application;
import io.carillon.node.dispatch.Publisher;
import java.time.Clock;
import org.springframework.context.annotation.Bean;
import org.springframework.context.annotation.Configuration;

/** Wires the applications. */
@Configuration(proxyBeanMethods = false)
class AppConfiguration {
    @Bean
    Application feedback(Publisher publisher, Clock clock) {
        return new Feedback(publisher, clock);
    }
}
