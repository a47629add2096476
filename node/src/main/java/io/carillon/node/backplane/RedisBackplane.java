package io.carillon.node.backplane;

import static io.carillon.node.backplane.RedisConnections.bytes;

import io.carillon.model.channel.ChannelName;
import io.carillon.model.channel.Position;
import io.carillon.model.redis.Keys;
import io.carillon.model.redis.Script;
import io.lettuce.core.pubsub.RedisPubSubAdapter;
import io.lettuce.core.pubsub.StatefulRedisPubSubConnection;
import java.nio.charset.StandardCharsets;
import java.time.InstantSource;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashSet;
import java.util.List;
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
import java.util.concurrent.atomic.AtomicInteger;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The backplane on Redis 6.2 and later.
 *
 * <pre>
 * subscribe      SUBSCRIBE carillon:&lt;ns&gt;:user:{id} … in chunks of 512
 * append         EVALSHA publish.lua: history, ids, meta and PUBLISH in one
 * publish        PUBLISH carillon:&lt;ns&gt;:user:{id} &lt;event&gt;
 * read           EVALSHA read.lua
 * publishToNode  PUBLISH carillon:node:{boot} &lt;message&gt;
 * deadLetter     see {@link DeadLetters}
 * </pre>
 *
 * <p>The link is up once a probe, published on the node's own topic each second through a command connection, has come
 * back through the subscriptions: TCP alive is not delivery. When none came for three seconds, the connections are
 * closed and made anew. Channels are subscribed only after that, so whoever is told
 * {@link BackplaneListener#subscribed} finds the link up. While only the subscribing connection is made again, commands
 * are still taken; while Redis is away, each fails at once.
 *
 * <p>Threads: calls are safe from any thread. The listener is called on the event loop of the subscribing connection;
 * one daemon thread connects, sends subscriptions and probes.
 */
public final class RedisBackplane implements Backplane {
    private static final Logger log = LoggerFactory.getLogger(RedisBackplane.class);

    /** Names in one SUBSCRIBE: Redis serves other clients between two of them. */
    private static final int CHUNK = 512;

    /** Chunks sent in one go, before a pause of a millisecond. */
    private static final int CHUNKS = 8;

    private static final long SILENCE_NANOS = TimeUnit.SECONDS.toNanos(3);
    private static final byte[] PROBE = bytes("probe");
    private static final byte[] MAX = bytes("max");
    private static final byte[] TTL = bytes("ttl");
    private static final byte[] TRUSTED = bytes("trusted");
    private static final byte[] ONE = bytes("1");
    private static final byte[] ZERO = bytes("0");
    private static final byte[] SOURCE = bytes("source");
    private static final byte[] ENTRY = bytes("entry");
    private static final byte[] AFTER = bytes("after");
    private static final int MAX_DEAD_LETTERS_UNDER_WAY = 64;

    private final RedisConnections connections;
    private final Keys keys;
    private final DeadLetters letters;
    private final ScheduledThreadPoolExecutor control;
    private final byte[] ownTopic;
    private final SubscriberLink link;
    private final AtomicInteger deadLetters = new AtomicInteger();

    // The registry. A subscription's fields change only inside the map's compute methods, which exclude each other per
    // topic; the volatile ones may be read anywhere.
    private final ConcurrentHashMap<Topic, Subscription> subscriptions = new ConcurrentHashMap<>();
    private final Queue<Topic> changes = new ConcurrentLinkedQueue<>();
    private final AtomicBoolean flushing = new AtomicBoolean();

    private volatile @Nullable BackplaneListener listener;
    private volatile boolean stopped;
    // Written on the reader thread.
    private volatile boolean up;
    private volatile long heard;

    /** @param clock tells when a dead letter was set aside */
    public RedisBackplane(RedisConnections connections, InstantSource clock) {
        this.connections = connections;
        this.keys = connections.settings().keys();
        this.letters = new DeadLetters(connections, keys, clock);
        this.control = connections.control();
        this.ownTopic = bytes(keys.node(connections.settings().boot()));
        this.link = new SubscriberLink();
    }

    @Override
    public void start(BackplaneListener to) {
        listener = to;
        connections.watch(() -> execute(link::introduce));
        connections.start();
        link.start();
        var unused = control.scheduleWithFixedDelay(this::probe, 1, 1, TimeUnit.SECONDS);
    }

    @Override
    public void stop() {
        stopped = true;
        try {
            link.stop().toCompletableFuture().get(2, TimeUnit.SECONDS);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        } catch (ExecutionException | TimeoutException e) {
            log.debug("The subscribing connection did not close in time.", e);
        }
        up = false;
    }

    @Override
    public void subscribe(ChannelName channel) {
        var topic = new Topic(bytes(keys.channel(channel)));
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
        flushSoon();
    }

    @Override
    public void unsubscribe(ChannelName channel) {
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

    @Override
    public CompletionStage<Appended> append(ChannelName channel, byte[] event, String id, Retention retention) {
        String key = keys.channel(channel);
        return connections
                .events(key.hashCode())
                .script(
                        Script.PUBLISH,
                        RedisBackplane::appended,
                        bytes(key),
                        event,
                        bytes(id),
                        MAX,
                        bytes(Integer.toString(retention.events())),
                        TTL,
                        bytes(Integer.toString(retention.seconds())),
                        TRUSTED,
                        ONE);
    }

    @Override
    public CompletionStage<Appended> append(
            ChannelName channel, byte[] event, String id, Retention retention, Source source) {
        String key = keys.channel(channel);
        String after = source.after();
        return connections
                .events(key.hashCode())
                .script(
                        Script.PUBLISH,
                        RedisBackplane::appended,
                        bytes(key),
                        event,
                        bytes(id),
                        MAX,
                        bytes(Integer.toString(retention.events())),
                        TTL,
                        bytes(Integer.toString(retention.seconds())),
                        TRUSTED,
                        ONE,
                        SOURCE,
                        bytes(source.stream()),
                        ENTRY,
                        bytes(source.entry()),
                        AFTER,
                        bytes(after == null ? "" : after));
    }

    private static Appended appended(List<Object> reply) {
        return new Appended(
                new Position(text(reply.get(1)), number(reply.get(0))),
                number(reply.get(3)) == 1,
                number(reply.get(4)));
    }

    @Override
    public CompletionStage<Long> publish(ChannelName channel, byte[] event) {
        String key = keys.channel(channel);
        byte[] topic = bytes(key);
        return connections.events(key.hashCode()).command(redis -> redis.publish(topic, event));
    }

    @Override
    public CompletionStage<HistoryRead> read(ChannelName channel, @Nullable Position after, int limit) {
        return read(channel, epochOf(after), offsetOf(after), limit, ZERO);
    }

    @Override
    public CompletionStage<HistoryRead> readHeld(ChannelName channel, @Nullable Position after, int limit) {
        return read(channel, epochOf(after), offsetOf(after), limit, ONE);
    }

    @Override
    public CompletionStage<HistoryRead> history(ChannelName channel, long after, int limit) {
        return read(channel, "*", after, limit, ZERO);
    }

    private static String epochOf(@Nullable Position position) {
        return position == null ? "" : position.epoch();
    }

    private static long offsetOf(@Nullable Position position) {
        return position == null ? 0 : position.offset();
    }

    private CompletionStage<HistoryRead> read(
            ChannelName channel, String epoch, long offset, int limit, byte[] across) {
        return connections
                .history()
                .script(
                        Script.READ,
                        RedisBackplane::history,
                        bytes(keys.channel(channel)),
                        bytes(epoch),
                        bytes(Long.toString(offset)),
                        bytes(Integer.toString(limit)),
                        across);
    }

    private static HistoryRead history(List<Object> reply) {
        var events = new ArrayList<byte[]>(reply.size() - 4);
        for (int i = 4; i < reply.size(); i++) events.add((byte[]) reply.get(i));
        return new HistoryRead(
                number(reply.get(0)) == 1,
                new Position(text(reply.get(1)), number(reply.get(2))),
                events,
                number(reply.get(3)) == 1);
    }

    @Override
    public CompletionStage<Long> publishToNode(String boot, byte[] message) {
        byte[] topic = bytes(keys.node(boot));
        return connections.general().command(redis -> redis.publish(topic, message));
    }

    @Override
    public void deadLetter(String source, String reason, byte[] message) {
        if (deadLetters.incrementAndGet() > MAX_DEAD_LETTERS_UNDER_WAY) {
            deadLetters.decrementAndGet();
            return;
        }
        var unused = letters.put(source, source, reason, message).whenComplete((id, failure) -> {
            deadLetters.decrementAndGet();
            if (failure != null) {
                log.warn("A dead letter could not be kept. source={} reason={}", source, failure.getMessage());
            }
        });
    }

    @Override
    public boolean connected() {
        return up;
    }

    // ---- subscriptions, on the control thread

    private void flushSoon() {
        if (flushing.compareAndSet(false, true)) schedule(this::flush, 1);
    }

    private void flush() {
        flushing.set(false);
        Subscriber to = link.ready();
        var wanted = new ArrayList<byte[]>();
        var unwanted = new ArrayList<byte[]>();
        // Each topic once: all UNSUBSCRIBEs leave before all SUBSCRIBEs, so two for one topic might swap.
        var taken = new HashSet<Topic>();
        var again = new ArrayList<Topic>();
        for (int i = 0; i < CHUNK * CHUNKS; i++) {
            Topic topic = changes.poll();
            if (topic == null) break;
            subscriptions.computeIfPresent(topic, (key, known) -> {
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
                    wanted.add(key.bytes);
                    return known;
                }
                known.flowing = false;
                if (known.on != to) return null;
                if (!known.sent) return known.unacknowledged == 0 ? null : known;
                known.unacknowledged++;
                known.sent = false;
                unwanted.add(key.bytes);
                return known; // until Redis has acknowledged it
            });
        }
        changes.addAll(again);
        if (to != null) {
            for (List<byte[]> chunk : chunks(unwanted)) {
                to.watch(to.redis.unsubscribe(chunk.toArray(byte[][]::new)).toCompletableFuture());
            }
            for (List<byte[]> chunk : chunks(wanted)) {
                to.watch(to.redis.subscribe(chunk.toArray(byte[][]::new)).toCompletableFuture());
            }
        }
        if (!changes.isEmpty()) flushSoon();
    }

    private static List<List<byte[]>> chunks(List<byte[]> topics) {
        var chunks = new ArrayList<List<byte[]>>();
        for (int i = 0; i < topics.size(); i += CHUNK) {
            chunks.add(topics.subList(i, Math.min(topics.size(), i + CHUNK)));
        }
        return chunks;
    }

    // ---- the probe, on the control thread

    private void probe() {
        if (stopped) return;
        try {
            probeAll();
        } catch (RuntimeException e) {
            log.error(
                    "The probe of the link to Redis failed; it is tried again in a second.",
                    e); // else it ends for good
        }
    }

    private void probeAll() {
        long now = System.nanoTime();
        Subscriber to = link.introduced();
        if (to != null && now - heard > SILENCE_NANOS) to.drop("the node's own probe does not come back");
        for (CommandLink command : connections.all()) {
            if (!command.open()) continue;
            if (now - command.answered() > SILENCE_NANOS) command.drop("Redis does not answer on it");
            else sendProbe(command);
        }
    }

    private void sendProbe(CommandLink command) {
        var unused = command.command(redis -> redis.publish(ownTopic, PROBE));
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

    private static String text(Object value) {
        return new String((byte[]) value, StandardCharsets.UTF_8);
    }

    private static long number(Object value) {
        return (Long) value;
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
        private final ChannelName channel;
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

        private Subscription(ChannelName channel) {
            this.channel = channel;
        }
    }

    /** The subscribing connection, made again whenever it is lost. */
    private final class SubscriberLink extends Link<StatefulRedisPubSubConnection<byte[], byte[]>> {
        // Touched by the control thread only.
        private @Nullable Subscriber subscriber;

        private SubscriberLink() {
            super("pubsub", control, connections.settings().jitter().toMillis());
        }

        @Override
        CompletionStage<StatefulRedisPubSubConnection<byte[], byte[]>> connect() {
            return connections.connectPubSub();
        }

        @Override
        CompletionStage<?> prepare(StatefulRedisPubSubConnection<byte[], byte[]> connection) {
            return CompletableFuture.completedFuture(null);
        }

        @Override
        void opened(StatefulRedisPubSubConnection<byte[], byte[]> connection) {
            subscriber = new Subscriber(connection);
            introduce();
        }

        @Override
        void lost(StatefulRedisPubSubConnection<byte[], byte[]> connection) {
            boolean was = up;
            up = false;
            BackplaneListener to = listener;
            for (var entry : subscriptions.entrySet()) {
                Subscription subscription = entry.getValue();
                Subscriber on = subscription.on;
                if (on == null || on.connection != connection) continue;
                boolean flowed = subscription.flowing && subscription.wanted;
                subscription.flowing = false;
                if (flowed && to != null && !stopped) to.lost(subscription.channel);
            }
            if (was && to != null && !stopped) to.linked(false);
            execute(() -> {
                Subscriber mine = subscriber;
                if (mine != null && mine.connection == connection) subscriber = null;
            });
        }

        /** Subscribes to the node's own topic, once all connections are there to probe. */
        void introduce() {
            Subscriber mine = subscriber;
            if (mine == null || mine.introduced || !connections.allOpen()) return;
            mine.introduced = true;
            heard = System.nanoTime();
            mine.watch(mine.redis.subscribe(ownTopic).toCompletableFuture());
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

    /** One life of the subscribing connection. */
    private final class Subscriber extends RedisPubSubAdapter<byte[], byte[]> {
        private final StatefulRedisPubSubConnection<byte[], byte[]> connection;
        private final io.lettuce.core.pubsub.api.async.RedisPubSubAsyncCommands<byte[], byte[]> redis;
        // Touched by the control thread only.
        private boolean introduced;
        private boolean ready;

        private Subscriber(StatefulRedisPubSubConnection<byte[], byte[]> connection) {
            this.connection = connection;
            this.redis = connection.async();
            connection.addListener(this);
        }

        private void drop(String why) {
            link.drop(connection, why);
        }

        /** What Redis refuses, it will refuse again: the reason is logged, and everything tried anew, ever more slowly. */
        private void watch(CompletableFuture<Void> answer) {
            var unused = answer.whenComplete((ok, failure) -> {
                if (failure != null && BackplaneExceptions.refusedWith(failure, "")) {
                    drop(BackplaneExceptions.text(failure));
                }
            });
        }

        @Override
        public void message(byte[] topic, byte[] message) {
            BackplaneListener to = listener;
            if (to == null || stopped) return;
            Subscription subscription = subscriptions.get(new Topic(topic));
            if (subscription != null) {
                if (subscription.flowing && subscription.wanted) to.message(subscription.channel, message);
            } else if (Arrays.equals(topic, ownTopic)) {
                if (Arrays.equals(message, PROBE)) probed(to);
                else to.control(message);
            }
        }

        private void probed(BackplaneListener to) {
            heard = System.nanoTime();
            if (up) return;
            up = true;
            to.linked(true);
            execute(() -> {
                ready = true;
                changes.addAll(subscriptions.keySet());
                flush();
            });
        }

        @Override
        public void subscribed(byte[] topic, long count) {
            if (Arrays.equals(topic, ownTopic)) {
                sendProbe(connections.general());
                return;
            }
            var flows = new boolean[1];
            Subscription known = subscriptions.computeIfPresent(new Topic(topic), (key, subscription) -> {
                // Of several commands under way for one topic, the acknowledgement of the last counts.
                if (subscription.on == this && --subscription.unacknowledged == 0) {
                    flows[0] = subscription.sent && subscription.wanted;
                    subscription.flowing = flows[0];
                }
                return subscription;
            });
            BackplaneListener to = listener;
            if (flows[0] && known != null && to != null && !stopped) to.subscribed(known.channel);
        }

        @Override
        public void unsubscribed(byte[] topic, long count) {
            subscriptions.computeIfPresent(new Topic(topic), (key, subscription) -> {
                if (subscription.on != this) return subscription;
                boolean last = --subscription.unacknowledged == 0;
                return last && !subscription.sent && !subscription.wanted ? null : subscription;
            });
        }
    }
}
