package io.carillon.node.push;

import static org.assertj.core.api.Assertions.assertThat;

import io.carillon.node.testing.Client;
import io.carillon.node.testing.Nodes;
import io.carillon.node.testing.Poll;
import io.carillon.node.testing.RedisServer;
import io.lettuce.core.Range;
import io.lettuce.core.ScriptOutputType;
import io.lettuce.core.api.sync.RedisCommands;
import io.micrometer.core.instrument.MeterRegistry;
import java.time.Duration;
import java.time.Instant;
import java.util.List;
import java.util.Map;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestInstance;
import org.junit.jupiter.api.extension.RegisterExtension;
import tools.jackson.databind.JsonNode;

/**
 * Every row of the push dialect, over two real nodes and a real Redis, whatever carries the sessions. Users of a test meet no
 * other test's.
 */
@TestInstance(TestInstance.Lifecycle.PER_CLASS)
abstract class PushContract {
    @RegisterExtension
    final RedisServer redis = RedisServer.own();

    private static final AtomicInteger NEXT = new AtomicInteger();

    private Nodes nodes;
    private RedisCommands<String, String> cli;
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
                redis.url(), 2, Map.of("carillon.ack.again", "1s", "carillon.ack.settle", "200ms"), this::embedded);
        cli = redis.commands();
    }

    @AfterAll
    void stop() {
        if (nodes != null) nodes.close();
    }

    private String user(String name) {
        return name + test;
    }

    private Client on(int node, String user) throws Exception {
        return Client.welcomed(nodes.url(node), user);
    }

    private static List<String> types(List<JsonNode> frames) {
        return frames.stream().map(f -> f.path("type").asString("")).toList();
    }

    private static void joined(Client client, String room) throws Exception {
        client.send("{\"type\":\"join\",\"room\":\"" + room + "\"}").next("joined");
    }

    @Test
    void welcomeNamesTheSessionAndTheChannelsPositions() throws Exception {
        try (Client a = Client.push(nodes.url(0), user("ada"))) {
            JsonNode welcome = a.next("welcome");
            assertThat(welcome.path("user").asString()).isEqualTo(user("ada"));
            assertThat(welcome.path("session").asString())
                    .startsWith(welcome.path("node").asString() + "-");
            assertThat(welcome.path("heartbeat").asLong()).isEqualTo(25_000);
            JsonNode own = welcome.path("channels").path("user:" + user("ada"));
            assertThat(own.path("offset").asLong(-1)).isZero();
            assertThat(own.path("epoch").asString()).isNotEmpty();
            assertThat(welcome.path("channels").has("broadcast")).isTrue();
        }
    }

    @Test
    void aMessageReachesAllSessionsOfTheUserAndTheSendersOthers() throws Exception {
        String ada = user("ada");
        String bob = user("bob");
        try (Client sender = on(0, ada);
                Client tab = on(1, ada);
                Client bob1 = on(0, bob);
                Client bob2 = on(1, bob);
                Client bob3 = on(1, bob)) {
            sender.send("{\"type\":\"chat\",\"to\":\"" + bob + "\",\"content\":{\"text\":\"h\\u00e9\"},\"ref\":\"1\"}");
            List<JsonNode> answers = sender.upTo("sent");
            assertThat(types(answers)).containsExactly("sent");
            JsonNode sent = answers.getLast();
            assertThat(sent.path("ref").asString()).isEqualTo("1");
            assertThat(sent.path("offset").asLong()).isEqualTo(1);
            assertThat(sent.path("self").path("offset").asLong()).isEqualTo(1);
            for (Client receiver : List.of(bob1, bob2, bob3)) {
                JsonNode chat = receiver.next("chat");
                assertThat(chat.path("id").asString()).isEqualTo(sent.path("id").asString());
                assertThat(chat.path("from").asString()).isEqualTo(ada);
                assertThat(chat.path("to").asString()).isEqualTo(bob);
                assertThat(chat.path("content").path("text").asString()).isEqualTo("hé");
                assertThat(chat.path("channel").asString()).isEqualTo("user:" + bob);
                assertThat(chat.path("offset").asLong()).isEqualTo(1);
                assertThat(chat.path("epoch").asString())
                        .isEqualTo(sent.path("epoch").asString());
                assertThat(chat.path("timestamp").asLong()).isPositive();
                assertThat(chat.has("exclude") || chat.has("session") || chat.has("durable"))
                        .isFalse();
            }
            JsonNode copy = tab.next("chat");
            assertThat(copy.path("channel").asString()).isEqualTo("user:" + ada);
            assertThat(copy.path("to").asString()).isEqualTo(bob);
            assertThat(copy.path("id").asString()).isEqualTo(sent.path("id").asString());
            // The sending tab has its answer and nothing else.
            assertThat(types(sender.send("{\"type\":\"ping\"}").upTo("pong"))).containsExactly("pong");
        }
    }

    @Test
    void aMessageToOneselfReachesTheOtherTabOnce() throws Exception {
        String ada = user("ada");
        try (Client sender = on(0, ada);
                Client tab = on(1, ada)) {
            sender.send("{\"type\":\"note\",\"to\":\"" + ada + "\",\"content\":1,\"ref\":\"1\"}");
            assertThat(sender.next("sent").has("self")).isFalse();
            sender.send("{\"type\":\"end\",\"to\":\"" + ada + "\"}");
            assertThat(types(tab.upTo("end"))).containsExactly("note", "end");
        }
    }

    @Test
    void aRoomMessageReachesItsMembersOnEveryNode() throws Exception {
        String room = user("lobby");
        try (Client a = on(0, user("ada"));
                Client b = on(0, user("bob"));
                Client c = on(1, user("cleo"));
                Client stranger = on(1, user("dan"))) {
            for (Client member : List.of(a, b, c)) joined(member, room);
            a.send("{\"type\":\"chat\",\"room\":\"" + room + "\",\"content\":\"hi\",\"ref\":\"r\"}");
            long offset = a.next("sent").path("offset").asLong();
            for (Client member : List.of(b, c)) {
                JsonNode chat = member.next("chat");
                assertThat(chat.path("room").asString()).isEqualTo(room);
                assertThat(chat.path("offset").asLong()).isEqualTo(offset);
                assertThat(chat.path("channel").asString()).isEqualTo("room:" + room);
            }
            assertThat(types(stranger.send("{\"type\":\"ping\"}").upTo("pong"))).containsExactly("pong");
        }
    }

    @Test
    void aRoomOneIsNotInTakesNothing() throws Exception {
        try (Client a = on(0, user("ada"))) {
            a.send("{\"type\":\"chat\",\"room\":\"" + user("r") + "\",\"content\":\"hi\",\"ref\":\"x\"}");
            JsonNode error = a.next("error");
            assertThat(error.path("code").asString()).isEqualTo("not_in_room");
            assertThat(error.path("ref").asString()).isEqualTo("x");
            assertThat(error.path("error").asString()).isNotEmpty();
        }
    }

    @Test
    void aMessageToNobodyInParticularReachesEveryone() throws Exception {
        try (Client a = on(0, user("ada"));
                Client b = on(1, user("bob"))) {
            a.send("{\"type\":\"all" + test + "\",\"content\":\"hi\",\"ref\":\"b\"}");
            assertThat(a.next("sent").path("offset").asLong()).isPositive();
            assertThat(b.next("all" + test).path("channel").asString()).isEqualTo("broadcast");
        }
    }

    @Test
    void typingIsNeitherEchoedNorStored() throws Exception {
        String ada = user("ada");
        String bob = user("bob");
        try (Client sender = on(0, ada);
                Client tab = on(1, ada);
                Client receiver = on(1, bob)) {
            sender.send("{\"type\":\"typing\",\"to\":\"" + bob + "\",\"ref\":\"t\"}");
            JsonNode sent = sender.next("sent");
            assertThat(sent.has("offset") || sent.has("self")).isFalse();
            JsonNode typing = receiver.next("typing");
            assertThat(typing.path("from").asString()).isEqualTo(ada);
            assertThat(typing.has("offset") || typing.has("channel")).isFalse();
            sender.send("{\"type\":\"end\",\"to\":\"" + bob + "\"}");
            assertThat(types(tab.upTo("end"))).containsExactly("end");
            // The copy may be quicker than the event itself.
            receiver.next("end");
            assertThat(cli.llen("carillon:push:user:{" + bob + "}:history")).isEqualTo(1);
        }
    }

    @Test
    void typingInARoomGoesToNoSessionOfTheSender() throws Exception {
        String room = user("lobby");
        String ada = user("ada");
        try (Client sender = on(0, ada);
                Client tab = on(1, ada);
                Client other = on(1, user("bob"))) {
            for (Client member : List.of(sender, tab, other)) joined(member, room);
            sender.send("{\"type\":\"typing\",\"room\":\"" + room + "\"}");
            sender.send("{\"type\":\"end\",\"room\":\"" + room + "\"}");
            assertThat(types(other.upTo("end"))).endsWith("typing", "end");
            assertThat(types(tab.upTo("end"))).doesNotContain("typing");
        }
    }

    @Test
    void joiningAnswersMembersAndPositionAndIsAnnounced() throws Exception {
        String room = user("lobby");
        try (Client a = on(0, user("ada"));
                Client b = on(1, user("bob"))) {
            JsonNode first = a.send("{\"type\":\"join\",\"room\":\"" + room + "\",\"ref\":\"j\"}")
                    .next("joined");
            assertThat(first.path("room").asString()).isEqualTo(room);
            assertThat(first.path("members").asLong()).isEqualTo(1);
            assertThat(first.path("offset").asLong(-1)).isZero();
            assertThat(first.path("epoch").asString()).isNotEmpty();
            assertThat(first.path("ref").asString()).isEqualTo("j");
            assertThat(b.send("{\"type\":\"join\",\"room\":\"" + room + "\"}")
                            .next("joined")
                            .path("members")
                            .asLong())
                    .isEqualTo(2);
            JsonNode join = a.next("presence_join");
            assertThat(join.path("user").asString()).isEqualTo(user("bob"));
            assertThat(join.path("count").asLong()).isEqualTo(2);
            assertThat(b.send("{\"type\":\"leave\",\"room\":\"" + room + "\"}")
                            .next("left")
                            .path("room")
                            .asString())
                    .isEqualTo(room);
            assertThat(a.next("presence_leave").path("user").asString()).isEqualTo(user("bob"));
        }
    }

    @Test
    void aSecondTabInARoomIsNoNewMember() throws Exception {
        String room = user("lobby");
        String bob = user("bob");
        try (Client a = on(0, user("ada"));
                Client b1 = on(0, bob);
                Client b2 = on(1, bob)) {
            joined(a, room);
            joined(b1, room);
            a.next("presence_join");
            assertThat(b2.send("{\"type\":\"join\",\"room\":\"" + room + "\"}")
                            .next("joined")
                            .path("members")
                            .asLong())
                    .isEqualTo(2);
            b1.leave();
            b2.send("{\"type\":\"end\",\"room\":\"" + room + "\"}");
            assertThat(types(a.upTo("end"))).containsExactly("end");
        }
    }

    @Test
    void aPrivateRoomNeedsTheTokensWord() throws Exception {
        String room = "private-" + user("board");
        long exp = Instant.now().getEpochSecond() + 600;
        try (Client plain = on(0, user("ada"));
                Client invited =
                        Client.pushWith(nodes.url(0), Nodes.token(user("bob"), exp, "\"rooms\":[\"" + room + "\"]"))) {
            plain.send("{\"type\":\"join\",\"room\":\"" + room + "\"}");
            assertThat(plain.next("error").path("code").asString()).isEqualTo("not_allowed");
            joined(invited, room);
        }
    }

    @Test
    void pingIsAnswered() throws Exception {
        try (Client a = on(0, user("ada"))) {
            assertThat(a.send("{\"type\":\"ping\"}")
                            .next("pong")
                            .path("timestamp")
                            .asLong())
                    .isPositive();
        }
    }

    @Test
    void presenceListsTheRoomForItsMembersOnly() throws Exception {
        String room = user("lobby");
        try (Client a = on(0, user("ada"));
                Client b = on(1, user("bob"))) {
            joined(a, room);
            joined(b, room);
            JsonNode presence =
                    a.send("{\"type\":\"presence\",\"room\":\"" + room + "\"}").next("presence");
            assertThat(presence.path("count").asLong()).isEqualTo(2);
            assertThat(presence.path("users").valueStream().map(JsonNode::asString))
                    .containsExactlyInAnyOrder(user("ada"), user("bob"));
            a.send("{\"type\":\"presence\",\"room\":\"" + user("other") + "\"}");
            assertThat(a.next("error").path("code").asString()).isEqualTo("not_in_room");
        }
    }

    @Test
    void refreshProlongsTheSessionAndIsForTheSameUserOnly() throws Exception {
        long now = Instant.now().getEpochSecond();
        String ada = user("ada");
        try (Client a = Client.pushWith(nodes.url(0), Nodes.token(ada, now + 20, ""))) {
            a.next("welcome");
            assertThat(a.next("token_expiring").path("expires_in").asLong()).isBetween(1L, 50L);
            a.send("{\"type\":\"refresh\",\"token\":\"" + Nodes.token(ada, now + 600, "") + "\"}");
            assertThat(a.next("refreshed").path("exp").asLong()).isEqualTo(now + 600);
            a.send("{\"type\":\"refresh\",\"token\":\"" + Nodes.token(user("eve"), now + 600, "") + "\"}");
            assertThat(a.closeCode()).isEqualTo(4501);
        }
    }

    @Test
    void anExpiredTokenClosesWith4401() throws Exception {
        long now = Instant.now().getEpochSecond();
        // Skew allows 30 s after exp; the session does not outlive exp itself.
        try (Client a = Client.pushWith(nodes.url(0), Nodes.token(user("ada"), now + 2, ""))) {
            assertThat(a.closeCode()).isEqualTo(4401);
        }
    }

    @Test
    void badFramesAreAnsweredAndTheSessionLivesOn() throws Exception {
        try (Client a = on(0, user("ada"))) {
            a.send("nonsense");
            assertThat(a.next("error").path("code").asString()).isEqualTo("bad_json");
            a.send("{\"type\":\"chat\",\"to\":\"no good id\",\"ref\":\"1\"}");
            assertThat(a.next("error").path("code").asString()).isEqualTo("bad_id");
            a.send("{\"type\":\"welcome\"}");
            assertThat(a.next("error").path("code").asString()).isEqualTo("unknown_type");
            a.send("{\"type\":\"ping\"}").next("pong");
        }
    }

    @Test
    void aBurstOverTheLimitIsRefusedMessageByMessage() throws Exception {
        try (Client a = on(0, user("ada"))) {
            for (int i = 0; i < 60; i++) a.send("{\"type\":\"ping\",\"ref\":\"" + i + "\"}");
            a.send("{\"type\":\"leave\",\"room\":\"x\",\"ref\":\"last\"}");
            JsonNode error = a.next("error");
            assertThat(error.path("code").asString()).isEqualTo("rate_limited");
        }
    }

    @Test
    void theSameIdTwiceIsOneEvent() throws Exception {
        String bob = user("bob");
        try (Client a = on(0, user("ada"));
                Client b = on(1, bob)) {
            String frame = "{\"type\":\"chat\",\"to\":\"" + bob + "\",\"id\":\"once-" + test + "\",\"ref\":\"";
            a.send(frame + "1\"}");
            long offset = a.next("sent").path("offset").asLong();
            a.send(frame + "2\"}");
            assertThat(a.next("sent").path("offset").asLong()).isEqualTo(offset);
            a.send("{\"type\":\"end\",\"to\":\"" + bob + "\"}");
            assertThat(types(b.upTo("end"))).containsExactly("chat", "end");
        }
    }

    @Test
    void aClientCannotForgeWhatTheClusterStamps() throws Exception {
        String bob = user("bob");
        try (Client a = on(0, user("ada"));
                Client b = on(1, bob)) {
            a.send("{\"type\":\"chat\",\"to\":\"" + bob + "\",\"from\":\"root\",\"from_name\":\"Root\",\"offset\":99,"
                    + "\"epoch\":\"x\",\"timestamp\":1,\"channel\":\"broadcast\",\"extra\":{\"kept\":true}}");
            JsonNode chat = b.next("chat");
            assertThat(chat.path("from").asString()).isEqualTo(user("ada"));
            assertThat(chat.has("from_name")).isFalse();
            assertThat(chat.path("offset").asLong()).isEqualTo(1);
            assertThat(chat.path("timestamp").asLong()).isGreaterThan(1);
            assertThat(chat.path("extra").path("kept").asBoolean()).isTrue();
        }
    }

    @Test
    void resumeBringsWhatWasMissedInOrderAndOnce() throws Exception {
        String bob = user("bob");
        String room = user("lobby");
        JsonNode own;
        JsonNode lobby;
        try (Client first = Client.push(nodes.url(0), bob)) {
            own = first.next("welcome").path("channels").path("user:" + bob);
            lobby = first.send("{\"type\":\"join\",\"room\":\"" + room + "\"}").next("joined");
        }
        try (Client ada = on(0, user("ada"))) {
            joined(ada, room);
            for (int i = 1; i <= 5; i++) {
                ada.send("{\"type\":\"own" + i + "\",\"to\":\"" + bob + "\",\"ref\":\"o\"}")
                        .next("sent");
                ada.send("{\"type\":\"room" + i + "\",\"room\":\"" + room + "\",\"ref\":\"r\"}")
                        .next("sent");
            }
            try (Client back = on(1, bob)) {
                back.send("{\"type\":\"resume\",\"ref\":\"x\",\"channels\":{\"user:" + bob + "\":" + position(own)
                        + ",\"room:" + room + "\":" + position(lobby) + ",\"room:private-" + room + "\":"
                        + position(lobby)
                        + ",\"user:root\":" + position(own) + "}}");
                List<JsonNode> frames = back.upTo("resumed");
                assertThat(types(frames).stream().filter(t -> t.startsWith("own")))
                        .containsExactly("own1", "own2", "own3", "own4", "own5");
                assertThat(types(frames).stream().filter(t -> t.startsWith("room")))
                        .containsExactly("room1", "room2", "room3", "room4", "room5");
                JsonNode channels = frames.getLast().path("channels");
                assertThat(channels.path("user:" + bob).path("recovered").asBoolean())
                        .isTrue();
                assertThat(channels.path("user:" + bob).path("offset").asLong()).isEqualTo(5);
                assertThat(channels.path("room:" + room).path("recovered").asBoolean())
                        .isTrue();
                assertThat(channels.path("room:private-" + room).path("code").asString())
                        .isEqualTo("not_allowed");
                assertThat(channels.path("user:root").path("code").asString()).isEqualTo("not_allowed");
                // What comes now follows, once.
                ada.send("{\"type\":\"own6\",\"to\":\"" + bob + "\"}");
                ada.send("{\"type\":\"end\",\"to\":\"" + bob + "\"}");
                assertThat(types(back.upTo("end"))).containsExactly("own6", "end");
            }
        }
    }

    @Test
    void resumeBringsMoreThanAnOutboxHolds() throws Exception {
        String bob = user("bob");
        JsonNode own;
        try (Client first = Client.push(nodes.url(0), bob)) {
            own = first.next("welcome").path("channels").path("user:" + bob);
        }
        String event = "{\"type\":\"large\",\"content\":\"" + "x".repeat(8_000) + "\"}";
        for (int i = 0; i < 250; i++) {
            cli.fcall(
                    "carillon_publish",
                    ScriptOutputType.MULTI,
                    new String[] {"carillon:push:user:{" + bob + "}"},
                    event,
                    "large-" + test + "-" + i);
        }
        try (Client back = on(1, bob)) {
            back.send("{\"type\":\"resume\",\"channels\":{\"user:" + bob + "\":" + position(own) + "}}");
            List<JsonNode> frames = back.upTo("resumed");
            assertThat(frames).hasSize(251);
            assertThat(frames.getLast()
                            .path("channels")
                            .path("user:" + bob)
                            .path("recovered")
                            .asBoolean())
                    .isTrue();
        }
    }

    @Test
    void resumeSaysWhenTheHistoryNoLongerReachesBack() throws Exception {
        String bob = user("bob");
        try (Client ada = on(0, user("ada"))) {
            ada.send("{\"type\":\"a\",\"to\":\"" + bob + "\",\"ref\":\"1\"}");
            JsonNode sent = ada.next("sent");
            String channel = "carillon:push:user:{" + bob + "}";
            for (int i = 0; i < 300; i++) {
                cli.fcall(
                        "carillon_publish",
                        ScriptOutputType.MULTI,
                        new String[] {channel},
                        "{\"type\":\"bulk\"}",
                        "bulk-" + test + "-" + i);
            }
            try (Client back = on(1, bob)) {
                back.send("{\"type\":\"resume\",\"channels\":{\"user:" + bob + "\":" + position(sent) + "}}");
                List<JsonNode> frames = back.upTo("resumed");
                JsonNode own = frames.getLast().path("channels").path("user:" + bob);
                assertThat(types(frames)).containsExactly("resumed");
                assertThat(own.path("recovered").asBoolean(true)).isFalse();
                assertThat(own.path("offset").asLong()).isEqualTo(301);
                assertThat(own.path("epoch").asString())
                        .isEqualTo(sent.path("epoch").asString());
            }
        }
    }

    @Test
    void historyShowsWhatIsKept() throws Exception {
        String room = user("lobby");
        try (Client a = on(0, user("ada"))) {
            a.send("{\"type\":\"history\",\"channel\":\"room:" + room + "\"}");
            assertThat(a.next("error").path("code").asString()).isEqualTo("not_in_room");
            joined(a, room);
            for (int i = 1; i <= 3; i++) {
                nodes.call("POST", "/api/ws/rooms/" + room + "/broadcast", "{\"type\":\"t" + i + "\"}");
            }
            JsonNode page = a.send("{\"type\":\"history\",\"channel\":\"room:" + room + "\",\"after\":1,\"limit\":1}")
                    .next("history");
            assertThat(page.path("channel").asString()).isEqualTo("room:" + room);
            assertThat(page.path("offset").asLong()).isEqualTo(3);
            assertThat(page.path("events").valueStream().map(e -> e.path("type").asString()))
                    .containsExactly("t2");
            assertThat(page.path("events").get(0).path("offset").asLong()).isEqualTo(2);
            JsonNode all = a.send("{\"type\":\"history\",\"channel\":\"room:" + room + "\"}")
                    .next("history");
            assertThat(all.path("events").valueStream().map(e -> e.path("type").asString()))
                    .containsExactly("t1", "t2", "t3");
        }
    }

    @Test
    void anAckEventComesAgainOnEveryNodeUntilOneSessionAcknowledgesIt() throws Exception {
        String bob = user("bob");
        String id = "ack-" + test;
        try (Client b0 = on(0, bob);
                Client b1 = on(1, bob)) {
            var sent = nodes.call(
                    "POST",
                    "/api/ws/send",
                    "{\"type\":\"invoice\",\"to\":\"" + bob + "\",\"ack\":true,\"id\":\"" + id + "\"}");
            assertThat(sent.statusCode()).isEqualTo(202);
            for (Client receiver : List.of(b0, b1)) {
                for (int i = 0; i < 3; i++) {
                    JsonNode invoice = receiver.next("invoice");
                    assertThat(invoice.path("ack").asBoolean()).isTrue();
                    assertThat(invoice.path("id").asString()).isEqualTo(id);
                    assertThat(invoice.path("offset").asLong()).isEqualTo(1);
                }
            }
            assertThat(fate(bob, id)).isEqualTo("pending");
            b1.send("{\"type\":\"ack\",\"id\":\"" + id + "\",\"ref\":\"a\"}");
            assertThat(b1.next("sent").path("id").asString()).isEqualTo(id);
            assertThat(fate(bob, id)).isEqualTo("acknowledged");
            Poll.until("no node sends it again", Duration.ofSeconds(10), () -> owing(0) + owing(1) == 0);
            // Both have had what was on its way by the time these are answered.
            for (Client receiver : List.of(b0, b1)) {
                receiver.send("{\"type\":\"ping\"}").next("pong");
            }
            cli.publish("carillon:push:user:{" + bob + "}", "{\"type\":\"end\"}");
            for (Client receiver : List.of(b0, b1))
                assertThat(types(receiver.upTo("end"))).containsExactly("end");
            try (Client later = on(0, bob)) {
                Poll.until("it was looked at", Duration.ofSeconds(10), () -> owing(0) == 0);
                assertThat(types(later.send("{\"type\":\"ping\"}").upTo("pong")))
                        .containsExactly("pong");
            }
        }
    }

    @Test
    void anAckEventWaitsLongerThanTheHistoryForAUserWhoIsAway() throws Exception {
        String bob = user("bob");
        String channel = "carillon:push:user:{" + bob + "}";
        for (int i = 1; i <= 150; i++) {
            cli.fcall(
                    "carillon_publish",
                    ScriptOutputType.MULTI,
                    new String[] {channel},
                    "{\"type\":\"order" + i + "\",\"ack\":true}",
                    "order-" + test + "-" + i);
        }
        cli.del(channel + ":history", channel + ":ids");
        try (Client back = on(1, bob)) {
            List<String> orders = types(back.upTo("order150"));
            assertThat(orders).hasSize(150).startsWith("order1", "order2").doesNotHaveDuplicates();
            // What the node asked for is not held against the client's rate.
            for (int i = 1; i <= 150; i++) {
                back.send("{\"type\":\"ack\",\"id\":\"order-" + test + "-" + i + "\"}");
            }
            Poll.until("all are acknowledged", Duration.ofSeconds(10), () -> cli.exists(channel + ":acks") == 0);
            assertThat(types(back.send("{\"type\":\"ping\"}").upTo("pong"))).doesNotContain("error");
        }
    }

    @Test
    void anAckThatNobodyAskedForIsAnsweredAllTheSame() throws Exception {
        try (Client a = on(0, user("ada"))) {
            a.send("{\"type\":\"ack\",\"id\":\"none-" + test + "\",\"ref\":\"x\"}");
            assertThat(a.next("sent").path("ref").asString()).isEqualTo("x");
            a.send("{\"type\":\"ack\",\"ref\":\"y\"}");
            assertThat(a.next("error").path("code").asString()).isEqualTo("bad_frame");
            assertThat(fate(user("ada"), "none-" + test)).isEqualTo("unknown");
        }
    }

    @Test
    void whatIsNotKeptCannotAskForAnAcknowledgement() throws Exception {
        String bob = user("bob");
        try (Client b = on(1, bob);
                Client ada = on(0, user("ada"))) {
            cli.publish("carillon:push:user:{" + bob + "}", "{\"type\":\"plain\",\"ack\":true,\"id\":\"p\"}");
            assertThat(b.next("plain").has("ack")).isFalse();
            ada.send("{\"type\":\"mine\",\"to\":\"" + bob + "\",\"ack\":true}");
            assertThat(b.next("mine").has("ack")).isFalse();
            assertThat(cli.exists("carillon:push:user:{" + bob + "}:acks")).isZero();
        }
    }

    private String fate(String user, String id) throws Exception {
        return nodes.get("/api/ws/acks/" + id + "?user=" + user).path("state").asString();
    }

    /** Sessions of the node that may have to be sent an event again. */
    private double owing(int node) {
        return nodes.bean(node, MeterRegistry.class)
                .get("carillon.ack.sessions")
                .gauge()
                .value();
    }

    @Test
    void theSameIdSentAgainFromAnotherNodeIsOneEventAndOneCopy() throws Exception {
        String ada = user("ada");
        String bob = user("bob");
        String frame = "{\"type\":\"chat\",\"to\":\"" + bob + "\",\"id\":\"mine-" + test + "\",\"ref\":\"1\"}";
        try (Client tab = on(1, ada);
                Client b = on(0, bob)) {
            JsonNode first;
            try (Client before = on(0, ada)) {
                first = before.send(frame).next("sent");
            }
            try (Client after = on(1, ada)) {
                JsonNode again = after.send(frame).next("sent");
                assertThat(again.path("offset")).isEqualTo(first.path("offset"));
                assertThat(again.path("epoch")).isEqualTo(first.path("epoch"));
                assertThat(again.path("self")).isEqualTo(first.path("self"));
                // Without an id of its own, ref only tells answers apart: each is another event.
                after.send("{\"type\":\"end\",\"to\":\"" + bob + "\",\"ref\":\"1\"}");
                assertThat(after.next("sent").path("offset").asLong()).isEqualTo(2);
            }
            assertThat(types(b.upTo("end"))).containsExactly("chat", "end");
            assertThat(types(tab.upTo("end"))).containsExactly("chat", "end");
        }
    }

    @Test
    void theHistoryIsThereForServicesToo() throws Exception {
        String room = user("lobby");
        for (int i = 1; i <= 3; i++) {
            nodes.call("POST", "/api/ws/rooms/" + room + "/broadcast", "{\"type\":\"t" + i + "\"}");
        }
        JsonNode page = nodes.get("/api/ws/history?channel=room:" + room + "&after=1&limit=1");
        assertThat(page.path("offset").asLong()).isEqualTo(3);
        assertThat(page.path("epoch").asString()).isNotEmpty();
        assertThat(page.path("events").valueStream().map(e -> e.path("type").asString()))
                .containsExactly("t2");
    }

    private static String position(JsonNode from) {
        return "{\"epoch\":\"" + from.path("epoch").asString() + "\",\"offset\":"
                + from.path("offset").asLong() + "}";
    }

    @Test
    void aPlainPublishByAServiceArrives() throws Exception {
        String bob = user("bob");
        String room = user("lobby");
        try (Client b = on(1, bob)) {
            joined(b, room);
            cli.publish("carillon:push:user:{" + bob + "}", "{\"type\":\"notification\",\"content\":\"hi\"}");
            JsonNode frame = b.next("notification");
            assertThat(frame.path("content").asString()).isEqualTo("hi");
            assertThat(frame.has("id") || frame.has("offset")).isFalse();
            assertThat(frame.path("timestamp").asLong()).isPositive();
            cli.publish("carillon:push:room:{" + room + "}", "{\"type\":\"in-room\"}");
            b.next("in-room");
            cli.publish("carillon:push:broadcast:{push}", "{\"type\":\"to-all" + test + "\"}");
            b.next("to-all" + test);
        }
    }

    @Test
    void aBrokenPublishIsPutAsideAndHarmless() throws Exception {
        String bob = user("bob");
        try (Client b = on(1, bob)) {
            String channel = "carillon:push:user:{" + bob + "}";
            cli.publish(channel, "nonsense");
            cli.publish(channel, "{\"type\":\"deep\",\"content\":" + "[".repeat(40) + "]".repeat(40) + "}");
            cli.publish(channel, "{\"type\":\"fine\"}");
            assertThat(types(b.upTo("fine"))).containsExactly("fine");
            // Nobody waits for their being written.
            Poll.until(
                    "both put aside",
                    Duration.ofSeconds(10),
                    () -> cli.xrange("carillon:dead-letters", Range.unbounded()).stream()
                            .filter(letter -> letter.getBody().get("source").equals("push:user:" + bob))
                            .count(),
                    count -> count == 2);
        }
    }

    @Test
    void anEventForOneSessionReachesOnlyThat() throws Exception {
        String bob = user("bob");
        try (Client b1 = Client.push(nodes.url(0), bob);
                Client b2 = Client.push(nodes.url(1), bob)) {
            String session = b1.next("welcome").path("session").asString();
            b2.next("welcome");
            String channel = "carillon:push:user:{" + bob + "}";
            cli.publish(channel, "{\"type\":\"one\",\"session\":\"" + session + "\"}");
            cli.publish(channel, "{\"type\":\"others\",\"exclude\":\"" + session + "\"}");
            cli.publish(channel, "{\"type\":\"end\"}");
            assertThat(types(b1.upTo("end"))).containsExactly("one", "end");
            assertThat(types(b2.upTo("end"))).containsExactly("others", "end");
        }
    }

    @Test
    void aUserIsOnlineExactlyWhileASessionLives() throws Exception {
        String ada = user("ada");
        Client one = on(0, ada);
        Client two = on(1, ada);
        assertThat(cli.sismember("carillon:push:presence:online", ada)).isTrue();
        one.leave();
        two.send("{\"type\":\"ping\"}").next("pong");
        assertThat(cli.sismember("carillon:push:presence:online", ada)).isTrue();
        two.leave();
        Poll.until(
                "the user is away", Duration.ofSeconds(5), () -> !cli.sismember("carillon:push:presence:online", ada));
    }

    @Test
    void aSlowReaderDoesNotDelayTheOthers() throws Exception {
        String room = user("lobby");
        try (Client a = on(0, user("ada"));
                Client slow = on(1, user("sloth"));
                Client quick = on(1, user("bob"))) {
            for (Client member : List.of(a, slow, quick)) joined(member, room);
            slow.stopReading();
            String channel = "carillon:push:room:{" + room + "}";
            String frame = "{\"type\":\"bulk\",\"content\":\"" + "x".repeat(100_000) + "\"}";
            // More than kernel buffers and the outbox hold together; the readers in the same room take each in turn.
            for (int i = 0; i < 200; i++) {
                cli.publish(channel, frame);
                quick.next("bulk");
                a.next("bulk");
            }
            Poll.until("the slow one is closed", Duration.ofSeconds(15), () -> slowCloses() >= 1);
            a.send("{\"type\":\"end\",\"room\":\"" + room + "\"}");
            quick.next("end");
        }
    }

    private double slowCloses() {
        return nodes.bean(1, MeterRegistry.class)
                .counter("carillon.outbox.slow")
                .count();
    }

    @Test
    void aStoppingNodeSaysSoAndClosesWith1012() throws Exception {
        nodes.add();
        Client client = Client.welcomed(nodes.url(2), user("ada"));
        Thread stop = Thread.ofVirtual().start(() -> nodes.stop(2));
        assertThat(client.next("drain").path("reconnect_within_ms").asLong()).isEqualTo(500);
        assertThat(client.closeCode()).isEqualTo(1012);
        stop.join();
        assertThat(cli.sismember("carillon:push:presence:online", user("ada"))).isFalse();
    }

    @Test
    void anOperatorMovesAndClosesAUsersSessionsOnEveryNode() throws Exception {
        String bob = user("bob");
        String room = user("desk");
        try (Client b1 = on(0, bob);
                Client b2 = on(1, bob)) {
            String member = "/api/ws/rooms/" + room + "/members/" + bob;
            assertThat(nodes.call("PUT", member, null).statusCode()).isEqualTo(204);
            b1.next("joined");
            b2.next("joined");
            assertThat(nodes.get("/api/ws/rooms/" + room).path("count").asLong())
                    .isEqualTo(1);
            try (Client later = on(1, bob)) {
                later.next("joined");
            }
            String broadcast = "/api/ws/rooms/" + room + "/broadcast";
            assertThat(nodes.call("POST", broadcast, "{\"type\":\"hello\",\"content\":1}")
                            .statusCode())
                    .isEqualTo(202);
            b1.next("hello");
            b2.next("hello");
            assertThat(nodes.call("DELETE", member, null).statusCode()).isEqualTo(204);
            b1.next("left");
            b2.next("left");
            assertThat(nodes.call("DELETE", "/api/ws/users/" + bob, null).statusCode())
                    .isEqualTo(204);
            assertThat(b1.closeCode()).isEqualTo(4503);
            assertThat(b2.closeCode()).isEqualTo(4503);
        }
    }

    @Test
    void httpPublishesReachUsersAndEveryone() throws Exception {
        String bob = user("bob");
        try (Client b = on(1, bob)) {
            var sent = nodes.call(
                    "POST",
                    "/api/ws/send",
                    "{\"type\":\"private_message\",\"to\":\"" + bob + "\",\"content\":\"Hello!\"}");
            assertThat(sent.statusCode()).isEqualTo(202);
            assertThat(Client.JSON.readTree(sent.body()).path("online").asBoolean())
                    .isTrue();
            assertThat(b.next("private_message").path("content").asString()).isEqualTo("Hello!");
            var all = nodes.call(
                    "POST", "/api/ws/broadcast", "{\"type\":\"http" + test + "\",\"content\":\"maintenance\"}");
            assertThat(all.statusCode()).isEqualTo(202);
            assertThat(Client.JSON.readTree(all.body()).path("offset").asLong()).isPositive();
            b.next("http" + test);
            JsonNode status = nodes.get("/api/ws/status?limit=1000");
            assertThat(status.path("online_users").valueStream().map(JsonNode::asString))
                    .contains(bob);
            assertThat(status.path("online_count").asLong()).isEqualTo(cli.scard("carillon:push:presence:online"));
        }
    }
}
