package io.carillon.node.backplane;

import io.carillon.model.redis.Keys;
import io.carillon.model.redis.Script;
import io.carillon.model.redis.Slots;
import io.carillon.node.backplane.CommandLink.Call;
import io.carillon.node.backplane.CommandLink.Transmission;
import io.carillon.node.backplane.Shard.Work;
import io.lettuce.core.ClientOptions;
import io.lettuce.core.ClientOptions.DisconnectedBehavior;
import io.lettuce.core.MaintNotificationsConfig;
import io.lettuce.core.RedisClient;
import io.lettuce.core.RedisFuture;
import io.lettuce.core.RedisURI;
import io.lettuce.core.ScriptOutputType;
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
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.RejectedExecutionException;
import java.util.concurrent.ScheduledThreadPoolExecutor;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.function.Function;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The node's connections to Redis, wherever it is. They are not pooled: a connection is shared by all threads and
 * pipelines what they ask. Each is made again by itself when it is lost, its scripts loaded before it is used. What is
 * asked for a key goes to the primary that holds it, and fails at once while there is no connection to that one. Safe
 * from any thread.
 *
 * <p>In Redis Cluster a call whose slot is moving follows it ({@code MOVED}, {@code ASK}, {@code TRYAGAIN}) for as long as
 * a call may take; calls under way at that moment may overtake each other.
 *
 * <p>A Redis that belongs to a cluster of another contract, mode or settings ({@code carillon:config}) is not used: the
 * node stays unconnected and says why; see {@link #awaitAgreement}.
 */
public final class RedisConnections implements ScriptRunner, AutoCloseable {
    private static final Logger log = LoggerFactory.getLogger(RedisConnections.class);

    /** What nodes that share a Redis must agree on: names, scripts' replies, messages. */
    private static final String CONTRACT = "1";

    /** How often links are compared with what the Sentinels say. */
    private static final Duration VERIFY = Duration.ofSeconds(5);

    /** How often a Redis is asked whether it still has the functions. */
    private static final Duration FUNCTIONS = Duration.ofSeconds(5);

    private static final String LIBRARY = "carillon";

    private static final long AGAIN_MILLIS = 20;

    private final RedisSettings settings;
    private final Deployment deployment;
    private final Script.Mode mode;
    private final ScheduledThreadPoolExecutor control;
    private final ClientResources resources;
    private final RedisClient client;
    private final Supplier<CompletionStage<RedisURI>> primary;
    private final ClusterShards cluster;
    private final List<Shard> alone;
    private final List<Runnable> watchers = new CopyOnWriteArrayList<>();
    private final AtomicBoolean started = new AtomicBoolean();
    private final AtomicInteger waiting = new AtomicInteger();
    private final CompletableFuture<Boolean> agreement = new CompletableFuture<>();
    private volatile boolean agreed;
    private volatile boolean takesFunctions;
    private volatile String lastDisagreement = "";

    public RedisConnections(RedisSettings settings) {
        this.settings = settings;
        deployment = settings.deployment();
        mode = deployment.mode();
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
        List<RedisURI> seeds = List.of();
        switch (deployment) {
            case Deployment.Standalone one -> primary = () -> CompletableFuture.completedFuture(one.uri());
            case Deployment.Sentinel named -> primary = new Sentinels(client, named)::primary;
            case Deployment.Cluster many -> {
                primary = () -> CompletableFuture.failedFuture(BackplaneExceptions.down());
                seeds = many.seeds();
            }
        }
        alone = seeds.isEmpty() ? List.of(new Shard("", (shard, name) -> link(shard, name, primary))) : List.of();
        cluster = new ClusterShards(
                control,
                seeds,
                uri -> client.connectAsync(ByteArrayCodec.INSTANCE, named(uri, "topology")),
                (name, uri) -> new Shard(
                        name, (shard, link) -> link(shard, link, () -> CompletableFuture.completedFuture(uri))),
                this::changed);
    }

    /** Starts connecting; does not wait for it. Again, it does nothing. */
    public void start() {
        if (!started.compareAndSet(false, true)) return;
        for (Shard shard : alone) shard.start();
        if (alone.isEmpty()) cluster.start();
        var functions = control.scheduleWithFixedDelay(
                this::keepFunctions, FUNCTIONS.toMillis(), FUNCTIONS.toMillis(), TimeUnit.MILLISECONDS);
        if (deployment instanceof Deployment.Sentinel) {
            var unused = control.scheduleWithFixedDelay(
                    this::verify, VERIFY.toMillis(), VERIFY.toMillis(), TimeUnit.MILLISECONDS);
        }
    }

    /**
     * Waits until this node and Redis have agreed on what all nodes of a cluster share, or the time is over, which is no
     * failure: Redis may be away when a node starts.
     *
     * @throws Disagreement if they differ, or the server lacks what Carillon needs
     */
    public void awaitAgreement(Duration longest) {
        try {
            agreement.get(longest.toMillis(), TimeUnit.MILLISECONDS);
        } catch (TimeoutException e) {
            log.warn("Redis has not answered yet; this node starts all the same and takes sessions when it does.");
        } catch (ExecutionException e) {
            if (e.getCause() instanceof Disagreement found) throw found;
            throw new IllegalStateException(e.getCause());
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
    }

    @Override
    public CompletionStage<List<Object>> run(Script script, String key, List<String> arguments) {
        byte[][] values = new byte[arguments.size()][];
        for (int i = 0; i < values.length; i++) values[i] = bytes(arguments.get(i));
        byte[][] keys = {bytes(key)};
        return script(Work.GENERAL, key, script, reply -> reply, script == Script.KEY, keys, values);
    }

    @Override
    public CompletionStage<Long> subscribers(String topic) {
        byte[] name = bytes(topic);
        return command(
                        Work.GENERAL,
                        topic,
                        redis -> deployment instanceof Deployment.Cluster
                                ? redis.pubsubShardNumsub(name)
                                : redis.pubsubNumsub(name))
                .thenApply(counts ->
                        counts.values().stream().mapToLong(Long::longValue).sum());
    }

    @Override
    public CompletionStage<List<Object>> runBytes(Script script, String key, List<byte[]> arguments) {
        byte[][] keys = {bytes(key)};
        byte[][] values = arguments.toArray(byte[][]::new);
        return script(Work.GENERAL, key, script, reply -> reply, script == Script.KEY, keys, values);
    }

    @Override
    public CompletionStage<List<Object>> runOn(Script script, List<String> keys, List<byte[]> arguments) {
        byte[][] names = keys.stream().map(RedisConnections::bytes).toArray(byte[][]::new);
        byte[][] values = arguments.toArray(byte[][]::new);
        return script(Work.EVENTS, keys.getFirst(), script, reply -> reply, true, names, values);
    }

    /** Stops and closes everything. */
    @Override
    public void close() {
        cluster.stop();
        for (Shard shard : shards()) shard.stop();
        control.shutdownNow();
        var clients = client.shutdownAsync(0, 1, TimeUnit.SECONDS);
        var unused = clients.whenComplete((ok, failure) -> {
            var future = resources.shutdown(0, 1, TimeUnit.SECONDS);
        });
        try {
            clients.get(2, TimeUnit.SECONDS);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        } catch (ExecutionException | TimeoutException e) {
            log.debug("Lettuce did not shut down in time.", e);
        }
    }

    RedisSettings settings() {
        return settings;
    }

    Script.Mode mode() {
        return mode;
    }

    ScheduledThreadPoolExecutor control() {
        return control;
    }

    // ---- what is asked of Redis

    /** Runs a command on the primary that holds the key, in the order of calls for this work and key. */
    <T> CompletableFuture<T> command(
            Work work, String key, Function<RedisAsyncCommands<byte[], byte[]>, RedisFuture<T>> command) {
        return submit(work, key, (redis, whole) -> command.apply(redis), Function.identity(), true);
    }

    /**
     * Runs a script there.
     *
     * @param declared whether the keys are all that it touches
     */
    <T> CompletableFuture<T> script(
            Work work,
            String key,
            Script script,
            Function<List<Object>, T> reply,
            boolean declared,
            byte[][] keys,
            byte[]... arguments) {
        return submit(work, key, transmission(script, keys, arguments), reply, declared);
    }

    private Transmission<List<Object>> transmission(Script script, byte[][] keys, byte[]... arguments) {
        return (redis, whole) -> whole
                ? redis.eval(script.source(mode), ScriptOutputType.MULTI, keys, arguments)
                : redis.evalsha(script.sha1(mode), ScriptOutputType.MULTI, keys, arguments);
    }

    /** Runs a script on a connection of the caller's own. */
    CompletableFuture<List<Object>> script(CommandLink own, Script script, String key, byte[]... arguments) {
        byte[][] keys = {bytes(key)};
        return own.submit(
                new Call<>(Work.GENERAL, transmission(script, keys, arguments), Function.identity(), key, true));
    }

    /**
     * One more connection, to the primary that holds the key, for somebody who waits on it or reads much; to be started,
     * and stopped, by whoever asked for it. It is made again by itself, and follows the key; a call that finds the key
     * gone elsewhere fails.
     *
     * @param name what {@code CLIENT LIST} shows, after the node's boot id
     */
    CommandLink own(String name, String key) {
        return new CommandLink(
                name,
                control,
                settings,
                alone.isEmpty() ? () -> cluster.addressOf(key) : primary,
                uri -> client.connectAsync(ByteArrayCodec.INSTANCE, named(uri, name)),
                redis -> checkRole(redis).thenCompose(ok -> loadScripts(redis)),
                (call, refusal, from) -> {
                    refreshSoon();
                    from.drop("its key has moved");
                    return false;
                },
                () -> {});
    }

    private <A, T> CompletableFuture<T> submit(
            Work work, String key, Transmission<A> transmission, Function<A, T> reply, boolean declared) {
        Shard shard = shardOf(key);
        if (shard == null) return CompletableFuture.failedFuture(BackplaneExceptions.down());
        return shard.link(work, key).submit(new Call<>(work, transmission, reply, key, declared));
    }

    private void resubmit(Call<?, ?> call, Work work, String key) {
        Shard shard = shardOf(key);
        if (shard == null) call.fail(BackplaneExceptions.down());
        else submitTo(shard.link(work, key), call);
    }

    private static <T> void submitTo(CommandLink link, Call<?, T> call) {
        var unused = link.submit(call);
    }

    /** Redis did not do what was asked and says where to ask, or to ask again. */
    private boolean redirected(Call<?, ?> call, String refusal, Shard from) {
        Work work = call.work;
        String key = call.key;
        if (work == null || key == null || !alone.isEmpty()) return false;
        cluster.refreshSoon();
        if (refusal.startsWith("CLUSTERDOWN")) return false;
        if (System.nanoTime() - call.born > RedisSettings.TIMEOUT.toNanos()) return false;
        String[] words = refusal.split(" ");
        boolean names = words.length >= 3 && (words[0].equals("MOVED") || words[0].equals("ASK"));
        Shard to = names ? cluster.named(words[2], from) : null;
        if (to != null && words[0].equals("MOVED")) {
            cluster.moved(Integer.parseInt(words[1]), to);
            submitTo(to.link(work, key), call);
            return true;
        }
        if (to != null && words[0].equals("ASK") && call.declared) {
            call.asking = true;
            submitTo(to.link(work, key), call);
            return true;
        }
        if (waiting.incrementAndGet() > settings.requestQueue()) {
            waiting.decrementAndGet();
            return false;
        }
        try {
            var unused = control.schedule(
                    () -> {
                        waiting.decrementAndGet();
                        resubmit(call, work, key);
                    },
                    AGAIN_MILLIS,
                    TimeUnit.MILLISECONDS);
            return true;
        } catch (RejectedExecutionException closed) {
            return false;
        }
    }

    // ---- shards

    /** Every primary there is a link to; one outside Cluster. */
    List<Shard> shards() {
        return alone.isEmpty() ? cluster.all() : alone;
    }

    /** The shard that holds a key or topic; null while nobody is known to. */
    @Nullable
    Shard shardOf(String key) {
        return alone.isEmpty() ? cluster.owner(Slots.of(key)) : alone.getFirst();
    }

    /** The same. */
    @Nullable
    Shard shardOf(byte[] key) {
        return alone.isEmpty() ? cluster.owner(Slots.of(key)) : alone.getFirst();
    }

    /** Looks at the topology soon; a redirection or an unasked-for end of a subscription tells that it changed. */
    void refreshSoon() {
        if (alone.isEmpty()) cluster.refreshSoon();
    }

    /** Redis said that a slot is elsewhere. */
    void moved(String refusal, Shard from) {
        String[] words = refusal.split(" ");
        Shard to = words.length < 3 || !words[0].equals("MOVED") ? null : cluster.named(words[2], from);
        if (to != null) cluster.moved(Integer.parseInt(words[1]), to);
        refreshSoon();
    }

    /** Whether commands are taken everywhere. */
    boolean allOpen() {
        List<Shard> shards = shards();
        for (Shard shard : shards) {
            if (!shard.open()) return false;
        }
        return agreed && !shards.isEmpty();
    }

    /** Whether this node may use this Redis. */
    boolean agreed() {
        return agreed;
    }

    /** Is told, on any thread, when a connection opened or was lost, or the shards changed. */
    void watch(Runnable watcher) {
        watchers.add(watcher);
    }

    private void changed() {
        watchers.forEach(Runnable::run);
    }

    /** Where a shard's subscribing connection goes. */
    Supplier<CompletionStage<RedisURI>> whereOf(Shard shard) {
        return alone.isEmpty() ? () -> cluster.addressOf(shard) : primary;
    }

    CompletionStage<StatefulRedisPubSubConnection<byte[], byte[]>> connectPubSub(RedisURI uri) {
        return client.connectPubSubAsync(ByteArrayCodec.INSTANCE, named(uri, "pubsub"));
    }

    /** Fails for a server that is no primary, where Sentinels may have said that it is. */
    CompletionStage<?> checkRole(RedisAsyncCommands<byte[], byte[]> redis) {
        if (!(deployment instanceof Deployment.Sentinel)) return CompletableFuture.completedFuture(null);
        return redis.role().thenApply(role -> {
            String word = text((byte[]) role.getFirst());
            if (!word.equals("master")) throw new BackplaneException("it is a " + word + ", not the primary");
            return word;
        });
    }

    static byte[] bytes(String text) {
        return text.getBytes(StandardCharsets.UTF_8);
    }

    private CommandLink link(Shard shard, String name, Supplier<CompletionStage<RedisURI>> where) {
        String full = shard.name().isEmpty() ? name : name + "@" + shard.name();
        boolean first = name.equals("general");
        return new CommandLink(
                full,
                control,
                settings,
                where,
                uri -> client.connectAsync(ByteArrayCodec.INSTANCE, named(uri, name)),
                redis -> checkRole(redis)
                        .thenCompose(ok -> loadScripts(redis))
                        .thenCompose(ok -> first ? agree(redis, shard) : CompletableFuture.completedFuture(null)),
                (call, refusal, from) -> redirected(call, refusal, shard),
                () -> {
                    if (alone.isEmpty()) cluster.linkChanged();
                    changed();
                });
    }

    /**
     * Brings the functions back where they are gone ({@code FUNCTION FLUSH}): a node never calls them, so no failing
     * call of its own would tell it.
     */
    private void keepFunctions() {
        if (!agreed || !takesFunctions) return;
        for (Shard shard : shards()) {
            CommandLink link = shard.general();
            if (!link.open()) continue;
            var unused = link.command(redis -> redis.functionList(LIBRARY)).whenComplete((found, failure) -> {
                if (failure != null || !found.isEmpty()) return;
                log.warn("This Redis has lost the functions for services; they are loaded again.");
                var load = link.command(redis -> redis.functionLoad(Script.functions(mode), true));
            });
        }
    }

    /** Leaves what the Sentinels no longer call the primary: a frozen one that came back, one that was demoted. */
    private void verify() {
        var unused = primary.get().whenComplete((uri, failure) -> {
            if (failure != null) {
                log.debug("No Sentinel answers. reason={}", BackplaneExceptions.text(failure));
                return;
            }
            Shard shard = alone.getFirst();
            shard.links().forEach(link -> link.verify(uri));
            CommandLink asked = shard.general();
            if (!asked.open()) return;
            var role = asked.command(redis -> redis.role()).whenComplete((answer, refused) -> {
                if (refused != null || text((byte[]) answer.getFirst()).equals("master")) return;
                for (CommandLink link : shard.commands()) link.drop("its server is no longer the primary");
            });
        });
    }

    private RedisURI named(RedisURI uri, String name) {
        return RedisURI.builder(uri)
                .withTimeout(RedisSettings.TIMEOUT)
                .withClientName("carillon-" + settings.boot() + "-" + name)
                .build();
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
        var options = ClientOptions.builder()
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
                        .build());
        if (settings.ssl() != null) options.sslOptions(settings.ssl());
        return options.build();
    }

    private CompletionStage<?> loadScripts(RedisAsyncCommands<byte[], byte[]> redis) {
        var loads = new ArrayList<CompletableFuture<?>>();
        for (Script script : Script.values()) {
            loads.add(redis.scriptLoad(script.source(mode)).toCompletableFuture());
        }
        return CompletableFuture.allOf(loads.toArray(CompletableFuture[]::new));
    }

    // ---- agreement

    /**
     * Agrees with the cluster on what all nodes share, and tells services where the scripts are:
     * {@code HSETNX carillon:config mode|contract|partitions}, {@code HSET carillon:config <script> <sha1>} on the
     * primary that holds it; {@code FUNCTION LOAD} on each.
     */
    private CompletionStage<?> agree(RedisAsyncCommands<byte[], byte[]> redis, Shard shard) {
        Keys keys = settings.keys();
        boolean here = shardOf(keys.config()) == shard;
        return checkServer(redis)
                .thenCompose(ok -> here ? agreeOnConfig(redis) : CompletableFuture.completedFuture(null))
                .thenCompose(ok -> redis.functionLoad(Script.functions(mode), true))
                .handle((ok, failure) -> {
                    if (failure != null
                            // Servers before 7.0 have no functions; a principal may be without the right to load them.
                            && !BackplaneExceptions.refusedWith(failure, "ERR unknown command")
                            && !BackplaneExceptions.refusedWith(failure, "NOPERM")) {
                        if (BackplaneExceptions.unwrap(failure) instanceof Disagreement found) throw refused(found);
                        throw BackplaneExceptions.of(failure);
                    }
                    takesFunctions = failure == null;
                    if (failure != null) {
                        log.info("This Redis takes no functions; services publish through a stream or the script.");
                    }
                    if (here) {
                        agreed = true;
                        lastDisagreement = "";
                        agreement.complete(true);
                        changed();
                    }
                    return null;
                });
    }

    private Disagreement refused(Disagreement found) {
        String sentence = String.valueOf(found.getMessage());
        if (!sentence.equals(lastDisagreement)) log.error("This Redis cannot be used. reason={}", sentence);
        lastDisagreement = sentence;
        agreement.completeExceptionally(found);
        return found;
    }

    private CompletionStage<?> checkServer(RedisAsyncCommands<byte[], byte[]> redis) {
        return redis.info().thenApply(info -> {
            boolean clustered = info.contains("cluster_enabled:1");
            if (mode == Script.Mode.SHARDED) {
                int at = info.indexOf("redis_version:") + 14;
                String version = info.substring(at, info.indexOf('\r', at));
                if (Integer.parseInt(version.substring(0, version.indexOf('.'))) < 7) {
                    throw new Disagreement("Redis Cluster needs Redis 7.0 or later (or Valkey), which have sharded"
                            + " pub/sub; the nodes of spring.data.redis.cluster.nodes are of version " + version);
                }
            } else if (clustered) {
                throw new Disagreement("this Redis is a node of a Redis Cluster: set spring.data.redis.cluster.nodes in"
                        + " place of one address");
            }
            return null;
        });
    }

    private CompletionStage<?> agreeOnConfig(RedisAsyncCommands<byte[], byte[]> redis) {
        byte[] config = bytes(settings.keys().config());
        Map<String, String> ours = new LinkedHashMap<>();
        ours.put("contract", CONTRACT);
        ours.put("mode", mode == Script.Mode.PLAIN ? "standalone" : "cluster");
        ours.put("partitions", Integer.toString(settings.keys().parts()));
        var names = ours.keySet().stream().map(RedisConnections::bytes).toArray(byte[][]::new);
        var settled = new ArrayList<CompletableFuture<?>>();
        ours.forEach((field, value) ->
                settled.add(redis.hsetnx(config, bytes(field), bytes(value)).toCompletableFuture()));
        return CompletableFuture.allOf(settled.toArray(CompletableFuture[]::new))
                .thenCompose(ok -> redis.hmget(config, names))
                .thenCompose(values -> {
                    int at = 0;
                    for (var one : ours.entrySet()) {
                        String theirs = text(values.get(at++).getValue());
                        if (!theirs.equals(one.getValue())) {
                            throw new Disagreement(sentence(one.getKey(), one.getValue(), theirs));
                        }
                    }
                    Map<byte[], byte[]> digests = new LinkedHashMap<>();
                    for (Script script : Script.values()) {
                        digests.put(bytes(script.name().toLowerCase(java.util.Locale.ROOT)), bytes(script.sha1(mode)));
                    }
                    return redis.hset(config, digests);
                });
    }

    private String sentence(String field, String ours, String theirs) {
        String what = switch (field) {
            case "mode" -> "how Redis is run (spring.data.redis.url, .sentinel or .cluster)";
            case "partitions" -> "carillon.presence.partitions";
            default -> "the version of the contract";
        };
        return what + " is " + ours + " for this node and " + theirs + " for the cluster, as "
                + settings.keys().config() + " in Redis says; set it to " + theirs
                + ", give this node a carillon.redis.prefix of its own, or delete the key when no node runs";
    }

    private static String text(byte[] value) {
        return new String(value, StandardCharsets.UTF_8);
    }
}
