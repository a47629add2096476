package io.carillon.node.api;

import static org.assertj.core.api.Assertions.assertThat;

import io.carillon.model.channel.ChannelName;
import io.carillon.model.channel.Namespace;
import io.carillon.model.redis.Keys;
import io.carillon.node.dispatch.Acknowledgements;
import io.carillon.node.identity.Authenticator;
import io.carillon.node.identity.Credentials;
import io.carillon.node.identity.Forge;
import io.carillon.node.identity.Rule;
import io.carillon.node.identity.Verdict;
import io.carillon.node.testing.RedisServer;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.net.Socket;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpRequest.BodyPublishers;
import java.net.http.HttpResponse;
import java.net.http.HttpResponse.BodyHandlers;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CountDownLatch;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;
import org.springframework.beans.factory.annotation.Autowired;
import org.springframework.boot.test.context.SpringBootTest;
import org.springframework.data.redis.core.StringRedisTemplate;
import org.springframework.test.annotation.DirtiesContext;
import org.springframework.test.context.DynamicPropertyRegistry;
import org.springframework.test.context.DynamicPropertySource;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;

@Timeout(60)
// Kept for other classes, it would look for its Redis for as long as the JVM lives.
@DirtiesContext
@SpringBootTest(
        classes = ApiServer.class,
        webEnvironment = SpringBootTest.WebEnvironment.RANDOM_PORT,
        properties = {
            "spring.profiles.active=http-alone",
            "spring.config.location=classpath:/carillon/",
            "spring.main.web-application-type=reactive",
            "carillon.auth.jwt-secret=" + Forge.SECRET,
            "carillon.auth.api-keys=" + ApiIT.KEY + "," + ApiIT.OTHER_KEY,
            "carillon.management-port=0",
            "management.endpoint.health.validate-group-membership=false",
            "springdoc.api-docs.enabled=true",
            "springdoc.api-docs.path=/made-of-the-code.json",
            "springdoc.api-docs.version=openapi_3_1",
            "springdoc.packages-to-scan=io.carillon.node.api",
            "springdoc.writer-with-order-by-keys=true",
            "springdoc.writer-with-default-pretty-printer=true",
            "carillon.endpoints.other.path=/other",
            "carillon.endpoints.other.dialect=push",
            "carillon.endpoints.other.ephemeral-types=typing,cursor"
        })
class ApiIT {
    static final String KEY = "9hQ2vK7xW4bT1nR8mZ5cY3jL6pD0sF-gA";
    static final String OTHER_KEY = "uE4tB9kX2wN7qV5hM8zC1rJ6yG3dP0o_L";

    private static final RedisServer SERVER = RedisServer.running();
    private static final JsonMapper JSON = JsonMapper.shared();
    private static final Keys KEYS = Keys.DEFAULT;
    private static final Namespace PUSH = Namespace.PUSH;
    private static final Namespace OTHER = new Namespace("other");
    private static final HttpClient HTTP =
            HttpClient.newBuilder().version(HttpClient.Version.HTTP_1_1).build();

    @Autowired
    private StringRedisTemplate redis;

    @Autowired
    private Authenticator authenticator;

    @Autowired
    private ApiServer.ControlLog control;

    @Autowired
    private ApiServer.ScriptPublisher publisher;

    @Autowired
    private ApiServer.Fates fates;

    @Autowired
    private io.carillon.node.backplane.DeadLetters letters;

    @org.springframework.boot.test.web.server.LocalServerPort
    private int port;

    @DynamicPropertySource
    static void settings(DynamicPropertyRegistry registry) {
        registry.add("spring.data.redis.url", SERVER::url);
    }

    @AfterAll
    static void stop() {
        SERVER.close();
    }

    @BeforeEach
    void empty() {
        Set<String> keys = redis.keys("carillon:*");
        redis.delete(keys);
        control.asked.clear();
    }

    // ---- who may call

    @ParameterizedTest
    @CsvSource({
        "GET, /api/ws/status",
        "POST, /api/ws/broadcast",
        "POST, /api/ws/send",
        "POST, /api/ws/rooms/r/broadcast",
        "GET, /api/ws/rooms/r",
        "GET, /api/ws/rooms/r/members",
        "PUT, /api/ws/rooms/r/members/u1",
        "DELETE, /api/ws/rooms/r/members/u1",
        "GET, /api/ws/users/u1",
        "DELETE, /api/ws/users/u1",
        "PUT, /api/line/activation-codes/HG66OP88",
        "GET, /api/line/activation-codes/HG66OP88",
        "DELETE, /api/line/activation-codes/HG66OP88",
        "GET, /api/ws/nodes",
        "GET, /api/ws/history?channel=broadcast",
        "GET, /api/ws/acks/e1?user=u1",
        "GET, /api/ws/dead-letters",
        "POST, /api/ws/dead-letters/1-0/replay",
        "DELETE, /api/ws/dead-letters/1-0",
        "POST, /api/ws/nodes/nodeaaaa/drain",
        "POST, /api/ws/tickets",
        "HEAD, /api/ws/status",
        "OPTIONS, /api/ws/send",
        "GET, /api/%77s/status",
        "GET, /api/ws/nothing"
    })
    void withoutAKeyNothingAnswers(String method, String path) {
        String body = method.equals("POST") ? "{\"type\":\"chat\",\"to\":\"u1\"}" : null;
        for (String[] headers : new String[][] {
            {},
            {"X-API-Key", "wrong"},
            {"X-API-Key", ""},
            {"Authorization", "Bearer wrong"},
            {"Authorization", "Basic " + KEY},
            {"Authorization", "Basic x", "X-API-Key", KEY}
        }) {
            Answer answer = call(method, path, body, headers);
            assertThat(answer.status).isEqualTo(401);
            assertThat(answer.header("WWW-Authenticate")).startsWith("Bearer");
            if (!method.equals("HEAD")) answer.isProblem(401);
        }
        assertThat(redis.keys("carillon:*")).isEmpty();
        assertThat(control.asked).isEmpty();
    }

    @Test
    void aKeyInTheAddressIsNone() {
        call("GET", "/api/ws/status?api_key=" + KEY + "&token=" + KEY, null).isProblem(401);
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "//api/ws/send",
                "/api//ws/send",
                "/api/ws/send;x=1",
                "/api;x/ws/send",
                "/api/ws/%2e%2e/ws/send",
                "/api/ws/rooms%2fr",
                "/api/ws/send/",
                "/api/ws/Send",
                "/api/ws\\send"
            })
    void otherSpellingsOfAnAddressPublishNothing(String path) throws IOException {
        for (boolean key : new boolean[] {true, false}) {
            assertThat(raw("POST " + path + " HTTP/1.1", key, "{\"type\":\"chat\",\"to\":\"u1\"}"))
                    .matches("(?s)HTTP/1.1 (400|401|404).*");
        }
        assertThat(raw("POST " + path + " HTTP/1.1", true, "{\"type\":\"chat\",\"to\":\"u1\"}"))
                .matches("(?s)HTTP/1.1 (400|404).*");
        assertThat(redis.keys("carillon:*")).isEmpty();
    }

    @Test
    void everyAnswerCarriesTheSecurityHeaders() {
        for (String path : List.of("/api/ws/status", "/api/openapi.json", "/nothing", "/api/ws/users/x")) {
            Answer answer = call("GET", path, null);
            assertThat(answer.header("X-Content-Type-Options")).isEqualTo("nosniff");
            assertThat(answer.header("Referrer-Policy")).isEqualTo("no-referrer");
            assertThat(answer.header("Content-Security-Policy"))
                    .contains("default-src 'none'", "script-src 'self'", "frame-ancestors 'none'");
        }
    }

    // ---- activation codes

    private Answer code(String method, String code, String body) {
        return call(
                method,
                "/api/line/activation-codes/" + code,
                body,
                "X-API-Key",
                KEY,
                "Content-Type",
                "application/json");
    }

    @Test
    void anActivationCodeIsPutMovedAndTakenAway() {
        assertThat(code("PUT", "HG66OP88", "{\"group_id\":1}").is(201).json().toString())
                .isEqualTo("{\"code\":\"HG66OP88\",\"group_id\":1}");
        code("PUT", "HG66OP88", "{\"group_id\":1}").is(200);
        assertThat(control.asked).as("whose sessions may stay").isEmpty();
        assertThat(code("PUT", "HG66OP88", "{\"group_id\":9007199254740991}")
                        .is(200)
                        .json()
                        .path("group_id")
                        .asLong())
                .isEqualTo(9007199254740991L);
        assertThat(control.asked).containsExactly("kick line windows:HG66OP88");
        assertThat(code("GET", "HG66OP88", null).is(200).json().path("group_id").asLong())
                .isEqualTo(9007199254740991L);
        call("GET", "/api/line/activation-codes/HG66OP88?namespace=other", null, "X-API-Key", KEY)
                .isProblem(404);
        code("DELETE", "HG66OP88", null).is(204);
        assertThat(control.asked).hasSize(2);
        code("GET", "HG66OP88", null).isProblem(404);
        code("DELETE", "HG66OP88", null).isProblem(404);
    }

    @Test
    void aMoveThatFailedHalfWayIsFinishedByItsRetry() {
        redis.opsForHash().put("carillon:line:codes", "HG66OP88", "2 moving");
        code("GET", "HG66OP88", null).is(200);
        code("PUT", "HG66OP88", "{\"group_id\":2}").is(200);
        assertThat(control.asked).containsExactly("kick line windows:HG66OP88");
        code("PUT", "HG66OP88", "{\"group_id\":2}").is(200);
        assertThat(control.asked).hasSize(1);
        code("DELETE", "HG66OP89", null).isProblem(404);
        assertThat(control.asked).as("where a removal may have failed half way").hasSize(2);
    }

    @Test
    void aCodeOrGroupThatIsNoneIsRefusedAndNothingStored() {
        for (String code :
                List.of("abc", "a".repeat(65), "with%20space", "under_score", "%E4%BA%BA%E4%BA%BA%E4%BA%BA%E4%BA%BA")) {
            code("PUT", code, "{\"group_id\":1}").isProblem(400);
        }
        for (String body : List.of(
                "{}",
                "[]",
                "{\"group_id\":0}",
                "{\"group_id\":-1}",
                "{\"group_id\":1.5}",
                "{\"group_id\":\"1\"}",
                "{\"group_id\":9007199254740992}",
                "{\"group_id\":1e30}",
                "{")) {
            code("PUT", "HG66OP88", body).isProblem(400);
        }
        assertThat(redis.hasKey("carillon:line:codes")).isFalse();
        for (int i = 0; i < 3; i++) code("PUT", "code-" + i, "{\"group_id\":1}").is(201);
        code("PUT", "code-3", "{\"group_id\":1}").isProblem(409);
        code("PUT", "code-2", "{\"group_id\":2}").is(200);
    }

    // ---- publishing

    @Test
    void aBroadcastIsKept() {
        JsonNode answer = post("/api/ws/broadcast", "{\"type\":\"notice\",\"content\":{\"a\":[1, 2]},\"x\":1}")
                .is(202)
                .json();

        assertThat(answer.path("offset").longValue()).isEqualTo(1);
        assertThat(answer.path("epoch").stringValue()).isNotEmpty();
        JsonNode event = history(ChannelName.broadcast(PUSH)).getFirst();
        assertThat(event.path("id")).isEqualTo(answer.path("id"));
        assertThat(event.path("type").stringValue()).isEqualTo("notice");
        assertThat(event.path("content").toString()).isEqualTo("{\"a\":[1,2]}");
        assertThat(event.path("x").intValue()).isEqualTo(1);
        assertThat(event.path("channel").stringValue()).isEqualTo("broadcast");
        assertThat(event.has("to")).isFalse();
    }

    @Test
    void anEventForAUserSaysWhetherTheUserIsOnline() {
        online(PUSH, "u1", "u2");

        JsonNode answer = post(
                        "/api/ws/send",
                        "{\"type\":\"order_status\",\"to\":\"u1\",\"content\":\"ok\",\"from\":\"shop\","
                                + "\"from_name\":\"Shop\",\"session\":\"s1\",\"exclude\":\"s2\",\"ack\":true,\"id\":\"o-1\"}")
                .is(202)
                .json();
        assertThat(answer.path("online").booleanValue()).isTrue();
        assertThat(answer.path("id").stringValue()).isEqualTo("o-1");
        JsonNode event = history(ChannelName.user(PUSH, "u1")).getFirst();
        assertThat(event.path("to").stringValue()).isEqualTo("u1");
        assertThat(event.path("from").stringValue()).isEqualTo("shop");
        assertThat(event.path("from_name").stringValue()).isEqualTo("Shop");
        assertThat(event.path("session").stringValue()).isEqualTo("s1");
        assertThat(event.path("exclude").stringValue()).isEqualTo("s2");
        assertThat(event.path("ack").booleanValue()).isTrue();

        assertThat(post("/api/ws/send", "{\"type\":\"chat\",\"to\":\"away\"}")
                        .is(202)
                        .json()
                        .path("online")
                        .booleanValue())
                .isFalse();
    }

    @Test
    void anEventForManyHasOneIdAndCountsWhoIsOnline() {
        online(PUSH, "u1", "u2");

        JsonNode answer = post("/api/ws/send", "{\"to\":[\"u1\",\"u2\",\"u3\",\"u1\"],\"type\":\"chat\",\"content\":1}")
                .is(202)
                .json();

        assertThat(answer.path("online").intValue()).isEqualTo(2);
        for (String user : List.of("u1", "u2", "u3")) {
            List<JsonNode> events = history(ChannelName.user(PUSH, user));
            assertThat(events).hasSize(1);
            assertThat(events.getFirst().path("id")).isEqualTo(answer.path("id"));
            assertThat(events.getFirst().path("to").stringValue()).isEqualTo(user);
        }
    }

    @Test
    void aThousandUsersAreTheMost() {
        var users = new ArrayList<String>();
        for (int i = 0; i < 1000; i++) users.add("u" + i);
        post("/api/ws/send", JSON.writeValueAsString(Map.of("type", "chat", "to", users)))
                .is(202);
        assertThat(history(ChannelName.user(PUSH, "u999"))).hasSize(1);

        users.add("u1000");
        post("/api/ws/send", JSON.writeValueAsString(Map.of("type", "chat", "to", users)))
                .isProblem(400);
    }

    @Test
    void anEventForARoomNamesIt() {
        post("/api/ws/rooms/r-1/broadcast", "{\"type\":\"chat\"}").is(202);
        post("/api/ws/rooms/r-1/broadcast", "{\"type\":\"chat\",\"room\":\"r-1\"}")
                .is(202);

        assertThat(history(ChannelName.room(PUSH, "r-1")))
                .hasSize(2)
                .allMatch(event -> event.path("room").stringValue().equals("r-1"));
        post("/api/ws/rooms/r-1/broadcast", "{\"type\":\"chat\",\"room\":\"r-2\"}")
                .isProblem(400);
    }

    @Test
    void ephemeralTypesAreNotKeptUnlessAskedFor() {
        JsonNode answer = post("/api/ws/send", "{\"type\":\"typing\",\"to\":\"u1\"}")
                .is(202)
                .json();
        assertThat(answer.has("offset")).isFalse();
        assertThat(answer.path("id").stringValue()).isNotEmpty();
        assertThat(history(ChannelName.user(PUSH, "u1"))).isEmpty();

        post("/api/ws/send", "{\"type\":\"typing\",\"to\":\"u1\",\"durable\":true}")
                .is(202);
        post("/api/ws/send", "{\"type\":\"chat\",\"to\":\"u1\",\"durable\":false}")
                .is(202);
        assertThat(history(ChannelName.user(PUSH, "u1"))).hasSize(1);
        post("/api/ws/send?namespace=other", "{\"type\":\"cursor\",\"to\":\"u1\"}")
                .is(202);
        assertThat(history(ChannelName.user(OTHER, "u1"))).isEmpty();
    }

    @Test
    void aCallTouchesOneNamespace() {
        post("/api/ws/broadcast?namespace=other", "{\"type\":\"a\"}").is(202);
        post("/api/ws/broadcast", "{\"type\":\"b\",\"namespace\":\"other\"}").is(202);
        post("/api/ws/broadcast?namespace=other", "{\"type\":\"c\",\"namespace\":\"other\"}")
                .is(202);

        assertThat(history(ChannelName.broadcast(OTHER))).hasSize(3).noneMatch(event -> event.has("namespace"));
        assertThat(history(ChannelName.broadcast(PUSH))).isEmpty();
        post("/api/ws/broadcast?namespace=push", "{\"type\":\"c\",\"namespace\":\"other\"}")
                .isProblem(400);
        post("/api/ws/broadcast?namespace=unknown", "{\"type\":\"c\"}").isProblem(404);
        post("/api/ws/broadcast", "{\"type\":\"c\",\"namespace\":\"unknown\"}").isProblem(404);
        post("/api/ws/broadcast", "{\"type\":\"c\",\"namespace\":7}").isProblem(400);
        for (String path : List.of("status", "rooms/r", "rooms/r/members", "users/u", "nodes")) {
            get("/api/ws/" + path + "?namespace=unknown").isProblem(404);
            get("/api/ws/" + path + "?namespace=" + "x".repeat(40)).isProblem(404);
        }
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "",
                "null",
                "[]",
                "\"chat\"",
                "{",
                "{\"type\":\"chat\",\"to\":\"u1\"} x",
                "{\"type\":\"chat\",\"to\":\"u1\",\"type\":\"chat\"}",
                "{\"type\":\"chat\",\"to\":[\"u1\"],\"to\":[\"u2\"]}",
                "{\"type\":\"chat\",\"to\":[\"u1\"],\"to\":\"u2\"}",
                "{\"type\":\"chat\",\"to\":\"u1\",\"content\":{\"a\":1,\"a\":2}}",
                "{\"type\":\"chat\",\"to\":\"u1\",\"content\":11111111111111111111111111111111111111111}",
                "{\"to\":\"u1\"}",
                "{\"type\":\"\",\"to\":\"u1\"}",
                "{\"type\":\"a b\",\"to\":\"u1\"}",
                "{\"type\":7,\"to\":\"u1\"}",
                "{\"type\":\"chat\"}",
                "{\"type\":\"chat\",\"to\":null}",
                "{\"type\":\"chat\",\"to\":\"\"}",
                "{\"type\":\"chat\",\"to\":\"*\"}",
                "{\"type\":\"chat\",\"to\":\"a b\"}",
                "{\"type\":\"chat\",\"to\":7}",
                "{\"type\":\"chat\",\"to\":{}}",
                "{\"type\":\"chat\",\"to\":[]}",
                "{\"type\":\"chat\",\"to\":[7]}",
                "{\"type\":\"chat\",\"to\":[\"u1\",null]}",
                "{\"type\":\"chat\",\"to\":[\"u1\",[\"u2\"]]}",
                "{\"type\":\"chat\",\"to\":[\"u1\",\"*\"]}",
                "{\"type\":\"chat\",\"to\":\"u1\",\"room\":\"r\"}",
                "{\"type\":\"chat\",\"to\":\"u1\",\"from\":\"*\"}",
                "{\"type\":\"chat\",\"to\":\"u1\",\"durable\":\"yes\"}",
                "{\"type\":\"chat\",\"to\":\"u1\",\"id\":\"a b\"}"
            })
    void aBrokenBodyIsRefusedAndNothingIsStored(String body) {
        Answer answer = post("/api/ws/send", body).isProblem(400);

        assertThat(answer.text).doesNotContain("Exception", "tools.jackson", "io.carillon");
        assertThat(redis.keys("carillon:*")).isEmpty();
    }

    @Test
    void contentIsNotDeeperThanThirtyTwo() {
        post("/api/ws/broadcast", "{\"type\":\"a\",\"content\":" + "[".repeat(32) + "]".repeat(32) + "}")
                .is(202);
        post("/api/ws/broadcast", "{\"type\":\"a\",\"content\":" + "[".repeat(33) + "]".repeat(33) + "}")
                .isProblem(400);
        post("/api/ws/broadcast", "{\"type\":\"a\",\"content\":" + "[".repeat(100_000))
                .isProblem(400);
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "join",
                "leave",
                "ping",
                "pong",
                "ack",
                "resume",
                "resumed",
                "history",
                "presence",
                "refresh",
                "refreshed",
                "welcome",
                "sent",
                "error",
                "joined",
                "left",
                "presence_join",
                "presence_leave",
                "drain",
                "token_expiring",
                "degraded",
                "restored",
                "resync"
            })
    void reservedTypesAreRefused(String type) {
        post("/api/ws/broadcast", "{\"type\":\"" + type + "\"}").isProblem(400);
    }

    @Test
    void onlyJsonIsTaken() {
        for (String type :
                List.of("text/plain", "application/x-www-form-urlencoded", "application/xml", "multipart/form-data")) {
            call("POST", "/api/ws/broadcast", "{\"type\":\"a\"}", "X-API-Key", KEY, "Content-Type", type)
                    .isProblem(415);
        }
        call("POST", "/api/ws/broadcast", "{\"type\":\"a\"}", "X-API-Key", KEY).isProblem(415);
        call(
                        "POST",
                        "/api/ws/broadcast",
                        "{\"type\":\"a\"}",
                        "X-API-Key",
                        KEY,
                        "Content-Type",
                        "application/json; charset=utf-8")
                .is(202);
    }

    @Test
    void aBodyIsAtMostOneMebibyte() throws IOException {
        String start = "{\"type\":\"a\",\"content\":\"";
        int fits = 1024 * 1024 - start.length() - 2;
        post("/api/ws/broadcast", start + "x".repeat(fits + 1) + "\"}").isProblem(413);
        post("/api/ws/broadcast", start + "x".repeat(500_000) + "\"}").is(202);
        // In chunks, whose sum nobody announces.
        var request = HttpRequest.newBuilder(URI.create("http://127.0.0.1:" + port + "/api/ws/broadcast"))
                .header("X-API-Key", KEY)
                .header("Content-Type", "application/json")
                .POST(BodyPublishers.ofInputStream(() -> new java.io.ByteArrayInputStream(
                        (start + "x".repeat(fits + 1) + "\"}").getBytes(StandardCharsets.US_ASCII))))
                .build();
        send(request).isProblem(413);
        // The answer reaches a client that is still sending: nothing resets its connection.
        for (int i = 0; i < 20; i++) {
            post("/api/ws/broadcast", start + "x".repeat(12_000_000) + "\"}").isProblem(413);
        }
    }

    @Test
    void wrongMethodsAndAddressesAreProblems() {
        assertThat(call("GET", "/api/ws/send", null, "X-API-Key", KEY)
                        .isProblem(405)
                        .header("Allow"))
                .contains("POST");
        call("DELETE", "/api/ws/status", null, "X-API-Key", KEY).isProblem(405);
        call("POST", "/api/ws/status", "{}", "X-API-Key", KEY, "X-HTTP-Method-Override", "GET")
                .isProblem(405);
        get("/api/ws/nothing").isProblem(404);
        call("GET", "/nothing", null).isProblem(404);
        call("GET", "/api/ws/status", null, "X-API-Key", KEY, "Accept", "text/html")
                .isProblem(406);
    }

    // ---- retries

    @Test
    void aRetryIsOneEventWithOneAnswer() {
        String body = "{\"type\":\"a\",\"to\":\"u1\"}";
        JsonNode first = retry("/api/ws/send", "k1", body).is(202).json();
        JsonNode second = retry("/api/ws/send", "k1", body).is(202).json();

        assertThat(second).isEqualTo(first);
        assertThat(history(ChannelName.user(PUSH, "u1"))).hasSize(1);
        retry("/api/ws/send", "k1", "{\"type\":\"b\",\"to\":\"u1\"}").isProblem(422);
        // Another call, caller or namespace has keys of its own.
        retry("/api/ws/broadcast", "k1", "{\"type\":\"b\"}").is(202);
        retry("/api/ws/send?namespace=other", "k1", body).is(202);
        call(
                        "POST",
                        "/api/ws/send",
                        body,
                        "X-API-Key",
                        OTHER_KEY,
                        "Content-Type",
                        "application/json",
                        "Idempotency-Key",
                        "k1")
                .is(202);
        assertThat(history(ChannelName.user(PUSH, "u1"))).hasSize(2);
        assertThat(history(ChannelName.user(OTHER, "u1"))).hasSize(1);
        for (String key : redis.keys("carillon:*:idempotency:*")) {
            assertThat(redis.getExpire(key)).isBetween(86_000L, 86_400L);
            assertThat(key).doesNotContain("k1");
        }
        retry("/api/ws/send", "x".repeat(256), body).isProblem(400);
    }

    @Test
    void aRetryToManyIsOneEventForEach() {
        String body = "{\"type\":\"a\",\"to\":[\"u1\",\"u2\"]}";
        JsonNode first = retry("/api/ws/send", "k2", body).is(202).json();

        assertThat(retry("/api/ws/send", "k2", body).is(202).json()).isEqualTo(first);
        assertThat(history(ChannelName.user(PUSH, "u2"))).hasSize(1);
    }

    @Test
    void aRetryAfterALostOutcomeIsOneEvent() {
        String body = "{\"type\":\"a\",\"to\":\"u1\"}";
        JsonNode first = retry("/api/ws/send", "k3", body).is(202).json();
        // The answer got lost, as when a node dies between the event and its answer.
        redis.delete(redis.keys("carillon:push:idempotency:*"));

        JsonNode second = retry("/api/ws/send", "k3", body).is(202).json();
        assertThat(second.path("id")).isEqualTo(first.path("id"));
        assertThat(second.path("offset")).isEqualTo(first.path("offset"));
        assertThat(history(ChannelName.user(PUSH, "u1"))).hasSize(1);
    }

    @Test
    void retriesWaitWhileTheFirstIsUnderWay() {
        publisher.hold = new CountDownLatch(1);
        String body = "{\"type\":\"a\",\"to\":\"u1\"}";
        var answers = new ArrayList<CompletableFuture<Answer>>();
        for (int i = 0; i < 20; i++) {
            answers.add(
                    CompletableFuture.supplyAsync(() -> retry("/api/ws/send", "k4", body), Thread::startVirtualThread));
        }
        while (redis.keys("carillon:push:idempotency:*").isEmpty()) Thread.onSpinWait();
        assertThat(answers).noneMatch(CompletableFuture::isDone);
        publisher.hold.countDown();

        var bodies = new HashSet<String>();
        for (var answer : answers) bodies.add(answer.join().is(202).text);
        assertThat(bodies).hasSize(1);
        assertThat(history(ChannelName.user(PUSH, "u1"))).hasSize(1);
    }

    @Test
    void aRetryAfterRedisWasAwayNeedNotWaitForTheLostCall() {
        String body = "{\"type\":\"a\",\"to\":\"u1\"}";
        SERVER.freeze();
        try {
            retry("/api/ws/send", "k5", body).isProblem(503);
        } finally {
            SERVER.thaw();
        }
        long start = System.nanoTime();
        retry("/api/ws/send", "k5", body).is(202);

        assertThat(Duration.ofNanos(System.nanoTime() - start)).isLessThan(Duration.ofSeconds(5));
        assertThat(history(ChannelName.user(PUSH, "u1"))).hasSize(1);
    }

    @Test
    void callsBlockVirtualThreadsAndNoEventLoop() {
        post("/api/ws/broadcast", "{\"type\":\"a\"}").is(202);

        assertThat(publisher.calledOnVirtualThread).isTrue();
    }

    // ---- who is where

    @Test
    void statusCountsAndPagesTheUsersOnline() {
        var users = new String[250];
        for (int i = 0; i < users.length; i++) users[i] = "u" + i;
        online(PUSH, users);
        online(OTHER, "u1");
        node("nodeaaaa.1", "push", 300, "other", 12);
        node("nodebbbb.1", "push", 0);

        var seen = new HashSet<String>();
        String cursor = null;
        int pages = 0;
        do {
            JsonNode page = get("/api/ws/status" + (cursor == null ? "" : "?cursor=" + cursor))
                    .is(200)
                    .json();
            assertThat(page.path("online_count").intValue()).isEqualTo(250);
            assertThat(page.path("connections").intValue()).isEqualTo(300);
            assertThat(page.path("nodes").intValue()).isEqualTo(2);
            for (JsonNode user : page.path("online_users")) {
                assertThat(seen.add(user.stringValue())).isTrue();
            }
            cursor = page.has("next_cursor") ? page.path("next_cursor").stringValue() : null;
            pages++;
        } while (cursor != null);
        assertThat(seen).containsExactlyInAnyOrder(users);
        assertThat(pages).isEqualTo(3);

        JsonNode small = get("/api/ws/status?limit=1").is(200).json();
        assertThat(small.path("online_users")).hasSize(1);
        assertThat(get("/api/ws/status?limit=1000").is(200).json().path("online_users"))
                .hasSize(250);
        assertThat(get("/api/ws/status?namespace=other")
                        .is(200)
                        .json()
                        .path("connections")
                        .intValue())
                .isEqualTo(12);
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "limit=0",
                "limit=1001",
                "limit=-1",
                "limit=x",
                "limit=",
                "limit=1.5",
                "limit=99999999999",
                "cursor=x",
                "cursor=",
                "cursor=***",
                "cursor=YSAq"
            })
    void pagesAreAskedForInTheRightWay(String query) {
        get("/api/ws/status?" + query).isProblem(400);
        get("/api/ws/rooms/r/members?" + query).isProblem(400);
    }

    @Test
    void roomsHaveCountsAndMembers() {
        for (String user : List.of("u1", "u2", "u3")) {
            redis.opsForHash().put(KEYS.members(PUSH, "r"), user, "1");
        }

        assertThat(get("/api/ws/rooms/r").is(200).text).isEqualTo("{\"room\":\"r\",\"count\":3}");
        assertThat(get("/api/ws/rooms/r/members").is(200).text).isEqualTo("{\"users\":[\"u1\",\"u2\",\"u3\"]}");
        JsonNode first = get("/api/ws/rooms/r/members?limit=2").is(200).json();
        assertThat(first.path("users")).hasSize(2);
        assertThat(get("/api/ws/rooms/r/members?limit=2&cursor="
                                + first.path("next_cursor").stringValue())
                        .is(200)
                        .text)
                .isEqualTo("{\"users\":[\"u3\"]}");
        assertThat(get("/api/ws/rooms/none").is(200).text).isEqualTo("{\"room\":\"none\",\"count\":0}");
        assertThat(get("/api/ws/rooms/r?namespace=other")
                        .is(200)
                        .json()
                        .path("count")
                        .intValue())
                .isZero();
    }

    @Test
    void usersAreMovedNowAndForSessionsToCome() {
        call("PUT", "/api/ws/rooms/r/members/u1", null, "X-API-Key", KEY).is(204);
        assertThat(redis.opsForSet().members(KEYS.grantedRooms(PUSH, "u1"))).containsExactly("r");
        call("DELETE", "/api/ws/rooms/r/members/u1", null, "X-API-Key", KEY).is(204);
        assertThat(redis.opsForSet().members(KEYS.grantedRooms(PUSH, "u1"))).isEmpty();
        call("PUT", "/api/ws/rooms/a:b@c~d+e=f/members/1:7?namespace=other", null, "X-API-Key", KEY)
                .is(204);

        assertThat(control.asked).containsExactly("join push u1 r", "leave push u1 r", "join other 1:7 a:b@c~d+e=f");
    }

    @ParameterizedTest
    @ValueSource(strings = {"*", "a%20b", "%C3%A9", "%7Bx%7D", "a%25b", "a%0d%0ab"})
    void idsInAddressesAreChecked(String id) {
        get("/api/ws/users/" + id).isProblem(400);
        get("/api/ws/rooms/" + id).isProblem(400);
        get("/api/ws/rooms/" + id + "/members").isProblem(400);
        call("DELETE", "/api/ws/users/" + id, null, "X-API-Key", KEY).isProblem(400);
        call("PUT", "/api/ws/rooms/r/members/" + id, null, "X-API-Key", KEY).isProblem(400);
        call("DELETE", "/api/ws/rooms/" + id + "/members/u1", null, "X-API-Key", KEY)
                .isProblem(400);
        post("/api/ws/rooms/" + id + "/broadcast", "{\"type\":\"a\"}").isProblem(400);
        assertThat(control.asked).isEmpty();
    }

    @Test
    void aUserHasSessionsOrIsAway() {
        online(PUSH, "u1");
        redis.opsForHash()
                .put(KEYS.userSessions(PUSH, "u1"), "s-1", "nodeaaaa.1|agent||1700000000000|127.0.0.1|push|1");

        assertThat(get("/api/ws/users/u1").is(200).text)
                .isEqualTo(
                        "{\"user\":\"u1\",\"online\":true,\"sessions\":[{\"session\":\"s-1\",\"node\":\"nodeaaaa\","
                                + "\"address\":\"127.0.0.1\",\"endpoint\":\"push\",\"since\":1700000000000,\"kind\":\"agent\"}]}");
        assertThat(get("/api/ws/users/u2").is(200).text)
                .isEqualTo("{\"user\":\"u2\",\"online\":false,\"sessions\":[]}");
    }

    @Test
    void aUserIsKickedInOneNamespace() {
        call("DELETE", "/api/ws/users/u1", null, "X-API-Key", KEY).is(204);
        call("DELETE", "/api/ws/users/u1?namespace=other", null, "Authorization", "Bearer " + KEY)
                .is(204);

        assertThat(control.asked).containsExactly("kick push u1", "kick other u1");
    }

    @Test
    void nodesAreThoseWithALease() {
        node("nodeaaaa.1", "push", 3, "other", 4);
        node("nodebbbb.2", "push", 1);
        redis.opsForZSet().add(KEYS.leases(), "nodebbbb.2", 1);

        JsonNode nodes = get("/api/ws/nodes").is(200).json().path("nodes");
        assertThat(nodes).hasSize(1);
        assertThat(nodes.get(0).path("id").stringValue()).isEqualTo("nodeaaaa");
        assertThat(nodes.get(0).path("connections").intValue()).isEqualTo(7);
        assertThat(nodes.get(0).path("state").stringValue()).isEqualTo("up");
        assertThat(nodes.get(0).path("version").stringValue()).isEqualTo("1.0");
    }

    @Test
    void aNodeIsDrainedByItsId() {
        node("nodeaaaa.1", "push", 3);
        node("deafnode.1", "push", 1);

        call("POST", "/api/ws/nodes/nodeaaaa/drain", null, "X-API-Key", KEY).is(202);
        call("POST", "/api/ws/nodes/nodeaaaa/drain", null, "X-API-Key", KEY).is(202);
        JsonNode unknown = call("POST", "/api/ws/nodes/nodecccc/drain", null, "X-API-Key", KEY)
                .is(404)
                .json();
        assertThat(unknown.path("error").stringValue()).contains("no node");
        call("POST", "/api/ws/nodes/deafnode/drain", null, "X-API-Key", KEY).is(503);

        assertThat(control.asked).containsExactly("drain nodeaaaa", "drain nodeaaaa", "drain deafnode");
    }

    // ---- tickets

    @Test
    void aTicketStandsForTheUsersToken() {
        String token = Forge.hs256(
                "{\"sub\":\"u1\",\"name\":\"Ada\",\"exp\":" + (System.currentTimeMillis() / 1000 + 60) + "}");
        Answer answer = call("POST", "/api/ws/tickets", null, "Authorization", "Bearer " + token)
                .is(201);

        assertThat(answer.json().path("expires_in").intValue()).isEqualTo(30);
        assertThat(answer.header("Cache-Control")).contains("no-store");
        var credentials = new Credentials(
                null, List.of(), Map.of("ticket", answer.json().path("ticket").stringValue()));
        assertThat(authenticator.authenticate(credentials, Rule.STRICT))
                .isInstanceOfSatisfying(
                        Verdict.Granted.class,
                        granted -> assertThat(granted.principal().name()).isEqualTo("Ada"));
        assertThat(authenticator.authenticate(credentials, Rule.STRICT)).isInstanceOf(Verdict.Refused.class);
        call("POST", "/api/ws/tickets?token=" + token, null).isProblem(401);
        call("POST", "/api/ws/tickets", null, "Authorization", "Bearer " + KEY).isProblem(401);
        call("POST", "/api/ws/tickets", null, "Authorization", token).isProblem(401);
    }

    // ---- history and acknowledgements

    @Test
    void theHistoryShowsWhatIsKeptOfAChannel() {
        for (int i = 1; i <= 3; i++) {
            post("/api/ws/rooms/r/broadcast", "{\"type\":\"t" + i + "\",\"content\":[" + i + "],\"exclude\":\"s\"}")
                    .is(202);
        }
        JsonNode all = get("/api/ws/history?channel=room:r").is(200).json();
        assertThat(all.path("channel").stringValue()).isEqualTo("room:r");
        assertThat(all.path("offset").longValue()).isEqualTo(3);
        assertThat(all.path("events").size()).isEqualTo(3);
        JsonNode first = all.path("events").get(0);
        assertThat(first.path("type").stringValue()).isEqualTo("t1");
        assertThat(first.path("content").toString()).isEqualTo("[1]");
        assertThat(first.path("offset").longValue()).isEqualTo(1);
        assertThat(first.path("epoch")).isEqualTo(all.path("epoch"));
        assertThat(first.has("exclude")).isFalse();

        JsonNode page =
                get("/api/ws/history?channel=room:r&after=1&limit=1").is(200).json();
        assertThat(page.path("events").size()).isEqualTo(1);
        assertThat(page.path("events").get(0).path("type").stringValue()).isEqualTo("t2");
        assertThat(page.path("offset").longValue()).isEqualTo(3);

        JsonNode beyond = get("/api/ws/history?channel=room:r&after=3").is(200).json();
        assertThat(beyond.path("events").isEmpty()).isTrue();
        // Another namespace, and a channel that was never used.
        JsonNode other =
                get("/api/ws/history?channel=room:r&namespace=other").is(200).json();
        assertThat(other.path("events").isEmpty()).isTrue();
        assertThat(other.path("offset").longValue()).isZero();
        assertThat(other.path("epoch").stringValue()).isNotEmpty();
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "",
                "?limit=10",
                "?channel=",
                "?channel=r",
                "?channel=room:",
                "?channel=room:a%20b",
                "?channel=planet:x",
                "?channel=broadcast:x",
                "?channel=room:r&limit=0",
                "?channel=room:r&limit=1001",
                "?channel=room:r&limit=x",
                "?channel=room:r&after=-1",
                "?channel=room:r&after=x",
                "?channel=room:r&after=1.5",
                "?channel=room:r&after=99999999999999999999"
            })
    void aHistoryIsAskedForInTheRightWay(String query) {
        get("/api/ws/history" + query).isProblem(400);
    }

    @Test
    void anAcknowledgementCanBeAskedFor() {
        fates.known.put("push/user:u1/e1", new Acknowledgements.Fate(Acknowledgements.State.PENDING, 17));
        JsonNode pending = get("/api/ws/acks/e1?user=u1").is(200).json();
        assertThat(pending.toString()).isEqualTo("{\"id\":\"e1\",\"user\":\"u1\",\"state\":\"pending\",\"since\":17}");
        assertThat(get("/api/ws/acks/e2?user=u1").is(200).json().toString())
                .isEqualTo("{\"id\":\"e2\",\"user\":\"u1\",\"state\":\"unknown\"}");
        get("/api/ws/acks/e1").isProblem(400);
        get("/api/ws/acks/e1?user=a%20b").isProblem(400);
        get("/api/ws/acks/a%20b?user=u1").isProblem(400);
        get("/api/ws/acks/e1?user=u1&namespace=none").isProblem(404);
    }

    @Test
    void onlyADurableEventForUsersIsAcknowledged() {
        post("/api/ws/send", "{\"type\":\"typing\",\"to\":\"u1\",\"ack\":true,\"id\":\"t1\"}")
                .is(202);
        assertThat(redis.opsForZSet().size("carillon:push:user:{u1}:acks")).isEqualTo(1);
        post("/api/ws/send", "{\"type\":\"a\",\"to\":\"u1\",\"ack\":true,\"durable\":false}")
                .isProblem(400);
        post("/api/ws/broadcast", "{\"type\":\"a\",\"ack\":true}").isProblem(400);
        post("/api/ws/rooms/r/broadcast", "{\"type\":\"a\",\"ack\":true}").isProblem(400);
    }

    // ---- description

    /** Nodes serve a file, and need nothing of what makes it. */
    @Test
    void theDescriptionThatNodesServeIsTheOneOfTheirCode() throws IOException {
        String made = call("GET", "/made-of-the-code.json", null).is(200).text + "\n";
        Path file = Path.of("target", "openapi.json");
        Files.writeString(file, made);
        assertThat(call("GET", "/api/openapi.json", null).text)
                .as("the description of another code: copy %s to src/main/resources/carillon/static/api/", file)
                .isEqualTo(made);
    }

    @Test
    void theDescriptionNamesEveryCallAndHolds() {
        JsonNode api = call("GET", "/api/openapi.json", null).is(200).json();
        var schema = new Described(api);

        assertThat(api.path("openapi").stringValue()).startsWith("3.1");
        Map<String, Set<String>> calls = Map.ofEntries(
                Map.entry("/api/ws/status", Set.of("get")),
                Map.entry("/api/ws/broadcast", Set.of("post")),
                Map.entry("/api/ws/send", Set.of("post")),
                Map.entry("/api/ws/rooms/{room}/broadcast", Set.of("post")),
                Map.entry("/api/ws/rooms/{room}", Set.of("get")),
                Map.entry("/api/ws/rooms/{room}/members", Set.of("get")),
                Map.entry("/api/ws/rooms/{room}/members/{user}", Set.of("put", "delete")),
                Map.entry("/api/ws/users/{user}", Set.of("get", "delete")),
                Map.entry("/api/ws/tickets", Set.of("post")),
                Map.entry("/api/ws/history", Set.of("get")),
                Map.entry("/api/ws/acks/{id}", Set.of("get")),
                Map.entry("/api/line/activation-codes/{code}", Set.of("put", "get", "delete")),
                Map.entry("/api/ws/nodes", Set.of("get")),
                Map.entry("/messages", Set.of("get", "post")),
                Map.entry("/api/chat/messages", Set.of("post")),
                Map.entry("/api/chat/messages/new", Set.of("get")),
                Map.entry("/api/chat/online-users", Set.of("get")));
        calls.forEach((path, methods) -> {
            assertThat(api.path("paths").path(path).propertyNames()).as(path).containsAll(methods);
            for (String method : methods) {
                JsonNode call = api.path("paths").path(path).path(method);
                assertThat(call.path("security").isEmpty()).as(path).isFalse();
                assertThat(call.path("responses").propertyNames()).as(path).contains("401", "503");
            }
        });
        assertThat(api.path("components").path("securitySchemes").propertyNames())
                .contains("apiKeyBearer", "apiKeyHeader", "userToken");
        assertThat(api.path("components")
                        .path("schemas")
                        .path("Problem")
                        .path("properties")
                        .propertyNames())
                .contains("error", "status", "title");

        JsonNode schemas = api.path("components").path("schemas");
        assertThat(schemas.path("Status").path("required").toString())
                .contains("online_count", "online_users", "connections", "nodes")
                .doesNotContain("next_cursor");
        assertThat(schemas.path("Accepted").path("required").toString()).isEqualTo("[\"id\"]");
        JsonNode to = schemas.path("Event").path("properties").path("to").path("oneOf");
        assertThat(to.get(0).path("type").stringValue()).isEqualTo("string");
        assertThat(to.get(1).path("type").stringValue()).isEqualTo("array");
        assertThat(to.get(1).path("maxItems").intValue()).isEqualTo(1000);

        online(PUSH, "u1");
        redis.opsForHash().put(KEYS.userSessions(PUSH, "u1"), "s-1", "nodeaaaa.1|||1700000000000|127.0.0.1|push|1");
        redis.opsForHash().put(KEYS.members(PUSH, "r"), "u1", "1");
        node("nodeaaaa.1", "push", 3);
        schema.holds("/api/ws/status", "get", get("/api/ws/status?limit=1"));
        schema.holds("/api/ws/status", "get", get("/api/ws/status?limit=0"));
        schema.holds("/api/ws/broadcast", "post", post("/api/ws/broadcast", "{\"type\":\"a\"}"));
        schema.holds("/api/ws/broadcast", "post", post("/api/ws/broadcast", "{"));
        schema.holds("/api/ws/send", "post", post("/api/ws/send", "{\"type\":\"a\",\"to\":\"u1\"}"));
        schema.holds("/api/ws/send", "post", post("/api/ws/send", "{\"type\":\"a\",\"to\":[\"u1\"]}"));
        schema.holds("/api/ws/send", "post", call("POST", "/api/ws/send", "x", "X-API-Key", KEY));
        schema.holds("/api/ws/send", "post", call("POST", "/api/ws/send", "x"));
        schema.holds("/api/ws/rooms/{room}/broadcast", "post", post("/api/ws/rooms/r/broadcast", "{\"type\":\"a\"}"));
        schema.holds("/api/ws/rooms/{room}", "get", get("/api/ws/rooms/r"));
        schema.holds("/api/ws/rooms/{room}/members", "get", get("/api/ws/rooms/r/members"));
        schema.holds(
                "/api/ws/rooms/{room}/members/{user}",
                "put",
                call("PUT", "/api/ws/rooms/r/members/u1", null, "X-API-Key", KEY));
        schema.holds("/api/ws/users/{user}", "get", get("/api/ws/users/u1"));
        schema.holds("/api/ws/users/{user}", "delete", call("DELETE", "/api/ws/users/u1", null, "X-API-Key", KEY));
        schema.holds("/api/ws/nodes", "get", get("/api/ws/nodes"));
        schema.holds("/api/ws/history", "get", get("/api/ws/history?channel=room:r"));
        schema.holds("/api/ws/history", "get", get("/api/ws/history?channel=x"));
        schema.holds("/api/ws/acks/{id}", "get", get("/api/ws/acks/e1?user=u1"));
        String token = Forge.hs256("{\"sub\":\"u1\",\"exp\":" + (System.currentTimeMillis() / 1000 + 60) + "}");
        schema.holds(
                "/api/ws/tickets", "post", call("POST", "/api/ws/tickets", null, "Authorization", "Bearer " + token));
    }

    // ---- Redis away

    @Test
    void withoutRedisCallersAreToldSoonToTryAgain() {
        get("/api/ws/status").is(200);
        SERVER.freeze();
        try {
            unavailable();
        } finally {
            SERVER.thaw();
        }
        SERVER.stop();
        try {
            unavailable();
        } finally {
            SERVER.start();
        }
        while (get("/api/ws/status").status != 200) Thread.onSpinWait();
        // Nothing of what was refused happened behind the callers' backs.
        assertThat(redis.keys("carillon:*")).isEmpty();
    }

    private void unavailable() {
        for (Answer answer : List.of(
                timed(() -> get("/api/ws/status")),
                timed(() -> post("/api/ws/broadcast", "{\"type\":\"a\",\"durable\":false}")),
                timed(() -> retry("/api/ws/send", "k9", "{\"type\":\"a\",\"to\":\"u1\",\"durable\":false}")),
                timed(() -> call("PUT", "/api/ws/rooms/r/members/u1", null, "X-API-Key", KEY)))) {
            answer.isProblem(503);
            assertThat(answer.header("Retry-After")).matches("[1-3]");
        }
    }

    private static Answer timed(java.util.function.Supplier<Answer> call) {
        long start = System.nanoTime();
        Answer answer = call.get();
        assertThat(Duration.ofNanos(System.nanoTime() - start)).isLessThan(Duration.ofSeconds(2));
        return answer;
    }

    // ---- dead letters

    @Test
    void deadLettersAreListedInPagesTheNewestFirst() {
        for (int i = 0; i < 5; i++) letter("push:user:u" + i, "push:user:u" + i, "{\"type\":");
        letter("push:user:u4", "push:user:u4", "{\"type\":"); // the same once more
        byte[] large = "x".repeat(10_000).getBytes(StandardCharsets.UTF_8);
        letters.put("ingress:shop/5-0", "nowhere", "it is wrong", large, large.length)
                .toCompletableFuture()
                .join();
        JsonNode all = get("/api/ws/dead-letters").is(200).json();
        assertThat(all.path("dead_letters")).hasSize(6);
        assertThat(all.has("next_cursor")).isFalse();
        JsonNode newest = all.path("dead_letters").get(0);
        assertThat(newest.path("source").stringValue()).isEqualTo("ingress:shop/5-0");
        assertThat(newest.path("channel").stringValue()).isEqualTo("nowhere");
        assertThat(newest.path("reason").stringValue()).isEqualTo("it is wrong");
        assertThat(newest.path("time").longValue()).isGreaterThan(1_700_000_000_000L);
        assertThat(newest.path("size").intValue()).isEqualTo(10_000);
        assertThat(newest.path("cut").booleanValue()).isTrue();
        assertThat(newest.path("message").stringValue()).hasSize(8192);

        var seen = new ArrayList<String>();
        String cursor = "";
        do {
            JsonNode page = get("/api/ws/dead-letters?limit=2" + cursor).is(200).json();
            for (JsonNode letter : page.path("dead_letters")) {
                seen.add(letter.path("id").stringValue());
            }
            cursor = page.has("next_cursor")
                    ? "&cursor=" + page.path("next_cursor").stringValue()
                    : null;
        } while (cursor != null);
        var ids = new ArrayList<String>();
        all.path("dead_letters").forEach(letter -> ids.add(letter.path("id").stringValue()));
        assertThat(seen).isEqualTo(ids);

        get("/api/ws/dead-letters?limit=0").isProblem(400);
        get("/api/ws/dead-letters?cursor=x").isProblem(400);
    }

    @Test
    void aDeadLetterIsReplayedOnceAsItIs() {
        // Nobody served the namespace when the entry came.
        String id = letter("ingress:shop/5-0", "other:user:u1", "{\"type\":\"a\",\"id\":\"own\",\"content\":1}");
        String path = "/api/ws/dead-letters/" + id + "/replay";
        Answer first = call("POST", path, null, "X-API-Key", KEY, "Idempotency-Key", "r1")
                .is(202);
        assertThat(first.json().path("id").stringValue()).isEqualTo("own");
        assertThat(first.json().path("offset").longValue()).isEqualTo(1);
        assertThat(call("POST", path, null, "X-API-Key", KEY, "Idempotency-Key", "r1")
                        .is(202)
                        .text)
                .isEqualTo(first.text);
        call("POST", path, null, "X-API-Key", KEY).isProblem(404);
        assertThat(history(ChannelName.user(OTHER, "u1"))).hasSize(1);
        assertThat(get("/api/ws/dead-letters").json().path("dead_letters")).isEmpty();
    }

    @Test
    void aDeadLetterIsRepairedAsItIsReplayed() {
        String id = letter("push:user:u1", "push:user:u1", "{\"type\":\"a\",\"a\":1,\"a\":2}");
        String path = "/api/ws/dead-letters/" + id + "/replay";
        post(path, "").isProblem(400);
        post(path, "{\"type\":").isProblem(400);
        post(path, "{\"type\":\"resync\"}").isProblem(400);
        post(path + "?channel=push:friend:u1", "{\"type\":\"a\"}").isProblem(400);
        assertThat(get("/api/ws/dead-letters").json().path("dead_letters")).hasSize(1);
        JsonNode answer = post(path + "?channel=push:room:r1", "{\"type\":\"a\",\"content\":2}")
                .is(202)
                .json();
        assertThat(answer.path("id").stringValue()).isEqualTo("dl-" + id);
        assertThat(history(ChannelName.user(PUSH, "u1"))).isEmpty();
        assertThat(history(new ChannelName(PUSH, ChannelName.Kind.ROOM, "r1"))).hasSize(1);
        assertThat(get("/api/ws/dead-letters").json().path("dead_letters")).isEmpty();
    }

    @Test
    void aDeadLetterThatWasCutNeedsItsEvent() {
        String id =
                letter("ingress:shop/6-0", "push:user:u1", "{\"type\":\"a\",\"content\":\"" + "x".repeat(9000) + "\"}");
        String path = "/api/ws/dead-letters/" + id + "/replay";
        call("POST", path, null, "X-API-Key", KEY).isProblem(400);
        post(path, "{\"type\":\"a\"}").is(202);
    }

    @Test
    void aDeadLetterIsTakenAway() {
        String id = letter("push:user:u1", "push:user:u1", "{");
        call("DELETE", "/api/ws/dead-letters/" + id, null, "X-API-Key", KEY).is(204);
        call("DELETE", "/api/ws/dead-letters/" + id, null, "X-API-Key", KEY).isProblem(404);
        call("DELETE", "/api/ws/dead-letters/x", null, "X-API-Key", KEY).isProblem(404);
        call("POST", "/api/ws/dead-letters/x/replay", null, "X-API-Key", KEY).isProblem(404);
    }

    private String letter(String source, String channel, String message) {
        byte[] bytes = message.getBytes(StandardCharsets.UTF_8);
        letters.put(source, channel, "it is wrong", bytes, bytes.length)
                .toCompletableFuture()
                .join();
        return get("/api/ws/dead-letters")
                .json()
                .path("dead_letters")
                .get(0)
                .path("id")
                .stringValue();
    }

    // ---- tools

    /** What came back. */
    record Answer(int status, HttpResponse<byte[]> response, String text) {
        Answer is(int expected) {
            assertThat(status).as(text).isEqualTo(expected);
            return this;
        }

        Answer isProblem(int expected) {
            is(expected);
            assertThat(header("Content-Type")).startsWith("application/problem+json");
            assertThat(json().path("status").intValue()).isEqualTo(expected);
            assertThat(json().path("title").stringValue()).isNotEmpty();
            assertThat(json().path("error").stringValue()).isNotEmpty().doesNotContain("Exception");
            return this;
        }

        JsonNode json() {
            return JSON.readTree(text);
        }

        String header(String name) {
            return response.headers().firstValue(name).orElse("");
        }
    }

    private Answer get(String path) {
        return call("GET", path, null, "X-API-Key", KEY);
    }

    private Answer post(String path, String body) {
        return call("POST", path, body, "Authorization", "Bearer " + KEY, "Content-Type", "application/json");
    }

    private Answer retry(String path, String key, String body) {
        return call("POST", path, body, "X-API-Key", KEY, "Content-Type", "application/json", "Idempotency-Key", key);
    }

    private Answer call(String method, String path, String body, String... headers) {
        var request = HttpRequest.newBuilder(URI.create("http://127.0.0.1:" + port + path))
                .timeout(Duration.ofSeconds(10))
                .method(method, body == null ? BodyPublishers.noBody() : BodyPublishers.ofString(body));
        for (int i = 0; i < headers.length; i += 2) request.header(headers[i], headers[i + 1]);
        return send(request.build());
    }

    private static Answer send(HttpRequest request) {
        try {
            HttpResponse<byte[]> response = HTTP.send(request, BodyHandlers.ofByteArray());
            return new Answer(response.statusCode(), response, new String(response.body(), StandardCharsets.UTF_8));
        } catch (IOException e) {
            throw new AssertionError(e);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new AssertionError(e);
        }
    }

    /** For addresses that an honest client does not write. */
    private String raw(String line, boolean key, String body) throws IOException {
        try (var socket = new Socket("127.0.0.1", port)) {
            socket.setSoTimeout(10_000);
            OutputStream out = socket.getOutputStream();
            out.write((line + "\r\nHost: 127.0.0.1\r\nConnection: close\r\nContent-Type: application/json\r\n"
                            + (key ? "X-API-Key: " + KEY + "\r\n" : "") + "Content-Length: " + body.length()
                            + "\r\n\r\n"
                            + body)
                    .getBytes(StandardCharsets.US_ASCII));
            out.flush();
            InputStream in = socket.getInputStream();
            return new String(in.readAllBytes(), StandardCharsets.UTF_8);
        }
    }

    private List<JsonNode> history(ChannelName channel) {
        List<String> kept = redis.opsForList().range(KEYS.channel(channel) + ":history", 0, -1);
        return kept.stream().map(JSON::readTree).toList();
    }

    private void online(Namespace namespace, String... users) {
        redis.opsForSet().add(KEYS.online(namespace), users);
    }

    private void node(String node, Object... held) {
        redis.opsForZSet().add(KEYS.leases(), node, System.currentTimeMillis() + 60_000.0);
        var sessions = new java.util.LinkedHashMap<String, Long>();
        for (int i = 0; i < held.length; i += 2) {
            String namespace = (String) held[i];
            int count = (Integer) held[i + 1];
            sessions.put(namespace, (long) count);
            for (int s = 0; s < count; s++) {
                redis.opsForSet().add(KEYS.nodeSessions(new Namespace(namespace), 0, node), "s" + s + " u" + s);
            }
        }
        var description = new io.carillon.node.presence.NodeDescription(
                node, node.substring(0, 8), "127.0.0.1", 8081, "1.0", "up", 1, sessions, Map.of("sent", 1.5));
        redis.opsForHash().put(KEYS.nodeInfo(), node, JSON.writeValueAsString(description));
    }
}
