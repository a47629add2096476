package io.carillon.node.backplane;

import io.carillon.model.redis.Script;
import io.lettuce.core.RedisURI;
import java.util.List;

/** How the Redis in use is run, and where it is found. Addresses carry credentials and whether TLS is spoken. */
public sealed interface Deployment {
    /** One server. */
    record Standalone(RedisURI uri) implements Deployment {}

    /**
     * One primary that Sentinels name.
     *
     * @param name what the Sentinels call it
     * @param sentinels asked in turn; their credentials are not those of Redis
     * @param access credentials, TLS and database of the primary; its address is not used
     */
    record Sentinel(String name, List<RedisURI> sentinels, RedisURI access) implements Deployment {
        public Sentinel {
            sentinels = List.copyOf(sentinels);
            if (sentinels.isEmpty()) {
                throw new IllegalArgumentException("spring.data.redis.sentinel.nodes must name at least one Sentinel");
            }
        }
    }

    /** Redis Cluster, found through any of these. */
    record Cluster(List<RedisURI> seeds) implements Deployment {
        public Cluster {
            seeds = List.copyOf(seeds);
            if (seeds.isEmpty()) {
                throw new IllegalArgumentException("spring.data.redis.cluster.nodes must name at least one node");
            }
        }
    }

    /** Which publish command reaches the subscribers. */
    default Script.Mode mode() {
        return this instanceof Cluster ? Script.Mode.SHARDED : Script.Mode.PLAIN;
    }
}
