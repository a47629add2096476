package io.carillon.node.conversation;

import static org.assertj.core.api.Assertions.assertThat;

import io.carillon.model.channel.ChannelName;
import io.carillon.model.channel.Namespace;
import io.carillon.model.redis.Keys;
import io.carillon.node.testing.Client;
import io.carillon.node.testing.Http;
import io.carillon.node.testing.Nodes;
import io.carillon.node.testing.Poll;
import io.carillon.node.testing.RedisCluster;
import io.carillon.node.testing.RedisSentinels;
import io.carillon.node.testing.RedisServer;
import io.carillon.node.testing.SecuredRedis;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.RegisterExtension;
import tools.jackson.databind.JsonNode;

/** Messages on Redis as it is run in production: Cluster with a slot that moves, a failover, a loss, a user with few rights. */
class MessageTopologiesIT {
    private static final Duration SOON = Duration.ofSeconds(30);

    @RegisterExtension
    static final RedisCluster cluster = new RedisCluster();

    @RegisterExtension
    static final RedisSentinels sentinels = new RedisSentinels();

    @RegisterExtension
    static final SecuredRedis secured = new SecuredRedis();

    @RegisterExtension
    static final RedisServer lost = RedisServer.own();

    private static Client visitor(Nodes nodes, int node) throws Exception {
        Client client = Client.connect(nodes.url(node) + "/ws?conversation_id=7");
        client.send("{\"type\":\"ping\"}").next("pong");
        return client;
    }

    /** Says it until it is taken, as a client would: with one key. */
    private static JsonNode say(Nodes nodes, int node, String content) {
        String body = "{\"conversation_id\":7,\"content\":\"" + content + "\"}";
        return Poll.until(
                        "the message to be taken",
                        SOON,
                        () -> Http.post(nodes.url(node) + "/messages", body, "Idempotency-Key", content),
                        answer -> answer.status() < 300)
                .json();
    }

    private static List<JsonNode> read(Nodes nodes) throws Exception {
        var messages = new ArrayList<JsonNode>();
        Http.get(nodes.url(0) + "/messages?conversation_id=7&limit=1000")
                .json()
                .path("messages")
                .forEach(messages::add);
        return messages;
    }

    @Test
    void inRedisClusterAMovingSlotLosesAndRepeatsNothing() throws Exception {
        try (var nodes = new Nodes("", 2, Map.of("spring.data.redis.cluster.nodes", cluster.nodes()));
                Client visitor = visitor(nodes, 1)) {
            var said = new ArrayList<JsonNode>();
            for (int i = 0; i < 20; i++) said.add(say(nodes, i % 2, "before" + i));
            assertThat(said).extracting(m -> m.path("id").intValue()).isEqualTo(numbers(1, 20));
            String key = new Keys("carillon", Keys.CLUSTER_PARTITIONS)
                    .channel(ChannelName.room(new Namespace("conversation"), "7"));
            var meanwhile = CompletableFuture.supplyAsync(() -> {
                var more = new ArrayList<JsonNode>();
                for (int i = 0; i < 60; i++) more.add(say(nodes, i % 2, "while" + i));
                return more;
            });
            cluster.move(key, cluster.ownerOf(key) == 1 ? 2 : 1, () -> {});
            said.addAll(meanwhile.get());
            for (int i = 0; i < 20; i++) said.add(say(nodes, i % 2, "after" + i));

            assertThat(said)
                    .extracting(m -> m.path("id").longValue())
                    .isSorted()
                    .doesNotHaveDuplicates();
            assertThat(read(nodes)).isEqualTo(said);
            for (JsonNode message : said) {
                assertThat(visitor.next("new_message").path("data")).isEqualTo(message);
            }
            // The keys came along: each of them still finds its message.
            assertThat(say(nodes, 0, "before3")).isEqualTo(said.get(3));
            assertThat(say(nodes, 1, "while3")).isEqualTo(said.get(23));
            assertThat(read(nodes)).hasSize(100);
        }
    }

    private static List<Integer> numbers(int first, int last) {
        return IntStream.rangeClosed(first, last).boxed().toList();
    }

    @Test
    void afterAFailoverRetriesFindTheFirstMessageAndNoIdIsGivenTwice() throws Exception {
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
                Client visitor = visitor(nodes, 1)) {
            var said = new ArrayList<JsonNode>();
            for (int i = 0; i < 10; i++) said.add(say(nodes, i % 2, "m" + i));
            RedisServer dead = sentinels.primary();
            dead.stop();
            try {
                Poll.until(
                        "both nodes are ready again",
                        Duration.ofSeconds(60),
                        () -> sentinels.primary() != dead && nodes.ready(0) && nodes.ready(1));
                List<JsonNode> kept = read(nodes);
                assertThat(said).startsWith(kept.toArray(JsonNode[]::new));
                assertThat(kept).as("what had time to be replicated").isNotEmpty();
                for (JsonNode message : kept) {
                    assertThat(say(nodes, 0, message.path("content").stringValue()))
                            .isEqualTo(message);
                }
                long next = say(nodes, 1, "after").path("id").longValue();
                assertThat(next).isGreaterThan(said.getLast().path("id").longValue());
                assertThat(say(nodes, 0, "after that").path("id").longValue()).isEqualTo(next + 1);
                List<String> seen = new ArrayList<>();
                while (!seen.contains("after that")) {
                    seen.add(visitor.next("new_message")
                            .path("data")
                            .path("content")
                            .stringValue());
                }
                assertThat(seen).doesNotHaveDuplicates().contains("m9", "after");
            } finally {
                dead.start();
            }
        }
    }

    /** Clients take a message with an id they have passed for an old one, so none may come again. */
    @Test
    void afterRedisLostEverythingIdsGoOnBehindThoseANodeHasSeen() throws Exception {
        String token = "Bearer " + Nodes.token("ada", Instant.now().getEpochSecond() + 300, "\"name\":\"Ada\"");
        try (var nodes = new Nodes(lost.url(), 2, Map.of());
                Client visitor = visitor(nodes, 1);
                Client ada = Client.connect(nodes.url(1) + "/api/chat/ws", "Authorization", token)) {
            ada.next("online_count");
            for (int i = 1; i <= 5; i++) {
                assertThat(say(nodes, 0, "m" + i).path("id").longValue()).isEqualTo(i);
                assertThat(visitor.next("new_message").path("data").path("id").longValue())
                        .isEqualTo(i);
                assertThat(chat(nodes, 0, token, "m" + i)).isEqualTo(i);
                assertThat(ada.next("message").path("data").path("id").longValue())
                        .isEqualTo(i);
            }
            // Other events may have ids of their own.
            for (String to : List.of("rooms/7/broadcast?namespace=conversation", "broadcast?namespace=chat")) {
                assertThat(Http.post(
                                        nodes.url(0) + "/api/ws/" + to,
                                        "{\"type\":\"order\",\"content\":{\"id\":777000}}",
                                        "X-API-Key",
                                        Nodes.API_KEY)
                                .status())
                        .isEqualTo(202);
            }
            assertThat(visitor.next("order").path("data").path("id").longValue())
                    .isEqualTo(777000);
            assertThat(ada.next("order").path("data").path("id").longValue()).isEqualTo(777000);
            lost.commands().flushall();
            // This node took none of them: it has only seen them pass.
            JsonNode said = say(nodes, 1, "after");
            assertThat(said.path("id").longValue()).isEqualTo(1006);
            // The break is told, and a look behind the last id finds what came with it; then all goes on.
            visitor.next("resync");
            assertThat(Http.get(nodes.url(0) + "/messages?conversation_id=7&after_id=5")
                            .json()
                            .path("messages"))
                    .containsExactly(said);
            JsonNode more = say(nodes, 0, "after that");
            assertThat(more.path("id").longValue()).isEqualTo(1007);
            assertThat(visitor.next("new_message").path("data")).isEqualTo(more);
            assertThat(chat(nodes, 1, token, "after")).isEqualTo(1006);
            ada.next("resync");
            assertThat(chat(nodes, 0, token, "after that")).isEqualTo(1007);
            assertThat(ada.next("message").path("data").path("id").longValue()).isEqualTo(1007);
        }
    }

    private static long chat(Nodes nodes, int node, String token, String content) throws Exception {
        return Http.post(
                        nodes.url(node) + "/api/chat/messages",
                        "{\"content\":\"" + content + "\"}",
                        "Authorization",
                        token)
                .json()
                .path("id")
                .longValue();
    }

    @Test
    void aNodeWithItsOwnRightsIsRefusedNothing() throws Exception {
        secured.server().commands().aclLogReset();
        var settings = Map.of(
                "spring.data.redis.ssl.bundle",
                "redis",
                "spring.ssl.bundle.pem.redis.truststore.certificate",
                "file:" + secured.certificateFile());
        String token = "Bearer " + Nodes.token("ada", Instant.now().getEpochSecond() + 300, "\"name\":\"Ada\"");
        try (var nodes = new Nodes(secured.url(), 1, settings);
                Client visitor = visitor(nodes, 0);
                Client ada = Client.connect(nodes.url(0) + "/api/chat/ws", "Authorization", token)) {
            JsonNode said = say(nodes, 0, "hello");
            assertThat(visitor.next("new_message").path("data")).isEqualTo(said);
            assertThat(say(nodes, 0, "hello")).isEqualTo(said);
            assertThat(read(nodes)).hasSize(1);
            ada.next("online_count");
            ada.send("{\"type\":\"message\",\"content\":\"hi\",\"client_id\":\"c\"}")
                    .next("ack");
            assertThat(Http.get(nodes.url(0) + "/api/chat/messages/new", "Authorization", token)
                            .json()
                            .path("messages"))
                    .hasSize(1);
            assertThat(Http.get(nodes.url(0) + "/api/chat/online-users", "Authorization", token)
                            .json()
                            .path("count")
                            .intValue())
                    .isEqualTo(1);
        }
        assertThat(secured.server().commands().aclLog()).isEmpty();
    }
}
