package io.carillon.node.dispatch;

import io.carillon.model.channel.ChannelName;
import io.carillon.model.redis.Boot;
import io.carillon.model.redis.Keys;
import io.carillon.node.backplane.Backplane;
import io.carillon.node.backplane.BackplaneException;
import io.carillon.node.backplane.ScriptRunner;
import io.carillon.node.channel.Channels;
import io.carillon.node.channel.Loops;
import io.carillon.node.dialect.Dialect;
import io.carillon.node.dialect.chat.ChatDialect;
import io.carillon.node.dialect.conversation.ConversationDialect;
import io.carillon.node.dialect.feedback.FeedbackDialect;
import io.carillon.node.dialect.line.DashboardDialect;
import io.carillon.node.dialect.line.WindowsDialect;
import io.carillon.node.dialect.push.PushDialect;
import io.carillon.node.dialect.push.PushEvents;
import io.carillon.node.identity.Authenticator;
import io.carillon.node.identity.Verdict;
import io.carillon.node.presence.NodeDescription;
import io.carillon.node.presence.Presence;
import io.carillon.node.presence.PresenceQueries;
import io.carillon.node.session.EndpointSettings;
import io.carillon.node.session.OutboxSettings;
import io.micrometer.core.instrument.MeterRegistry;
import io.netty.channel.EventLoopGroup;
import java.time.Clock;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import org.springframework.beans.factory.ObjectProvider;
import org.springframework.beans.factory.annotation.Qualifier;
import org.springframework.boot.context.properties.EnableConfigurationProperties;
import org.springframework.context.SmartLifecycle;
import org.springframework.context.annotation.Bean;
import org.springframework.context.annotation.Configuration;

/** Wires this room, and starts and stops the flow of events. */
@Configuration(proxyBeanMethods = false)
@EnableConfigurationProperties({
    DispatchSettings.class,
    RecoverySettings.class,
    AckSettings.class,
    EndpointSettings.class,
    OutboxSettings.class
})
class DispatchConfiguration {
    @Bean
    Dialect pushDialect() {
        return new PushDialect();
    }

    @Bean
    Dialect pushEvents() {
        return new PushEvents();
    }

    @Bean
    Dialect feedbackDialect(Clock clock) {
        return new FeedbackDialect(clock);
    }

    @Bean
    Dialect chatDialect() {
        return new ChatDialect();
    }

    @Bean
    Dialect conversationDialect() {
        return new ConversationDialect();
    }

    @Bean
    Dialect lineWindowsDialect() {
        return new WindowsDialect();
    }

    @Bean
    Dialect lineDashboardDialect() {
        return new DashboardDialect();
    }

    @Bean
    DispatchMetrics dispatchMetrics(MeterRegistry registry) {
        return new DispatchMetrics(registry);
    }

    @Bean
    Publisher publisher(
            Backplane backplane,
            DispatchSettings settings,
            EndpointSettings endpoints,
            AckSettings acks,
            Clock clock,
            DispatchMetrics metrics) {
        return new Publications(backplane, settings, endpoints, acks, clock, metrics);
    }

    @Bean
    Acknowledgements acknowledgements(ScriptRunner redis, Keys keys, AckSettings settings) {
        return new RedisAcknowledgements(redis, keys, settings);
    }

    /** For questions to Redis that block. Given by name only, so that Boot still makes its own executor. */
    @Bean(destroyMethod = "close", defaultCandidate = false)
    ExecutorService queryThreads() {
        return Executors.newVirtualThreadPerTaskExecutor();
    }

    @Bean
    ClusterControl clusterControl(
            Backplane backplane, PresenceQueries queries, @Qualifier("queryThreads") ExecutorService queryThreads) {
        return new NodeControl(
                backplane,
                () -> ask(
                        queryThreads,
                        () -> queries.nodes().stream()
                                .map(NodeDescription::boot)
                                .toList()));
    }

    @Bean
    Applications applications(ObjectProvider<Application> applications, EndpointSettings endpoints) {
        return new Applications(applications.orderedStream().toList(), endpoints);
    }

    @Bean
    Dispatch dispatch(
            Boot boot,
            @Qualifier("nodeLoops") EventLoopGroup nodeLoops,
            Channels channels,
            Presence presence,
            Publisher publisher,
            Backplane backplane,
            Acknowledgements acknowledgements,
            PresenceQueries queries,
            @Qualifier("queryThreads") ExecutorService queryThreads,
            Authenticator authenticator,
            List<Dialect> dialects,
            EndpointSettings endpoints,
            Applications applications,
            DispatchSettings settings,
            RecoverySettings recoverySettings,
            AckSettings ackSettings,
            DispatchMetrics metrics,
            Clock clock) {
        Dispatch.Members members = (room, limit) -> ask(queryThreads, () -> first(queries, room, limit));
        Dispatch.Renewal renewal =
                (current, token) -> authenticator.refreshAsync(current, token).thenApply(verdict -> switch (verdict) {
                    case Verdict.Granted granted -> Optional.of(granted.principal());
                    case Verdict.Refused refused
                    when refused.temporary() -> throw new BackplaneException("the token could not be judged now");
                    case Verdict.Refused refused -> Optional.empty();
                });
        var dispatch = new Dispatch(
                boot.id(),
                Loops.of(nodeLoops),
                channels,
                presence,
                publisher,
                backplane,
                acknowledgements,
                members,
                renewal,
                dialects,
                endpoints.list(),
                applications,
                settings,
                recoverySettings,
                ackSettings,
                metrics,
                clock);
        dispatch.onSession(new Excess(queries, backplane, queryThreads)::look);
        return dispatch;
    }

    private static Dispatch.Members.Page first(PresenceQueries queries, ChannelName room, int limit) {
        return new Dispatch.Members.Page(
                queries.roomCount(room.namespace(), room.id()),
                queries.roomMembers(room.namespace(), room.id(), null, limit).users());
    }

    private static <T> CompletionStage<T> ask(ExecutorService threads, java.util.function.Supplier<T> question) {
        return CompletableFuture.supplyAsync(
                () -> {
                    try {
                        return question.get();
                    } catch (org.springframework.dao.DataAccessException e) {
                        throw new BackplaneException("Redis did not answer", e);
                    }
                },
                threads);
    }

    /** Events flow from before the first session until after the last. */
    @Bean
    SmartLifecycle eventFlow(Dispatch dispatch, Backplane backplane) {
        return new SmartLifecycle() {
            private volatile boolean running;

            @Override
            public void start() {
                dispatch.start();
                running = true;
            }

            @Override
            public void stop() {
                backplane.stop();
                running = false;
            }

            @Override
            public boolean isRunning() {
                return running;
            }

            @Override
            public int getPhase() {
                return 100;
            }
        };
    }
}
