package io.carillon.node.backplane;

import io.carillon.node.testing.RedisServer;
import org.junit.jupiter.api.extension.RegisterExtension;

/** The contract on the bundled Redis 6.2. */
class RedisBackplaneOnBundledIT extends RedisBackplaneContract {
    @RegisterExtension
    static final RedisServer redis = RedisServer.bundled();

    @Override
    RedisServer redis() {
        return redis;
    }
}
