package io.carillon.node.conversation;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.carillon.node.testing.Client;
import io.carillon.node.testing.Http;
import io.carillon.node.testing.Nodes;
import io.carillon.node.testing.Poll;
import io.carillon.node.testing.RedisServer;
import java.net.http.WebSocketHandshakeException;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;
import java.util.concurrent.Callable;
import java.util.concurrent.Executors;
import java.util.concurrent.ThreadLocalRandom;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.stream.IntStream;
import java.util.stream.LongStream;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.RegisterExtension;
import tools.jackson.databind.JsonNode;

/** Every row of the conversation dialect, over three real nodes and a real Redis. Tests share no conversation. */
class ConversationIT {
    @RegisterExtension
    static final RedisServer redis = RedisServer.own();

    private static final AtomicInteger NEXT = new AtomicInteger(1000);
    private static final String SERVICE = "X-API-Key";

    private static Nodes nodes;

    private final String conversation = String.valueOf(NEXT.incrementAndGet());

    @BeforeAll
    static void start() {
        // Open identity, as in the quick start; a second address of the same dialect beside the first.
        nodes = new Nodes(
                redis.url(),
                3,
                Map.of(
                        "carillon.endpoints.helpdesk.path", "/helpdesk/ws",
                        "carillon.endpoints.helpdesk.dialect", "conversation",
                        "carillon.endpoints.helpdesk.namespace", "helpdesk"));
    }

    @AfterAll
    static void stop() {
        if (nodes != null) nodes.close();
    }

    // ---- what a visitor and an agent do

    private static String token(String user, String claims) {
        return Nodes.token(user, Instant.now().getEpochSecond() + 300, claims);
    }

    private static String bearer(String user, String claims) {
        return "Bearer " + token(user, claims);
    }

    private String visitorsToken() {
        return bearer("v-" + conversation, "\"conversation_id\":" + conversation);
    }

    /** A session that is told of what comes from now on. */
    private static Client listening(int node, String path, String... headers) throws Exception {
        Client client = Client.connect(nodes.url(node) + path, headers);
        client.send("{\"type\":\"ping\"}").next("pong");
        return client;
    }

    private Client visitor(int node) throws Exception {
        return listening(node, "/ws?conversation_id=" + conversation);
    }

    private Http.Answer say(int node, String content, String... headers) throws Exception {
        return Http.post(nodes.url(node) + "/messages", body(content, false), headers);
    }

    private String body(String content, boolean agent) {
        return "{\"conversation_id\":" + conversation + ",\"content\":" + Client.JSON.writeValueAsString(content)
                + ",\"sender_is_agent\":" + agent + "}";
    }

    private Http.Answer read(int node, String query, String... headers) throws Exception {
        return Http.get(nodes.url(node) + "/messages?conversation_id=" + conversation + query, headers);
    }

    private static List<Long> ids(JsonNode messages) {
        var ids = new ArrayList<Long>();
        messages.forEach(message -> ids.add(message.path("id").longValue()));
        return ids;
    }

    private static int refusal(String url, String... headers) {
        try (Client client = Client.connect(url, headers)) {
            return 101;
        } catch (Exception e) {
            if (e.getCause() instanceof WebSocketHandshakeException refused) {
                return refused.getResponse().statusCode();
            }
            throw new AssertionError(e);
        }
    }

    // ---- pushing

    @Test
    void aMessageReachesEverySessionOfTheConversationOnEveryNodeTheSendersIncluded() throws Exception {
        try (Client visitor = visitor(0);
                Client sameTab = visitor(0);
                Client onAnother = visitor(1);
                Client agent = listening(
                        2, "/ws?conversation_id=" + conversation, "Authorization", bearer("a1", "\"kind\":\"agent\""));
                Client stranger = listening(1, "/ws?conversation_id=9" + conversation)) {
            Http.Answer answer = say(1, "你好 <b>&</b> \" \\ \n");
            assertThat(answer.status()).isEqualTo(201);
            for (Client each : List.of(visitor, sameTab, onAnother, agent)) {
                JsonNode frame = each.next("new_message");
                assertThat(frame.propertyNames()).containsExactlyInAnyOrder("type", "data");
                assertThat(frame.path("data")).isEqualTo(answer.json());
            }
            JsonNode message = answer.json();
            assertThat(message.propertyNames())
                    .containsExactlyInAnyOrder("id", "conversation_id", "content", "sender_is_agent", "created_at");
            assertThat(message.path("id").longValue()).isEqualTo(1);
            assertThat(message.path("conversation_id").toString()).isEqualTo(conversation);
            assertThat(message.path("content").stringValue()).isEqualTo("你好 <b>&</b> \" \\ \n");
            assertThat(message.path("sender_is_agent").booleanValue()).isFalse();
            assertThat(Duration.between(Instant.parse(message.path("created_at").stringValue()), Instant.now())
                            .abs())
                    .isLessThan(Duration.ofSeconds(30));
            assertThat(stranger.send("{\"type\":\"ping\"}").upTo("pong")).hasSize(1);
        }
    }

    @Test
    void idsGrowByOneInEachConversationByItself() throws Exception {
        for (int i = 1; i <= 3; i++) {
            assertThat(say(i % 3, "x").json().path("id").longValue()).isEqualTo(i);
        }
        String other = "{\"conversation_id\":8" + conversation + ",\"content\":\"x\"}";
        Http.Answer answer = Http.post(nodes.url(0) + "/messages", other);
        assertThat(answer.status()).isEqualTo(201);
        assertThat(answer.json().path("id").longValue()).isEqualTo(1);
        assertThat(answer.json().path("sender_is_agent").booleanValue()).isFalse();
    }

    @Test
    void aConversationMayHaveAnyUnsignedNumberOf64Bits() throws Exception {
        String largest = "18446744073709551615";
        try (Client visitor = listening(0, "/ws?conversation_id=" + largest)) {
            Http.Answer answer = Http.post(
                    nodes.url(1) + "/messages", "{\"conversation_id\":" + largest + ",\"content\":\"large\"}");
            assertThat(answer.status()).isEqualTo(201);
            assertThat(visitor.next("new_message")
                            .path("data")
                            .path("conversation_id")
                            .toString())
                    .isEqualTo(largest);
            assertThat(Http.get(nodes.url(2) + "/messages?conversation_id=" + largest)
                            .json()
                            .path("messages"))
                    .hasSize(1);
        }
    }

    @Test
    void aServicesOwnEventComesAsTypeAndData() throws Exception {
        try (Client visitor = visitor(0)) {
            assertThat(nodes.call(
                                    1,
                                    "POST",
                                    "/api/ws/rooms/" + conversation + "/broadcast?namespace=conversation",
                                    "{\"type\":\"agent_typing\",\"content\":{\"agent\":\"a1\"}}")
                            .statusCode())
                    .isEqualTo(202);
            assertThat(visitor.next("agent_typing").toString())
                    .isEqualTo("{\"type\":\"agent_typing\",\"data\":{\"agent\":\"a1\"}}");
        }
    }

    // ---- who may

    @Test
    void theConversationIsRequiredAndAnUnsignedNumber() throws Exception {
        for (String query : List.of(
                "",
                "?conversation_id=",
                "?conversation_id=abc",
                "?conversation_id=-1",
                "?conversation_id=%2B5",
                "?conversation_id=1.5",
                "?conversation_id=18446744073709551616",
                "?conversation_id=1%202")) {
            assertThat(refusal(nodes.url(0) + "/ws" + query)).as(query).isEqualTo(400);
            assertThat(Http.get(nodes.url(0) + "/messages" + query).status())
                    .as(query)
                    .isEqualTo(400);
        }
        for (String id : List.of("null", "\"x\"", "-1", "1.5", "true", "18446744073709551616", "[7]")) {
            Http.Answer answer =
                    Http.post(nodes.url(0) + "/messages", "{\"conversation_id\":" + id + ",\"content\":\"x\"}");
            assertThat(answer.status()).as(id).isEqualTo(400);
            assertThat(answer.json().path("error").stringValue()).contains("conversation_id");
        }
    }

    @Test
    void aTokenIsGoodForItsOwnConversationAndAnAgentsForAll() throws Exception {
        String ws = nodes.url(0) + "/ws?conversation_id=" + conversation;
        String other = bearer("v2", "\"conversation_id\":\"7" + conversation + "\"");
        String unnamed = bearer("v3", "");
        String text = bearer("v4", "\"conversation_id\":\"" + conversation + "\"");
        String agent = bearer("a1", "\"kind\":\"agent\"");
        String expired = "Bearer " + Nodes.token("v5", Instant.now().getEpochSecond() - 3600, "");
        var expected = Map.of(visitorsToken(), 101, other, 403, unnamed, 403, text, 101, agent, 101, expired, 401);
        for (var each : expected.entrySet()) {
            assertThat(refusal(ws, "Authorization", each.getKey())).isEqualTo(each.getValue());
            int wanted = each.getValue() == 101 ? 201 : each.getValue();
            assertThat(say(1, "x", "Authorization", each.getKey()).status()).isEqualTo(wanted);
            wanted = each.getValue() == 101 ? 200 : each.getValue();
            assertThat(read(2, "", "Authorization", each.getKey()).status()).isEqualTo(wanted);
        }
        // The token in the address, as pages send it.
        String token = visitorsToken().substring("Bearer ".length());
        assertThat(refusal(ws + "&token=" + token)).isEqualTo(101);
        assertThat(read(2, "&token=" + token).status()).isEqualTo(200);
    }

    @Test
    void onlyAnAgentSpeaksAsOne() throws Exception {
        String url = nodes.url(0) + "/messages";
        String body = body("welcome", true);
        Http.Answer refused = Http.post(url, body, "Authorization", visitorsToken());
        assertThat(refused.status()).isEqualTo(403);
        assertThat(refused.json().path("error").stringValue()).contains("sender_is_agent");
        assertThat(Http.post(url, body).status()).as("open identity").isEqualTo(403);
        assertThat(Http.post(url, body, SERVICE, "not-a-key").status()).isEqualTo(401);
        assertThat(Http.post(url, body, "Authorization", "Bearer not-a-key").status())
                .isEqualTo(401);
        assertThat(read(0, "").json().path("messages")).isEmpty();

        Http.Answer agent = Http.post(url, body, "Authorization", bearer("a1", "\"kind\":\"agent\""));
        assertThat(agent.status()).isEqualTo(201);
        assertThat(agent.json().path("sender_is_agent").booleanValue()).isTrue();
        assertThat(Http.post(url, body, SERVICE, Nodes.API_KEY).status()).isEqualTo(201);
        assertThat(Http.post(url, body, "Authorization", "Bearer " + Nodes.API_KEY)
                        .status())
                .isEqualTo(201);
        assertThat(read(1, "", SERVICE, Nodes.API_KEY).json().path("messages")).hasSize(3);
    }

    @Test
    void withoutOpenIdentityNobodyComesInUnnamed() throws Exception {
        try (var closed = new Nodes(redis.url(), 1, Map.of("carillon.auth.open-identity", "false"))) {
            String query = "?conversation_id=" + conversation;
            assertThat(refusal(closed.url(0) + "/ws" + query)).isEqualTo(401);
            assertThat(refusal(closed.url(0) + "/ws" + query + "&user_id=u1")).isEqualTo(401);
            assertThat(Http.get(closed.url(0) + "/messages" + query).status()).isEqualTo(401);
            assertThat(Http.post(closed.url(0) + "/messages", body("x", false)).status())
                    .isEqualTo(401);
            assertThat(refusal(closed.url(0) + "/ws" + query, "Authorization", visitorsToken()))
                    .isEqualTo(101);
            assertThat(Http.get(closed.url(0) + "/messages" + query, "Authorization", visitorsToken())
                            .status())
                    .isEqualTo(200);
        }
    }

    @Test
    void badBodiesAreRefusedWithAReasonAndNothingIsStored() throws Exception {
        String id = "{\"conversation_id\":" + conversation;
        String url = nodes.url(0) + "/messages";
        for (String body : List.of(
                id + "}",
                id + ",\"content\":\"\"}",
                id + ",\"content\":\" \\n\"}",
                id + ",\"content\":7}",
                id + ",\"content\":null}",
                id + ",\"content\":\"x\",\"content\":\"y\"}",
                id + ",\"content\":\"x\",\"sender_is_agent\":\"yes\"}",
                id + ",\"content\":\"\\ud800\"}",
                id + ",\"content\":\"" + "é".repeat(2048) + "x\"}",
                "[]",
                "",
                "{")) {
            Http.Answer answer = Http.post(url, body);
            assertThat(answer.status()).as(body).isEqualTo(400);
            assertThat(answer.json().path("error").stringValue()).isNotBlank();
        }
        assertThat(Http.post(url, body("x", false), "Idempotency-Key", "no\u0009tab")
                        .status())
                .isEqualTo(400);
        assertThat(read(0, "").json().path("messages")).isEmpty();
        assertThat(say(0, "é".repeat(2048)).status()).as("exactly 4 KiB").isEqualTo(201);
    }

    // ---- retries

    @Test
    void aRetryAnswersTheFirstMessageAndPushesNothing() throws Exception {
        try (Client visitor = visitor(2)) {
            Http.Answer first = say(0, "once", "Idempotency-Key", "k 1");
            Http.Answer retry = say(1, "once", "Idempotency-Key", "k 1");
            assertThat(first.status()).isEqualTo(201);
            assertThat(retry.status()).isEqualTo(200);
            assertThat(retry.json()).isEqualTo(first.json());
            Http.Answer other = say(2, "twice", "Idempotency-Key", "k 1");
            assertThat(other.status()).isEqualTo(422);
            assertThat(say(1, "end", "Idempotency-Key", "k 2").status()).isEqualTo(201);
            visitor.next("new_message");
            assertThat(visitor.next("new_message").path("data").path("content").stringValue())
                    .isEqualTo("end");
            String key = redis.commands()
                    .keys("carillon:conversation:room:{" + conversation + "}:once:*")
                    .getFirst();
            assertThat(redis.commands().ttl(key)).isBetween(86_000L, 86_400L);
        }
        // The key is the conversation's: the same one elsewhere is another.
        Http.Answer elsewhere = Http.post(
                nodes.url(0) + "/messages",
                "{\"conversation_id\":5" + conversation + ",\"content\":\"other\"}",
                "Idempotency-Key",
                "k 1");
        assertThat(elsewhere.status()).isEqualTo(201);
    }

    @Test
    void retriesAtTheSameMomentOnAllNodesAreOneMessage() throws Exception {
        try (var threads = Executors.newVirtualThreadPerTaskExecutor()) {
            for (int round = 0; round < 20; round++) {
                String key = "round-" + round;
                List<Callable<Http.Answer>> calls = IntStream.range(0, 9)
                        .<Callable<Http.Answer>>mapToObj(i -> () -> say(i % 3, "at once", "Idempotency-Key", key))
                        .toList();
                var answers = new ArrayList<Http.Answer>();
                for (var answer : threads.invokeAll(calls)) answers.add(answer.get());
                assertThat(answers)
                        .extracting(Http.Answer::body)
                        .containsOnly(answers.getFirst().body());
                assertThat(answers.stream().filter(a -> a.status() == 201)).hasSize(1);
                assertThat(answers.stream().filter(a -> a.status() == 200)).hasSize(8);
            }
        }
        assertThat(ids(read(0, "").json().path("messages")))
                .isEqualTo(LongStream.rangeClosed(1, 20).boxed().toList());
    }

    /** Eight writers on three nodes, who retry, against every promise at once. */
    @Test
    void manyWritersOnAllNodesMakeOneSequenceThatEverySessionSees() throws Exception {
        int writers = 8;
        int each = 500;
        try (Client first = visitor(0);
                Client second = visitor(1);
                Client third = visitor(2);
                var threads = Executors.newVirtualThreadPerTaskExecutor()) {
            List<Callable<Set<String>>> work = new ArrayList<>();
            for (int w = 0; w < writers; w++) {
                int writer = w;
                work.add(() -> {
                    var said = new TreeSet<String>();
                    for (int i = 0; i < each; i++) {
                        String content = "w" + writer + "-" + i;
                        int node = ThreadLocalRandom.current().nextInt(3);
                        Http.Answer answer = say(node, content, "Idempotency-Key", content);
                        assertThat(answer.status()).isEqualTo(201);
                        said.add(answer.json().path("id") + " " + content);
                        if (ThreadLocalRandom.current().nextInt(4) == 0) {
                            Http.Answer retry = say((node + 1) % 3, content, "Idempotency-Key", content);
                            assertThat(retry.status()).isEqualTo(200);
                            assertThat(retry.body()).isEqualTo(answer.body());
                        }
                    }
                    return said;
                });
            }
            var said = new TreeSet<String>();
            for (var writer : threads.invokeAll(work)) said.addAll(writer.get());
            int all = writers * each;
            var expected = LongStream.rangeClosed(1, all).boxed().toList();

            var polled = new ArrayList<JsonNode>();
            boolean more = true;
            while (more) {
                long after = polled.isEmpty() ? 0 : polled.getLast().path("id").longValue();
                JsonNode page =
                        read(polled.size() % 3, "&limit=300&after_id=" + after).json();
                page.path("messages").forEach(polled::add);
                more = page.path("has_more").booleanValue();
            }
            assertThat(polled.stream().map(m -> m.path("id").longValue())).isEqualTo(expected);
            assertThat(polled.stream()
                            .map(m -> m.path("id") + " " + m.path("content").stringValue()))
                    .containsExactlyInAnyOrderElementsOf(said);
            for (Client session : List.of(first, second, third)) {
                var pushed = new ArrayList<JsonNode>();
                Poll.until("every message pushed", Duration.ofSeconds(20), () -> {
                    session.rest().forEach(pushed::add);
                    return pushed.size() >= all;
                });
                assertThat(pushed.stream().map(frame -> frame.path("data"))).isEqualTo(polled);
            }
        }
    }

    // ---- reading

    @Test
    void pollingPagesThroughExactlyWhatWasPushed() throws Exception {
        assertThat(read(0, "").body()).isEqualTo("{\"messages\":[],\"has_more\":false}");
        for (int i = 1; i <= 5; i++) say(i % 3, "m" + i);
        JsonNode page = read(0, "&after_id=1&limit=2").json();
        assertThat(ids(page.path("messages"))).containsExactly(2L, 3L);
        assertThat(page.path("has_more").booleanValue()).isTrue();
        page = read(1, "&after_id=3&limit=2").json();
        assertThat(ids(page.path("messages"))).containsExactly(4L, 5L);
        assertThat(page.path("has_more").booleanValue())
                .as("nothing after the last")
                .isFalse();
        assertThat(read(2, "&after_id=5").json().path("messages")).isEmpty();
        assertThat(read(2, "&after_id=18446744073709551615").json().path("messages"))
                .isEmpty();
        for (String bad : List.of("&limit=0", "&limit=1001", "&limit=x", "&after_id=-1", "&after_id=x")) {
            assertThat(read(0, bad).status()).as(bad).isEqualTo(400);
        }
        assertThat(read(0, "&limit=1000").status()).isEqualTo(200);
    }

    @Test
    void whatIsKeptIsBoundedAndIdsGoOn() throws Exception {
        try (var small = new Nodes(
                redis.url(),
                1,
                Map.of(
                        "carillon.conversation.messages", "3",
                        "carillon.conversation.age", "5s",
                        "carillon.conversation.retries", "60s"))) {
            for (int i = 1; i <= 5; i++) {
                Http.post(small.url(0) + "/messages", body("m" + i, false), "Idempotency-Key", "k" + i);
            }
            String read = small.url(0) + "/messages?conversation_id=" + conversation;
            assertThat(ids(Http.get(read).json().path("messages"))).containsExactly(3L, 4L, 5L);
            // A retry finds even a message that is not kept.
            Http.Answer retry = Http.post(small.url(0) + "/messages", body("m1", false), "Idempotency-Key", "k1");
            assertThat(retry.status()).isEqualTo(200);
            assertThat(retry.json().path("id").longValue()).isEqualTo(1);
            Poll.until(
                    "the messages to go with their age",
                    Duration.ofSeconds(20),
                    () -> Http.get(read).json().path("messages").isEmpty());
            Http.Answer next = Http.post(small.url(0) + "/messages", body("after", false));
            assertThat(next.json().path("id").longValue()).isEqualTo(6);
        }
    }

    // ---- the session

    @Test
    void aPingIsAnsweredAndAnythingElseIsIgnored() throws Exception {
        try (Client visitor = visitor(0)) {
            for (String frame : List.of(
                    "hello",
                    "{",
                    "{\"type\":\"new_message\",\"content\":\"x\"}",
                    "[]",
                    "{}",
                    "{\"type\":\"join\",\"room\":\"r\"}",
                    "{\"type\":\"history\",\"channel\":\"broadcast\"}")) {
                visitor.send(frame);
            }
            assertThat(visitor.send("{\"type\":\"ping\"}").upTo("pong").toString())
                    .isEqualTo("[{\"type\":\"pong\"}]");
        }
        assertThat(read(0, "").json().path("messages")).isEmpty();
    }

    @Test
    void aFreshTokenProlongsTheSessionAndOneForAnotherConversationEndsIt() throws Exception {
        String claims = "\"conversation_id\":" + conversation;
        String soon = Nodes.token("v1", Instant.now().getEpochSecond() + 20, claims);
        try (Client visitor = Client.connect(
                nodes.url(0) + "/ws?conversation_id=" + conversation, "Authorization", "Bearer " + soon)) {
            JsonNode notice = visitor.next("token_expiring");
            assertThat(notice.path("data").path("expires_in").longValue()).isBetween(1L, 20L);
            long until = Instant.now().getEpochSecond() + 300;
            visitor.send("{\"type\":\"refresh\",\"token\":\"" + Nodes.token("v1", until, claims) + "\"}");
            assertThat(visitor.next("refreshed").path("data").path("exp").longValue())
                    .isEqualTo(until);
            say(1, "still here", SERVICE, Nodes.API_KEY);
            visitor.next("new_message");
            visitor.send("{\"type\":\"refresh\",\"token\":\"" + token("v1", "\"conversation_id\":1") + "\"}");
            assertThat(visitor.closeCode()).isEqualTo(4501);
        }
    }

    @Test
    void aNodeThatStopsTellsItsSessions() throws Exception {
        try (var leaving = new Nodes(redis.url(), 1, Map.of())) {
            try (Client visitor = Client.connect(leaving.url(0) + "/ws?conversation_id=" + conversation)) {
                visitor.send("{\"type\":\"ping\"}").next("pong");
                leaving.stop(0);
                assertThat(visitor.next("drain")
                                .path("data")
                                .path("reconnect_within_ms")
                                .longValue())
                        .isPositive();
                assertThat(visitor.closeCode()).isEqualTo(1012);
            }
        }
    }

    @Test
    void theSameDialectServesASecondApplicationApart() throws Exception {
        try (Client here = visitor(0);
                Client there = listening(1, "/helpdesk/ws?conversation_id=" + conversation)) {
            Http.Answer answer = Http.post(nodes.url(2) + "/messages?namespace=helpdesk", body("there", false));
            assertThat(answer.status()).isEqualTo(201);
            assertThat(there.next("new_message").path("data")).isEqualTo(answer.json());
            assertThat(read(0, "").json().path("messages")).isEmpty();
            assertThat(read(0, "&namespace=helpdesk").json().path("messages")).hasSize(1);
            assertThat(here.send("{\"type\":\"ping\"}").upTo("pong")).hasSize(1);
        }
        assertThat(read(0, "&namespace=push").status()).isEqualTo(404);
        assertThat(read(0, "&namespace=nowhere").status()).isEqualTo(404);
    }

    // ---- Redis away

    @Test
    void withoutRedisCallsFailClearlyAndEverythingHeals() throws Exception {
        try (var own = RedisServer.running();
                var alone = new Nodes(own.url(), 1, Map.of());
                Client visitor = Client.connect(alone.url(0) + "/ws?conversation_id=" + conversation)) {
            visitor.send("{\"type\":\"ping\"}").next("pong");
            own.stop();
            visitor.next("degraded");
            String url = alone.url(0) + "/messages";
            for (Callable<Http.Answer> call : Stream.<Callable<Http.Answer>>of(
                            () -> Http.post(url, body("lost", false), "Idempotency-Key", "k"),
                            () -> Http.get(url + "?conversation_id=" + conversation))
                    .toList()) {
                long asked = System.nanoTime();
                Http.Answer answer = call.call();
                assertThat(answer.status()).isEqualTo(503);
                assertThat(answer.json().path("error").stringValue()).contains("Redis");
                assertThat(Duration.ofNanos(System.nanoTime() - asked)).isLessThan(Duration.ofSeconds(2));
            }
            assertThatThrownBy(() -> Client.connect(alone.url(0) + "/ws?conversation_id=1"))
                    .cause()
                    .isInstanceOf(WebSocketHandshakeException.class);
            own.start();
            visitor.next("restored");
            Poll.until(
                    "a message to be taken",
                    Duration.ofSeconds(10),
                    () -> Http.post(url, body("back", false), "Idempotency-Key", "back")
                                    .status()
                            < 300);
            assertThat(visitor.next("new_message").path("data").path("content").stringValue())
                    .isEqualTo("back");
        }
    }
}
