package io.carillon.node.backplane;

import io.carillon.model.channel.Ids;
import io.carillon.model.redis.Keys;
import io.lettuce.core.RedisURI;
import io.lettuce.core.SslOptions;
import io.lettuce.core.resource.EventLoopGroupProvider;
import java.time.Duration;
import org.jspecify.annotations.Nullable;

/**
 * How a node reaches its Redis.
 *
 * @param deployment where it is and how it is run
 * @param keys the names in Redis; two clusters may share one under different prefixes
 * @param boot this process's id, new at every start; names its own topic
 * @param jitter longest random wait before connecting again after a loss, so that not all nodes come at once
 * @param requestQueue most commands under way on one connection; beyond it they are refused
 * @param loops event loops to share with the server, which saves a hop between threads; null for Lettuce's own
 * @param ssl whom to trust where TLS is spoken; null for what the JVM trusts
 */
public record RedisSettings(
        Deployment deployment,
        Keys keys,
        String boot,
        Duration jitter,
        int requestQueue,
        @Nullable EventLoopGroupProvider loops,
        @Nullable SslOptions ssl) {
    /** Every command is answered, or failed, within this time. */
    public static final Duration TIMEOUT = Duration.ofSeconds(2);

    public RedisSettings {
        Ids.check(boot, "boot");
        if (jitter.isNegative()) throw new IllegalArgumentException("the jitter is not negative");
        if (requestQueue < 1) throw new IllegalArgumentException("the request queue holds at least one command");
        if (deployment instanceof Deployment.Cluster != keys.partitions() > 0) {
            throw new IllegalArgumentException(
                    "presence is partitioned in Redis Cluster and nowhere else: carillon.presence.partitions is for Cluster");
        }
    }

    /** The usual settings: half a second of jitter, 50,000 commands under way, Lettuce's own loops. */
    public static RedisSettings of(RedisURI uri, Keys keys, String boot) {
        return of(new Deployment.Standalone(uri), keys, boot);
    }

    /** The same for any deployment. */
    public static RedisSettings of(Deployment deployment, Keys keys, String boot) {
        return new RedisSettings(deployment, keys, boot, Duration.ofMillis(500), 50_000, null, null);
    }
}
