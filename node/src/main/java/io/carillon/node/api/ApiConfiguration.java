package io.carillon.node.api;

import io.carillon.model.redis.Keys;
import io.carillon.node.dispatch.Applications;
import io.carillon.node.identity.ApiKeys;
import io.carillon.node.identity.Authenticator;
import io.carillon.node.session.EndpointSettings;
import io.lettuce.core.ClientOptions;
import io.lettuce.core.resource.Delay;
import io.micrometer.core.instrument.MeterRegistry;
import io.micrometer.core.instrument.simple.SimpleMeterRegistry;
import java.net.URI;
import java.time.Duration;
import java.util.concurrent.TimeUnit;
import org.springframework.beans.factory.ObjectProvider;
import org.springframework.beans.factory.annotation.Value;
import org.springframework.boot.autoconfigure.condition.ConditionalOnWebApplication;
import org.springframework.boot.context.properties.EnableConfigurationProperties;
import org.springframework.boot.data.redis.autoconfigure.ClientResourcesBuilderCustomizer;
import org.springframework.boot.data.redis.autoconfigure.DataRedisConnectionDetails;
import org.springframework.boot.data.redis.autoconfigure.LettuceClientOptionsBuilderCustomizer;
import org.springframework.context.annotation.Bean;
import org.springframework.context.annotation.Configuration;
import org.springframework.core.io.Resource;
import org.springframework.core.task.SimpleAsyncTaskExecutor;
import org.springframework.data.redis.core.StringRedisTemplate;
import org.springframework.http.CacheControl;
import org.springframework.http.MediaType;
import org.springframework.http.codec.ServerCodecConfigurer;
import org.springframework.web.reactive.config.BlockingExecutionConfigurer;
import org.springframework.web.reactive.config.WebFluxConfigurer;
import org.springframework.web.reactive.function.server.RouterFunction;
import org.springframework.web.reactive.function.server.RouterFunctions;
import org.springframework.web.reactive.function.server.ServerResponse;

/** Wires this room. */
@Configuration(proxyBeanMethods = false)
@EnableConfigurationProperties({ApiSettings.class, EndpointSettings.class})
class ApiConfiguration {
    @Bean
    Namespaces apiNamespaces(EndpointSettings endpoints) {
        return new Namespaces(endpoints);
    }

    @Bean
    Callers apiCallers(
            Applications applications, EndpointSettings endpoints, Authenticator authenticator, ApiKeys keys) {
        return new Callers(applications, endpoints, authenticator, keys);
    }

    @Bean
    Idempotency apiIdempotency(StringRedisTemplate redis, Keys keys) {
        return new Idempotency(redis, keys);
    }

    /**
     * A call fails while Redis is away; nothing waits for the link to do behind the caller's back what he was told failed.
     * In Cluster, where Lettuce would refuse the very call that makes it connect to a primary, it waits, for its timeout
     * at most.
     */
    @Bean
    LettuceClientOptionsBuilderCustomizer rejectWhileDisconnected(ObjectProvider<DataRedisConnectionDetails> redis) {
        DataRedisConnectionDetails details = redis.getIfAvailable();
        boolean cluster = details != null && details.getCluster() != null;
        return options -> {
            if (!cluster) options.disconnectedBehavior(ClientOptions.DisconnectedBehavior.REJECT_COMMANDS);
        };
    }

    /** After an outage calls succeed again within a second; Lettuce by itself waits up to half a minute. */
    @Bean
    ClientResourcesBuilderCustomizer comeBackSoon() {
        return resources -> resources.reconnectDelay(
                Delay.fullJitter(Duration.ofMillis(50), Duration.ofSeconds(1), 50, TimeUnit.MILLISECONDS));
    }

    @Bean
    Gate apiGate(ApiKeys keys, ApiSettings settings, ObjectProvider<MeterRegistry> registry) {
        return new Gate(keys, settings, registry.getIfAvailable(SimpleMeterRegistry::new));
    }

    /** What only the node's own server needs. */
    @Configuration(proxyBeanMethods = false)
    @ConditionalOnWebApplication(type = ConditionalOnWebApplication.Type.REACTIVE)
    static class Reactive {
        @Bean
        SecurityHeaders apiSecurityHeaders() {
            return new SecurityHeaders();
        }

        @Bean
        ProblemHandler apiProblemHandler() {
            return new ProblemHandler();
        }

        @Bean
        StaticFiles apiStaticFiles() {
            return new StaticFiles();
        }

        /** The index of the demo pages; of itself Boot serves one for the root alone. */
        @Bean
        RouterFunction<ServerResponse> demoIndex(@Value("classpath:/carillon/static/demo/index.html") Resource index) {
            return RouterFunctions.route()
                    .GET(
                            "/demo",
                            request -> ServerResponse.permanentRedirect(URI.create("/demo/"))
                                    .build())
                    .GET(
                            "/demo/",
                            request -> ServerResponse.ok()
                                    .contentType(MediaType.TEXT_HTML)
                                    .cacheControl(CacheControl.noCache())
                                    .bodyValue(index))
                    .build();
        }

        /** Controllers block, so they run on virtual threads and never on an event loop. */
        @Bean
        WebFluxConfigurer blockingControllers() {
            var threads = new SimpleAsyncTaskExecutor("http-");
            threads.setVirtualThreads(true);
            return new WebFluxConfigurer() {
                @Override
                public void configureBlockingExecution(BlockingExecutionConfigurer configurer) {
                    configurer.setExecutor(threads);
                }

                @Override
                public void configureHttpMessageCodecs(ServerCodecConfigurer configurer) {
                    configurer.defaultCodecs().maxInMemorySize(Gate.MAX_BODY);
                }
            };
        }
    }
}
