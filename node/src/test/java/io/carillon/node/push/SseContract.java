package io.carillon.node.push;

import static org.assertj.core.api.Assertions.assertThat;

import io.carillon.node.testing.Client;
import io.carillon.node.testing.Nodes;
import io.carillon.node.testing.Poll;
import io.carillon.node.testing.RedisServer;
import io.carillon.node.testing.Stream;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.atomic.AtomicInteger;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestInstance;
import org.junit.jupiter.api.extension.RegisterExtension;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import tools.jackson.databind.JsonNode;

/**
 * Event streams, over two real nodes and a real Redis, whatever carries the streams. Users of a test meet no other test's.
 */
@TestInstance(TestInstance.Lifecycle.PER_CLASS)
abstract class SseContract {
    @RegisterExtension
    final RedisServer redis = RedisServer.own();

    private static final AtomicInteger NEXT = new AtomicInteger();

    private Nodes nodes;
    private int test;

    /** Whether the node of this number is inside a servlet application. */
    abstract boolean embedded(int node);

    @BeforeEach
    void number() {
        test = NEXT.incrementAndGet();
    }

    @BeforeAll
    void start() {
        nodes = new Nodes(
                redis.url(),
                2,
                Map.of(
                        "carillon.endpoints.push.sessions-per-user", "3",
                        "carillon.endpoints.push.ping", "200ms",
                        "carillon.endpoints.push.origins", "https://app.example"),
                this::embedded);
    }

    @AfterAll
    void stop() {
        if (nodes != null) nodes.close();
    }

    private String user(String name) {
        return name + test;
    }

    private Stream open(int node, String user, String channels, @Nullable String id) throws Exception {
        return Stream.open(nodes.url(node), user, channels, id);
    }

    private void send(String user, String content) throws Exception {
        publish("send", "{\"type\":\"chat\",\"to\":\"" + user + "\",\"content\":" + content + "}");
    }

    private void publish(String path, String event) throws Exception {
        assertThat(nodes.call("POST", "/api/ws/" + path, event).statusCode()).isEqualTo(202);
    }

    @Test
    void eventsComeAsPushFramesAndEachDurableOneMovesTheId() throws Exception {
        String ada = user("ada");
        try (Stream stream = open(0, ada, "user:" + ada + ",broadcast", null)) {
            assertThat(stream.header("Content-Type")).isEqualTo("text/event-stream");
            assertThat(stream.header("Cache-Control")).isEqualTo("no-store");
            assertThat(stream.header("X-Accel-Buffering")).isEqualTo("no");
            String first = stream.lastId();
            send(ada, "{\"text\":\n \"zwei\\nZeilen 你好\"}");
            Stream.Event event = stream.next("message");
            JsonNode frame = event.json();
            assertThat(frame.path("type").asString()).isEqualTo("chat");
            assertThat(frame.path("to").asString()).isEqualTo(ada);
            assertThat(frame.path("channel").asString()).isEqualTo("user:" + ada);
            assertThat(frame.path("offset").asLong()).isEqualTo(1);
            assertThat(frame.path("content").path("text").asString()).isEqualTo("zwei\nZeilen 你好");
            assertThat(event.id()).isNotEqualTo(first);
            // Ephemeral ones come, too, and leave the id where it is.
            redis.commands().publish("carillon:push:user:{" + ada + "}", "{\"type\":\"typing\",\"from\":\"x\"}");
            Stream.Event typing = stream.next("message");
            assertThat(typing.json().path("type").asString()).isEqualTo("typing");
            assertThat(typing.id()).isEqualTo(event.id());
            publish("broadcast", "{\"type\":\"news\",\"content\":1}");
            assertThat(stream.next("message").json().path("channel").asString()).isEqualTo("broadcast");
            Poll.until("comments", Duration.ofSeconds(10), () -> stream.comments() >= 2);
        }
    }

    @Test
    void anotherNodeGoesOnExactlyWhereTheFirstStopped() throws Exception {
        String ada = user("ada");
        String room = "r" + test;
        String channels = "room:" + room + ",user:" + ada;
        var seen = new ArrayList<Integer>();
        String id;
        try (Stream stream = open(0, ada, channels, null)) {
            for (int i = 1; i <= 6; i++) {
                if (i % 2 == 0) send(ada, String.valueOf(i));
                else publish("rooms/" + room + "/broadcast", "{\"type\":\"chat\",\"content\":" + i + "}");
            }
            Stream.Event event = stream.next("message");
            for (int i = 1; i < 3; i++) {
                seen.add(event.json().path("content").asInt());
                event = stream.next("message");
            }
            seen.add(event.json().path("content").asInt());
            // It has read three of the six, in the order in which they came: what is behind them is what it missed.
            id = event.id();
        }
        for (int i = 7; i <= 9; i++) send(ada, String.valueOf(i));
        try (Stream stream = open(1, ada, channels, id)) {
            while (seen.size() < 9)
                seen.add(stream.next("message").json().path("content").asInt());
            send(ada, "10");
            Stream.Event last = stream.next("message");
            seen.add(last.json().path("content").asInt());
            id = last.id();
        }
        assertThat(seen).containsExactlyInAnyOrder(1, 2, 3, 4, 5, 6, 7, 8, 9, 10);
        assertThat(seen.getLast()).isEqualTo(10);
        // By the query, for clients that cannot set a header; and from an id that names a channel no longer asked for.
        send(ada, "11");
        try (Stream stream = Stream.ask(
                "GET",
                nodes.url(0) + "/api/ws/events?user_id=" + ada + "&channels=user:" + ada + "&last_event_id=" + id)) {
            assertThat(stream.next("message").json().path("content").asInt()).isEqualTo(11);
        }
    }

    @Test
    void aHistoryThatIsGoneIsSaid() throws Exception {
        String ada = user("ada");
        String id;
        try (Stream stream = open(0, ada, "user:" + ada, null)) {
            send(ada, "1");
            id = stream.next("message").id();
        }
        for (String key : redis.commands().keys("carillon:push:*{" + ada + "}*"))
            redis.commands().del(key);
        send(ada, "2");
        try (Stream stream = open(1, ada, "user:" + ada, id)) {
            Stream.Event resync = stream.next("resync");
            assertThat(resync.json().path("channel").asString()).isEqualTo("user:" + ada);
            assertThat(resync.json().path("offset").asLong()).isEqualTo(1);
            send(ada, "3");
            assertThat(stream.next("message").json().path("content").asInt()).isEqualTo(3);
            id = resync.id();
        }
        // The id of the resync itself is one to go on from.
        try (Stream stream = open(0, ada, "user:" + ada, id)) {
            assertThat(stream.next("message").json().path("content").asInt()).isEqualTo(3);
        }
    }

    @Test
    void aStreamIsASessionOfItsUser() throws Exception {
        String ada = user("ada");
        String room = "r" + test;
        List<Stream> streams = new ArrayList<>();
        try {
            for (int i = 0; i < 3; i++) streams.add(open(i % 2, ada, "user:" + ada + ",room:" + room, null));
            JsonNode user = nodes.get("/api/ws/users/" + ada);
            assertThat(user.path("online").asBoolean()).isTrue();
            assertThat(user.path("sessions")).hasSize(3);
            assertThat(user.path("sessions").get(0).path("endpoint").asString()).isEqualTo("push-events");
            assertThat(nodes.get("/api/ws/rooms/" + room).path("count").asInt()).isEqualTo(1);
            try (Stream fourth = Stream.ask("GET", nodes.url(1) + "/api/ws/events?channels=broadcast&user_id=" + ada)) {
                assertThat(fourth.status()).isEqualTo(429);
                assertThat(fourth.header("Content-Type")).isEqualTo("application/problem+json");
                assertThat(fourth.header("Retry-After")).isNotNull();
            }
            nodes.call("DELETE", "/api/ws/users/" + ada, null);
            for (Stream stream : streams) {
                assertThat(stream.next("close").json().path("code").asInt()).isEqualTo(4503);
                assertThat(stream.rest()).isEmpty();
            }
            Poll.until(
                    "the user to be gone",
                    Duration.ofSeconds(10),
                    () -> !nodes.get("/api/ws/users/" + ada).path("online").asBoolean()
                            && nodes.get("/api/ws/rooms/" + room).path("count").asInt() == 0);
        } finally {
            for (Stream stream : streams) stream.close();
        }
    }

    @Test
    void aClientThatLeavesIsGone() throws Exception {
        String ada = user("ada");
        Stream stream = open(0, ada, "broadcast", null);
        stream.close();
        Poll.until(
                "the user to be gone",
                Duration.ofSeconds(10),
                () -> !nodes.get("/api/ws/users/" + ada).path("online").asBoolean());
    }

    @Test
    void aTokenThatEndsEndsTheStream() throws Exception {
        String ada = user("ada");
        String token = Nodes.token(ada, Instant.now().getEpochSecond() - 28, "");
        try (Stream stream = Stream.ask(
                "GET", nodes.url(0) + "/api/ws/events?channels=user:" + ada, "Authorization", "Bearer " + token)) {
            assertThat(stream.status()).isEqualTo(200);
            assertThat(stream.next("token_expiring").json().path("expires_in").asInt())
                    .isLessThanOrEqualTo(2);
            assertThat(stream.next("close").json().path("code").asInt()).isEqualTo(4401);
            assertThat(stream.rest()).isEmpty();
        }
    }

    @Test
    void privateRoomsAndChannelsOfOthersAreRefused() throws Exception {
        String ada = user("ada");
        long later = Instant.now().getEpochSecond() + 60;
        String token = Nodes.token(ada, later, "\"rooms\":[\"private-a\"]");
        String url = nodes.url(0) + "/api/ws/events?token=" + token + "&channels=";
        for (String channels : List.of("user:somebody", "room:private-b", "user:" + ada + ",room:private-b")) {
            try (Stream stream = Stream.ask("GET", url + channels)) {
                assertThat(stream.status()).as(channels).isEqualTo(403);
                assertThat(stream.body()).contains("\"error\":\"");
            }
        }
        try (Stream stream = Stream.ask("GET", url + "room:private-a")) {
            assertThat(stream.status()).isEqualTo(200);
            Poll.until(
                    "the first id",
                    Duration.ofSeconds(10),
                    () -> !stream.lastId().isEmpty());
            publish("rooms/private-a/broadcast", "{\"type\":\"chat\",\"content\":1}");
            assertThat(stream.next("message").json().path("room").asString()).isEqualTo("private-a");
        }
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            value = {
                "GET | user_id=u1 | '' | 400 | channels",
                "GET | user_id=u1&channels= | '' | 400 | channels",
                "GET | user_id=u1&channels=nonsense | '' | 400 | channels",
                "GET | user_id=u1&channels=room:a%20b | '' | 400 | channels",
                "GET | user_id=u1&channels=broadcast | !!! | 400 | last event id",
                "GET | user_id=u1&channels=broadcast | AQ | 200 | ",
                "GET | user_id=u1&channels=broadcast | Ag | 400 | last event id",
                "GET | user_id=u1&channels=broadcast | AQAAAAAFYWJj | 400 | last event id",
                "GET | channels=broadcast | '' | 401 | ",
                "GET | token=wrong&channels=broadcast | '' | 401 | ",
                "GET | user_id=u1&channels=broadcast&namespace=nobody | '' | 404 | namespace",
                "POST | user_id=u1&channels=broadcast | '' | 405 | GET",
                "HEAD | user_id=u1&channels=broadcast | '' | 405 | ",
            })
    void badRequestsAreAnsweredPlainly(String method, String query, String id, int status, String part)
            throws Exception {
        String[] headers = id.isEmpty() ? new String[0] : new String[] {"Last-Event-ID", id};
        try (Stream answer = Stream.ask(method, nodes.url(0) + "/api/ws/events?" + query, headers)) {
            assertThat(answer.status()).isEqualTo(status);
            if (status != 200 && !method.equals("HEAD")) {
                assertThat(answer.header("Content-Type")).isEqualTo("application/problem+json");
                JsonNode problem = Client.JSON.readTree(answer.body());
                assertThat(problem.path("status").asInt()).isEqualTo(status);
                assertThat(problem.path("error").asString()).contains(part == null ? "" : part);
            }
        }
    }

    @Test
    void tooManyChannelsAreRefused() throws Exception {
        var channels = new StringBuilder("broadcast");
        for (int i = 0; i < 32; i++) channels.append(",room:r").append(i);
        try (Stream answer = Stream.ask("GET", nodes.url(0) + "/api/ws/events?user_id=u1&channels=" + channels)) {
            assertThat(answer.status()).isEqualTo(400);
            assertThat(answer.body()).contains("at most 32");
        }
    }

    @Test
    void onlyPagesThatMayAskAreAnswered() throws Exception {
        String url = nodes.url(0) + "/api/ws/events?channels=broadcast&user_id=" + user("ada");
        try (Stream foreign = Stream.ask("GET", url, "Origin", "https://evil.example")) {
            assertThat(foreign.status()).isEqualTo(403);
        }
        try (Stream allowed = Stream.ask("GET", url, "Origin", "https://app.example")) {
            assertThat(allowed.status()).isEqualTo(200);
            assertThat(allowed.header("Access-Control-Allow-Origin")).isEqualTo("https://app.example");
            assertThat(allowed.header("Vary")).isEqualTo("Origin");
        }
        try (Stream asked = Stream.ask("OPTIONS", url, "Origin", "https://app.example")) {
            assertThat(asked.status()).isEqualTo(204);
            assertThat(asked.header("Access-Control-Allow-Headers")).contains("authorization", "last-event-id");
        }
        try (Stream asked = Stream.ask("OPTIONS", url, "Origin", "https://evil.example")) {
            assertThat(asked.status()).isEqualTo(403);
        }
    }
}
