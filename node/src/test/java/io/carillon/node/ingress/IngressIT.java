package io.carillon.node.ingress;

import io.carillon.node.testing.RedisServer;
import org.junit.jupiter.api.extension.RegisterExtension;

/** Streams of services on the Redis of the machine. */
class IngressIT extends IngressContract {
    @RegisterExtension
    static final RedisServer redis = RedisServer.own().persistent();

    @Override
    RedisServer redis() {
        return redis;
    }
}
