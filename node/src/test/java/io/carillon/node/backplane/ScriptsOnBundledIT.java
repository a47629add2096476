package io.carillon.node.backplane;

import io.carillon.node.testing.RedisServer;
import org.junit.jupiter.api.extension.RegisterExtension;

/** The scripts on the bundled Redis 6.2. */
class ScriptsOnBundledIT extends ScriptsContract {
    @RegisterExtension
    static final RedisServer first = RedisServer.bundled().persistent();

    @RegisterExtension
    static final RedisServer second = RedisServer.bundled();

    @Override
    RedisServer redis() {
        return first;
    }

    @Override
    RedisServer second() {
        return second;
    }
}
