package io.carillon.node.api;

import io.carillon.model.channel.ChannelName;
import io.carillon.model.channel.Namespace;
import io.carillon.model.channel.Position;
import io.carillon.model.event.Event;
import io.carillon.model.event.EventCodec;
import io.carillon.model.event.EventIds;
import io.carillon.model.redis.Keys;
import io.carillon.model.redis.Script;
import io.carillon.node.app.ActivationCodes;
import io.carillon.node.backplane.Backplane;
import io.carillon.node.backplane.Backplane.Retention;
import io.carillon.node.backplane.BackplaneListener;
import io.carillon.node.backplane.DeadLetters;
import io.carillon.node.backplane.ScriptRunner;
import io.carillon.node.dispatch.Acknowledgements;
import io.carillon.node.dispatch.Applications;
import io.carillon.node.dispatch.ClusterControl;
import io.carillon.node.dispatch.Publisher;
import io.carillon.node.presence.PresenceQueries;
import io.carillon.node.session.EndpointSettings;
import io.swagger.v3.oas.models.OpenAPI;
import java.nio.charset.StandardCharsets;
import java.time.Clock;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.Executor;
import java.util.concurrent.Executors;
import org.jspecify.annotations.Nullable;
import org.springframework.boot.SpringBootConfiguration;
import org.springframework.boot.autoconfigure.EnableAutoConfiguration;
import org.springframework.context.annotation.Bean;
import org.springframework.context.annotation.ComponentScan;
import org.springframework.context.annotation.Profile;
import org.springframework.data.redis.connection.RedisConnectionFactory;
import org.springframework.data.redis.connection.ReturnType;
import org.springframework.data.redis.core.StringRedisTemplate;
import org.springframework.data.redis.core.script.RedisScript;

/** The HTTP side of a node: the real server, filters and controllers, publishing straight into Redis. */
@SpringBootConfiguration
@Profile("http-alone") // so that no other test finds it when it looks for the parts of a node
@EnableAutoConfiguration(
        excludeName =
                "org.springframework.boot.tomcat.autoconfigure.actuate.web.server.TomcatReactiveManagementContextAutoConfiguration")
@ComponentScan(basePackages = {"io.carillon.node.api", "io.carillon.node.identity"})
class ApiServer {
    @Bean
    Keys keys() {
        return Keys.DEFAULT;
    }

    @Bean
    OpenAPI apiFrame() {
        return ApiDescription.frame();
    }

    @Bean
    ApiDescription apiDescription() {
        return new ApiDescription();
    }

    @Bean
    Clock clock() {
        return Clock.systemUTC();
    }

    @Bean
    Applications applications(EndpointSettings endpoints) {
        return new Applications(List.of(), endpoints);
    }

    @Bean
    PresenceQueries presenceQueries(StringRedisTemplate redis, Keys keys) {
        return new PresenceQueries(redis, keys);
    }

    /** Scripts through Spring Data, in place of the backplane's connections. */
    @Bean
    ScriptRunner scripts(RedisConnectionFactory connections) {
        return new ScriptRunner() {
            @Override
            public CompletionStage<Long> subscribers(String topic) {
                throw new UnsupportedOperationException("letters have no subscribers");
            }

            @Override
            public CompletionStage<List<Object>> run(Script script, String key, List<String> arguments) {
                return runBytes(
                        script,
                        key,
                        arguments.stream()
                                .map(text -> text.getBytes(StandardCharsets.UTF_8))
                                .toList());
            }

            @Override
            public CompletionStage<List<Object>> runBytes(Script script, String key, List<byte[]> arguments) {
                var all = new java.util.ArrayList<byte[]>(List.of(key.getBytes(StandardCharsets.UTF_8)));
                all.addAll(arguments);
                byte[] source = script.source(Script.Mode.PLAIN).getBytes(StandardCharsets.UTF_8);
                try (var connection = connections.getConnection()) {
                    return CompletableFuture.completedFuture(connection
                            .scriptingCommands()
                            .eval(source, ReturnType.MULTI, 1, all.toArray(byte[][]::new)));
                }
            }
        };
    }

    @Bean
    DeadLetters deadLetters(ScriptRunner scripts, Keys keys, Clock clock) {
        return new DeadLetters(scripts, keys, clock);
    }

    @Bean
    ActivationCodes activationCodes(ScriptRunner scripts, Keys keys) {
        return new ActivationCodes(scripts, keys, 3);
    }

    @Bean
    ScriptPublisher scriptPublisher(StringRedisTemplate redis, Keys keys, Clock clock) {
        return new ScriptPublisher(redis, keys, clock);
    }

    @Bean
    ControlLog controlLog(StringRedisTemplate redis) {
        return new ControlLog(redis);
    }

    @Bean
    Backplane backplane(StringRedisTemplate redis, Keys keys) {
        return new Histories(redis, keys);
    }

    @Bean
    Fates fates() {
        return new Fates();
    }

    /** What users have acknowledged, by user and event. */
    static final class Fates implements Acknowledgements {
        final ConcurrentHashMap<String, Fate> known = new ConcurrentHashMap<>();

        @Override
        public CompletionStage<Page> pending(ChannelName channel, long after) {
            throw new UnsupportedOperationException("sessions are not part of this server");
        }

        @Override
        public CompletionStage<Boolean> acknowledge(ChannelName channel, String id) {
            throw new UnsupportedOperationException("sessions are not part of this server");
        }

        @Override
        public CompletionStage<Fate> fate(ChannelName channel, String id) {
            return CompletableFuture.completedFuture(
                    known.getOrDefault(channel + "/" + id, new Fate(State.UNKNOWN, 0)));
        }
    }

    /** Reads histories with the script that nodes use, through Spring Data. */
    static final class Histories implements Backplane {
        @SuppressWarnings("rawtypes")
        private static final RedisScript<List> READ = RedisScript.of(Script.READ.source(Script.Mode.PLAIN), List.class);

        private final StringRedisTemplate redis;
        private final Keys keys;
        private final Executor threads = Executors.newVirtualThreadPerTaskExecutor();

        Histories(StringRedisTemplate redis, Keys keys) {
            this.redis = redis;
            this.keys = keys;
        }

        @Override
        public CompletionStage<HistoryRead> history(ChannelName channel, long after, int limit) {
            return CompletableFuture.supplyAsync(
                    () -> {
                        List<?> reply = redis.execute(
                                READ,
                                List.of(keys.channel(channel)),
                                "*",
                                Long.toString(after),
                                Integer.toString(limit),
                                "0");
                        return new HistoryRead(
                                true,
                                new Position((String) reply.get(1), (Long) reply.get(2)),
                                reply.subList(4, reply.size()).stream()
                                        .map(event -> ((String) event).getBytes(StandardCharsets.UTF_8))
                                        .toList(),
                                (Long) reply.get(3) == 1);
                    },
                    threads);
        }

        @Override
        public void start(BackplaneListener listener) {
            throw none();
        }

        @Override
        public void stop() {}

        @Override
        public void subscribe(ChannelName channel) {
            throw none();
        }

        @Override
        public void unsubscribe(ChannelName channel) {
            throw none();
        }

        @Override
        public CompletionStage<Appended> append(ChannelName channel, byte[] event, String id, Retention retention) {
            throw none();
        }

        @Override
        public CompletionStage<Long> publish(ChannelName channel, byte[] event) {
            throw none();
        }

        @Override
        public CompletionStage<HistoryRead> read(ChannelName channel, @Nullable Position after, int limit) {
            throw none();
        }

        @Override
        public CompletionStage<Long> publishToNode(String boot, byte[] message) {
            throw none();
        }

        @Override
        public void deadLetter(String source, String reason, byte[] message) {
            throw none();
        }

        @Override
        public boolean connected() {
            return true;
        }

        private static UnsupportedOperationException none() {
            return new UnsupportedOperationException("only histories are part of this server");
        }
    }

    /** Publishes with the script that nodes use, through Spring Data. */
    static final class ScriptPublisher implements Publisher {
        @SuppressWarnings("rawtypes")
        private static final RedisScript<List> PUBLISH =
                RedisScript.of(Script.PUBLISH.source(Script.Mode.PLAIN), List.class);

        private final StringRedisTemplate redis;
        private final Keys keys;
        private final Clock clock;
        private final Executor threads = Executors.newVirtualThreadPerTaskExecutor();
        volatile boolean calledOnVirtualThread;
        /** While set, publishing waits for it. */
        volatile CountDownLatch hold = new CountDownLatch(0);

        ScriptPublisher(StringRedisTemplate redis, Keys keys, Clock clock) {
            this.redis = redis;
            this.keys = keys;
            this.clock = clock;
        }

        @Override
        public CompletionStage<Published> publish(
                ChannelName channel, Event event, boolean durable, @Nullable Retention retention) {
            calledOnVirtualThread = Thread.currentThread().isVirtual();
            return CompletableFuture.supplyAsync(() -> publish(channel, event, durable), threads);
        }

        private Published publish(ChannelName channel, Event event, boolean durable) {
            try {
                hold.await();
            } catch (InterruptedException e) {
                Thread.currentThread().interrupt();
            }
            String id = event.id() != null ? event.id() : EventIds.next(clock.millis());
            var stamped = event.with().id(id).durable(null).build();
            String json = new String(EventCodec.write(stamped), StandardCharsets.UTF_8);
            if (!durable) {
                Long receivers = redis.convertAndSend(keys.channel(channel), json);
                return new Published(id, null, receivers == null ? 0 : receivers, false);
            }
            List<?> reply = redis.execute(PUBLISH, List.of(keys.channel(channel)), json, id);
            return new Published(
                    id,
                    new Position((String) reply.get(1), (Long) reply.get(0)),
                    (Long) reply.get(4),
                    (Long) reply.get(3) == 1);
        }
    }

    /** Notes what was asked, when Redis has been told. */
    static final class ControlLog implements ClusterControl {
        final ConcurrentLinkedQueue<String> asked = new ConcurrentLinkedQueue<>();
        private final StringRedisTemplate redis;
        private final Executor threads = Executors.newVirtualThreadPerTaskExecutor();

        ControlLog(StringRedisTemplate redis) {
            this.redis = redis;
        }

        @Override
        public CompletionStage<Void> kick(Namespace namespace, String user) {
            return tell("kick " + namespace + ' ' + user);
        }

        @Override
        public CompletionStage<Void> moveUser(Namespace namespace, String user, String room, boolean join) {
            return tell((join ? "join " : "leave ") + namespace + ' ' + user + ' ' + room);
        }

        @Override
        public CompletionStage<Boolean> drain(String boot) {
            return tell("drain " + boot).thenApply(told -> !boot.equals("deafnode"));
        }

        private CompletionStage<Void> tell(String what) {
            return CompletableFuture.runAsync(
                    () -> {
                        redis.convertAndSend("control", what);
                        asked.add(what);
                    },
                    threads);
        }
    }
}
