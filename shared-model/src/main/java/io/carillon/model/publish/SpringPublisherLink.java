package io.carillon.model.publish;

import io.carillon.model.redis.Keys;
import io.carillon.model.redis.Script;
import io.lettuce.core.codec.ByteArrayCodec;
import io.lettuce.core.output.IntegerOutput;
import java.nio.charset.StandardCharsets;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.function.Function;
import org.jspecify.annotations.Nullable;
import org.springframework.dao.DataAccessException;
import org.springframework.data.redis.connection.RedisClusterConnection;
import org.springframework.data.redis.connection.RedisConnection;
import org.springframework.data.redis.connection.RedisConnectionFactory;
import org.springframework.data.redis.connection.ReturnType;
import org.springframework.data.redis.connection.lettuce.LettuceConnection;
import org.springframework.data.redis.connection.stream.StreamRecords;

/** The commands through Spring Data, on the connections it is configured with. Safe from any thread. */
final class SpringPublisherLink implements PublisherLink {
    private final RedisConnectionFactory connections;
    private final Keys keys;
    /** What was found out; null until then. Found twice is no harm. */
    private volatile Script.@Nullable Mode mode;

    SpringPublisherLink(RedisConnectionFactory connections, Keys keys, PublisherSettings.Mode mode) {
        this.connections = connections;
        this.keys = keys;
        this.mode = switch (mode) {
            case AUTO -> null;
            case STANDALONE -> Script.Mode.PLAIN;
            case CLUSTER -> Script.Mode.SHARDED;
        };
    }

    @Override
    public Script.Mode mode() {
        Script.Mode known = mode;
        if (known != null) return known;
        return with(connection -> {
            byte[] said = null;
            boolean may = true;
            try {
                said = connection.hashCommands().hGet(bytes(keys.config()), bytes("mode"));
            } catch (DataAccessException e) {
                // Without the right to read it the kind of the connection has to tell.
                may = !says(e, "NOPERM");
                if (may) throw e;
            }
            boolean cluster = said == null
                    ? connection instanceof RedisClusterConnection
                    : new String(said, StandardCharsets.UTF_8).equals("cluster");
            Script.Mode found = cluster ? Script.Mode.SHARDED : Script.Mode.PLAIN;
            if (said != null || !may) mode = found; // no node has started yet: ask again
            return found;
        });
    }

    @Override
    public long publish(String topic, byte[] message) {
        Script.Mode in = mode();
        return with(connection -> {
            if (in == Script.Mode.PLAIN) return number(connection.commands().publish(bytes(topic), message));
            if (connection instanceof LettuceConnection lettuce) {
                var output = new IntegerOutput<>(ByteArrayCodec.INSTANCE);
                return number(lettuce.execute("SPUBLISH", output, bytes(topic), message));
            }
            return number(connection.execute("SPUBLISH", bytes(topic), message));
        });
    }

    @Override
    public List<Object> run(Script script, String key, byte[]... arguments) {
        Script.Mode in = mode();
        byte[][] all = new byte[arguments.length + 1][];
        all[0] = bytes(key);
        System.arraycopy(arguments, 0, all, 1, arguments.length);
        return with(connection -> {
            var scripts = connection.scriptingCommands();
            List<Object> reply;
            try {
                reply = scripts.evalSha(script.sha1(in), ReturnType.MULTI, 1, all);
            } catch (DataAccessException e) {
                if (!says(e, "NOSCRIPT")) throw e;
                reply = scripts.eval(bytes(script.source(in)), ReturnType.MULTI, 1, all);
            }
            if (reply == null) throw new IllegalStateException("the connection is in a transaction or a pipeline");
            return reply;
        });
    }

    @Override
    public String add(String stream, Map<String, byte[]> fields) {
        Map<byte[], byte[]> body = new LinkedHashMap<>();
        fields.forEach((name, value) -> body.put(bytes(name), value));
        return with(connection -> {
            var id = connection
                    .streamCommands()
                    .xAdd(StreamRecords.newRecord().in(bytes(stream)).ofMap(body));
            return String.valueOf(id);
        });
    }

    private <T> T with(Function<RedisConnection, T> call) {
        try (RedisConnection connection = connections.getConnection()) {
            return call.apply(connection);
        }
    }

    private static long number(@Nullable Object reply) {
        return reply instanceof Long number ? number : 0;
    }

    private static boolean says(Throwable failure, String word) {
        for (Throwable cause = failure; cause != null; cause = cause.getCause()) {
            if (cause.getMessage() != null && cause.getMessage().contains(word)) return true;
        }
        return false;
    }

    private static byte[] bytes(String text) {
        return text.getBytes(StandardCharsets.UTF_8);
    }
}
