package io.carillon.node.presence;

import io.carillon.model.channel.Namespace;
import io.carillon.model.redis.Keys;
import io.carillon.model.redis.Script;
import io.carillon.node.backplane.BackplaneException;
import io.carillon.node.backplane.ScriptRunner;
import io.carillon.node.presence.Presence.Online;
import io.carillon.node.testing.Poll;
import io.carillon.node.testing.RedisServer;
import io.lettuce.core.ClientOptions;
import io.lettuce.core.RedisClient;
import io.lettuce.core.RedisNoScriptException;
import io.lettuce.core.RedisURI;
import io.lettuce.core.ScriptOutputType;
import io.lettuce.core.api.StatefulRedisConnection;
import io.lettuce.core.codec.ByteArrayCodec;
import io.lettuce.core.pubsub.StatefulRedisPubSubConnection;
import io.lettuce.core.resource.ClientResources;
import io.lettuce.core.resource.Delay;
import io.micrometer.core.instrument.simple.SimpleMeterRegistry;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.ArrayDeque;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.atomic.AtomicInteger;

/** One node as far as presence goes: its two links to Redis, its topic, its presence. Can be killed and frozen. */
final class TestNode implements AutoCloseable {
    private static final AtomicInteger BOOTS = new AtomicInteger();
    private static final ClientResources RESOURCES = ClientResources.builder()
            .ioThreadPoolSize(2)
            .computationThreadPoolSize(2)
            .reconnectDelay(Delay.constant(Duration.ofMillis(50)))
            .build();

    final String boot;
    final Keys keys;
    final RedisPresence presence;
    final PresenceMetrics metrics = new PresenceMetrics(new SimpleMeterRegistry());
    final Scripts scripts;
    private final RedisClient client;
    private final StatefulRedisConnection<byte[], byte[]> commands;
    private final StatefulRedisPubSubConnection<byte[], byte[]> topic;

    TestNode(RedisServer redis, Keys keys, PresenceSettings settings) {
        this("%08x".formatted(BOOTS.incrementAndGet() * 0x9E3779B1), redis, keys, settings);
    }

    TestNode(String boot, RedisServer redis, Keys keys, PresenceSettings settings) {
        this.boot = boot;
        this.keys = keys;
        client = RedisClient.create(RESOURCES, RedisURI.create(redis.url()));
        client.setOptions(ClientOptions.builder()
                .disconnectedBehavior(ClientOptions.DisconnectedBehavior.REJECT_COMMANDS)
                .build());
        commands = client.connect(ByteArrayCodec.INSTANCE);
        topic = client.connectPubSub(ByteArrayCodec.INSTANCE);
        topic.sync().subscribe(keys.node(boot).getBytes(StandardCharsets.UTF_8));
        scripts = new Scripts(commands);
        presence = new RedisPresence(
                boot,
                keys,
                scripts,
                settings,
                () -> NodeDescription.of(boot, "127.0.0.1", 8080, "test", "up", 1, Map.of("events", 1.5)),
                metrics);
    }

    TestNode start() {
        presence.start();
        Poll.until("a lease", Duration.ofSeconds(10), presence::open);
        return this;
    }

    /** As the kernel does for a killed process: its sockets close, and nothing is said any more. */
    void kill() {
        presence.abandon();
        topic.close();
        commands.close();
    }

    /** Loses its subscription only, for good. */
    void deafen() {
        topic.close();
    }

    CompletionStage<Set<String>> open(Namespace namespace, String session, String user) {
        return open(namespace, session, user, null, Set.of());
    }

    CompletionStage<Set<String>> open(
            Namespace namespace, String session, String user, String kind, Set<String> groups) {
        return presence.opened(new Online(
                namespace, boot + '-' + session, user, kind, groups, "192.0.2.1", "push", 1_700_000_000_000L));
    }

    void close(String session) {
        presence.closed(boot + '-' + session);
    }

    @Override
    public void close() {
        presence.abandon();
        client.shutdown(Duration.ZERO, Duration.ZERO);
    }

    /** The script port over one Lettuce connection; frozen, it keeps what is said for later, as a stopped process does. */
    static final class Scripts implements ScriptRunner {
        private final StatefulRedisConnection<byte[], byte[]> connection;
        private final ArrayDeque<Runnable> kept = new ArrayDeque<>();
        private boolean frozen;
        private Script trap;

        Scripts(StatefulRedisConnection<byte[], byte[]> connection) {
            this.connection = connection;
        }

        /** Freezes just before the next call of this script. */
        synchronized void freezeBefore(Script script) {
            trap = script;
        }

        synchronized boolean frozen() {
            return frozen;
        }

        synchronized void freeze() {
            frozen = true;
        }

        synchronized void thaw() {
            frozen = false;
            while (!kept.isEmpty()) kept.poll().run();
        }

        @Override
        public synchronized CompletionStage<List<Object>> run(Script script, String key, List<String> arguments) {
            var result = new CompletableFuture<List<Object>>();
            if (script == trap) {
                trap = null;
                frozen = true;
            }
            if (frozen) kept.add(() -> send(script, key, arguments, result));
            else send(script, key, arguments, result);
            return result;
        }

        @Override
        public CompletionStage<Long> subscribers(String topic) {
            return connection
                    .async()
                    .pubsubNumsub(topic.getBytes(StandardCharsets.UTF_8))
                    .thenApply(counts ->
                            counts.values().stream().mapToLong(Long::longValue).sum());
        }

        private void send(Script script, String key, List<String> arguments, CompletableFuture<List<Object>> result) {
            byte[][] name = {key.getBytes(StandardCharsets.UTF_8)};
            byte[][] values = arguments.stream()
                    .map(text -> text.getBytes(StandardCharsets.UTF_8))
                    .toArray(byte[][]::new);
            var mode = Script.Mode.PLAIN;
            connection
                    .async()
                    .<List<Object>>evalsha(script.sha1(mode), ScriptOutputType.MULTI, name, values)
                    .whenComplete((reply, failure) -> {
                        if (failure instanceof RedisNoScriptException) {
                            connection
                                    .async()
                                    .<List<Object>>eval(script.source(mode), ScriptOutputType.MULTI, name, values)
                                    .whenComplete((second, again) -> finish(result, second, again));
                        } else {
                            finish(result, reply, failure);
                        }
                    });
        }

        private static void finish(CompletableFuture<List<Object>> result, List<Object> reply, Throwable failure) {
            if (failure == null) result.complete(reply);
            else result.completeExceptionally(new BackplaneException("the script failed", failure));
        }
    }
}
