package io.carillon.node.backplane;

import io.carillon.node.testing.RedisServer;
import org.junit.jupiter.api.extension.RegisterExtension;

/** The contract on the Redis of this machine. */
class RedisBackplaneIT extends RedisBackplaneContract {
    @RegisterExtension
    static final RedisServer redis = RedisServer.own();

    @Override
    RedisServer redis() {
        return redis;
    }
}
