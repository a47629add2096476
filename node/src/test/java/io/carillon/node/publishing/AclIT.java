package io.carillon.node.publishing;

import io.carillon.node.testing.RedisServer;
import java.util.List;
import org.junit.jupiter.api.extension.RegisterExtension;

/** Users with least rights on the Redis of the machine. */
class AclIT extends AclContract {
    @RegisterExtension
    static final RedisServer redis = RedisServer.own();

    @Override
    RedisServer redis() {
        return redis;
    }

    @Override
    List<String> files() {
        return List.of("node.acl", "services.acl");
    }
}
