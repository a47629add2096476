package io.carillon.node.backplane;

import static io.carillon.node.backplane.RedisConnections.bytes;

import io.carillon.model.channel.ChannelName;
import io.carillon.model.channel.Position;
import io.carillon.model.redis.Keys;
import io.carillon.model.redis.Script;
import io.carillon.node.backplane.Shard.Work;
import java.nio.charset.StandardCharsets;
import java.time.InstantSource;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.atomic.AtomicInteger;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The backplane on Redis 6.2 and later, alone, behind Sentinel, or as Redis Cluster (7.0 and later).
 *
 * <pre>
 * subscribe      SUBSCRIBE carillon:&lt;ns&gt;:user:{id} …
 * append         EVALSHA publish.lua: history, ids, meta and PUBLISH in one
 * publish        PUBLISH carillon:&lt;ns&gt;:user:{id} &lt;event&gt;
 * read           EVALSHA read.lua
 * publishToNode  PUBLISH carillon:node:{boot} &lt;message&gt;
 * deadLetter     see {@link DeadLetters}
 * </pre>
 *
 * In Cluster SSUBSCRIBE and SPUBLISH, on the primary that holds the channel.
 *
 * <p>The link is up once a probe has come back through the subscriptions; in Cluster, once probes of most primaries
 * have ({@link Subscriptions}). While only a subscribing connection is made again, commands are still taken; while a
 * primary is away, each call for one of its channels fails at once.
 *
 * <p>Threads: calls are safe from any thread. The listener is called on the event loops of the subscribing connections.
 */
public final class RedisBackplane implements Backplane {
    private static final Logger log = LoggerFactory.getLogger(RedisBackplane.class);

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
    private final Subscriptions subscriptions;
    private final Keys keys;
    private final DeadLetters letters;
    private final boolean sharded;
    private final AtomicInteger deadLetters = new AtomicInteger();

    /** @param clock tells when a dead letter was set aside */
    public RedisBackplane(RedisConnections connections, InstantSource clock) {
        this.connections = connections;
        this.keys = connections.settings().keys();
        this.letters = new DeadLetters(connections, keys, clock);
        this.sharded = connections.mode() == Script.Mode.SHARDED;
        this.subscriptions = new Subscriptions(connections);
    }

    @Override
    public void start(BackplaneListener to) {
        subscriptions.start(to);
    }

    @Override
    public void stop() {
        subscriptions.stop();
    }

    @Override
    public void subscribe(ChannelName channel) {
        subscriptions.subscribe(channel);
    }

    @Override
    public void unsubscribe(ChannelName channel) {
        subscriptions.unsubscribe(channel);
    }

    @Override
    public CompletionStage<Appended> append(ChannelName channel, byte[] event, String id, Retention retention) {
        String key = keys.channel(channel);
        return connections.script(
                Work.EVENTS,
                key,
                Script.PUBLISH,
                RedisBackplane::appended,
                true,
                sharded
                        ? new byte[][] {bytes(key), bytes(key + ":history"), bytes(key + ":ids")}
                        : new byte[][] {bytes(key)},
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
        return connections.script(
                Work.EVENTS,
                key,
                Script.PUBLISH,
                RedisBackplane::appended,
                true,
                sharded
                        ? new byte[][] {
                            bytes(key), bytes(key + ":history"), bytes(key + ":ids"), bytes(key + ":sources")
                        }
                        : new byte[][] {bytes(key)},
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
        return publish(Work.EVENTS, keys.channel(channel), event);
    }

    private CompletionStage<Long> publish(Work work, String topic, byte[] message) {
        byte[] name = bytes(topic);
        return connections.command(
                work, topic, redis -> sharded ? redis.spublish(name, message) : redis.publish(name, message));
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
        String key = keys.channel(channel);
        return connections.script(
                Work.HISTORY,
                key,
                Script.READ,
                RedisBackplane::history,
                true,
                sharded ? new byte[][] {bytes(key), bytes(key + ":history")} : new byte[][] {bytes(key)},
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
        return publish(Work.GENERAL, keys.node(boot), message);
    }

    @Override
    public void deadLetter(String source, String reason, byte[] message) {
        if (deadLetters.incrementAndGet() > MAX_DEAD_LETTERS_UNDER_WAY) {
            deadLetters.decrementAndGet();
            return;
        }
        var unused = letters.put(source, source, reason, message, message.length)
                .whenComplete((id, failure) -> {
                    deadLetters.decrementAndGet();
                    if (failure != null) {
                        log.warn("A dead letter could not be kept. source={} reason={}", source, failure.getMessage());
                    }
                });
    }

    @Override
    public boolean connected() {
        return subscriptions.connected();
    }

    private static String text(Object value) {
        return new String((byte[]) value, StandardCharsets.UTF_8);
    }

    private static long number(Object value) {
        return (Long) value;
    }
}
