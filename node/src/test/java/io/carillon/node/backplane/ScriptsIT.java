package io.carillon.node.backplane;

import io.carillon.node.testing.RedisServer;
import org.junit.jupiter.api.extension.RegisterExtension;

/** The scripts on the Redis of this machine. */
class ScriptsIT extends ScriptsContract {
    @RegisterExtension
    static final RedisServer first = RedisServer.own().persistent();

    @RegisterExtension
    static final RedisServer second = RedisServer.own();

    @Override
    RedisServer redis() {
        return first;
    }

    @Override
    RedisServer second() {
        return second;
    }
}
