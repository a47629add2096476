package io.carillon.node.edge;

import io.carillon.node.session.Endpoint;
import io.carillon.node.session.EndpointSettings;
import io.carillon.node.session.OutboxSettings;
import io.carillon.node.session.SessionListener;
import io.micrometer.core.instrument.MeterRegistry;
import io.micrometer.core.instrument.simple.SimpleMeterRegistry;
import io.netty.channel.AdaptiveRecvByteBufAllocator;
import io.netty.channel.ChannelOption;
import io.netty.channel.EventLoopGroup;
import io.netty.channel.WriteBufferWaterMark;
import java.time.Clock;
import java.util.List;
import org.springframework.beans.factory.ObjectProvider;
import org.springframework.boot.autoconfigure.condition.ConditionalOnWebApplication;
import org.springframework.boot.context.properties.EnableConfigurationProperties;
import org.springframework.boot.reactor.netty.NettyReactiveWebServerFactory;
import org.springframework.boot.web.server.WebServerFactoryCustomizer;
import org.springframework.context.annotation.Bean;
import org.springframework.context.annotation.Configuration;
import org.springframework.core.Ordered;
import org.springframework.core.annotation.Order;
import org.springframework.http.client.ReactorResourceFactory;
import org.springframework.web.server.WebExceptionHandler;
import reactor.core.publisher.Mono;
import reactor.netty.channel.AbortedException;
import reactor.netty.http.server.HttpServer;

/** Wires this room, into Boot's HTTP server or ahead of a servlet container's. */
@Configuration(proxyBeanMethods = false)
@ConditionalOnWebApplication
@EnableConfigurationProperties({EdgeSettings.class, EndpointSettings.class, OutboxSettings.class})
class EdgeConfiguration {

    @Bean
    EdgeLoops edgeLoops(EdgeSettings settings) {
        return new EdgeLoops(settings.loops(), settings.tick());
    }

    /**
     * The node's event loops, for every room that works on them. Not to be shut down, and given only to those that ask
     * for them by name: they are an {@code Executor}, and where one is found Boot leaves out its own; controllers would
     * then run on the loops.
     */
    @Bean(destroyMethod = "", defaultCandidate = false)
    EventLoopGroup nodeLoops(EdgeLoops loops) {
        return loops.group();
    }

    @Bean
    Reception reception(
            EdgeSettings settings,
            OutboxSettings outbox,
            EndpointSettings endpointSettings,
            EdgeLoops loops,
            Gatekeeper gatekeeper,
            ObjectProvider<UserSessions> userSessions,
            SessionListener listener,
            SessionIds ids,
            ObjectProvider<MeterRegistry> registry,
            ObjectProvider<Clock> clock) {
        List<Endpoint> endpoints = endpointSettings.list();
        var metrics = new EdgeMetrics(
                registry.getIfAvailable(SimpleMeterRegistry::new),
                loops,
                endpoints.stream().map(Endpoint::name).toList());
        return new Reception(
                settings,
                outbox,
                endpoints,
                new Admission(settings, loops.all().getFirst().exactly()),
                gatekeeper,
                userSessions.getIfAvailable(),
                listener,
                ids,
                metrics,
                clock.getIfAvailable(Clock::systemUTC));
    }

    @Bean
    Edge edge(Reception reception, EdgeLoops loops, ObjectProvider<DrainListener> drainListeners) {
        return new Edge(reception, loops, drainListeners.orderedStream().toList());
    }

    /** In a process of its own. */
    @Configuration(proxyBeanMethods = false)
    @ConditionalOnWebApplication(type = ConditionalOnWebApplication.Type.REACTIVE)
    static class Own {
        @Bean
        ReactorResourceFactory reactorResourceFactory(EdgeLoops loops) {
            var factory = new ReactorResourceFactory();
            factory.setUseGlobalResources(false);
            factory.setLoopResources(loops.resources());
            return factory;
        }

        @Bean
        WebServerFactoryCustomizer<NettyReactiveWebServerFactory> edgeCustomizer(EdgeSettings settings, Edge edge) {
            return factory -> factory.addServerCustomizers(server -> customize(server, settings, edge));
        }

        /** A client that leaves in the middle of its request is no news, and nothing can be answered to it. */
        @Bean
        @Order(Ordered.HIGHEST_PRECEDENCE)
        WebExceptionHandler clientsThatLeft() {
            return (exchange, failure) ->
                    failure instanceof AbortedException || AbortedException.isConnectionReset(failure)
                            ? Mono.empty()
                            : Mono.error(failure);
        }

        private static HttpServer customize(HttpServer server, EdgeSettings settings, Edge edge) {
            return server.option(ChannelOption.SO_BACKLOG, settings.backlog())
                    .childOption(ChannelOption.TCP_NODELAY, true)
                    .childOption(ChannelOption.RECVBUF_ALLOCATOR, new AdaptiveRecvByteBufAllocator(64, 512, 16 * 1024))
                    .childOption(ChannelOption.WRITE_BUFFER_WATER_MARK, new WriteBufferWaterMark(32 * 1024, 64 * 1024))
                    .httpRequestDecoder(decoder -> decoder.maxInitialLineLength(
                                    Math.toIntExact(settings.initialLine().toBytes()))
                            .maxHeaderSize(Math.toIntExact(settings.headerSize().toBytes()))
                            .validateHeaders(true))
                    .doOnChannelInit((observer, channel, remote) -> edge.accepted(channel))
                    .doOnBound(listening -> edge.bound(listening.channel().localAddress()));
        }
    }

    /** Inside a servlet application. */
    @Configuration(proxyBeanMethods = false)
    @ConditionalOnWebApplication(type = ConditionalOnWebApplication.Type.SERVLET)
    static class Embedded {
        @Bean
        ServletDoor servletDoor(Reception reception, EdgeLoops loops) {
            return new ServletDoor(reception, loops);
        }
    }
}
