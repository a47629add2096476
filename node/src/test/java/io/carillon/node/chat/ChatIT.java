package io.carillon.node.chat;

import static org.assertj.core.api.Assertions.assertThat;

import io.carillon.node.testing.Client;
import io.carillon.node.testing.Http;
import io.carillon.node.testing.Nodes;
import io.carillon.node.testing.Poll;
import io.carillon.node.testing.RedisServer;
import java.io.ByteArrayOutputStream;
import java.net.Socket;
import java.net.URI;
import java.net.http.WebSocketHandshakeException;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.RegisterExtension;
import tools.jackson.databind.JsonNode;

/** Every row of the chat dialect, over three real nodes and a real Redis. Tests share the chat, but no user. */
class ChatIT {
    @RegisterExtension
    static final RedisServer redis = RedisServer.own();

    private static final AtomicInteger NEXT = new AtomicInteger();

    private static Nodes nodes;

    private final int test = NEXT.incrementAndGet();

    @BeforeAll
    static void start() {
        nodes = new Nodes(
                redis.url(),
                3,
                Map.of(
                        // Chats of their own, where a test counts who is online.
                        "carillon.endpoints.lounge.path", "/lounge/ws",
                        "carillon.endpoints.lounge.dialect", "chat",
                        "carillon.endpoints.lobby.path", "/lobby/ws",
                        "carillon.endpoints.lobby.dialect", "chat",
                        "carillon.endpoints.attic.path", "/attic/ws",
                        "carillon.endpoints.attic.dialect", "chat"));
    }

    @AfterAll
    static void stop() {
        if (nodes != null) nodes.close();
    }

    // ---- members

    private String user(String name) {
        return name + test;
    }

    private static String bearer(String user, String claims) {
        return "Bearer " + Nodes.token(user, Instant.now().getEpochSecond() + 300, claims);
    }

    /** A member's session whose first frame has come. */
    private static Client member(String url, String path, String user, String name) throws Exception {
        Client client = Client.connect(
                url + path, "Authorization", bearer(user, "\"name\":" + Client.JSON.writeValueAsString(name)));
        client.next("online_count");
        return client;
    }

    private Client member(int node, String name) throws Exception {
        return member(nodes.url(node), "/api/chat/ws", user(name), name);
    }

    private static String message(String content, String mark) {
        return "{\"type\":\"message\",\"content\":" + Client.JSON.writeValueAsString(content)
                + (mark == null ? "" : ",\"client_id\":\"" + mark + "\"") + "}";
    }

    private Http.Answer post(int node, String name, String body, String... headers) throws Exception {
        var all = new ArrayList<>(List.of(headers));
        all.addAll(List.of("Authorization", bearer(user(name), "\"name\":\"" + name + "\"")));
        return Http.post(nodes.url(node) + "/api/chat/messages", body, all.toArray(String[]::new));
    }

    private JsonNode read(int node, String query) throws Exception {
        return Http.get(
                        nodes.url(node) + "/api/chat/messages/new?" + query,
                        "Authorization",
                        bearer(user("reader"), ""))
                .json();
    }

    /** The id of the last message there is. */
    private long last() throws Exception {
        long last = 0;
        while (true) {
            JsonNode page = read(0, "limit=1000&after_id=" + last);
            if (page.path("messages").isEmpty()) return last;
            last = page.path("messages")
                    .get(page.path("messages").size() - 1)
                    .path("id")
                    .longValue();
        }
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

    // ---- messages

    @Test
    void aMessageSentWithTheHandshakeComesBackToItsSender() throws Exception {
        // On a node where nobody else listens, so that the chat has still to be subscribed to.
        for (int i = 0; i < 10; i++) {
            URI node = URI.create(nodes.url(i % 3));
            byte[] text = message("early " + i, "e" + i).getBytes(StandardCharsets.UTF_8);
            var sent = new ByteArrayOutputStream();
            sent.writeBytes(("GET /attic/ws HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                            + "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nAuthorization: "
                            + bearer(user("Ada"), "\"name\":\"Ada\"") + "\r\n\r\n")
                    .getBytes(StandardCharsets.US_ASCII));
            sent.writeBytes(new byte[] {(byte) 0x81, (byte) (0x80 | text.length), 0, 0, 0, 0});
            sent.writeBytes(text);
            try (var socket = new Socket(node.getHost(), node.getPort())) {
                socket.setSoTimeout(10_000);
                socket.getOutputStream().write(sent.toByteArray());
                var came = new ByteArrayOutputStream();
                while (!came.toString(StandardCharsets.UTF_8).contains("\"content\":\"early " + i + "\"")) {
                    int next = socket.getInputStream().read();
                    assertThat(next).as("the end after " + came).isNotNegative();
                    came.write(next);
                }
            }
        }
    }

    @Test
    void aMessageReachesEveryoneOnEveryNodeAndItsSenderIsAcknowledged() throws Exception {
        long before = last();
        try (Client ada = member(0, "Ada");
                Client tab = member(1, "Ada");
                Client ben = member(1, "Ben");
                Client cleo = member(2, "Cleo")) {
            ada.send(message("hi 你好", "c1"));
            JsonNode ack = ada.next("ack");
            assertThat(ack.toString())
                    .isEqualTo("{\"type\":\"ack\",\"client_id\":\"c1\",\"data\":{\"id\":" + (before + 1) + "}}");
            ada.send(message("again", null));
            assertThat(ada.next("ack").toString())
                    .isEqualTo("{\"type\":\"ack\",\"data\":{\"id\":" + (before + 2) + "}}");
            for (Client each : List.of(tab, ben, cleo)) {
                JsonNode frame = each.next("message");
                assertThat(frame.propertyNames()).containsExactlyInAnyOrder("type", "data");
                JsonNode data = frame.path("data");
                assertThat(data.propertyNames())
                        .containsExactlyInAnyOrder("id", "user_id", "username", "content", "created_at");
                assertThat(data.path("id").longValue()).isEqualTo(before + 1);
                assertThat(data.path("user_id").stringValue()).isEqualTo(user("Ada"));
                assertThat(data.path("username").stringValue()).isEqualTo("Ada");
                assertThat(data.path("content").stringValue()).isEqualTo("hi 你好");
                assertThat(Instant.parse(data.path("created_at").stringValue()))
                        .isBetween(Instant.now().minusSeconds(30), Instant.now().plusSeconds(30));
                assertThat(each.next("message").path("data").path("content").stringValue())
                        .isEqualTo("again");
            }
        }
    }

    @Test
    void theSenderGetsItsOwnMessageToo() throws Exception {
        try (Client ada = member(0, "Ada")) {
            ada.send(message("to all", "c1"));
            assertThat(ada.next("message").path("data").path("content").stringValue())
                    .isEqualTo("to all");
        }
    }

    @Test
    void contentAndNameAreStoredEscaped() throws Exception {
        long before = last();
        try (Client ada = member(nodes.url(0), "/api/chat/ws", user("ada"), "<i>Ada & \"Co\"</i>");
                Client ben = member(1, "Ben")) {
            ada.send(message("<script>alert('x' & \"y\")</script>", "c1"));
            JsonNode data = ben.next("message").path("data");
            assertThat(data.path("content").stringValue())
                    .isEqualTo("&lt;script&gt;alert(&#39;x&#39; &amp; &#34;y&#34;)&lt;/script&gt;");
            assertThat(data.path("username").stringValue()).isEqualTo("&lt;i&gt;Ada &amp; &#34;Co&#34;&lt;/i&gt;");
            assertThat(read(2, "after_id=" + before).path("messages").get(0)).isEqualTo(data);
        }
    }

    @Test
    void escapingIsASetting() throws Exception {
        try (var plain = new Nodes(redis.url(), 1, Map.of("carillon.chat.escape", "false"));
                Client ada = member(plain.url(0), "/api/chat/ws", user("ada"), "A&A")) {
            ada.send(message("<b>", "c1"));
            JsonNode data = ada.next("message").path("data");
            assertThat(data.path("content").stringValue()).isEqualTo("<b>");
            assertThat(data.path("username").stringValue()).isEqualTo("A&A");
        }
    }

    @Test
    void theSameClientIdIsAnsweredWithTheSameIdAndNotSentTwice() throws Exception {
        try (Client ada = member(0, "Ada");
                Client elsewhere = member(2, "Ada");
                Client ben = member(1, "Ben");
                Client listener = member(2, "Cleo")) {
            long id = ada.send(message("once", "c1"))
                    .next("ack")
                    .path("data")
                    .path("id")
                    .longValue();
            assertThat(ada.send(message("once", "c1"))
                            .next("ack")
                            .path("data")
                            .path("id")
                            .longValue())
                    .isEqualTo(id);
            assertThat(elsewhere
                            .send(message("once", "c1"))
                            .next("ack")
                            .path("data")
                            .path("id")
                            .longValue())
                    .isEqualTo(id);
            Http.Answer posted = post(1, "Ada", "{\"content\":\"once\",\"client_id\":\"c1\"}");
            assertThat(posted.status()).isEqualTo(200);
            assertThat(posted.json().path("id").longValue()).isEqualTo(id);
            // Another member's c1 is another message.
            long other = ben.send(message("mine", "c1"))
                    .next("ack")
                    .path("data")
                    .path("id")
                    .longValue();
            assertThat(other).isEqualTo(id + 1);
            for (String content : List.of("once", "mine")) {
                assertThat(listener.next("message").path("data").path("content").stringValue())
                        .isEqualTo(content);
            }
            ben.send(message("end", "c2")).next("ack");
            assertThat(listener.next("message").path("data").path("content").stringValue())
                    .as("nothing came twice")
                    .isEqualTo("end");
        }
    }

    @Test
    void aMessageMayBePosted() throws Exception {
        try (Client ben = member(2, "Ben")) {
            Http.Answer answer = post(0, "Ada", "{\"content\":\"over <HTTP>\",\"client_id\":\"p1\"}");
            assertThat(answer.status()).isEqualTo(201);
            assertThat(ben.next("message").path("data")).isEqualTo(answer.json());
            assertThat(answer.json().path("content").stringValue()).isEqualTo("over &lt;HTTP&gt;");
            assertThat(post(1, "Ada", "{\"content\":\"keyed\"}", "Idempotency-Key", "k")
                            .status())
                    .isEqualTo(201);
            assertThat(post(2, "Ada", "{\"content\":\"keyed\"}", "Idempotency-Key", "k")
                            .status())
                    .isEqualTo(200);
            assertThat(post(2, "Ada", "{\"content\":\"other\"}", "Idempotency-Key", "k")
                            .status())
                    .isEqualTo(422);
        }
        for (String bad : List.of(
                "{}",
                "{\"content\":\"\"}",
                "{\"content\":\" \"}",
                "{\"content\":7}",
                "[]",
                "{",
                "{\"content\":\"x\",\"client_id\":7}",
                "{\"content\":\"x\",\"client_id\":\"\"}",
                "{\"content\":\"x\",\"client_id\":\"" + "c".repeat(129) + "\"}",
                "{\"content\":\"" + "x".repeat(4097) + "\"}")) {
            Http.Answer answer = post(0, "Ada", bad);
            assertThat(answer.status()).as(bad).isEqualTo(400);
            assertThat(answer.json().path("error").stringValue()).isNotBlank();
        }
        assertThat(post(0, "Ada", "{\"content\":\"" + "x".repeat(4096) + "\"}").status())
                .isEqualTo(201);
    }

    @Test
    void pollingShowsExactlyWhatWasSaid() throws Exception {
        long before = last();
        try (Client ada = member(0, "Ada")) {
            for (int i = 0; i < 5; i++) ada.send(message("m" + i, "c" + i)).next("ack");
        }
        JsonNode page = read(1, "after_id=" + before + "&limit=3");
        assertThat(page.path("messages")).hasSize(3);
        assertThat(page.path("has_more").booleanValue()).isTrue();
        page = read(2, "after_id=" + (before + 3) + "&limit=2");
        assertThat(page.path("messages").get(1).path("content").stringValue()).isEqualTo("m4");
        assertThat(page.path("has_more").booleanValue()).isFalse();
        assertThat(read(0, "after_id=" + (before + 5)).toString()).isEqualTo("{\"messages\":[],\"has_more\":false}");
        assertThat(read(0, "after_id=-1").path("status").intValue()).isEqualTo(400);
        assertThat(read(0, "limit=1001").path("status").intValue()).isEqualTo(400);
    }

    @Test
    void whatIsKeptIsBounded() throws Exception {
        try (var small = new Nodes(
                        redis.url(),
                        1,
                        Map.of(
                                "carillon.endpoints.attic.path", "/attic/ws",
                                "carillon.endpoints.attic.dialect", "chat",
                                "carillon.chat.messages", "3"));
                Client ada = member(small.url(0), "/attic/ws", user("ada"), "Ada")) {
            long first = ada.send(message("m", "c0"))
                    .next("ack")
                    .path("data")
                    .path("id")
                    .longValue();
            for (int i = 1; i < 5; i++) ada.send(message("m" + i, "c" + i)).next("ack");
            JsonNode page = Http.get(
                            small.url(0) + "/api/chat/messages/new?namespace=attic", "Authorization", bearer("r", ""))
                    .json();
            assertThat(page.path("messages")).hasSize(3);
            assertThat(page.path("messages").get(0).path("id").longValue()).isEqualTo(first + 2);
            assertThat(ada.send(message("m", "c0"))
                            .next("ack")
                            .path("data")
                            .path("id")
                            .longValue())
                    .as("a repetition finds what is not kept")
                    .isEqualTo(first);
        }
    }

    // ---- limits and errors

    @Test
    void everythingNeedsAToken() throws Exception {
        String url = nodes.url(0);
        assertThat(refusal(url + "/api/chat/ws")).isEqualTo(401);
        assertThat(refusal(url + "/api/chat/ws?user_id=42"))
                .as("also under open identity")
                .isEqualTo(401);
        assertThat(refusal(url + "/api/chat/ws", "Authorization", "Bearer wrong"))
                .isEqualTo(401);
        assertThat(refusal(url + "/api/chat/ws?token=" + bearer(user("ada"), "").substring(7)))
                .isEqualTo(101);
        for (String header : List.of("", "Bearer wrong", "Bearer " + Nodes.API_KEY)) {
            String[] headers = header.isEmpty() ? new String[0] : new String[] {"Authorization", header};
            assertThat(Http.get(url + "/api/chat/messages/new", headers).status())
                    .isEqualTo(401);
            assertThat(Http.get(url + "/api/chat/online-users?user_id=42", headers)
                            .status())
                    .isEqualTo(401);
            assertThat(Http.post(url + "/api/chat/messages", "{\"content\":\"x\"}", headers)
                            .status())
                    .isEqualTo(401);
        }
    }

    @Test
    void aHeartbeatIsAnswered() throws Exception {
        try (Client ada = member(0, "Ada")) {
            assertThat(ada.send("{\"type\":\"heartbeat\"}")
                            .next("heartbeat_ack")
                            .toString())
                    .isEqualTo("{\"type\":\"heartbeat_ack\"}");
        }
    }

    @Test
    void aFrameOver4KiBEndsTheSession() throws Exception {
        try (Client ada = member(0, "Ada")) {
            int around = message("", "c1").length();
            ada.send(message("x".repeat(4096 - around), "c1")).next("ack");
            ada.send(message("x".repeat(4097 - around), "c2"));
            assertThat(ada.closeCode()).isEqualTo(1009);
        }
    }

    @Test
    void aBadFrameIsAnsweredWithACodeAndTheSessionLivesOn() throws Exception {
        long before = last();
        try (Client ada = member(0, "Ada")) {
            Map<String, String> bad = Map.of(
                    "{",
                    "bad_json",
                    "[]",
                    "bad_frame",
                    message("", "c1"),
                    "bad_frame",
                    message(" \n ", "c2"),
                    "bad_frame",
                    "{\"type\":\"message\",\"content\":\"\\ud800\"}",
                    "bad_frame",
                    "{\"type\":\"message\",\"content\":7}",
                    "bad_frame",
                    "{\"type\":\"shout\",\"content\":\"x\"}",
                    "unknown_type",
                    "{\"type\":\"online_count\",\"data\":{\"count\":7}}",
                    "unknown_type",
                    message("x", "c".repeat(129)),
                    "too_large");
            for (var each : bad.entrySet()) {
                JsonNode error = ada.send(each.getKey()).next("error");
                assertThat(error.path("code").stringValue()).as(each.getKey()).isEqualTo(each.getValue());
                assertThat(error.path("error").stringValue()).isNotBlank();
            }
            assertThat(ada.send(message("", "c3"))
                            .next("error")
                            .path("client_id")
                            .stringValue())
                    .isEqualTo("c3");
            ada.send("{\"type\":\"heartbeat\"}").next("heartbeat_ack");
        }
        assertThat(last()).isEqualTo(before);
    }

    @Test
    void aUserMaySendSoManyASecondOverAllNodesAndHttp() throws Exception {
        long before = last();
        try (Client here = member(0, "Ada");
                Client there = member(1, "Ada");
                Client ben = member(2, "Ben")) {
            long started = System.nanoTime();
            int sent = 0;
            int stored = 0;
            var refused = new ArrayList<JsonNode>();
            for (int i = 0; i < 15; i++) {
                here.send(message("h" + i, "h" + i));
                there.send(message("t" + i, "t" + i));
                sent += 2;
            }
            for (Client each : List.of(here, there)) {
                int answers = 0;
                while (answers < 15) {
                    JsonNode frame = each.poll(Duration.ofSeconds(10));
                    assertThat(frame).isNotNull();
                    String type = frame.path("type").stringValue();
                    if (type.equals("ack")) stored++;
                    else if (type.equals("error")) refused.add(frame);
                    else continue;
                    answers++;
                }
            }
            double seconds = (System.nanoTime() - started) / 1e9;
            assertThat(stored).isBetween(20, (int) (20 + 10 * seconds + 1));
            assertThat(refused).hasSize(sent - stored);
            for (JsonNode error : refused) {
                assertThat(error.path("code").stringValue()).isEqualTo("rate_limited");
                assertThat(error.path("client_id").stringValue()).isNotEmpty();
            }
            // The same bucket for HTTP, and another one for another user.
            assertThat(Poll.until(
                                    "the bucket to be empty",
                                    Duration.ofSeconds(10),
                                    () -> post(2, "Ada", "{\"content\":\"http\"}"),
                                    answer -> answer.status() == 429)
                            .json()
                            .path("error")
                            .stringValue())
                    .contains("too many");
            ben.send(message("mine", "b")).next("ack");
            Poll.until(
                    "a token",
                    Duration.ofSeconds(5),
                    () -> post(2, "Ada", "{\"content\":\"later\"}").status() == 201);
            List<String> kept = new ArrayList<>();
            read(0, "limit=1000&after_id=" + before)
                    .path("messages")
                    .forEach(m -> kept.add(m.path("content").stringValue()));
            assertThat(kept.stream().filter(content -> content.matches("[ht]\\d+")))
                    .hasSize(stored);
        }
    }

    @Test
    void aFloodEndsTheSession() throws Exception {
        try (Client ada = member(0, "Ada")) {
            try {
                for (int i = 0; i < 1000; i++) ada.send(message("f" + i, null));
            } catch (Exception e) {
                // Closed while it was still sending.
                assertThat(ada.ended()).isTrue();
            }
            assertThat(ada.closeCode()).isEqualTo(4429);
            assertThat(ada.rest().stream()
                            .filter(f -> f.path("type").stringValue().equals("error")))
                    .hasSize(100);
        }
    }

    // ---- who is online

    @Test
    void theOnlineCountComesOnConnectingAndThenOnChangeAtMostOnceASecond() throws Exception {
        long started = System.nanoTime();
        String path = "/lobby/ws";
        try (Client ada = Client.connect(nodes.url(0) + path, "Authorization", bearer("ada", ""))) {
            assertThat(ada.poll(Duration.ofSeconds(10)).toString())
                    .isEqualTo("{\"type\":\"online_count\",\"data\":{\"count\":1}}");
            var others = new ArrayList<Client>();
            try {
                for (int i = 0; i < 24; i++) {
                    // Two sessions of each: a second tab is nobody new.
                    Client other = Client.connect(nodes.url(i % 3) + path, "Authorization", bearer("user" + i / 2, ""));
                    others.add(other);
                    assertThat(other.next("online_count")
                                    .path("data")
                                    .path("count")
                                    .longValue())
                            .isBetween(2 + i / 2L, 13L);
                }
                var counts = new ArrayList<Long>(List.of(1L));
                Poll.until("everyone counted", Duration.ofSeconds(10), () -> {
                    ada.rest()
                            .forEach(
                                    f -> counts.add(f.path("data").path("count").longValue()));
                    return counts.getLast() == 13;
                });
                double seconds = (System.nanoTime() - started) / 1e9;
                assertThat(counts).isSorted().doesNotHaveDuplicates();
                assertThat(counts.size()).as(counts + " in " + seconds).isLessThanOrEqualTo((int) seconds + 2);
            } finally {
                others.forEach(Client::close);
            }
            Poll.until(
                    "all others to be gone",
                    Duration.ofSeconds(10),
                    () -> ada.rest().stream()
                            .map(f -> f.path("data").path("count").longValue())
                            .toList(),
                    counts -> !counts.isEmpty() && counts.getLast() == 1);
        }
    }

    @Test
    void onlineUsersAreCountedAndNamedOverAllNodes() throws Exception {
        String url = nodes.url(2) + "/api/chat/online-users?namespace=lounge";
        String token = bearer("reader", "");
        try (Client ada = member(nodes.url(0), "/lounge/ws", "u1", "Ada <3");
                Client tab = member(nodes.url(1), "/lounge/ws", "u1", "Ada <3");
                Client ben = Client.connect(nodes.url(1) + "/lounge/ws", "Authorization", bearer("u2", ""))) {
            ben.next("online_count");
            JsonNode online = Http.get(url, "Authorization", token).json();
            assertThat(online.path("count").longValue()).isEqualTo(2);
            var users = new ArrayList<String>();
            online.path("users").forEach(u -> users.add(u.toString()));
            assertThat(users)
                    .containsExactlyInAnyOrder(
                            "{\"id\":\"u1\",\"name\":\"Ada &lt;3\"}", "{\"id\":\"u2\",\"name\":\"u2\"}");
            assertThat(online.has("next_cursor")).isFalse();
            JsonNode page = Http.get(url + "&limit=1", "Authorization", token).json();
            assertThat(page.path("users")).hasSize(1);
            JsonNode rest = Http.get(
                            url + "&limit=1&cursor=" + page.path("next_cursor").stringValue(), "Authorization", token)
                    .json();
            assertThat(rest.path("users").get(0))
                    .isNotEqualTo(page.path("users").get(0));
            assertThat(Http.get(url + "&limit=0", "Authorization", token).status())
                    .isEqualTo(400);
            tab.leave();
            ben.leave();
            Poll.until(
                    "Ben to be gone, and Ada not",
                    Duration.ofSeconds(10),
                    () -> Http.get(url, "Authorization", token)
                                    .json()
                                    .path("count")
                                    .longValue()
                            == 1);
        }
    }

    @Test
    void aNodeThatStopsTakesItsUsersWithItAndTheOthersAreTold() throws Exception {
        Map<String, String> den =
                Map.of("carillon.endpoints.den.path", "/den/ws", "carillon.endpoints.den.dialect", "chat");
        try (var two = new Nodes(redis.url(), 2, den);
                Client stays = member(two.url(0), "/den/ws", "stays", "S");
                Client goes = member(two.url(1), "/den/ws", "goes", "G")) {
            Poll.until(
                    "both counted",
                    Duration.ofSeconds(10),
                    () -> stays.next("online_count").path("data").path("count").longValue() == 2);
            two.stop(1);
            assertThat(goes.next("drain")
                            .path("data")
                            .path("reconnect_within_ms")
                            .longValue())
                    .isPositive();
            assertThat(goes.closeCode()).isEqualTo(1012);
            assertThat(stays.next("online_count").path("data").path("count").longValue())
                    .isEqualTo(1);
        }
    }

    // ---- the session

    @Test
    void aFreshTokenProlongsTheSessionAndSomebodyElsesEndsIt() throws Exception {
        String soon = Nodes.token(user("ada"), Instant.now().getEpochSecond() + 20, "\"name\":\"Ada\"");
        try (Client ada = Client.connect(nodes.url(0) + "/api/chat/ws", "Authorization", "Bearer " + soon)) {
            assertThat(ada.next("token_expiring")
                            .path("data")
                            .path("expires_in")
                            .longValue())
                    .isBetween(1L, 20L);
            String fresh = bearer(user("ada"), "\"name\":\"Ada II\"").substring(7);
            ada.send("{\"type\":\"refresh\",\"token\":\"" + fresh + "\"}").next("refreshed");
            ada.send(message("renamed", "c1"));
            assertThat(ada.next("message").path("data").path("username").stringValue())
                    .isEqualTo("Ada II");
            ada.send("{\"type\":\"refresh\",\"token\":\"" + bearer("eve", "").substring(7) + "\"}");
            assertThat(ada.closeCode()).isEqualTo(4501);
        }
    }

    @Test
    void theSameDialectServesASecondChatApart() throws Exception {
        try (Client here = member(0, "Ada");
                Client there = member(nodes.url(1), "/attic/ws", user("Ada"), "Ada")) {
            there.send(message("up here", "c1"));
            assertThat(there.next("message").path("data").path("content").stringValue())
                    .isEqualTo("up here");
            here.send(message("down here", "c1"));
            assertThat(here.next("message").path("data").path("content").stringValue())
                    .isEqualTo("down here");
            Http.Answer posted = Http.post(
                    nodes.url(0) + "/api/chat/messages?namespace=attic",
                    "{\"content\":\"posted\"}",
                    "Authorization",
                    bearer(user("Ada"), ""));
            assertThat(posted.status()).isEqualTo(201);
            assertThat(there.next("message").path("data").path("content").stringValue())
                    .isEqualTo("posted");
        }
        assertThat(Http.get(nodes.url(0) + "/api/chat/online-users?namespace=push", "Authorization", bearer("u", ""))
                        .status())
                .isEqualTo(404);
    }

    @Test
    void withoutRedisSendersAreToldAndEverythingHeals() throws Exception {
        try (var own = RedisServer.running();
                var alone = new Nodes(own.url(), 1, Map.of());
                Client ada = member(alone.url(0), "/api/chat/ws", "ada", "Ada")) {
            own.stop();
            ada.next("degraded");
            long asked = System.nanoTime();
            JsonNode error = ada.send(message("lost", "c1")).next("error");
            assertThat(error.path("code").stringValue()).isEqualTo("unavailable");
            assertThat(error.path("client_id").stringValue()).isEqualTo("c1");
            assertThat(Duration.ofNanos(System.nanoTime() - asked)).isLessThan(Duration.ofSeconds(2));
            String token = bearer("ada", "");
            for (String path : List.of("/api/chat/messages/new", "/api/chat/online-users")) {
                asked = System.nanoTime();
                assertThat(Http.get(alone.url(0) + path, "Authorization", token).status())
                        .isEqualTo(503);
                assertThat(Duration.ofNanos(System.nanoTime() - asked)).isLessThan(Duration.ofSeconds(2));
            }
            assertThat(Http.post(alone.url(0) + "/api/chat/messages", "{\"content\":\"x\"}", "Authorization", token)
                            .status())
                    .isEqualTo(503);
            assertThat(refusal(alone.url(0) + "/api/chat/ws", "Authorization", token))
                    .isEqualTo(503);
            own.start();
            ada.next("restored");
            Poll.until("a message to be taken", Duration.ofSeconds(10), () -> {
                ada.send(message("back", "c1"));
                while (true) {
                    String type = ada.poll(Duration.ofSeconds(5)).path("type").stringValue();
                    if (type.equals("ack")) return true;
                    if (type.equals("error")) return false;
                }
            });
            Poll.until(
                    "the presence to be told again",
                    Duration.ofSeconds(20),
                    () -> Http.get(alone.url(0) + "/api/chat/online-users", "Authorization", token)
                                    .json()
                                    .path("count")
                                    .longValue()
                            == 1);
        }
    }
}
