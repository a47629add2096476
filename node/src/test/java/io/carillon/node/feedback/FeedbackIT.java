package io.carillon.node.feedback;

import static org.assertj.core.api.Assertions.assertThat;

import io.carillon.node.testing.Client;
import io.carillon.node.testing.Nodes;
import io.carillon.node.testing.Poll;
import io.carillon.node.testing.RedisServer;
import io.lettuce.core.ScriptOutputType;
import io.lettuce.core.api.sync.RedisCommands;
import java.io.IOException;
import java.net.Socket;
import java.net.URI;
import java.net.http.HttpResponse;
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
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;
import tools.jackson.databind.JsonNode;

/**
 * Every row of the feedback dialect, over two real nodes with open identity, one that asks for tokens, and a real Redis.
 * People of a test meet no other test's.
 */
class FeedbackIT {
    @RegisterExtension
    static final RedisServer redis = RedisServer.own();

    private static final int USER = 1;
    private static final int MERCHANT = 2;
    private static final int ADMIN = 3;

    private static final AtomicInteger NEXT = new AtomicInteger();

    private static Nodes nodes;
    private static Nodes strict;
    private static RedisCommands<String, String> cli;

    private final int test = NEXT.incrementAndGet() * 100;

    @BeforeAll
    static void start() {
        var other = Map.of(
                "carillon.endpoints.desk.path", "/desk",
                "carillon.endpoints.desk.dialect", "feedback",
                "carillon.endpoints.desk.sessions-per-user", "0",
                "carillon.endpoints.desk.senders.status_change", "admin");
        nodes = new Nodes(redis.url(), 2, other);
        strict = new Nodes(redis.url(), 1, Map.of("carillon.auth.open-identity", "false"));
        cli = redis.commands();
    }

    @AfterAll
    static void stop() {
        if (strict != null) strict.close();
        if (nodes != null) nodes.close();
    }

    /** A person of this test. */
    private record Somebody(int type, String id, String name) {
        String user() {
            return type + ":" + id;
        }

        String receiver() {
            return "\"receiver\":{\"id\":" + id + ",\"type\":" + type + ",\"name\":\"" + name + "\"}";
        }
    }

    private Somebody somebody(int type, int number, String name) {
        return new Somebody(type, Integer.toString(test + number), name);
    }

    private static Client on(int node, Somebody somebody) throws Exception {
        return at(nodes.url(node) + "/ws/feedback", somebody);
    }

    /** A session that is open: what is sent to it from now on reaches it. */
    private static Client at(String address, Somebody somebody) throws Exception {
        Client client = Client.connect(
                address + "?user_id=" + somebody.id + "&user_type=" + somebody.type + "&user_name=" + somebody.name);
        client.send("{\"event\":\"ping\"}").next("pong");
        return client;
    }

    /** Frames up to the one that marks the end, without it and without comings and goings. */
    private static List<JsonNode> upTo(Client client, String end) throws Exception {
        return client.upTo(end).stream()
                .filter(frame -> !List.of("connect", "disconnect", end).contains(Client.kind(frame)))
                .toList();
    }

    private static List<String> kinds(List<JsonNode> frames) {
        return frames.stream().map(Client::kind).toList();
    }

    /** Marks the end of what was sent on everybody's channel and on each one's own. */
    private String end(Somebody... everyone) throws Exception {
        String end = "end" + test;
        assertThat(publish("broadcast", "{\"type\":\"mark\"}").statusCode()).isEqualTo(202);
        for (Somebody one : everyone) {
            assertThat(publish("send", "{\"type\":\"" + end + "\",\"to\":\"" + one.user() + "\"}")
                            .statusCode())
                    .isEqualTo(202);
        }
        return end;
    }

    /** Everything that came up to the end, which is marked on the broadcast and on the user's channel. */
    private static List<JsonNode> all(Client client, String end) throws Exception {
        var frames = new java.util.ArrayList<JsonNode>();
        boolean broadcast = false;
        boolean own = false;
        while (!broadcast || !own) {
            JsonNode frame = client.poll(Duration.ofSeconds(10));
            if (frame == null) throw new AssertionError("no end came; came: " + frames);
            String kind = Client.kind(frame);
            if (kind.equals("mark")) broadcast = true;
            else if (kind.equals(end)) own = true;
            else if (!kind.equals("connect") && !kind.equals("disconnect")) frames.add(frame);
        }
        return frames;
    }

    private static HttpResponse<String> publish(String call, String body) throws Exception {
        return nodes.call("POST", "/api/ws/" + call + "?namespace=feedback", body);
    }

    private static void assertIs(JsonNode person, Somebody expected) {
        assertThat(person.path("id").isIntegralNumber()).isTrue();
        assertThat(person.path("id").asString()).isEqualTo(expected.id);
        assertThat(person.path("type").asInt()).isEqualTo(expected.type);
        assertThat(person.path("name").asString()).isEqualTo(expected.name);
    }

    private static String token(String sub, String claims) {
        return Nodes.token(sub, Instant.now().getEpochSecond() + 600, claims);
    }

    // ---- at the door

    private static String handshake(String url, String target) throws IOException {
        URI node = URI.create(url);
        try (var socket = new Socket(node.getHost(), node.getPort())) {
            socket.setSoTimeout(10_000);
            socket.getOutputStream()
                    .write(("GET " + target + " HTTP/1.1\r\nHost: " + node.getAuthority()
                                    + "\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                                    + "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n")
                            .getBytes(StandardCharsets.US_ASCII));
            var answer = new StringBuilder();
            var in = socket.getInputStream();
            // A refusal ends with its body, an acceptance with its head.
            while (answer.indexOf("}") < 0 && !(answer.indexOf(" 101 ") > 0 && answer.indexOf("\r\n\r\n") > 0)) {
                int next = in.read();
                if (next < 0) break;
                answer.append((char) next);
            }
            String head = answer.substring(9, 12);
            int body = answer.indexOf("\r\n\r\n");
            return head + " " + answer.substring(body + 4);
        }
    }

    @ParameterizedTest(name = "{0}")
    @CsvSource(
            delimiter = '|',
            quoteCharacter = '`',
            value = {
                "user_type=1|Missing user ID",
                "user_id=&user_type=1|Missing user ID",
                "user_id=ada&user_type=1|Invalid user ID",
                "user_id=-1&user_type=1|Invalid user ID",
                "user_id=%2B1&user_type=1|Invalid user ID",
                "user_id=1.5&user_type=1|Invalid user ID",
                "user_id=18446744073709551616&user_type=1|Invalid user ID",
                "user_id=1|Invalid user type",
                "user_id=1&user_type=|Invalid user type",
                "user_id=1&user_type=0|Invalid user type",
                "user_id=1&user_type=4|Invalid user type",
                "user_id=1&user_type=admin|Invalid user type",
                "user_id=1&user_type=257|Invalid user type",
            })
    void aBadParameterIsRefusedInTheOldWordsBeforeAnyIdentity(String query, String words) throws Exception {
        String expected = "400 {\"error\":\"" + words + "\"}";
        assertThat(handshake(strict.url(0), "/ws/feedback?" + query)).isEqualTo(expected);
        assertThat(handshake(nodes.url(0), "/ws/feedback?" + query + "&token=nonsense"))
                .isEqualTo(expected);
    }

    @Test
    void theTokenIsOfThePersonThatTheQueryNames() throws Exception {
        String user = "/ws/feedback?user_id=" + test + "&user_type=1&token=";
        assertThat(handshake(strict.url(0), user)).startsWith("401 ");
        assertThat(handshake(strict.url(0), user + "nonsense")).startsWith("401 ");
        assertThat(handshake(strict.url(0), user + token("1:" + test, ""))).startsWith("101 ");
        for (String other : List.of("2:" + test, "1:" + (test + 1), String.valueOf(test), "1:0" + test)) {
            assertThat(handshake(strict.url(0), user + token(other, "\"kind\":\"admin\"")))
                    .startsWith("403 ");
        }
        // Under open identity a token that is sent counts, too.
        assertThat(handshake(nodes.url(0), user + token("2:" + test, ""))).startsWith("403 ");
        assertThat(handshake(nodes.url(0), user + "nonsense")).startsWith("401 ");
    }

    @Test
    void aNameIsTheTokensElseTheQuerysElseMadeOfTheId() throws Exception {
        try (Client watcher = on(0, somebody(ADMIN, 50, "Watch"))) {
            String strictly = strict.url(0) + "/ws/feedback?user_type=1&token=";
            String open = nodes.url(1) + "/ws/feedback?user_type=1";
            int[] number = {test};
            for (String[] row : new String[][] {
                {strictly + token("1:" + (test + 1), "\"name\":\"Token\""), "&user_name=Query", "Token"},
                {strictly + token("1:" + (test + 2), ""), "&user_name=Query", "Query"},
                {strictly + token("1:" + (test + 3), ""), "", "User-" + (test + 3)},
                {open + "&token=" + token("1:" + (test + 4), "\"name\":\"Token\""), "&user_name=Query", "Query"},
                {open, "&user_name=Zo%C3%AB%20%22Z%22", "Zoë \"Z\""},
                {open, "&user_name=", "User-" + (test + 6)},
            }) {
                number[0]++;
                try (Client client = Client.connect(row[0] + row[1] + "&user_id=" + number[0])) {
                    JsonNode connect = client.next("connect");
                    while (connect.path("sender").path("id").asInt() != number[0]) connect = client.next("connect");
                    assertIs(connect.path("sender"), new Somebody(1, String.valueOf(number[0]), row[2]));
                }
                JsonNode gone = watcher.next("disconnect");
                while (gone.path("sender").path("id").asInt() != number[0]) gone = watcher.next("disconnect");
                assertThat(gone.path("sender").path("name").asString()).isEqualTo(row[2]);
            }
        }
    }

    @Test
    void aNumberWithZerosInFrontIsTheSamePerson() throws Exception {
        String token = token("1:" + test, "");
        assertThat(handshake(strict.url(0), "/ws/feedback?user_id=000" + test + "&user_type=01&token=" + token))
                .startsWith("101 ");
        Somebody ada = somebody(USER, 1, "Ada");
        try (Client one = on(0, ada);
                Client other = at(nodes.url(1) + "/ws/feedback", new Somebody(USER, "00" + ada.id, "Ada"))) {
            publish("send", "{\"type\":\"hello\",\"to\":\"" + ada.user() + "\"}");
            one.next("hello");
            other.next("hello");
        }
    }

    @Test
    void refreshProlongsTheSessionAndItsPersonStaysTheSame() throws Exception {
        long now = Instant.now().getEpochSecond();
        Somebody ada = somebody(MERCHANT, 1, "Ada");
        String address = strict.url(0) + "/ws/feedback?user_id=" + ada.id + "&user_type=2&user_name=Ada&token=";
        try (Client client = Client.connect(address + Nodes.token(ada.user(), now + 20, ""))) {
            JsonNode expiring = client.next("token_expiring");
            assertThat(expiring.path("data").path("expires_in").asLong()).isBetween(1L, 20L);
            assertThat(expiring.path("timestamp").asString()).endsWith("Z");
            client.send("{\"event\":\"refresh\",\"token\":\"" + Nodes.token(ada.user(), now + 600, "") + "\"}");
            assertThat(client.next("refreshed").path("data").path("exp").asLong())
                    .isEqualTo(now + 600);
            // Still a merchant, and of the same name.
            client.send("{\"event\":\"status_change\",\"data\":{\"by\":" + test + "}}");
            JsonNode change = client.next("status_change");
            while (change.path("data").path("by").asInt() != test) change = client.next("status_change");
            assertIs(change.path("sender"), ada);
            client.send("{\"event\":\"refresh\",\"token\":\"" + Nodes.token("3:" + ada.id, now + 600, "") + "\"}");
            assertThat(client.closeCode()).isEqualTo(4501);
        }
    }

    // ---- connect, disconnect

    private static List<String> comings(List<JsonNode> frames, Somebody of) {
        return frames.stream()
                .filter(frame -> List.of("connect", "disconnect").contains(Client.kind(frame)))
                .filter(frame -> frame.path("sender").path("id").asString().equals(of.id))
                .map(Client::kind)
                .toList();
    }

    /** The next coming or going of this person; others' are passed over. */
    private static JsonNode coming(Client client, String kind, Somebody of) throws Exception {
        while (true) {
            JsonNode frame = client.next(kind);
            if (frame.path("sender").path("id").asString().equals(of.id)) return frame;
        }
    }

    private void markComings() throws Exception {
        assertThat(publish("rooms/everyone/broadcast", "{\"type\":\"now" + test + "\"}")
                        .statusCode())
                .isEqualTo(202);
    }

    @Test
    void connectAndDisconnectAreSaidOncePerPersonHoweverManyTabs() throws Exception {
        Somebody ada = somebody(USER, 1, "Ada");
        try (Client watcher = on(1, somebody(MERCHANT, 2, "Bob"))) {
            Client first = Client.connect(nodes.url(0) + "/ws/feedback?user_type=1&user_name=Ada&user_id=" + ada.id);
            JsonNode own = coming(first, "connect", ada);
            assertIs(own.path("sender"), ada);
            assertThat(own.path("timestamp").asString()).matches("\\d{4}-\\d\\d-\\d\\dT\\d\\d:\\d\\d:\\d\\d\\.\\d{3}Z");
            // More than a user may have where nothing is said: this endpoint sets no limit.
            var more = new ArrayList<Client>();
            for (int i = 0; i < 11; i++) more.add(on(i % 2, ada));
            markComings();
            assertThat(comings(watcher.upTo("now" + test), ada)).containsExactly("connect");
            for (Client tab : more) {
                assertThat(comings(tab.upTo("now" + test), ada)).isEmpty();
            }
            first.leave();
            Client last = more.removeLast();
            for (Client tab : more) tab.leave();
            Poll.until(
                    "one session left",
                    Duration.ofSeconds(10),
                    () -> nodes.get("/api/ws/users/" + ada.user() + "?namespace=feedback")
                                    .path("sessions")
                                    .size()
                            == 1);
            markComings();
            assertThat(comings(watcher.upTo("now" + test), ada)).isEmpty();
            last.leave();
            assertIs(coming(watcher, "disconnect", ada).path("sender"), ada);
            markComings();
            assertThat(comings(watcher.upTo("now" + test), ada)).isEmpty();
        }
    }

    @Test
    void theSameIdWithAnotherTypeIsAnotherPerson() throws Exception {
        Somebody user = somebody(USER, 1, "Ada");
        Somebody merchant = new Somebody(MERCHANT, user.id, "Shop");
        try (Client a = on(0, user);
                Client b = on(1, merchant)) {
            b.send("{\"event\":\"message\"," + user.receiver() + ",\"data\":1}");
            assertIs(a.next("message").path("sender"), merchant);
            String end = end(user, merchant);
            assertThat(kinds(all(b, end))).containsExactly("message");
            assertThat(all(a, end)).isEmpty();
        }
    }

    @Test
    void aNodeThatStopsSaysItsPeopleGoOnce() throws Exception {
        Somebody ada = somebody(USER, 1, "Ada");
        try (Client watcher = on(1, somebody(ADMIN, 2, "Bob"));
                var third = new Nodes(redis.url(), 1, Map.of())) {
            try (Client client = at(third.url(0) + "/ws/feedback", ada)) {
                coming(watcher, "connect", ada);
                third.stop(0);
                client.next("drain");
                assertThat(client.closeCode()).isEqualTo(1012);
            }
            coming(watcher, "disconnect", ada);
            try (Client back = on(0, ada)) {
                coming(back, "connect", ada);
                markComings();
                assertThat(comings(watcher.upTo("now" + test), ada)).containsExactly("connect");
                back.send("{\"event\":\"ping\"}").next("pong");
            }
        }
    }

    // ---- message, typing, read

    @Test
    void aMessageReachesEveryTabOfBothAndNobodyElse() throws Exception {
        Somebody ada = somebody(USER, 1, "Ada");
        Somebody bob = somebody(MERCHANT, 2, "Bob");
        Somebody eve = somebody(ADMIN, 3, "Eve");
        try (Client sending = on(0, ada);
                Client tab = on(1, ada);
                Client bob1 = on(0, bob);
                Client bob2 = on(1, bob);
                Client bob3 = on(1, bob);
                Client stranger = on(1, eve)) {
            sending.send(
                    "{\"event\":\"message\"," + bob.receiver() + ",\"sender\":{\"id\":1,\"type\":3,\"name\":\"Root\"},"
                            + "\"timestamp\":\"1970-01-01T00:00:00.000Z\",\"data\":{\"text\":\"h\\u00e9\"}}");
            String id = null;
            for (Client each : List.of(sending, tab, bob1, bob2, bob3)) {
                JsonNode message = each.next("message");
                assertIs(message.path("sender"), ada);
                assertIs(message.path("receiver"), bob);
                assertThat(message.path("data").path("text").asString()).isEqualTo("hé");
                Instant at = Instant.parse(message.path("timestamp").asString());
                assertThat(Duration.between(at, Instant.now()).abs()).isLessThan(Duration.ofMinutes(1));
                if (id == null) id = message.path("id").asString();
                assertThat(message.path("id").asString()).isNotEmpty().isEqualTo(id);
            }
            String end = end(ada, bob, eve);
            for (Client each : List.of(sending, tab, bob1, bob2, bob3, stranger)) {
                assertThat(all(each, end)).isEmpty();
            }
            assertThat(cli.llen("carillon:feedback:user:{" + bob.user() + "}:history"))
                    .isEqualTo(2);
        }
    }

    @Test
    void aMessageToOneselfComesOnce() throws Exception {
        Somebody ada = somebody(USER, 1, "Ada");
        try (Client sending = on(0, ada);
                Client tab = on(1, ada)) {
            sending.send("{\"event\":\"message\"," + ada.receiver() + ",\"data\":1}");
            String end = end(ada);
            for (Client each : List.of(sending, tab))
                assertThat(kinds(all(each, end))).containsExactly("message");
        }
    }

    @Test
    void idsOf64BitsAreExact() throws Exception {
        Somebody least = new Somebody(USER, Long.toUnsignedString(-1 - test), "Big");
        Somebody next = new Somebody(USER, Long.toUnsignedString(-2 - test), "Bigger");
        try (Client a = on(0, least);
                Client b = on(1, next)) {
            a.send("{\"event\":\"message\",\"receiver\":{\"id\":" + next.id
                    + ",\"type\":1,\"name\":\"Bigger\"},\"data\":{\"n\":18446744073709551615}}");
            JsonNode message = b.next("message");
            assertIs(message.path("sender"), least);
            assertIs(message.path("receiver"), next);
            assertThat(message.path("data").path("n").asString()).isEqualTo("18446744073709551615");
            b.send("{\"event\":\"message\",\"receiver\":{\"id\":\"" + least.id + "\",\"type\":1},\"data\":2}");
            // The copy for the sender's own tabs follows once the message is there: an answer may be sooner.
            List<JsonNode> both = List.of(a.next("message"), a.next("message"));
            assertThat(both.stream().map(one -> one.path("receiver").path("id").asString()))
                    .containsExactlyInAnyOrder(next.id, least.id);
            for (JsonNode one : both) if (one.path("data").isObject()) assertIs(one.path("receiver"), next);
        }
    }

    @Test
    void aMessageSentAgainIsOneAndOnlyItsSenderIsAnsweredAgain() throws Exception {
        Somebody ada = somebody(USER, 1, "Ada");
        Somebody bob = somebody(MERCHANT, 2, "Bob");
        try (Client lost = on(0, ada);
                Client tab = on(1, ada);
                Client receiver = on(1, bob)) {
            String frame = "{\"event\":\"message\",\"id\":\"m-" + test + "\"," + bob.receiver() + ",\"data\":1}";
            lost.send(frame).next("message");
            lost.close();
            try (Client again = on(1, ada)) {
                JsonNode answer = again.send(frame).next("message");
                assertThat(answer.path("id").asString()).isEqualTo("m-" + test);
                assertIs(answer.path("receiver"), bob);
                String end = end(ada, bob);
                assertThat(all(again, end)).isEmpty();
                assertThat(kinds(all(tab, end))).containsExactly("message");
                assertThat(kinds(all(receiver, end))).containsExactly("message");
            }
        }
    }

    @Test
    void typingReachesTheReceiverAloneAndIsNotKept() throws Exception {
        Somebody ada = somebody(USER, 1, "Ada");
        Somebody bob = somebody(MERCHANT, 2, "Bob");
        Somebody eve = somebody(ADMIN, 3, "Eve");
        try (Client sending = on(0, ada);
                Client tab = on(1, ada);
                Client bob1 = on(0, bob);
                Client bob2 = on(1, bob);
                Client stranger = on(1, eve)) {
            sending.send("{\"event\":\"typing\"," + bob.receiver() + "}");
            for (Client each : List.of(bob1, bob2)) assertIs(each.next("typing").path("sender"), ada);
            String end = end(ada, bob, eve);
            for (Client each : List.of(sending, tab, bob1, bob2, stranger))
                assertThat(all(each, end)).isEmpty();
            // The end alone.
            assertThat(cli.llen("carillon:feedback:user:{" + bob.user() + "}:history"))
                    .isEqualTo(1);
        }
    }

    @Test
    void readReachesTheReceiverAndTheSendersOtherTabs() throws Exception {
        Somebody ada = somebody(USER, 1, "Ada");
        Somebody bob = somebody(MERCHANT, 2, "Bob");
        Somebody eve = somebody(ADMIN, 3, "Eve");
        try (Client sending = on(0, ada);
                Client tab = on(1, ada);
                Client receiver = on(1, bob);
                Client stranger = on(0, eve)) {
            sending.send("{\"event\":\"read\"," + bob.receiver() + ",\"data\":{\"message_ids\":[\"m1\",2]}}");
            String end = end(ada, bob, eve);
            for (Client each : List.of(tab, receiver)) {
                List<JsonNode> frames = all(each, end);
                assertThat(kinds(frames)).containsExactly("read");
                assertThat(frames.getFirst().path("data").path("message_ids").toString())
                        .isEqualTo("[\"m1\",2]");
            }
            for (Client each : List.of(sending, stranger))
                assertThat(all(each, end)).isEmpty();
            assertThat(cli.llen("carillon:feedback:user:{" + bob.user() + "}:history"))
                    .isEqualTo(2);
        }
    }

    // ---- new_feedback, status_change, feedback_delete

    private record Desk(Client ada, Client bob, Client shop, Client owner, Client root) implements AutoCloseable {
        @Override
        public void close() {
            for (Client each : List.of(ada, bob, shop, owner, root)) each.close();
        }
    }

    private Somebody ada() {
        return somebody(USER, 1, "Ada");
    }

    private Somebody bob() {
        return somebody(USER, 2, "Bob");
    }

    private Somebody shop() {
        return somebody(MERCHANT, 3, "Shop");
    }

    private Somebody owner() {
        return somebody(MERCHANT, 4, "Owner");
    }

    private Somebody root() {
        return somebody(ADMIN, 5, "Root");
    }

    /** Two users, two merchants and an admin, each kind on both nodes. */
    private Desk desk() throws Exception {
        return new Desk(on(0, ada()), on(1, bob()), on(0, shop()), on(1, owner()), on(1, root()));
    }

    /** Who of the desk got exactly this event, and that nobody got anything else. */
    private String got(Desk desk, String event) throws Exception {
        String end = end(ada(), bob(), shop(), owner(), root());
        var got = new StringBuilder();
        Map<String, Client> all = Map.of(
                "ada ", desk.ada, "bob ", desk.bob, "shop ", desk.shop, "owner ", desk.owner, "root ", desk.root);
        for (String name : List.of("ada ", "bob ", "shop ", "owner ", "root ")) {
            List<JsonNode> frames = all(all.get(name), end);
            if (frames.isEmpty()) continue;
            assertThat(kinds(frames)).as(name).containsExactly(event);
            assertThat(frames.getFirst().path("id").asString()).as(name).isNotEmpty();
            got.append(name);
        }
        return got.toString().trim();
    }

    @Test
    void newFeedbackReachesAllMerchantsAndAdmins() throws Exception {
        try (Desk desk = desk()) {
            desk.ada.send("{\"event\":\"new_feedback\",\"data\":{\"title\":\"t\"}}");
            assertThat(got(desk, "new_feedback")).isEqualTo("shop owner root");
            desk.shop.send("{\"event\":\"new_feedback\",\"data\":{}}");
            assertThat(got(desk, "new_feedback")).isEqualTo("shop owner root");
        }
    }

    @ParameterizedTest
    @ValueSource(strings = {"status_change", "feedback_delete"})
    void aChangeReachesItsReceiverAndAllAdminsElseEveryone(String event) throws Exception {
        try (Desk desk = desk()) {
            desk.shop.send("{\"event\":\"" + event + "\"," + ada().receiver() + ",\"data\":{\"status\":2}}");
            assertThat(got(desk, event)).isEqualTo("ada root");
            desk.root.send("{\"event\":\"" + event + "\",\"data\":{\"status\":2}}");
            assertThat(got(desk, event)).isEqualTo("ada bob shop owner root");
        }
    }

    @ParameterizedTest
    @ValueSource(strings = {"status_change", "feedback_delete"})
    void aChangeBySomebodyElseIsAnError(String event) throws Exception {
        try (Desk desk = desk()) {
            desk.ada.send("{\"event\":\"" + event + "\",\"id\":\"c1\"," + bob().receiver() + ",\"data\":{}}");
            JsonNode error = desk.ada.next("error");
            assertThat(error.path("data").path("code").asString()).isEqualTo("not_allowed");
            assertThat(error.path("data").path("error").asString()).contains("merchant", "admin");
            assertThat(error.path("id").asString()).isEqualTo("c1");
            assertThat(got(desk, event)).isEmpty();
        }
    }

    // ---- services

    @Test
    void aPlainPublishOfAServiceFollowsTheTable() throws Exception {
        String broadcast = "carillon:feedback:broadcast:{feedback}";
        String to = ",\"to\":\"" + ada().user() + "\"";
        try (Desk desk = desk()) {
            // Plain events have the id that their publisher gave them.
            cli.publish(broadcast, "{\"id\":\"1\",\"type\":\"status_change\",\"content\":{\"status\":1}" + to + "}");
            assertThat(got(desk, "status_change")).isEqualTo("ada root");
            cli.publish(broadcast, "{\"id\":\"2\",\"type\":\"feedback_delete\"}");
            assertThat(got(desk, "feedback_delete")).isEqualTo("ada bob shop owner root");
            cli.publish(broadcast, "{\"id\":\"3\",\"type\":\"new_feedback\"}");
            assertThat(got(desk, "new_feedback")).isEqualTo("shop owner root");
            for (String type : List.of("message", "typing", "read")) {
                cli.publish(broadcast, "{\"id\":\"4\",\"type\":\"" + type + "\"" + to + "}");
                assertThat(got(desk, type)).isEqualTo("ada");
                cli.publish(broadcast, "{\"id\":\"5\",\"type\":\"" + type + "\"}");
                assertThat(got(desk, type)).isEmpty();
                cli.publish(
                        "carillon:feedback:user:{" + bob().user() + "}", "{\"id\":\"6\",\"type\":\"" + type + "\"}");
                assertThat(got(desk, type)).isEqualTo("bob");
            }
            // What a hub that is still running says for its own clients.
            cli.publish(
                    broadcast,
                    "{\"id\":\"7\",\"type\":\"message\",\"from\":\"" + shop().user() + "\",\"from_name\":\"Shop\"" + to
                            + "}");
            assertThat(got(desk, "message")).isEqualTo("ada shop");
            for (String own : List.of("connect", "disconnect")) {
                cli.publish(broadcast, "{\"id\":\"8\",\"type\":\"" + own + "\",\"from\":\"" + ada().user() + "\"}");
            }
            cli.publish(broadcast, "{\"id\":\"9\",\"type\":\"seen\"}");
            for (Client each : List.of(desk.ada, desk.root)) {
                assertThat(each.upTo("seen").stream()
                                .filter(frame -> frame.path("id").asString("").equals("8")))
                        .isEmpty();
            }
        }
    }

    @Test
    void aServicesEventIsItsReceiversWithoutASender() throws Exception {
        Somebody ada = ada();
        try (Client client = on(1, ada)) {
            for (Runnable way : List.<Runnable>of(
                    () -> cli.publish(
                            "carillon:feedback:user:{" + ada.user() + "}",
                            "{\"type\":\"message\",\"content\":{\"n\":1},\"to_name\":\"Ada\"}"),
                    () -> cli.fcall(
                            "carillon_publish",
                            ScriptOutputType.MULTI,
                            new String[] {"carillon:feedback:broadcast:{feedback}"},
                            "{\"type\":\"status_change\",\"to\":\"" + ada.user()
                                    + "\",\"content\":{\"n\":1},\"to_name\":\"Ada\"}",
                            "f-" + test))) {
                way.run();
                JsonNode frame = client.poll(Duration.ofSeconds(10));
                while (!frame.path("data").path("n").asString("").equals("1")) {
                    frame = client.poll(Duration.ofSeconds(10));
                }
                assertThat(frame.has("sender")).isFalse();
                assertIs(frame.path("receiver"), ada);
                assertThat(Instant.parse(frame.path("timestamp").asString())).isAfter(Instant.EPOCH);
            }
        }
    }

    private static String fcall(String channel, String event, String id) {
        return cli.fcall("carillon_publish", ScriptOutputType.MULTI, new String[] {channel}, event, id)
                .toString();
    }

    @Test
    void aFunctionCallOfAServiceFollowsTheTable() throws Exception {
        String broadcast = "carillon:feedback:broadcast:{feedback}";
        try (Desk desk = desk()) {
            fcall(broadcast, "{\"type\":\"status_change\",\"to\":\"" + ada().user() + "\"}", "a-" + test);
            fcall(broadcast, "{\"type\":\"status_change\",\"to\":\"" + ada().user() + "\"}", "a-" + test);
            assertThat(got(desk, "status_change")).isEqualTo("ada root");
            fcall(broadcast, "{\"type\":\"feedback_delete\"}", "b-" + test);
            assertThat(got(desk, "feedback_delete")).isEqualTo("ada bob shop owner root");
            fcall(broadcast, "{\"type\":\"new_feedback\"}", "c-" + test);
            assertThat(got(desk, "new_feedback")).isEqualTo("shop owner root");
            fcall(broadcast, "{\"type\":\"message\",\"to\":\"" + bob().user() + "\"}", "d-" + test);
            assertThat(got(desk, "message")).isEqualTo("bob");
            fcall("carillon:feedback:user:{" + bob().user() + "}", "{\"type\":\"message\"}", "e-" + test);
            assertThat(got(desk, "message")).isEqualTo("bob");
        }
    }

    @Test
    void anIngressStreamFollowsTheTableWhateverChannelItNames() throws Exception {
        String stream = "carillon:ingress:{desk" + test + "}";
        try (Desk desk = desk()) {
            for (String[] row : new String[][] {
                {"user:" + ada().user(), "{\"type\":\"status_change\"}", "status_change", "ada root"},
                {
                    "broadcast",
                    "{\"type\":\"status_change\",\"to\":\"" + bob().user() + "\"}",
                    "status_change",
                    "bob root"
                },
                {"broadcast", "{\"type\":\"status_change\"}", "status_change", "ada bob shop owner root"},
                {"user:" + ada().user(), "{\"type\":\"new_feedback\"}", "new_feedback", "shop owner root"},
                {"broadcast", "{\"type\":\"message\",\"to\":\"" + bob().user() + "\"}", "message", "bob"},
                {"user:" + bob().user(), "{\"type\":\"message\"}", "message", "bob"},
                {"broadcast", "{\"type\":\"connect\"}", "none", ""},
                {"broadcast", "{\"type\":\"message\"}", "none", ""},
                {"user:bob", "{\"type\":\"message\"}", "none", ""},
            }) {
                cli.xadd(stream, Map.of("channel", "feedback:" + row[0], "event", row[1]));
                Poll.until("the entry is dealt with", Duration.ofSeconds(30), () -> cli.xlen(stream) == 0);
                assertThat(got(desk, row[2])).as(row[0] + " " + row[1]).isEqualTo(row[3]);
            }
        }
    }

    @Test
    void callsOfAServiceFollowTheTable() throws Exception {
        String ada = ",\"to\":\"" + ada().user() + "\"";
        try (Desk desk = desk()) {
            for (String[] row : new String[][] {
                {"send", "{\"type\":\"status_change\"" + ada + "}", "status_change", "ada root"},
                {"broadcast", "{\"type\":\"status_change\"}", "status_change", "ada bob shop owner root"},
                {"send", "{\"type\":\"feedback_delete\"" + ada + "}", "feedback_delete", "ada root"},
                {"broadcast", "{\"type\":\"new_feedback\"}", "new_feedback", "shop owner root"},
                {"send", "{\"type\":\"new_feedback\"" + ada + "}", "new_feedback", "shop owner root"},
                {"send", "{\"type\":\"message\"" + ada + "}", "message", "ada"},
                {"send", "{\"type\":\"read\"" + ada + "}", "read", "ada"},
                {"send", "{\"type\":\"typing\"" + ada + "}", "typing", "ada"},
                {
                    "send",
                    "{\"type\":\"message\",\"to\":[\"" + ada().user() + "\",\"" + shop().user() + "\"]}",
                    "message",
                    "ada shop"
                },
                {"broadcast", "{\"type\":\"news\"}", "news", "ada bob shop owner root"},
            }) {
                assertThat(publish(row[0], row[1]).statusCode()).isEqualTo(202);
                assertThat(got(desk, row[2])).as(row[0] + " " + row[1]).isEqualTo(row[3]);
            }
        }
    }

    @ParameterizedTest(name = "{0} {1}")
    @CsvSource(
            delimiter = '|',
            quoteCharacter = '`',
            value = {
                "broadcast|{\"type\":\"connect\"}|reserved",
                "broadcast|{\"type\":\"disconnect\"}|reserved",
                "send|{\"type\":\"connect\",\"to\":\"1:1\"}|reserved",
                "rooms/everyone/broadcast|{\"type\":\"disconnect\"}|reserved",
                "rooms/everyone/broadcast|{\"type\":\"presence_join\"}|reserved",
                "broadcast|{\"type\":\"message\"}|to",
                "send|{\"type\":\"message\",\"to\":\"bob\"}|<type>:<id>",
                "send|{\"type\":\"message\",\"to\":[\"1:1\",\"2:07\"]}|<type>:<id>",
                "send|{\"type\":\"status_change\",\"to\":[\"1:1\",\"1:2\"]}|one user",
            })
    void whatAServiceMayNotSayIsRefused(String call, String body, String said) throws Exception {
        HttpResponse<String> answer = publish(call, body);
        assertThat(answer.statusCode()).isEqualTo(400);
        assertThat(Client.JSON.readTree(answer.body()).path("error").asString()).contains(said);
    }

    // ---- the frames

    @ParameterizedTest(name = "{0}")
    @CsvSource(
            delimiter = '|',
            quoteCharacter = '`',
            value = {
                "nonsense|bad_json",
                "{\"event\":\"message\",\"data\":1}|bad_frame",
                "{\"event\":\"message\",\"receiver\":{\"id\":1,\"type\":9}}|bad_frame",
                "{\"event\":\"message\",\"receiver\":{\"id\":\"x\",\"type\":1}}|bad_id",
                "{\"event\":\"read\",\"receiver\":{\"id\":1,\"type\":1},\"data\":{}}|bad_frame",
                "{\"event\":\"connect\"}|unknown_type",
                "{\"event\":\"disconnect\"}|unknown_type",
                "{\"event\":\"welcome\"}|unknown_type",
                "{\"type\":\"message\"}|bad_frame",
            })
    void aBadFrameIsAnsweredAndTheSessionLivesOn(String frame, String code) throws Exception {
        try (Client client = on(0, ada())) {
            JsonNode error = client.send(frame).next("error");
            assertThat(error.path("data").path("code").asString()).isEqualTo(code);
            assertThat(error.path("data").path("error").asString()).isNotEmpty();
            assertThat(Instant.parse(error.path("timestamp").asString())).isAfter(Instant.EPOCH);
            assertThat(client.send("{\"event\":\"ping\"}").next("pong").size()).isEqualTo(1);
        }
    }

    @Test
    void tooManyMessagesAreRefused() throws Exception {
        try (Client client = on(0, ada())) {
            for (int i = 0; i < 50; i++) client.send("{\"event\":\"new_feedback\",\"data\":1}");
            assertThat(client.next("error").path("data").path("code").asString())
                    .isEqualTo("rate_limited");
        }
    }

    @Test
    void whatIsSentAtOnceOnOpeningIsAnswered() throws Exception {
        Somebody ada = ada();
        for (int i = 0; i < 20; i++) {
            try (Client client =
                    Client.connect(nodes.url(i % 2) + "/ws/feedback?user_type=1&user_name=Ada&user_id=" + ada.id)) {
                client.send("{\"event\":\"message\"," + bob().receiver() + ",\"data\":" + i + "}");
                int came = client.next("message").path("data").asInt();
                // Nodes take turns: to this one the last message may come only after the session.
                if (came == i - 1) came = client.next("message").path("data").asInt();
                assertThat(came).isEqualTo(i);
            }
        }
    }

    @Test
    void theSameDialectServesAnotherPathAndNamespaceByItsOwnRules() throws Exception {
        Somebody ada = ada();
        Somebody shop = shop();
        try (Client here = on(0, ada);
                Client watching = on(0, root());
                Client there = at(nodes.url(1) + "/desk", ada);
                Client merchant = at(nodes.url(0) + "/desk", shop);
                Client admin = at(nodes.url(1) + "/desk", root())) {
            merchant.send("{\"event\":\"message\"," + ada.receiver() + ",\"data\":1}");
            assertIs(there.next("message").path("sender"), shop);
            merchant.send("{\"event\":\"status_change\",\"data\":1}");
            assertThat(merchant.next("error").path("data").path("code").asString())
                    .isEqualTo("not_allowed");
            admin.send("{\"event\":\"status_change\",\"data\":1}");
            there.next("status_change");
            nodes.call(
                    "POST",
                    "/api/ws/send?namespace=desk",
                    "{\"type\":\"feedback_delete\",\"to\":\"" + ada.user() + "\"}");
            there.next("feedback_delete");
            String end = end(ada, root());
            assertThat(all(here, end)).isEmpty();
            assertThat(all(watching, end)).isEmpty();
            markComings();
            assertThat(comings(watching.upTo("now" + test), shop)).isEmpty();
        }
    }

    @Test
    void withoutRedisSendersAreToldAndEverythingHeals() throws Exception {
        Somebody ada = ada();
        Somebody bob = bob();
        try (var own = RedisServer.running();
                var alone = new Nodes(own.url(), 1, Map.of());
                Client a = at(alone.url(0) + "/ws/feedback", ada);
                Client b = at(alone.url(0) + "/ws/feedback", bob)) {
            own.stop();
            assertThat(a.next("degraded").path("data").isObject()).isTrue();
            a.send("{\"event\":\"message\",\"id\":\"m1\"," + bob.receiver() + ",\"data\":1}");
            JsonNode error = a.next("error");
            assertThat(error.path("data").path("code").asString()).isEqualTo("unavailable");
            assertThat(error.path("id").asString()).isEqualTo("m1");
            a.send("{\"event\":\"new_feedback\",\"data\":1}");
            assertThat(a.next("error").path("data").path("code").asString()).isEqualTo("unavailable");
            own.start();
            b.next("restored");
            Poll.until("the node is ready again", Duration.ofSeconds(20), () -> alone.ready(0));
            a.send("{\"event\":\"message\",\"id\":\"m1\"," + bob.receiver() + ",\"data\":1}");
            assertIs(b.next("message").path("sender"), ada);
            a.next("message");
        }
    }
}
