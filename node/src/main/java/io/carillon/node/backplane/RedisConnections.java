package io.carillon.node.backplane;

import io.carillon.model.redis.Script;
import io.lettuce.core.ClientOptions;
import io.lettuce.core.ClientOptions.DisconnectedBehavior;
import io.lettuce.core.MaintNotificationsConfig;
import io.lettuce.core.RedisClient;
import io.lettuce.core.RedisURI;
import io.lettuce.core.SocketOptions;
import io.lettuce.core.SocketOptions.KeepAliveOptions;
import io.lettuce.core.SocketOptions.TcpUserTimeoutOptions;
import io.lettuce.core.TimeoutOptions;
import io.lettuce.core.api.async.RedisAsyncCommands;
import io.lettuce.core.codec.ByteArrayCodec;
import io.lettuce.core.metrics.CommandLatencyRecorder;
import io.lettuce.core.protocol.ProtocolVersion;
import io.lettuce.core.pubsub.StatefulRedisPubSubConnection;
import io.lettuce.core.resource.ClientResources;
import io.lettuce.core.resource.DefaultClientResources;
import io.lettuce.core.resource.EpollProvider;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.ScheduledThreadPoolExecutor;
import java.util.concurrent.TimeUnit;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The node's command connections to Redis: two for events, chosen by channel so that their order holds; one for reads
 * of histories; one for scripts and everything else. They are not pooled: a connection is shared by all threads and
 * pipelines what they ask. Each is made again by itself when it is lost, its scripts loaded before it is used. Safe from
 * any thread.
 *
 * <p>A Redis that belongs to a cluster of another contract or mode ({@code carillon:config}) is not used: the node stays
 * unconnected and says why.
 */
public final class RedisConnections implements ScriptRunner, AutoCloseable {
    private static final Logger log = LoggerFactory.getLogger(RedisConnections.class);

    /** What nodes that share a Redis must agree on: names, scripts' replies, messages. */
    private static final String CONTRACT = "1";

    private static final int EVENT_LINKS = 2;

    private final RedisSettings settings;
    private final Script.Mode mode = Script.Mode.PLAIN;
    private final ScheduledThreadPoolExecutor control;
    private final ClientResources resources;
    private final RedisClient client;
    private final CommandLink[] events = new CommandLink[EVENT_LINKS];
    private final CommandLink history;
    private final CommandLink general;
    private final List<Runnable> watchers = new CopyOnWriteArrayList<>();

    public RedisConnections(RedisSettings settings) {
        this.settings = settings;
        control = new ScheduledThreadPoolExecutor(
                1, Thread.ofPlatform().daemon().name("carillon-redis").factory());
        control.setRemoveOnCancelPolicy(true);
        var builder = DefaultClientResources.builder()
                .commandLatencyRecorder(CommandLatencyRecorder.disabled())
                .computationThreadPoolSize(2);
        resources = settings.loops() == null
                ? builder.ioThreadPoolSize(2).build()
                : builder.eventLoopGroupProvider(settings.loops()).build();
        client = RedisClient.create(resources);
        client.setOptions(options(settings));
        for (int i = 0; i < EVENT_LINKS; i++) events[i] = link("events-" + i, false);
        history = link("history", false);
        general = link("general", true);
    }

    /** Starts connecting; does not wait for it. */
    public void start() {
        for (CommandLink link : all()) link.start();
    }

    @Override
    public CompletionStage<List<Object>> run(Script script, String key, List<String> arguments) {
        byte[][] values = new byte[arguments.size()][];
        for (int i = 0; i < values.length; i++) values[i] = bytes(arguments.get(i));
        return general.script(script, reply -> reply, bytes(key), values);
    }

    @Override
    public CompletionStage<List<Object>> runBytes(Script script, String key, List<byte[]> arguments) {
        return general.script(script, reply -> reply, bytes(key), arguments.toArray(byte[][]::new));
    }

    /** Stops and closes everything. */
    @Override
    public void close() {
        for (CommandLink link : all()) {
            var unused = link.stop();
        }
        control.shutdownNow();
        var clients = client.shutdownAsync(0, 1, TimeUnit.SECONDS);
        var unused = clients.whenComplete((ok, failure) -> {
            var future = resources.shutdown(0, 1, TimeUnit.SECONDS);
        });
        try {
            clients.get(2, TimeUnit.SECONDS);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        } catch (java.util.concurrent.ExecutionException | java.util.concurrent.TimeoutException e) {
            log.debug("Lettuce did not shut down in time.", e);
        }
    }

    RedisSettings settings() {
        return settings;
    }

    ScheduledThreadPoolExecutor control() {
        return control;
    }

    /** The connection for what is published on a channel of this hash. */
    CommandLink events(int hash) {
        return events[Math.floorMod(hash ^ hash >>> 16, EVENT_LINKS)];
    }

    CommandLink history() {
        return history;
    }

    /** One more connection, for somebody who waits on it; to be started, and stopped, by whoever asked for it. */
    CommandLink own(String name) {
        return link(name, false);
    }

    CommandLink general() {
        return general;
    }

    List<CommandLink> all() {
        List<CommandLink> all = new ArrayList<>(List.of(events));
        all.add(history);
        all.add(general);
        return all;
    }

    boolean allOpen() {
        for (CommandLink link : events) {
            if (!link.open()) return false;
        }
        return history.open() && general.open();
    }

    /** Is told, on any thread, when a connection opened or was lost. */
    void watch(Runnable watcher) {
        watchers.add(watcher);
    }

    CompletionStage<StatefulRedisPubSubConnection<byte[], byte[]>> connectPubSub() {
        return client.connectPubSubAsync(ByteArrayCodec.INSTANCE, uri("pubsub"));
    }

    static byte[] bytes(String text) {
        return text.getBytes(StandardCharsets.UTF_8);
    }

    private CommandLink link(String name, boolean first) {
        return new CommandLink(
                name,
                control,
                settings,
                mode,
                link -> client.connectAsync(ByteArrayCodec.INSTANCE, uri(name)),
                redis -> first ? loadScripts(redis).thenCompose(ok -> agree(redis)) : loadScripts(redis),
                () -> watchers.forEach(Runnable::run));
    }

    private RedisURI uri(String name) {
        RedisURI uri = RedisURI.builder(settings.uri())
                .withTimeout(RedisSettings.TIMEOUT)
                .withClientName("carillon-" + settings.boot() + "-" + name)
                .build();
        return uri;
    }

    private static ClientOptions options(RedisSettings settings) {
        var keepAlive = KeepAliveOptions.builder()
                .enable()
                .idle(Duration.ofSeconds(5))
                .interval(Duration.ofSeconds(2))
                .count(3)
                .build();
        var userTimeout = TcpUserTimeoutOptions.builder()
                .enable(EpollProvider.isAvailable())
                .tcpUserTimeout(Duration.ofSeconds(8))
                .build();
        return ClientOptions.builder()
                .protocolVersion(ProtocolVersion.RESP3)
                .autoReconnect(false)
                .disconnectedBehavior(DisconnectedBehavior.REJECT_COMMANDS)
                .requestQueueSize(settings.requestQueue())
                .timeoutOptions(TimeoutOptions.enabled(RedisSettings.TIMEOUT))
                .maintNotificationsConfig(MaintNotificationsConfig.disabled())
                .socketOptions(SocketOptions.builder()
                        .connectTimeout(RedisSettings.TIMEOUT)
                        .tcpNoDelay(true)
                        .keepAlive(keepAlive)
                        .tcpUserTimeout(userTimeout)
                        .build())
                .build();
    }

    private CompletionStage<?> loadScripts(RedisAsyncCommands<byte[], byte[]> redis) {
        var loads = new ArrayList<CompletableFuture<?>>();
        for (Script script : Script.values()) {
            loads.add(redis.scriptLoad(script.source(mode)).toCompletableFuture());
        }
        return CompletableFuture.allOf(loads.toArray(CompletableFuture[]::new));
    }

    /**
     * Agrees with the cluster on what all nodes share, and tells services where the scripts are:
     * {@code HSETNX carillon:config mode|contract}, {@code HSET carillon:config <script> <sha1>}, {@code FUNCTION LOAD}.
     */
    private CompletionStage<?> agree(RedisAsyncCommands<byte[], byte[]> redis) {
        byte[] config = bytes(settings.keys().config());
        String ours = mode == Script.Mode.PLAIN ? "standalone" : "cluster";
        return redis.hsetnx(config, bytes("mode"), bytes(ours))
                .thenCompose(ok -> redis.hsetnx(config, bytes("contract"), bytes(CONTRACT)))
                .thenCompose(ok -> redis.hmget(config, bytes("mode"), bytes("contract")))
                .thenCompose(values -> {
                    String theirs = text(values.get(0).getValue());
                    String contract = text(values.get(1).getValue());
                    if (!theirs.equals(ours) || !contract.equals(CONTRACT)) {
                        throw new BackplaneException("this Redis belongs to a cluster of mode " + theirs + ", contract "
                                + contract + "; this node is of mode " + ours + ", contract " + CONTRACT);
                    }
                    Map<byte[], byte[]> digests = new java.util.LinkedHashMap<>();
                    for (Script script : Script.values()) {
                        digests.put(bytes(script.name().toLowerCase(java.util.Locale.ROOT)), bytes(script.sha1(mode)));
                    }
                    return redis.hset(config, digests);
                })
                .thenCompose(ok -> redis.functionLoad(Script.functions(mode), true))
                .handle((ok, failure) -> {
                    if (failure == null) return null;
                    BackplaneException e = BackplaneExceptions.of(failure);
                    // Servers before 7.0 have no functions; a principal may be without the right to load them.
                    if (!BackplaneExceptions.refusedWith(failure, "ERR unknown command")
                            && !BackplaneExceptions.refusedWith(failure, "NOPERM")) {
                        log.error("This Redis cannot be used. reason={}", e.getMessage());
                        throw e;
                    }
                    log.info("This Redis takes no functions; services publish through a stream or the script.");
                    return null;
                });
    }

    private static String text(byte[] value) {
        return new String(value, StandardCharsets.UTF_8);
    }
}
