package io.carillon.node.app;

import io.carillon.model.channel.Namespace;
import io.carillon.model.redis.Keys;
import io.carillon.model.redis.Script;
import io.carillon.node.backplane.ScriptRunner;
import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.CompletionStage;
import java.util.regex.Pattern;

/**
 * The activation codes of Windows clients and the groups they belong to: {@code code.lua}. Stages fail with
 * {@code BackplaneException} when Redis is away. Safe from any thread; never blocks.
 */
public final class ActivationCodes {
    /** What a code looks like. */
    public static final String FORM = "4 to 64 characters of A-Z a-z 0-9 -";

    /** Largest id of a group: what every JSON reader takes for the same number (RFC 8259 §6). */
    public static final long MOST_GROUP = 9_007_199_254_740_991L;

    private static final Pattern CODE = Pattern.compile("[A-Za-z0-9-]{4,64}");

    private final ScriptRunner redis;
    private final Keys keys;
    private final String most;

    /** What became of a code that was put. */
    public enum Put {
        CREATED,
        /** It was the group's already. */
        KEPT,
        /** It was another group's; its sessions have to go, and then {@link #moved} is to be said. */
        MOVED,
        /** There are as many codes as there may be. */
        FULL
    }

    /** @param most codes a namespace may have */
    public ActivationCodes(ScriptRunner redis, Keys keys, int most) {
        this.redis = redis;
        this.keys = keys;
        this.most = Integer.toString(most);
    }

    /** Whether the text can be a code. */
    public static boolean valid(String code) {
        return CODE.matcher(code).matches();
    }

    /** The user whose sessions are those of the code, on all nodes. */
    public static String user(String code) {
        return LineWindows.USER + code;
    }

    /** The group of a code; empty when there is no such code. */
    public CompletionStage<Optional<Long>> find(Namespace namespace, String code) {
        return run(namespace, "find", code).thenApply(reply -> {
            String group = text(reply.getFirst());
            return group.isEmpty() ? Optional.empty() : Optional.of(Long.valueOf(group));
        });
    }

    public CompletionStage<Put> put(Namespace namespace, String code, long group) {
        return run(namespace, "put", code, Long.toString(group), most)
                .thenApply(reply -> switch (text(reply.getFirst())) {
                    case "created" -> Put.CREATED;
                    case "kept" -> Put.KEPT;
                    case "moved" -> Put.MOVED;
                    default -> Put.FULL;
                });
    }

    /** The sessions that came with the code before it moved to the group are told to go. */
    public CompletionStage<Boolean> moved(Namespace namespace, String code, long group) {
        return run(namespace, "moved", code, Long.toString(group)).thenApply(ActivationCodes::yes);
    }

    /** Whether there was such a code. Its sessions have to go then. */
    public CompletionStage<Boolean> remove(Namespace namespace, String code) {
        return run(namespace, "remove", code).thenApply(ActivationCodes::yes);
    }

    private CompletionStage<List<Object>> run(Namespace namespace, String... arguments) {
        return redis.run(Script.CODE, keys.codes(namespace), List.of(arguments));
    }

    private static boolean yes(List<Object> reply) {
        return (Long) reply.getFirst() == 1;
    }

    private static String text(Object value) {
        return new String((byte[]) value, StandardCharsets.UTF_8);
    }
}
