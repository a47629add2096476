package io.carillon.node.publishing;

import io.carillon.node.testing.RedisServer;
import java.util.List;
import org.junit.jupiter.api.extension.RegisterExtension;

/** Users with least rights on the bundled Redis 6.2. */
class AclOnBundledIT extends AclContract {
    @RegisterExtension
    static final RedisServer redis = RedisServer.bundled();

    @Override
    RedisServer redis() {
        return redis;
    }

    @Override
    List<String> files() {
        return List.of("redis-6.2.acl");
    }
}
