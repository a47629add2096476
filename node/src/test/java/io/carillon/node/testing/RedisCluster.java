package io.carillon.node.testing;

import io.carillon.model.redis.Slots;
import io.lettuce.core.RedisURI;
import io.lettuce.core.api.sync.RedisCommands;
import io.lettuce.core.codec.StringCodec;
import io.lettuce.core.output.StatusOutput;
import io.lettuce.core.protocol.CommandArgs;
import io.lettuce.core.protocol.CommandType;
import java.io.IOException;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.IntStream;
import org.junit.jupiter.api.extension.AfterAllCallback;
import org.junit.jupiter.api.extension.BeforeAllCallback;
import org.junit.jupiter.api.extension.ExtensionContext;

/**
 * A real Redis Cluster on free ports of loopback: three primaries and a replica of the first, which takes over when that
 * one does not answer for two seconds. Use it as a static {@code @RegisterExtension}.
 */
public final class RedisCluster implements BeforeAllCallback, AfterAllCallback {
    private static final int PRIMARIES = 3;
    private static final Duration SOON = Duration.ofSeconds(40);

    private final List<RedisServer> servers = new ArrayList<>();
    private final List<Integer> buses = new ArrayList<>();

    @Override
    public void beforeAll(ExtensionContext context) throws IOException {
        for (int i = 0; i <= PRIMARIES; i++) {
            int bus = RedisServer.freePort();
            buses.add(bus);
            servers.add(RedisServer.own()
                    .with("--cluster-enabled", "yes", "--cluster-node-timeout", "2000")
                    .with("--cluster-port", Integer.toString(bus), "--cluster-replica-validity-factor", "0")
                    .open());
        }
        for (int i = 0; i < PRIMARIES; i++) {
            int from = Slots.COUNT * i / PRIMARIES;
            int to = Slots.COUNT * (i + 1) / PRIMARIES;
            commands(i).clusterSetConfigEpoch(i + 1);
            commands(i).clusterAddSlots(IntStream.range(from, to).toArray());
        }
        for (int i = 1; i <= PRIMARIES; i++) {
            commands(0)
                    .dispatch(
                            CommandType.CLUSTER,
                            new StatusOutput<>(StringCodec.UTF8),
                            new CommandArgs<>(StringCodec.UTF8)
                                    .add("MEET")
                                    .add("127.0.0.1")
                                    .add(servers.get(i).uri().getPort())
                                    .add(buses.get(i)));
        }
        String first = commands(0).clusterMyId();
        Poll.until(
                "the replica knows its primary",
                SOON,
                () -> commands(PRIMARIES).clusterReplicate(first).equals("OK"));
        awaitWhole();
    }

    /** Waits until every running server sees the cluster whole, and the replica follows. */
    public void awaitWhole() {
        Poll.until("the cluster is whole", SOON, () -> {
            for (int i = 0; i <= PRIMARIES; i++) {
                String info = commands(i).clusterInfo();
                if (!info.contains("cluster_state:ok") || !info.contains("cluster_known_nodes:" + (PRIMARIES + 1))) {
                    return false;
                }
                String replication = commands(i).info("replication");
                if (replication.contains("role:slave") && !replication.contains("master_link_status:up")) return false;
            }
            return true;
        });
    }

    /** All servers: three primaries, at first, and the replica of the first. */
    public List<RedisServer> servers() {
        return List.copyOf(servers);
    }

    public List<RedisURI> seeds() {
        return servers.stream().map(RedisServer::uri).toList();
    }

    /** The same as {@code spring.data.redis.cluster.nodes} takes it. */
    public String nodes() {
        return String.join(
                ",",
                servers.stream()
                        .map(server -> "127.0.0.1:" + server.uri().getPort())
                        .toList());
    }

    public RedisCommands<String, String> commands(int server) {
        return servers.get(server).commands();
    }

    /** Which server holds the slot of a key now. */
    public int ownerOf(String key) {
        int slot = Slots.of(key);
        for (int i = 0; i < servers.size(); i++) {
            for (String line : commands(i).clusterNodes().split("\n")) {
                if (!line.contains("myself,master")) continue;
                for (String range :
                        line.substring(line.indexOf(" connected ") + 11).split(" ")) {
                    if (range.startsWith("[") || range.isBlank()) continue;
                    String[] ends = range.trim().split("-");
                    if (Integer.parseInt(ends[0]) <= slot && slot <= Integer.parseInt(ends[ends.length - 1])) return i;
                }
            }
        }
        throw new IllegalStateException("nobody holds slot " + slot);
    }

    /** Commands on the server that holds the key. */
    public RedisCommands<String, String> at(String key) {
        return commands(ownerOf(key));
    }

    /** Moves the slot of a key with all that is in it, key by key, as {@code redis-cli --cluster reshard} does. */
    public void move(String key, int to, Runnable halfWay) {
        int slot = Slots.of(key);
        int from = ownerOf(key);
        String source = commands(from).clusterMyId();
        String target = commands(to).clusterMyId();
        int port = servers.get(to).uri().getPort();
        commands(to).clusterSetSlotImporting(slot, source);
        commands(from).clusterSetSlotMigrating(slot, target);
        boolean first = true;
        while (true) {
            List<String> keys = commands(from).clusterGetKeysInSlot(slot, 1);
            if (keys.isEmpty()) break;
            commands(from).migrate("127.0.0.1", port, keys.getFirst(), 0, 5000);
            if (first) halfWay.run();
            first = false;
        }
        commands(to).clusterSetSlotNode(slot, target);
        commands(from).clusterSetSlotNode(slot, target);
        for (int i = 0; i < PRIMARIES; i++) {
            if (i != from && i != to) commands(i).clusterSetSlotNode(slot, target);
        }
    }

    @Override
    public void afterAll(ExtensionContext context) {
        servers.forEach(RedisServer::close);
    }
}
