package io.carillon.node.backplane;

import io.carillon.model.redis.Slots;
import io.lettuce.core.RedisURI;
import io.lettuce.core.api.StatefulRedisConnection;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.RejectedExecutionException;
import java.util.concurrent.ScheduledThreadPoolExecutor;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicReferenceArray;
import java.util.function.BiFunction;
import java.util.function.Function;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The shards of a Redis Cluster, kept as the cluster has them: looked up each 30 s, and at once when a redirection, the
 * end of a subscription or the loss of a link says that something changed; each second while something is amiss.
 *
 * <p>A view is taken from one node, not older by its {@code cluster_current_epoch} than the last. Lookups may come from
 * any thread; shards are made and retired on the control thread.
 */
final class ClusterShards {
    private static final Logger log = LoggerFactory.getLogger(RedisConnections.class);
    private static final long PERIOD_MILLIS = 30_000;
    private static final long AMISS_MILLIS = 1_000;
    private static final long SOON_MILLIS = 50;

    private final ScheduledThreadPoolExecutor control;
    private final List<RedisURI> seeds;
    private final Function<RedisURI, CompletionStage<StatefulRedisConnection<byte[], byte[]>>> connector;
    private final BiFunction<String, RedisURI, Shard> maker;
    private final Runnable onChange;
    private final AtomicReferenceArray<@Nullable Shard> owners = new AtomicReferenceArray<>(Slots.COUNT);
    private final AtomicBoolean soon = new AtomicBoolean();
    private volatile Map<String, Shard> shards = Map.of();
    private volatile SlotMap view = new SlotMap(new @Nullable String[Slots.COUNT], Map.of(), List.of());
    private volatile boolean stopped;

    // The control thread's own.
    private boolean started;
    private boolean looking;
    private boolean lookAgain;
    private boolean failed;
    private boolean later;
    private long epoch;

    private record Seen(SlotMap map, long epoch, boolean fine) {}

    ClusterShards(
            ScheduledThreadPoolExecutor control,
            List<RedisURI> seeds,
            Function<RedisURI, CompletionStage<StatefulRedisConnection<byte[], byte[]>>> connector,
            BiFunction<String, RedisURI, Shard> maker,
            Runnable onChange) {
        this.control = control;
        this.seeds = seeds;
        this.connector = connector;
        this.maker = maker;
        this.onChange = onChange;
    }

    void start() {
        control.execute(() -> {
            if (started) return;
            started = true;
            refresh();
            var unused =
                    control.scheduleWithFixedDelay(this::refresh, PERIOD_MILLIS, PERIOD_MILLIS, TimeUnit.MILLISECONDS);
        });
    }

    void stop() {
        stopped = true;
    }

    List<Shard> all() {
        return List.copyOf(shards.values());
    }

    @Nullable
    Shard owner(int slot) {
        return owners.get(slot);
    }

    /** The shard at an address as a redirection by another names it; null if there is none yet. */
    @Nullable
    Shard named(String address, Shard from) {
        RedisURI sender = view.primaries().get(from.name());
        return sender == null ? null : shards.get(SlotMap.name(SlotMap.address(address, sender)));
    }

    /** Where the key's primary is. */
    CompletionStage<RedisURI> addressOf(String key) {
        Shard owner = owner(Slots.of(key));
        return owner == null ? CompletableFuture.failedFuture(BackplaneExceptions.down()) : addressOf(owner);
    }

    CompletionStage<RedisURI> addressOf(Shard shard) {
        RedisURI uri = view.primaries().get(shard.name());
        return uri == null
                ? CompletableFuture.failedFuture(new BackplaneException("it is no primary any more"))
                : CompletableFuture.completedFuture(uri);
    }

    /** A redirection said so; the next look confirms it. */
    void moved(int slot, Shard to) {
        owners.set(slot, to);
    }

    void linkChanged() {
        for (Shard shard : shards.values()) {
            if (!shard.open()) {
                refreshSoon();
                return;
            }
        }
    }

    void refreshSoon() {
        if (stopped || !soon.compareAndSet(false, true)) return;
        schedule(SOON_MILLIS, () -> soon.set(false));
    }

    private void schedule(long millis, Runnable first) {
        try {
            var unused = control.schedule(
                    () -> {
                        first.run();
                        refresh();
                    },
                    millis,
                    TimeUnit.MILLISECONDS);
        } catch (RejectedExecutionException closed) {
            log.debug("Not looking at the topology: the connections are closed.");
        }
    }

    private void refresh() {
        if (stopped) return;
        if (looking) {
            lookAgain = true;
            return;
        }
        looking = true;
        ask(candidates(), null);
    }

    /** Primaries with a working link first, each time in another order, then everybody else who was ever named. */
    private ArrayDeque<RedisURI> candidates() {
        var good = new ArrayList<RedisURI>();
        var rest = new ArrayList<RedisURI>();
        view.primaries().forEach((name, uri) -> {
            Shard shard = shards.get(name);
            if (shard != null && shard.general().open()) good.add(uri);
            else rest.add(uri);
        });
        Collections.shuffle(good);
        var all = new ArrayDeque<>(good);
        all.addAll(view.others());
        all.addAll(seeds);
        all.addAll(rest);
        return all;
    }

    private void ask(ArrayDeque<RedisURI> waiting, @Nullable Throwable last) {
        RedisURI uri = waiting.poll();
        if (uri == null) {
            looking = false;
            if (!failed && last != null) {
                log.warn("No node of Redis Cluster can be asked; trying on. reason={}", BackplaneExceptions.text(last));
            }
            failed = true;
            again(AMISS_MILLIS);
            return;
        }
        CompletionStage<Seen> asked;
        try {
            asked = connector.apply(uri).thenCompose(connection -> look(connection, uri));
        } catch (RuntimeException e) {
            asked = CompletableFuture.failedFuture(e);
        }
        var unused = asked.whenComplete((seen, failure) -> execute(() -> {
            if (failure != null) ask(waiting, failure);
            else if (seen.epoch < epoch || !seen.fine && !waiting.isEmpty()) ask(waiting, last);
            else apply(seen);
        }));
    }

    private static CompletionStage<Seen> look(StatefulRedisConnection<byte[], byte[]> connection, RedisURI uri) {
        var redis = connection.async();
        var slots = redis.clusterSlots().toCompletableFuture();
        return redis.clusterInfo()
                .thenCombine(slots, (info, reply) -> {
                    int at = info.indexOf("cluster_current_epoch:") + 22;
                    long epoch = Long.parseLong(info.substring(at, info.indexOf('\r', at)));
                    return new Seen(SlotMap.of(reply, uri), epoch, info.contains("cluster_state:ok"));
                })
                .whenComplete((seen, failure) -> {
                    var unused = connection.closeAsync();
                });
    }

    private void apply(Seen seen) {
        looking = false;
        failed = false;
        if (stopped) return;
        epoch = seen.epoch;
        view = seen.map;
        var next = new LinkedHashMap<String, Shard>();
        var made = new ArrayList<Shard>();
        seen.map.primaries().forEach((name, uri) -> {
            Shard known = shards.get(name);
            Shard shard = known == null ? maker.apply(name, uri) : known;
            if (known == null) made.add(shard);
            next.put(name, shard);
        });
        var gone = new ArrayList<>(shards.values());
        gone.removeAll(next.values());
        boolean changed = !gone.isEmpty() || !made.isEmpty();
        shards = next;
        boolean whole = true;
        for (int slot = 0; slot < Slots.COUNT; slot++) {
            String name = seen.map.owners()[slot];
            Shard owner = name == null ? null : next.get(name);
            if (owners.getAndSet(slot, owner) != owner) changed = true;
            whole &= owner != null;
        }
        for (Shard shard : gone) shard.stop();
        for (Shard shard : made) shard.start();
        if (!gone.isEmpty() || !made.isEmpty()) log.info("The primaries of Redis Cluster are {}.", next.keySet());
        // Every look, not only one that changed something: what waited for it goes on.
        onChange.run();
        boolean amiss = !whole || !seen.fine || changed;
        for (Shard shard : next.values()) amiss |= !shard.open();
        if (lookAgain) {
            lookAgain = false;
            refreshSoon();
        } else if (amiss) {
            again(AMISS_MILLIS);
        }
    }

    private void again(long millis) {
        if (stopped || later) return;
        later = true;
        schedule(millis, () -> later = false);
    }

    private void execute(Runnable task) {
        try {
            control.execute(task);
        } catch (RejectedExecutionException closed) {
            log.debug("Not looking at the topology: the connections are closed.");
        }
    }
}
