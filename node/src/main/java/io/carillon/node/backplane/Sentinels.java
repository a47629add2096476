package io.carillon.node.backplane;

import io.lettuce.core.RedisClient;
import io.lettuce.core.RedisURI;
import io.lettuce.core.codec.StringCodec;
import io.lettuce.core.sentinel.api.StatefulRedisSentinelConnection;
import java.net.InetSocketAddress;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.atomic.AtomicInteger;

/**
 * Asks the Sentinels where the primary is: {@code SENTINEL GET-MASTER-ADDR-BY-NAME}, one after another until one
 * answers, beginning with the one that did last time. A connection for each question: one that is kept might be to a
 * Sentinel that is cut off and remembers the past. Safe from any thread.
 */
final class Sentinels {
    private final RedisClient client;
    private final Deployment.Sentinel at;
    private final AtomicInteger good = new AtomicInteger();

    Sentinels(RedisClient client, Deployment.Sentinel at) {
        this.client = client;
        this.at = at;
    }

    /** Where the primary is, with what it takes to get in. */
    CompletionStage<RedisURI> primary() {
        return ask(good.get(), at.sentinels().size());
    }

    private CompletionStage<RedisURI> ask(int index, int left) {
        List<RedisURI> sentinels = at.sentinels();
        int now = Math.floorMod(index, sentinels.size());
        return ask(sentinels.get(now))
                .handle((address, failure) -> {
                    if (failure == null) {
                        good.set(now);
                        return CompletableFuture.completedFuture(address);
                    }
                    if (left > 1) return ask(now + 1, left - 1);
                    return CompletableFuture.<RedisURI>failedFuture(new BackplaneException(
                            "no Sentinel tells where " + at.name() + " is: " + BackplaneExceptions.text(failure)));
                })
                .thenCompose(stage -> stage);
    }

    private CompletionStage<RedisURI> ask(RedisURI sentinel) {
        return client.connectSentinelAsync(StringCodec.UTF8, sentinel)
                .thenCompose(connection -> connection
                        .async()
                        .getMasterAddrByName(at.name())
                        .toCompletableFuture()
                        .thenApply(address -> {
                            if (!(address instanceof InetSocketAddress found)) {
                                throw new BackplaneException("it knows no " + at.name());
                            }
                            return RedisURI.builder(at.access())
                                    .withHost(found.getHostString())
                                    .withPort(found.getPort())
                                    .build();
                        })
                        .whenComplete((address, failure) -> close(connection)));
    }

    private static void close(StatefulRedisSentinelConnection<String, String> connection) {
        var unused = connection.closeAsync();
    }
}
