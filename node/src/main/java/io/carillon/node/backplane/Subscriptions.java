package io.carillon.node.backplane;

import static io.carillon.node.backplane.RedisConnections.bytes;

import io.carillon.model.channel.ChannelName;
import io.carillon.model.redis.Keys;
import io.carillon.model.redis.Script;
import io.carillon.model.redis.Slots;
import io.lettuce.core.RedisFuture;
import io.lettuce.core.RedisURI;
import io.lettuce.core.pubsub.RedisPubSubAdapter;
import io.lettuce.core.pubsub.StatefulRedisPubSubConnection;
import io.lettuce.core.pubsub.api.async.RedisPubSubAsyncCommands;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Queue;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.RejectedExecutionException;
import java.util.concurrent.ScheduledThreadPoolExecutor;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import java.util.concurrent.atomic.AtomicBoolean;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Who is subscribed where: what this node wants to hear, and on which connection it hears it.
 *
 * <pre>
 * outside Cluster   SUBSCRIBE carillon:&lt;ns&gt;:user:{id} … in chunks of 512, on one connection
 * in Cluster        SSUBSCRIBE, the topics of one slot at a time, on a connection to each primary
 * </pre>
 *
 * <p>A connection counts once a probe, published each second through a command link on a topic of its primary, has come
 * back: TCP alive is not delivery. When none came for three seconds, the connection is closed and made anew. Channels
 * are subscribed only after that.
 *
 * <p>In Cluster, a topic whose slot moved away is told so by its old primary ({@code sunsubscribe} that nobody asked
 * for), or by the new view of the topology; it counts as lost and is subscribed where the slot is now.
 *
 * <p>Threads: calls are safe from any thread. The listener is called on the event loops of the subscribing connections,
 * for one channel strictly one after the other; in Cluster {@link BackplaneListener#linked} comes on the control thread,
 * which also connects, sends subscriptions and probes.
 */
final class Subscriptions {
    private static final Logger log = LoggerFactory.getLogger(RedisBackplane.class);

    /** Names in one SUBSCRIBE: Redis serves other clients between two of them. */
    private static final int CHUNK = 512;

    /** Chunks sent in one go, before a pause of a millisecond. */
    private static final int CHUNKS = 8;

    private static final long SILENCE_NANOS = TimeUnit.SECONDS.toNanos(3);
    private static final byte[] PROBE = bytes("probe");

    private final RedisConnections connections;
    private final Keys keys;
    private final boolean sharded;
    private final ScheduledThreadPoolExecutor control;
    private final byte[] ownTopic;

    // The registry. A subscription's fields change only inside the map's compute methods, which exclude each other per
    // topic; the volatile ones may be read anywhere.
    private final ConcurrentHashMap<Topic, Subscription> subscriptions = new ConcurrentHashMap<>();
    private final Queue<Topic> changes = new ConcurrentLinkedQueue<>();
    private final AtomicBoolean flushing = new AtomicBoolean();

    private volatile @Nullable BackplaneListener listener;
    private volatile boolean stopped;
    private volatile boolean up;

    // Changed by the control thread only.
    private final Map<Shard, SubscriberLink> links = new ConcurrentHashMap<>();

    Subscriptions(RedisConnections connections) {
        this.connections = connections;
        this.keys = connections.settings().keys();
        this.control = connections.control();
        this.sharded = connections.mode() == Script.Mode.SHARDED;
        this.ownTopic = bytes(keys.node(connections.settings().boot()));
        // In Cluster the node's own topic is one among others; outside, the probes go over it.
        if (sharded) want(new Topic(ownTopic), null);
    }

    void start(BackplaneListener to) {
        listener = to;
        connections.watch(() -> execute(this::align));
        connections.start();
        execute(this::align);
        var unused = control.scheduleWithFixedDelay(this::probe, 1, 1, TimeUnit.SECONDS);
    }

    void stop() {
        stopped = true;
        var closing = new ArrayList<CompletableFuture<?>>();
        for (SubscriberLink link : links.values()) closing.add(link.stop().toCompletableFuture());
        try {
            CompletableFuture.allOf(closing.toArray(CompletableFuture[]::new)).get(2, TimeUnit.SECONDS);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        } catch (ExecutionException | TimeoutException e) {
            log.debug("The subscribing connections did not close in time.", e);
        }
        up = false;
    }

    void subscribe(ChannelName channel) {
        want(new Topic(bytes(keys.channel(channel))), channel);
        flushSoon();
    }

    private void want(Topic topic, @Nullable ChannelName channel) {
        subscriptions.compute(topic, (key, known) -> {
            if (known == null) {
                var made = new Subscription(channel);
                made.wanted = true;
                made.changed = true;
                changes.add(key);
                return made;
            }
            if (!known.wanted) {
                known.wanted = true;
                known.changed = true;
                changes.add(key);
            }
            return known;
        });
    }

    void unsubscribe(ChannelName channel) {
        var topic = new Topic(bytes(keys.channel(channel)));
        subscriptions.computeIfPresent(topic, (key, known) -> {
            if (known.wanted) {
                known.wanted = false;
                known.changed = true;
                changes.add(key);
            }
            return known;
        });
        flushSoon();
    }

    /** Whether enough of the connections deliver: the one there is, or in Cluster those of most primaries. */
    boolean connected() {
        return up;
    }

    // ---- links, on the control thread

    /** Makes the subscribing links those of the shards there are, and starts what can be started. */
    private void align() {
        if (stopped) return;
        List<Shard> shards = connections.shards();
        links.entrySet().removeIf(one -> {
            if (shards.contains(one.getKey())) return false;
            var unused = one.getValue().stop();
            return true;
        });
        for (Shard shard : shards) {
            SubscriberLink link = links.get(shard);
            if (link == null) {
                link = new SubscriberLink(shard);
                links.put(shard, link);
                shard.add(link);
                link.start();
            }
            link.introduce();
        }
        if (!sharded) return;
        for (var one : subscriptions.entrySet()) {
            Subscriber on = one.getValue().on;
            if (on == null || connections.shardOf(one.getKey().bytes) != on.shard) changes.add(one.getKey());
        }
        if (!changes.isEmpty()) flushSoon();
        count();
    }

    /** In Cluster: tells whether the connections to most primaries deliver. */
    private void count() {
        int delivering = 0;
        for (SubscriberLink link : links.values()) {
            Subscriber on = link.subscriber;
            if (on != null && on.up) delivering++;
        }
        boolean now = delivering * 2 > links.size();
        if (now == up || stopped) return;
        up = now;
        BackplaneListener to = listener;
        if (to != null) to.linked(now);
    }

    // ---- subscriptions, on the control thread

    private void flushSoon() {
        if (flushing.compareAndSet(false, true)) schedule(this::flush, 1);
    }

    private void flush() {
        flushing.set(false);
        var wanted = new HashMap<Subscriber, List<byte[]>>();
        var unwanted = new HashMap<Subscriber, List<byte[]>>();
        // Each topic once: all UNSUBSCRIBEs leave before all SUBSCRIBEs, so two for one topic might swap.
        var taken = new HashSet<Topic>();
        var again = new ArrayList<Topic>();
        for (int i = 0; i < CHUNK * CHUNKS; i++) {
            Topic topic = changes.poll();
            if (topic == null) break;
            Subscriber to = readyFor(topic);
            subscriptions.computeIfPresent(topic, (key, known) -> {
                if (sharded && known.on != null && known.on != to) leave(known);
                if (to == null) return known.wanted ? known : null;
                if (known.on == to && !known.changed) return known; // queued twice
                if (!taken.add(key)) {
                    again.add(key);
                    return known;
                }
                known.changed = false;
                if (known.wanted) {
                    if (known.on != to) {
                        known.on = to;
                        known.unacknowledged = 0;
                    }
                    known.unacknowledged++;
                    known.sent = true;
                    wanted.computeIfAbsent(to, t -> new ArrayList<>()).add(key.bytes);
                    return known;
                }
                known.flowing = false;
                if (known.on != to) return null;
                if (!known.sent) return known.unacknowledged == 0 ? null : known;
                known.unacknowledged++;
                known.sent = false;
                unwanted.computeIfAbsent(to, t -> new ArrayList<>()).add(key.bytes);
                return known; // until Redis has acknowledged it
            });
        }
        changes.addAll(again);
        unwanted.forEach((to, topics) -> to.send(topics, false));
        wanted.forEach((to, topics) -> to.send(topics, true));
        if (!changes.isEmpty()) flushSoon();
    }

    /** The connection that the topic may be subscribed on now. */
    private @Nullable Subscriber readyFor(Topic topic) {
        Shard shard = connections.shardOf(topic.bytes);
        SubscriberLink link = shard == null ? null : links.get(shard);
        return link == null ? null : link.ready();
    }

    /** The topic's slot is elsewhere by now. Inside the map's compute. */
    private void leave(Subscription known) {
        boolean flowed = known.flowing && known.wanted;
        known.flowing = false;
        known.on = null;
        known.unacknowledged = 0;
        known.changed = true;
        BackplaneListener to = listener;
        ChannelName channel = known.channel;
        if (flowed && channel != null && to != null && !stopped) to.lost(channel);
    }

    /** Topics come in lists that one command may carry. */
    private List<List<byte[]>> chunks(List<byte[]> topics) {
        var chunks = new ArrayList<List<byte[]>>();
        if (!sharded) {
            for (int i = 0; i < topics.size(); i += CHUNK) {
                chunks.add(topics.subList(i, Math.min(topics.size(), i + CHUNK)));
            }
            return chunks;
        }
        var bySlot = new HashMap<Integer, List<byte[]>>();
        for (byte[] topic : topics) {
            List<byte[]> of = bySlot.computeIfAbsent(Slots.of(topic), slot -> new ArrayList<>());
            of.add(topic);
            if (of.size() == CHUNK) {
                chunks.add(of);
                bySlot.remove(Slots.of(topic));
            }
        }
        chunks.addAll(bySlot.values());
        return chunks;
    }

    // ---- the probe, on the control thread

    private void probe() {
        if (stopped) return;
        try {
            probeAll();
        } catch (RuntimeException e) {
            // Else it would end for good.
            log.error("The probe of the link to Redis failed; it is tried again in a second.", e);
        }
    }

    private void probeAll() {
        long now = System.nanoTime();
        links.forEach((shard, link) -> {
            Subscriber to = link.introduced();
            if (to != null && now - to.heard > SILENCE_NANOS) to.drop("the node's own probe does not come back");
            byte[] topic = to == null ? link.probeTopic() : to.topic;
            for (CommandLink command : shard.commands()) {
                if (!command.open()) continue;
                if (now - command.answered() > SILENCE_NANOS) command.drop("Redis does not answer on it");
                else if (topic != null) sendProbe(command, topic);
            }
        });
    }

    private void sendProbe(CommandLink command, byte[] topic) {
        var unused = command.command(redis -> sharded ? redis.spublish(topic, PROBE) : redis.publish(topic, PROBE));
    }

    private void execute(Runnable task) {
        try {
            control.execute(task);
        } catch (RejectedExecutionException e) {
            if (!stopped) log.debug("Too late for a task: the connections are closed.");
        }
    }

    private void schedule(Runnable task, long millis) {
        try {
            var unused = control.schedule(task, millis, TimeUnit.MILLISECONDS);
        } catch (RejectedExecutionException e) {
            if (!stopped) log.debug("Too late for a task: the connections are closed.");
        }
    }

    /** A topic's name as the bytes Redis sends, so that no message needs a String to be looked up. */
    private static final class Topic {
        private final byte[] bytes;
        private final int hash;

        private Topic(byte[] bytes) {
            this.bytes = bytes;
            this.hash = Arrays.hashCode(bytes);
        }

        @Override
        public boolean equals(@Nullable Object other) {
            return other instanceof Topic topic && hash == topic.hash && Arrays.equals(bytes, topic.bytes);
        }

        @Override
        public int hashCode() {
            return hash;
        }
    }

    private static final class Subscription {
        /** Null for the node's own topic. */
        private final @Nullable ChannelName channel;

        private volatile boolean wanted;
        /** Whether {@code wanted} was changed since commands were last sent for it. */
        private boolean changed;
        /** Whether messages are handed on. */
        private volatile boolean flowing;
        /** The connection it was last subscribed on; the next two fields are about that one. */
        private volatile @Nullable Subscriber on;
        /** Whether the last command sent for it was SUBSCRIBE. */
        private boolean sent;
        /** Commands for it that Redis has yet to acknowledge. */
        private int unacknowledged;

        private Subscription(@Nullable ChannelName channel) {
            this.channel = channel;
        }
    }

    /** The subscribing connection to one primary, made again whenever it is lost. */
    private final class SubscriberLink extends Link<StatefulRedisPubSubConnection<byte[], byte[]>> {
        private final Shard shard;
        // Touched by the control thread only.
        private @Nullable Subscriber subscriber;

        private SubscriberLink(Shard shard) {
            super(
                    shard.name().isEmpty() ? "pubsub" : "pubsub@" + shard.name(),
                    control,
                    connections.whereOf(shard),
                    connections.settings().jitter().toMillis());
            this.shard = shard;
        }

        @Override
        CompletionStage<StatefulRedisPubSubConnection<byte[], byte[]>> connect(RedisURI uri) {
            return connections.connectPubSub(uri);
        }

        @Override
        CompletionStage<?> prepare(StatefulRedisPubSubConnection<byte[], byte[]> connection) {
            return connections.checkRole(connection.async());
        }

        @Override
        void opened(StatefulRedisPubSubConnection<byte[], byte[]> connection) {
            subscriber = new Subscriber(this, connection);
            introduce();
        }

        @Override
        void lost(StatefulRedisPubSubConnection<byte[], byte[]> connection) {
            BackplaneListener to = listener;
            boolean was = up;
            if (!sharded) up = false;
            for (var entry : subscriptions.entrySet()) {
                Subscription subscription = entry.getValue();
                Subscriber on = subscription.on;
                ChannelName channel = subscription.channel;
                if (on == null || on.connection != connection) continue;
                boolean flowed = subscription.flowing && subscription.wanted;
                subscription.flowing = false;
                if (!flowed || channel == null || to == null || stopped) continue;
                if (dropped(connection)) to.abandoned(channel);
                else to.lost(channel);
            }
            if (!sharded && was && to != null && !stopped) to.linked(false);
            execute(() -> {
                Subscriber mine = subscriber;
                if (mine != null && mine.connection == connection) subscriber = null;
                if (sharded) count();
            });
        }

        /** Subscribes to a topic for the probes, once all connections are there to probe. */
        void introduce() {
            Subscriber mine = subscriber;
            if (mine == null || !connections.agreed() || !shard.open()) return;
            if (mine.introduced && (!sharded || connections.shardOf(mine.topic) == shard)) return;
            byte[] topic = probeTopic();
            if (topic == null) return;
            mine.introduced = true;
            mine.topic = topic;
            mine.heard = System.nanoTime();
            mine.watch(sharded ? mine.redis.ssubscribe(topic) : mine.redis.subscribe(topic));
        }

        /** A topic of this node alone in a slot of this primary; null if it holds none. */
        private byte @Nullable [] probeTopic() {
            if (!sharded) return ownTopic;
            String boot = connections.settings().boot();
            for (int i = 0; i < 64 * Slots.COUNT; i++) {
                byte[] topic = bytes(keys.probe(boot, "t" + i));
                if (connections.shardOf(topic) == shard) return topic;
            }
            return null;
        }

        @Nullable
        Subscriber introduced() {
            Subscriber mine = subscriber;
            return mine != null && mine.introduced ? mine : null;
        }

        /** The connection that subscriptions may be sent on. */
        @Nullable
        Subscriber ready() {
            Subscriber mine = subscriber;
            return mine != null && mine.ready ? mine : null;
        }
    }

    /** One life of a subscribing connection. */
    private final class Subscriber extends RedisPubSubAdapter<byte[], byte[]> {
        private final SubscriberLink link;
        private final Shard shard;
        private final StatefulRedisPubSubConnection<byte[], byte[]> connection;
        private final RedisPubSubAsyncCommands<byte[], byte[]> redis;
        // Written on the reader thread.
        private volatile boolean up;
        private volatile long heard = System.nanoTime();
        // Written on the control thread.
        private volatile byte[] topic = {};
        private boolean introduced;
        private boolean ready;

        private Subscriber(SubscriberLink link, StatefulRedisPubSubConnection<byte[], byte[]> connection) {
            this.link = link;
            this.shard = link.shard;
            this.connection = connection;
            this.redis = connection.async();
            connection.addListener(this);
        }

        private void drop(String why) {
            link.drop(connection, why);
        }

        private void send(List<byte[]> topics, boolean wanted) {
            for (List<byte[]> chunk : chunks(topics)) {
                byte[][] names = chunk.toArray(byte[][]::new);
                if (!sharded) {
                    watch(wanted ? redis.subscribe(names) : redis.unsubscribe(names));
                    continue;
                }
                var unused = (wanted ? redis.ssubscribe(names) : redis.sunsubscribe(names))
                        .whenComplete((ok, failure) -> {
                            if (failure != null) refused(chunk, failure);
                        });
            }
        }

        /** What Redis refuses, it will refuse again: the reason is logged, and everything tried anew, ever more slowly. */
        private void watch(RedisFuture<Void> answer) {
            var unused = answer.whenComplete((ok, failure) -> {
                if (failure != null && BackplaneExceptions.refusedWith(failure, "")) {
                    drop(BackplaneExceptions.text(failure));
                }
            });
        }

        /** The slot of these topics is not here, or not yet or no longer served. */
        private void refused(List<byte[]> topics, Throwable failure) {
            if (BackplaneExceptions.refusal(failure, "MOVED", "ASK", "TRYAGAIN", "CLUSTERDOWN") == null) {
                if (BackplaneExceptions.refusedWith(failure, "")) drop(BackplaneExceptions.text(failure));
                return;
            }
            connections.moved(String.valueOf(BackplaneExceptions.unwrap(failure).getMessage()), shard);
            for (byte[] name : topics) gone(new Topic(name));
            schedule(Subscriptions.this::flushSoon, 50);
        }

        private void gone(Topic name) {
            subscriptions.computeIfPresent(name, (key, subscription) -> {
                if (subscription.on != this) return subscription;
                if (!subscription.wanted) return null;
                leave(subscription);
                changes.add(key);
                return subscription;
            });
        }

        @Override
        public void smessage(byte[] name, byte[] message) {
            message(name, message);
        }

        @Override
        public void message(byte[] name, byte[] message) {
            BackplaneListener to = listener;
            if (to == null || stopped) return;
            Subscription subscription = subscriptions.get(new Topic(name));
            if (subscription != null) {
                ChannelName channel = subscription.channel;
                if (channel == null) to.control(message);
                else if (subscription.flowing && subscription.wanted && subscription.on == this) {
                    to.message(channel, message);
                }
            } else if (Arrays.equals(name, topic)) {
                if (Arrays.equals(message, PROBE)) probed(to);
                else to.control(message);
            }
        }

        private void probed(BackplaneListener to) {
            heard = System.nanoTime();
            if (up) return;
            up = true;
            if (!sharded) {
                Subscriptions.this.up = true;
                to.linked(true);
            }
            execute(() -> {
                if (sharded) count();
                ready = true;
                changes.addAll(subscriptions.keySet());
                flush();
            });
        }

        @Override
        public void ssubscribed(byte[] name, long count) {
            subscribed(name, count);
        }

        @Override
        public void subscribed(byte[] name, long count) {
            if (Arrays.equals(name, topic)) {
                sendProbe(shard.general(), topic);
                return;
            }
            var flows = new boolean[1];
            Subscription known = subscriptions.computeIfPresent(new Topic(name), (key, subscription) -> {
                // Of several commands under way for one topic, the acknowledgement of the last counts.
                if (subscription.on == this && --subscription.unacknowledged == 0) {
                    flows[0] = subscription.sent && subscription.wanted;
                    subscription.flowing = flows[0];
                }
                return subscription;
            });
            BackplaneListener to = listener;
            ChannelName channel = known == null ? null : known.channel;
            if (flows[0] && channel != null && to != null && !stopped) to.subscribed(channel);
        }

        @Override
        public void sunsubscribed(byte[] name, long count) {
            if (Arrays.equals(name, topic)) {
                connections.refreshSoon(); // and with the new view comes another topic for the probes
                return;
            }
            var unasked = new boolean[1];
            subscriptions.computeIfPresent(new Topic(name), (key, subscription) -> {
                unasked[0] = subscription.on == this && subscription.sent && subscription.unacknowledged == 0;
                return subscription;
            });
            if (!unasked[0]) {
                unsubscribed(name, count);
                return;
            }
            gone(new Topic(name));
            connections.refreshSoon();
            flushSoon();
        }

        @Override
        public void unsubscribed(byte[] name, long count) {
            subscriptions.computeIfPresent(new Topic(name), (key, subscription) -> {
                if (subscription.on != this) return subscription;
                boolean last = --subscription.unacknowledged == 0;
                return last && !subscription.sent && !subscription.wanted ? null : subscription;
            });
        }
    }
}
