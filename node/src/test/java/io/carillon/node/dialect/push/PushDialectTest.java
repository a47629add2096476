package io.carillon.node.dialect.push;

import static org.assertj.core.api.Assertions.assertThat;

import io.carillon.model.channel.Position;
import io.carillon.model.event.Event;
import io.carillon.model.event.Payload;
import io.carillon.node.dialect.Command;
import io.carillon.node.dialect.Notice;
import java.io.IOException;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

class PushDialectTest {
    private static final Position P = new Position("e1", 41);

    private static final Map<String, Notice> NOTICES = notices();

    private final PushDialect dialect = new PushDialect();

    private static Map<String, Notice> notices() {
        var all = new LinkedHashMap<String, Notice>();
        all.put("welcome", new Notice.Welcome("b-1", "u1", "n1", 25_000, Map.of("user:u1", P)));
        all.put("sent durable", new Notice.Sent("1", "m1", new Position("e1", 42), new Position("e2", 7)));
        all.put("sent ephemeral", new Notice.Sent("1", "m1", null, null));
        all.put("failure", new Notice.Failure("1", "not_in_room", "join first"));
        all.put("failure without ref", new Notice.Failure(null, "bad_json", "no JSON"));
        all.put("joined", new Notice.Joined(null, "r", 3, new Position("e", 41)));
        all.put("left", new Notice.Left("2", "r"));
        all.put("presence", new Notice.RoomMembers(null, "r", 2, List.of("u1", "u2")));
        var outcomes = new LinkedHashMap<String, Notice.Resumed.Outcome>();
        outcomes.put("user:u1", new Notice.Resumed.Outcome(true, P, null));
        outcomes.put("room:x", new Notice.Resumed.Outcome(false, null, "not_allowed"));
        all.put("resumed", new Notice.Resumed(null, outcomes));
        all.put("history", new Notice.HistoryPage(null, "room:r", List.of(Event.of("chat", Payload.ofJson("1"))), P));
        all.put("answer", new Notice.Answer("done", "3", Payload.ofJson("{\"id\":7}")));
        all.put("pong", new Notice.Pong(null, 1_700_000_000_000L));
        all.put("refreshed", new Notice.Refreshed(null, 1_700_000_000));
        all.put("drain", new Notice.Drain(5_000));
        all.put("token_expiring", new Notice.TokenExpiring(30));
        all.put("degraded", new Notice.Degraded());
        all.put("restored", new Notice.Restored());
        all.put("resync", new Notice.Resync("room:r", new Position("e", 4)));
        return all;
    }

    static List<String[]> golden(String file) throws IOException {
        try (InputStream in = PushDialectTest.class.getResourceAsStream("/dialect/push/" + file)) {
            return new String(in.readAllBytes(), StandardCharsets.UTF_8)
                    .lines()
                    .filter(line -> !line.startsWith("#") && !line.isBlank())
                    .map(line -> line.split(" => ", 2))
                    .toList();
        }
    }

    static Stream<String[]> goldenCommands() throws IOException {
        return golden("commands.txt").stream();
    }

    static Stream<String[]> goldenNotices() throws IOException {
        return golden("notices.txt").stream();
    }

    @ParameterizedTest(name = "{0}")
    @MethodSource("goldenCommands")
    void readsAClientFrame(String frame, String command) {
        assertThat(describe(dialect.decode(frame.getBytes(StandardCharsets.UTF_8))))
                .isEqualTo(command);
    }

    @ParameterizedTest(name = "{0}")
    @MethodSource("goldenNotices")
    void writesANotice(String notice, String frame) {
        assertThat(new String(dialect.encode(NOTICES.get(notice)), StandardCharsets.UTF_8))
                .isEqualTo(frame);
    }

    @Test
    void everyNoticeHasAGoldenFrame() throws IOException {
        assertThat(golden("notices.txt")).extracting(line -> line[0]).containsExactlyElementsOf(NOTICES.keySet());
        assertThat(NOTICES.values().stream().map(Object::getClass).distinct())
                .containsExactlyInAnyOrder(Notice.class.getPermittedSubclasses());
    }

    @Test
    void aDurableEventIsAFrameWithItsPosition() {
        Event event = new Event.Builder("chat")
                .id("m1")
                .from("u1", "Ada", "agent")
                .to("u2")
                .content(Payload.ofJson("{\"text\": \"hi\"}"))
                .timestamp(1_700_000_000_000L)
                .channel("user:u2")
                .position(P)
                .exclude("b-1")
                .session("b-2")
                .durable(true)
                .build();
        assertThat(new String(dialect.encode(event), StandardCharsets.UTF_8))
                .isEqualTo("{\"channel\":\"user:u2\",\"offset\":41,\"epoch\":\"e1\",\"id\":\"m1\","
                        + "\"type\":\"chat\",\"from\":\"u1\",\"from_name\":\"Ada\",\"from_kind\":\"agent\",\"to\":\"u2\","
                        + "\"content\":{\"text\": \"hi\"},\"timestamp\":1700000000000}");
    }

    @Test
    void anEventToBeAcknowledgedSaysSo() {
        Event event = new Event.Builder("invoice")
                .id("m1")
                .to("u2")
                .timestamp(5)
                .channel("user:u2")
                .position(P)
                .ack(true)
                .build();
        assertThat(new String(dialect.encode(event), StandardCharsets.UTF_8))
                .isEqualTo("{\"channel\":\"user:u2\",\"offset\":41,\"epoch\":\"e1\",\"id\":\"m1\","
                        + "\"type\":\"invoice\",\"to\":\"u2\",\"timestamp\":5,\"ack\":true}");
    }

    @Test
    void anEphemeralEventIsAFrameWithoutChannel() {
        Event event = new Event.Builder("typing")
                .id("m1")
                .from("u1", null, null)
                .room("r")
                .timestamp(5)
                .channel("room:r")
                .build();
        String frame = new String(dialect.encode(event), StandardCharsets.UTF_8);
        assertThat(frame).contains("\"type\":\"typing\"", "\"from\":\"u1\"", "\"room\":\"r\"", "\"timestamp\":5");
        assertThat(frame).doesNotContain("channel", "offset", "epoch", "exclude", "durable");
    }

    private static String describe(Command command) {
        String ref = command.ref() == null ? "" : " ref=" + command.ref();
        return switch (command) {
            case Command.Publish publish -> "Publish " + describe(publish.event()) + ref;
            case Command.Join join -> "Join " + join.room() + ref;
            case Command.Leave leave -> "Leave " + leave.room() + ref;
            case Command.Members ask -> "Members " + ask.room() + ref;
            case Command.Ping ping -> "Ping" + ref;
            case Command.Ack ack -> "Ack " + ack.id() + ref;
            case Command.Resume resume -> "Resume " + positions(resume.channels()) + ref;
            case Command.History history ->
                "History " + history.channel() + " after=" + history.after() + " limit=" + history.limit() + ref;
            case Command.Refresh refresh -> "Refresh" + ref;
            case Command.Invalid invalid -> "Invalid " + invalid.code() + ref;
        };
    }

    private static String positions(Map<String, Position> channels) {
        var text = new LinkedHashMap<String, String>();
        channels.forEach((name, at) -> text.put(name, at.epoch() + "/" + at.offset()));
        return text.toString();
    }

    private static String describe(Event event) {
        var text = new StringBuilder(event.type());
        if (event.from() != null || event.fromName() != null || event.fromKind() != null) text.append(" FROM");
        if (event.session() != null || event.exclude() != null || event.ack()) text.append(" FORBIDDEN");
        if (event.position() != null || event.channel() != null || event.timestamp() != 0) text.append(" STAMPED");
        if (event.to() != null) text.append(" to=").append(event.to());
        if (event.room() != null) text.append(" room=").append(event.room());
        if (event.id() != null) text.append(" id=").append(event.id());
        if (event.durable() != null) text.append(" durable=").append(event.durable());
        if (event.content() != null) text.append(" content=").append(json(event.content()));
        event.extra()
                .forEach((name, value) ->
                        text.append(' ').append(name).append('=').append(json(value)));
        return text.toString();
    }

    private static String json(Payload payload) {
        return new String(payload.bytes(), StandardCharsets.UTF_8);
    }
}
