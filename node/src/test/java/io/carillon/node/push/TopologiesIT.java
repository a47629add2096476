package io.carillon.node.push;

import static org.assertj.core.api.Assertions.assertThat;

import io.carillon.model.channel.ChannelName;
import io.carillon.model.channel.Namespace;
import io.carillon.model.redis.Keys;
import io.carillon.node.testing.Client;
import io.carillon.node.testing.Nodes;
import io.carillon.node.testing.Poll;
import io.carillon.node.testing.RedisCluster;
import io.carillon.node.testing.RedisSentinels;
import io.carillon.node.testing.RedisServer;
import io.carillon.node.testing.SecuredRedis;
import java.time.Duration;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.stream.Collectors;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.RegisterExtension;
import tools.jackson.databind.JsonNode;

/** Whole nodes on Redis as it is run in production: Cluster, Sentinel, TLS with a user of its own, one shared by two. */
class TopologiesIT {
    private static final Duration SOON = Duration.ofSeconds(30);
    private static final Keys CLUSTERED = new Keys("carillon", Keys.CLUSTER_PARTITIONS);

    @RegisterExtension
    static final RedisCluster cluster = new RedisCluster();

    @RegisterExtension
    static final RedisSentinels sentinels = new RedisSentinels();

    @RegisterExtension
    static final SecuredRedis secured = new SecuredRedis();

    @Test
    void twoNodesOnRedisClusterServeEverythingWhileASlotMoves() throws Exception {
        try (var nodes = new Nodes("", 2, Map.of("spring.data.redis.cluster.nodes", cluster.nodes()));
                Client ada = Client.welcomed(nodes.url(0), "ada");
                Client bob = Client.welcomed(nodes.url(1), "bob")) {
            chatRoomAndBroadcast(nodes, ada, bob);
            Poll.until(
                    "both are online",
                    SOON,
                    () -> nodes.get("/api/ws/status"),
                    status -> status.path("online_count").asLong() == 2
                            && status.path("connections").asLong() == 2
                            && status.path("nodes").asLong() == 2
                            && status.path("online_users").size() == 2);
            assertThat(nodes.get("/api/ws/users/ada").path("online").asBoolean())
                    .isTrue();
            assertThat(cluster.at("carillon:stats").hget("carillon:stats", "push.online"))
                    .isEqualTo("2");

            String key = CLUSTERED.channel(ChannelName.user(Namespace.PUSH, "bob"));
            int from = cluster.ownerOf(key);
            int to = from == 1 ? 2 : 1;
            List<String> ids = new ArrayList<>();
            send(ada, "bob", 0, 15, ids);
            cluster.move(key, to, () -> {});
            send(ada, "bob", 15, 30, ids);
            // Each event once and in the order of the channel, live or filled in. Calls under way while the slot moves
            // may
            // have overtaken each other on their way to Redis (ADR 10).
            List<String> got = new ArrayList<>();
            List<Long> offsets = new ArrayList<>();
            while (got.size() < ids.size()) {
                JsonNode frame = bob.next("m");
                got.add(frame.path("content").asString());
                offsets.add(frame.path("offset").asLong());
            }
            assertThat(got).containsExactlyInAnyOrderElementsOf(ids);
            assertThat(got.subList(0, 15)).isEqualTo(ids.subList(0, 15));
            assertThat(offsets).isSorted().doesNotHaveDuplicates();

            // And a resume on the other node.
            JsonNode last = ada.send("{\"type\":\"before\",\"to\":\"bob\",\"ref\":\"p\"}")
                    .next("sent");
            bob.next("before");
            bob.leave();
            ada.send("{\"type\":\"missed\",\"to\":\"bob\",\"ref\":\"q\"}").next("sent");
            try (Client back = Client.welcomed(nodes.url(0), "bob")) {
                back.send("{\"type\":\"resume\",\"channels\":{\"user:bob\":{\"epoch\":\""
                        + last.path("epoch").asString() + "\",\"offset\":"
                        + last.path("offset").asLong() + "}}}");
                List<JsonNode> frames = back.upTo("resumed");
                assertThat(frames.stream().map(frame -> frame.path("type").asString()))
                        .containsExactly("missed", "resumed");
            }
        }
    }

    private static void send(Client from, String to, int first, int last, List<String> into) throws Exception {
        for (int i = first; i < last; i++) {
            from.send("{\"type\":\"m\",\"to\":\"" + to + "\",\"content\":\"" + i + "\",\"ref\":\"" + i + "\"}");
            into.add(Integer.toString(i));
        }
        for (int i = first; i < last; i++) from.next("sent");
    }

    private static void chatRoomAndBroadcast(Nodes nodes, Client ada, Client bob) throws Exception {
        ada.send("{\"type\":\"chat\",\"to\":\"bob\",\"content\":\"hello\",\"ref\":\"1\"}")
                .next("sent");
        assertThat(bob.next("chat").path("from").asString()).isEqualTo("ada");
        ada.send("{\"type\":\"join\",\"room\":\"hall\"}").next("joined");
        bob.send("{\"type\":\"join\",\"room\":\"hall\"}").next("joined");
        bob.send("{\"type\":\"said\",\"room\":\"hall\"}");
        assertThat(ada.next("said").path("from").asString()).isEqualTo("bob");
        assertThat(nodes.call("POST", "/api/ws/broadcast", "{\"type\":\"news\"}")
                        .statusCode())
                .isLessThan(300);
        ada.next("news");
        bob.next("news");
        assertThat(nodes.get("/api/ws/rooms/hall").path("count").asLong()).isEqualTo(2);
    }

    @Test
    void aNodeOnSentinelSurvivesAFailoverWithItsSessions() throws Exception {
        sentinels.awaitReplica();
        var settings = new LinkedHashMap<String, String>();
        settings.put("spring.data.redis.sentinel.master", RedisSentinels.NAME);
        settings.put(
                "spring.data.redis.sentinel.nodes",
                sentinels.sentinels().stream()
                        .map(uri -> uri.getHost() + ":" + uri.getPort())
                        .collect(Collectors.joining(",")));
        settings.put("spring.data.redis.sentinel.password", RedisSentinels.SENTINEL_PASSWORD);
        settings.put("spring.data.redis.password", RedisSentinels.PASSWORD);
        try (var nodes = new Nodes("", 2, settings);
                Client ada = Client.welcomed(nodes.url(0), "ada");
                Client bob = Client.welcomed(nodes.url(1), "bob")) {
            chatRoomAndBroadcast(nodes, ada, bob);
            RedisServer dead = sentinels.primary();
            dead.stop();
            try {
                Poll.until(
                        "both nodes are ready again",
                        Duration.ofSeconds(60),
                        () -> sentinels.primary() != dead && nodes.ready(0) && nodes.ready(1));
                Poll.until(
                        "the old sessions are online at the new primary",
                        SOON,
                        () -> sentinels.primary().commands().scard("carillon:push:presence:online") == 2);
                Poll.until("an event is taken and arrives", SOON, () -> {
                    ada.send("{\"type\":\"after\",\"to\":\"bob\",\"ref\":\"2\"}")
                            .next("sent");
                    return true;
                });
                assertThat(bob.next("after").path("from").asString()).isEqualTo("ada");
                Poll.until(
                        "the HTTP API has found it too",
                        SOON,
                        () -> nodes.get("/api/ws/status").path("online_count").asLong() == 2);
            } finally {
                dead.start();
            }
        }
    }

    @Test
    void aNodeOverTlsAsAUserOfItsOwnIsRefusedNothing() throws Exception {
        secured.server().commands().aclLogReset();
        var settings = Map.of(
                "spring.data.redis.ssl.bundle",
                "redis",
                "spring.ssl.bundle.pem.redis.truststore.certificate",
                "file:" + secured.certificateFile());
        try (var nodes = new Nodes(secured.url(), 1, settings);
                Client ada = Client.welcomed(nodes.url(0), "ada");
                Client bob = Client.welcomed(nodes.url(0), "bob")) {
            chatRoomAndBroadcast(nodes, ada, bob);
            Poll.until(
                    "both are online",
                    SOON,
                    () -> nodes.get("/api/ws/status").path("online_count").asLong() == 2);
            assertThat(nodes.call("PUT", "/api/ws/rooms/hall/members/ada", "{}").statusCode())
                    .isEqualTo(204);
            assertThat(nodes.call("DELETE", "/api/ws/rooms/hall/members/ada", null)
                            .statusCode())
                    .isEqualTo(204);
            assertThat(nodes.get("/api/ws/rooms/hall/members").path("users").size())
                    .isLessThanOrEqualTo(2);
            assertThat(nodes.get("/api/ws/nodes").path("nodes").size()).isEqualTo(1);
        }
        assertThat(secured.server().commands().aclLog()).isEmpty();
    }

    @Test
    void twoClustersShareOneRedisByTheirPrefixAndNothingCrosses() throws Exception {
        try (var redis = RedisServer.running();
                var here = new Nodes(redis.url(), 1, Map.of());
                var there = new Nodes(redis.url(), 1, Map.of("carillon.redis.prefix", "other"));
                Client ada = Client.welcomed(here.url(0), "ada");
                Client twin = Client.welcomed(there.url(0), "ada");
                Client bob = Client.welcomed(there.url(0), "bob")) {
            ada.send("{\"type\":\"join\",\"room\":\"hall\"}").next("joined");
            twin.send("{\"type\":\"join\",\"room\":\"hall\"}").next("joined");
            here.call("POST", "/api/ws/broadcast", "{\"type\":\"here\"}");
            ada.next("here");
            bob.send("{\"type\":\"there\",\"to\":\"ada\"}");
            bob.send("{\"type\":\"there\",\"room\":\"hall\"}");
            there.call("POST", "/api/ws/broadcast", "{\"type\":\"end\"}");
            here.call("POST", "/api/ws/broadcast", "{\"type\":\"end\"}");
            assertThat(ada.upTo("end"))
                    .noneMatch(frame -> frame.path("type").asString().equals("there"));
            assertThat(twin.upTo("end"))
                    .noneMatch(frame -> frame.path("type").asString().equals("here"));
            Poll.until("each counts its own", SOON, () -> online(here) == 1 && online(there) == 2);
            assertThat(here.get("/api/ws/nodes").path("nodes").size()).isEqualTo(1);
            assertThat(there.get("/api/ws/nodes").path("nodes").size()).isEqualTo(1);
            Poll.until(
                    "each has its own totals",
                    SOON,
                    () -> "1".equals(redis.commands().hget("carillon:stats", "push.online"))
                            && "2".equals(redis.commands().hget("other:stats", "push.online")));
            assertThat(redis.commands().keys("*"))
                    .allMatch(key -> key.startsWith("carillon:") || key.startsWith("other:"));
        }
    }

    private static long online(Nodes nodes) throws Exception {
        return nodes.get("/api/ws/status").path("online_count").asLong();
    }
}
