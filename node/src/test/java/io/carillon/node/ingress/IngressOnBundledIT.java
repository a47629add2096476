package io.carillon.node.ingress;

import io.carillon.node.testing.RedisServer;
import org.junit.jupiter.api.extension.RegisterExtension;

/** Streams of services on the bundled Redis 6.2. */
class IngressOnBundledIT extends IngressContract {
    @RegisterExtension
    static final RedisServer redis = RedisServer.bundled().persistent();

    @Override
    RedisServer redis() {
        return redis;
    }
}
