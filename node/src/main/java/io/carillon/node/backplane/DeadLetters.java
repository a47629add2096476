package io.carillon.node.backplane;

import io.carillon.model.redis.Keys;
import io.carillon.model.redis.Script;
import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.time.InstantSource;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.HexFormat;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.CompletionStage;
import org.jspecify.annotations.Nullable;

/**
 * What could not be delivered, kept for an operator: one stream of the cluster, capped. Of the same message from the
 * same place one letter is kept within a minute, so nodes that hold the same channel do not each keep it. Safe from any
 * thread.
 *
 * <pre>
 * put     letter.lua carillon:dead-letters put: SET carillon:{carillon:dead-letters}:&lt;hash&gt; 1 NX EX 60,
 *         XADD carillon:dead-letters MAXLEN ~ 10000 * source channel reason time size message
 * list    XREVRANGE carillon:dead-letters (&lt;id&gt; - COUNT 100
 * remove  XDEL carillon:dead-letters &lt;id&gt;
 * </pre>
 */
public final class DeadLetters {
    /** How much of a message is kept, in bytes. */
    public static final int KEPT = 8 * 1024;

    private static final String MOST = "10000";
    private static final String SAME_WITHIN_SECONDS = "60";
    private static final int LONGEST_TEXT = 256;

    private final ScriptRunner scripts;
    private final Keys keys;
    private final InstantSource clock;

    /** @param clock tells when a letter was set aside */
    public DeadLetters(ScriptRunner scripts, Keys keys, InstantSource clock) {
        this.scripts = scripts;
        this.keys = keys;
        this.clock = clock;
    }

    /**
     * One of them.
     *
     * @param id its place in the stream
     * @param source where it came in: a channel as {@code push:user:42}, or {@code ingress:orders/1760000000000-0}
     * @param channel what it was for, as its publisher wrote it; empty if nobody said
     * @param reason one sentence
     * @param time when it was set aside, milliseconds since the epoch
     * @param size of the message as it came, in bytes
     * @param message the first {@link #KEPT} bytes of it
     */
    public record Letter(String id, String source, String channel, String reason, long time, int size, byte[] message) {
        /** Whether the message is more than what is kept of it. */
        public boolean cut() {
            return size > message.length;
        }
    }

    /**
     * Keeps a letter, unless the same was kept within the last minute.
     *
     * @param message the message, or at least the first {@link #KEPT} bytes of it
     * @param size of the whole message, in bytes
     */
    public CompletionStage<?> put(String source, String channel, String reason, byte[] message, int size) {
        byte[] kept = Arrays.copyOf(message, Math.min(message.length, KEPT));
        List<byte[]> arguments = new ArrayList<>();
        for (String word : List.of(
                "put",
                SAME_WITHIN_SECONDS,
                MOST,
                mark(source, message),
                "source",
                cut(source),
                "channel",
                cut(channel),
                "reason",
                reason,
                "time",
                Long.toString(clock.millis()),
                "size",
                Integer.toString(size),
                "message")) {
            arguments.add(word.getBytes(StandardCharsets.UTF_8));
        }
        arguments.add(kept);
        return scripts.runBytes(Script.LETTER, keys.deadLetters(), arguments);
    }

    /**
     * Lists letters, the newest first.
     *
     * @param before id of the last letter of the page before; null for the first page
     */
    public CompletionStage<List<Letter>> list(@Nullable String before, int count) {
        String from = before == null ? "+" : "(" + before;
        return scripts.run(Script.LETTER, keys.deadLetters(), List.of("list", from, Integer.toString(count)))
                .thenApply(reply -> reply.stream().map(DeadLetters::letter).toList());
    }

    /** The letter of this id. */
    public CompletionStage<Optional<Letter>> find(String id) {
        // Ids have no hole between them: the newest up to the next one.
        return list(next(id), 1)
                .thenApply(letters -> letters.stream()
                        .filter(letter -> letter.id().equals(id))
                        .findFirst());
    }

    /** Takes a letter away; false when there is none of this id. */
    public CompletionStage<Boolean> remove(String id) {
        return scripts.run(Script.LETTER, keys.deadLetters(), List.of("remove", id))
                .thenApply(reply -> (Long) reply.getFirst() > 0);
    }

    /** Whether the text is a letter's id: {@code <milliseconds>-<number>}. */
    public static boolean validId(String id) {
        return id.matches("[0-9]{1,15}-[0-9]{1,15}");
    }

    private static String next(String id) {
        int dash = id.indexOf('-');
        return id.substring(0, dash + 1) + (Long.parseLong(id.substring(dash + 1)) + 1);
    }

    private static Letter letter(Object entry) {
        var parts = (List<?>) entry;
        var fields = (List<?>) parts.get(1);
        Map<String, byte[]> values = new HashMap<>();
        for (int i = 0; i + 1 < fields.size(); i += 2) values.put(text(fields.get(i)), (byte[]) fields.get(i + 1));
        byte[] message = values.getOrDefault("message", new byte[0]);
        return new Letter(
                text(parts.getFirst()),
                text(values.getOrDefault("source", new byte[0])),
                text(values.getOrDefault("channel", new byte[0])),
                text(values.getOrDefault("reason", new byte[0])),
                number(values.get("time"), 0),
                (int) number(values.get("size"), message.length),
                message);
    }

    /** Letters may be written by hand: what is no number counts as not said. */
    private static long number(byte @Nullable [] value, long otherwise) {
        if (value == null || value.length == 0 || value.length > 15) return otherwise;
        String text = text(value);
        return text.matches("[0-9]+") ? Long.parseLong(text) : otherwise;
    }

    private static String text(Object value) {
        return new String((byte[]) value, StandardCharsets.UTF_8);
    }

    private static String cut(String text) {
        return text.length() <= LONGEST_TEXT ? text : text.substring(0, LONGEST_TEXT);
    }

    private static String mark(String source, byte[] message) {
        try {
            var digest = MessageDigest.getInstance("SHA-256");
            digest.update(source.getBytes(StandardCharsets.UTF_8));
            digest.update((byte) 0);
            digest.update(message);
            return HexFormat.of().formatHex(digest.digest(), 0, 16);
        } catch (NoSuchAlgorithmException e) {
            throw new IllegalStateException("every Java platform has SHA-256", e);
        }
    }
}
