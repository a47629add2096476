package io.carillon.node.backplane;

import static io.carillon.node.backplane.RedisConnections.bytes;

import io.carillon.model.redis.Script;
import io.lettuce.core.KeyScanArgs;
import io.lettuce.core.KeyScanCursor;
import io.lettuce.core.ScanCursor;
import io.lettuce.core.StreamMessage;
import io.lettuce.core.XReadArgs;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.TimeUnit;
import java.util.function.Function;

/**
 * Streams on Redis 6.2 and later.
 *
 * <pre>
 * find   SCAN cursor MATCH carillon:ingress:* COUNT 1000 TYPE stream
 * await  XREAD COUNT 1 BLOCK 1000 STREAMS carillon:ingress:{orders} 1760000000000-0
 * </pre>
 */
final class RedisStreams implements Streams {
    private static final int PAGE = 1000;
    private static final long PAUSE_MILLIS = 5;

    private final RedisConnections connections;

    RedisStreams(RedisConnections connections) {
        this.connections = connections;
    }

    @Override
    public CompletionStage<Set<String>> find(String start) {
        CompletionStage<Set<String>> all = CompletableFuture.completedFuture(new HashSet<>());
        for (Shard shard : connections.shards()) {
            all = all.thenCompose(found -> page(shard.general(), start, ScanCursor.INITIAL, found));
        }
        return all;
    }

    private CompletionStage<Set<String>> page(CommandLink link, String start, ScanCursor cursor, Set<String> found) {
        KeyScanArgs which = KeyScanArgs.Builder.type("stream");
        which.match(start + "*").limit(PAGE);
        CompletionStage<KeyScanCursor<byte[]>> page = link.command(redis -> redis.scan(cursor, which));
        return page.thenCompose(next -> {
            for (byte[] key : next.getKeys()) found.add(new String(key, StandardCharsets.UTF_8));
            if (next.isFinished()) return CompletableFuture.completedFuture(found);
            var later = new CompletableFuture<Void>();
            var unused =
                    connections.control().schedule(() -> later.complete(null), PAUSE_MILLIS, TimeUnit.MILLISECONDS);
            return later.thenCompose(ok -> page(link, start, next, found));
        });
    }

    @Override
    public Stream open(String key) {
        CommandLink link = connections.own("stream", key);
        link.start();
        return new Own(connections, key, link);
    }

    private record Own(RedisConnections connections, String key, CommandLink link) implements Stream {
        @Override
        public CompletionStage<List<Object>> run(Script script, String on, List<String> arguments) {
            byte[][] values = new byte[arguments.size()][];
            for (int i = 0; i < values.length; i++) values[i] = bytes(arguments.get(i));
            return connections.script(link, script, on, values);
        }

        @Override
        public CompletionStage<Boolean> await(String after, Duration longest) {
            if (longest.compareTo(RedisSettings.TIMEOUT) >= 0) {
                throw new IllegalArgumentException("a wait is shorter than the time a command may take");
            }
            var from = io.lettuce.core.XReadArgs.StreamOffset.from(bytes(key), after);
            return link.submit(new CommandLink.Call<>(
                            Shard.Work.GENERAL,
                            (redis, whole) ->
                                    redis.xread(XReadArgs.Builder.block(longest).count(1), from),
                            Function.<List<StreamMessage<byte[], byte[]>>>identity(),
                            key,
                            true))
                    .thenApply(entries -> entries != null && !entries.isEmpty());
        }

        @Override
        public void renew() {
            link.drop("its stream cannot be read");
        }

        @Override
        public void close() {
            var unused = link.stop();
        }
    }
}
