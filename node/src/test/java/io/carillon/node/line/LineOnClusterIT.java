package io.carillon.node.line;

import static io.carillon.node.line.Desks.incoming;
import static io.carillon.node.line.Desks.message;
import static io.carillon.node.line.Desks.stats;
import static io.carillon.node.line.Desks.sync;
import static org.assertj.core.api.Assertions.assertThat;

import io.carillon.node.testing.Client;
import io.carillon.node.testing.Nodes;
import io.carillon.node.testing.RedisCluster;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.RegisterExtension;

/** The line application on Redis Cluster: everything of a group lies in one slot, which may move. */
class LineOnClusterIT {
    @RegisterExtension
    static final RedisCluster cluster = new RedisCluster();

    @Test
    void groupsCountExactlyOnRedisClusterWhileTheirSlotMoves() throws Exception {
        try (var nodes = new Nodes("", 2, Map.of("spring.data.redis.cluster.nodes", cluster.nodes()))) {
            var desks = new Desks(nodes);
            for (long group = 1; group <= 3; group++) {
                String code = desks.code("CODE-" + group, group);
                try (Client dashboard = desks.dashboard(1, group);
                        Client windows = desks.windows(0, code)) {
                    sync(windows, code, "a1", "a2");
                    String key = "carillon:line:room:{group-" + group + "}";
                    int from = cluster.ownerOf(key);
                    for (int i = 0; i < 20; i++) windows.send(incoming(code, "m" + i, "a1", "x" + i % 15));
                    cluster.move(key, from == 1 ? 2 : 1, () -> {
                        try {
                            for (int i = 20; i < 40; i++) windows.send(incoming(code, "m" + i, "a1", "x" + i % 15));
                        } catch (Exception e) {
                            throw new IllegalStateException(e);
                        }
                    });
                    // Whatever failed in between is sent again, as clients do.
                    for (int i = 0; i < 40; i++) windows.send(incoming(code, "m" + i, "a1", "x" + i % 15));
                    var stats = stats(dashboard, "total_incoming", 40);
                    assertThat(stats.path("duplicate_incoming").asLong()).isEqualTo(25);
                    assertThat(stats.path("online_accounts").asLong()).isEqualTo(2);
                    windows.send(message("customer_sync", code, null, "{\"customer_id\":\"c1\"}"))
                            .next("customer_sync_received");
                    windows.send(message("follow_up_sync", code, null, "{\"customer_id\":\"c1\"}"))
                            .next("follow_up_sync_received");
                    windows.leave();
                    stats(dashboard, "online_accounts", 0);
                }
            }
        }
    }
}
