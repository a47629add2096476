package io.carillon.node.app;

import io.carillon.model.channel.ChannelName;
import io.carillon.model.event.Event;
import io.carillon.model.event.Payload;
import io.carillon.model.redis.Keys;
import io.carillon.model.redis.Script;
import io.carillon.node.backplane.Backplane.Retention;
import io.carillon.node.backplane.ScriptRunner;
import io.carillon.node.dispatch.DispatchSettings;
import io.carillon.node.session.EndpointSettings;
import io.micrometer.core.instrument.MeterRegistry;
import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HexFormat;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CompletionStage;
import org.jspecify.annotations.Nullable;

/**
 * Messages of conversations and chats in Redis. A channel's messages have ids that grow by one and are given once; each is
 * numbered, kept and published in one step ({@code EVALSHA message.lua 3 carillon:<ns>:room:{<id>} …}), so that every
 * node delivers them in the order of their ids and what was delivered can be read.
 *
 * <p>After a change of Redis' primary {@code skip} ids are left out: what the old one had acknowledged and the new one
 * never got has used them. After Redis lost all its data they go on as far behind the greatest this node has seen of the
 * channel, since clients take smaller ids for old messages; where it has seen none, they start at 1.
 *
 * <p>Safe from any thread; nothing blocks. Stages fail with {@link io.carillon.node.backplane.BackplaneException} when
 * Redis is away: then the message may or may not be there, and a retry under the same key finds out.
 */
public final class MessageLog {
    /** A page ends behind the message that passes so many bytes. */
    private static final String PAGE_BYTES = "2097152";

    /** Channels whose greatest id is remembered; the one longest unused is forgotten for a further one. */
    private static final int SEEN = 10_000;

    /** Redis' scripts and clients in JavaScript count exactly as far as this. */
    private static final long LAST_EXACT = (1L << 53) - 1;

    private static final byte[] ID = "{\"id\":".getBytes(StandardCharsets.UTF_8);

    private final ScriptRunner redis;
    private final Keys keys;
    private final DispatchSettings dispatch;
    private final EndpointSettings endpoints;
    private final MeterRegistry registry;

    /** The greatest id known to be given in a channel; guarded by itself. */
    private final Map<ChannelName, Long> seen = new LinkedHashMap<>(16, 0.75f, true) {
        @Override
        protected boolean removeEldestEntry(Map.Entry<ChannelName, Long> eldest) {
            return size() > SEEN;
        }
    };

    MessageLog(
            ScriptRunner redis,
            Keys keys,
            DispatchSettings dispatch,
            EndpointSettings endpoints,
            MeterRegistry registry) {
        this.redis = redis;
        this.keys = keys;
        this.dispatch = dispatch;
        this.endpoints = endpoints;
        this.registry = registry;
    }

    /**
     * A message to be stored.
     *
     * @param type of its event
     * @param eventMembers further JSON members of its event, each with a comma behind; empty for none
     * @param members its own JSON members but {@code id} and {@code created_at}, without braces
     * @param once under which a repetition finds it; null for a post that cannot be repeated
     * @param rate what its user may send; null for no limit
     */
    record Draft(
            String type,
            String eventMembers,
            String members,
            @Nullable Once once,
            @Nullable Rate rate) {}

    /**
     * Marks a message, so that it is stored once.
     *
     * @param key the caller's, any text
     * @param compare whether another message under the key is a conflict; otherwise it is taken for the first
     * @param kept how long the key holds
     */
    record Once(String key, boolean compare, Duration kept) {}

    /** A user's messages a second, over all nodes, and how many at once. */
    record Rate(String user, int perSecond, int burst) {}

    /**
     * How much is kept.
     *
     * @param skip ids left out after a change of primary
     */
    record Kept(int messages, Duration age, int skip) {}

    /** What came of posting. */
    public sealed interface Outcome {
        /**
         * It is in Redis.
         *
         * @param repeated whether it was before; then nothing was published now
         * @param message JSON
         */
        record Stored(boolean repeated, long id, Payload message) implements Outcome {}

        /** Its key stands for another message. */
        record Conflict() implements Outcome {}

        /** The user sends too many. */
        record Limited() implements Outcome {}
    }

    /**
     * Messages in the order of their ids.
     *
     * @param messages JSON each
     * @param more whether further ones are kept
     */
    public record Page(List<Payload> messages, boolean more) {}

    CompletionStage<Outcome> append(ChannelName channel, Draft draft, Kept kept) {
        Retention history = dispatch.retention(channel.kind(), endpoints.history(channel.namespace()));
        Once once = draft.once();
        Rate rate = draft.rate();
        String key = keys.channel(channel);
        var touched = List.of(
                key,
                key + ":once:" + (once == null ? "-" : hash(once.key())),
                key + ":rate:" + (rate == null ? "-" : rate.user()),
                key + ":history",
                key + ":ids",
                key + ":messages",
                key + ":messages:last");
        List<byte[]> arguments = bytes(
                "append",
                draft.type(),
                draft.eventMembers(),
                draft.members(),
                once == null ? "0" : seconds(once.kept()),
                once != null && once.compare() ? "1" : "0",
                rate == null || rate.perSecond() == 0 ? "0" : Double.toString(1000.0 / rate.perSecond()),
                rate == null ? "0" : Integer.toString(rate.burst()),
                Integer.toString(kept.messages()),
                seconds(kept.age()),
                Integer.toString(kept.skip()),
                Integer.toString(history.events()),
                Integer.toString(history.seconds()),
                Long.toString(seen(channel)));
        return redis.runOn(Script.MESSAGE, touched, arguments).thenApply(reply -> {
            String result = text(reply.getFirst());
            registry.counter(
                            "carillon.messages",
                            "namespace",
                            channel.namespace().name(),
                            "result",
                            result)
                    .increment();
            return switch (result) {
                case "conflict" -> new Outcome.Conflict();
                case "limited" -> new Outcome.Limited();
                default -> {
                    long id = Long.parseLong(text(reply.get(1)));
                    saw(channel, id);
                    yield new Outcome.Stored(result.equals("repeated"), id, Payload.ofJson((byte[]) reply.get(2)));
                }
            };
        });
    }

    /**
     * An event of the channel came by; where it is a message of this log it shows how far the ids are.
     *
     * @param type of the log's events there; services may publish others, with ids of their own
     */
    void passed(ChannelName channel, String type, Event event) {
        Payload content = event.content();
        if (!type.equals(event.type()) || event.position() == null || content == null) return;
        byte[] json = content.bytes();
        if (json.length <= ID.length || Arrays.mismatch(json, ID) != ID.length) return;
        long id = 0;
        for (int i = ID.length; i < json.length && json[i] >= '0' && json[i] <= '9'; i++) {
            id = id * 10 + json[i] - '0';
            if (id > LAST_EXACT) return;
        }
        saw(channel, id);
    }

    private void saw(ChannelName channel, long id) {
        synchronized (seen) {
            seen.merge(channel, id, Math::max);
        }
    }

    private long seen(ChannelName channel) {
        synchronized (seen) {
            return seen.getOrDefault(channel, 0L);
        }
    }

    /**
     * Messages kept of the channel.
     *
     * @param after id of the message before the first, an unsigned number of 64 bits
     * @param limit most messages
     */
    CompletionStage<Page> read(ChannelName channel, String after, int limit, Kept kept) {
        String key = keys.channel(channel);
        return redis.runOn(
                        Script.MESSAGE,
                        List.of(key, key + ":messages"),
                        bytes("read", after, Integer.toString(limit), PAGE_BYTES, seconds(kept.age())))
                .thenApply(reply -> {
                    var messages = new ArrayList<Payload>(reply.size() - 1);
                    for (int i = 1; i < reply.size(); i++) messages.add(Payload.ofJson((byte[]) reply.get(i)));
                    return new Page(messages, (Long) reply.getFirst() == 1);
                });
    }

    /** A text of any length and characters as a part of a key. */
    private static String hash(String text) {
        try {
            byte[] all = MessageDigest.getInstance("SHA-256").digest(text.getBytes(StandardCharsets.UTF_8));
            return HexFormat.of().formatHex(all, 0, 20);
        } catch (NoSuchAlgorithmException e) {
            throw new IllegalStateException("every Java platform has SHA-256", e);
        }
    }

    private static String seconds(Duration duration) {
        return Long.toString(duration.toSeconds());
    }

    private static List<byte[]> bytes(String... texts) {
        var all = new ArrayList<byte[]>(texts.length);
        for (String text : texts) all.add(text.getBytes(StandardCharsets.UTF_8));
        return all;
    }

    private static String text(Object value) {
        return new String((byte[]) value, StandardCharsets.UTF_8);
    }
}
