package io.carillon.node.dialect.feedback;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;

import io.carillon.model.channel.Position;
import io.carillon.model.event.Event;
import io.carillon.model.event.EventCodec;
import io.carillon.model.event.Payload;
import io.carillon.node.dialect.Command;
import io.carillon.node.dialect.Notice;
import java.io.IOException;
import java.io.InputStream;
import java.time.Instant;
import java.time.InstantSource;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;
import org.junit.jupiter.params.provider.ValueSource;

class FeedbackDialectTest {
    private static final Position P = new Position("e", 4);

    private static final Map<String, Notice> SHOWN = shown();

    private static final List<Notice> UNSHOWN = List.of(
            new Notice.Welcome("b-1", "1:1", "n1", 25_000, Map.of("user:1:1", P)),
            new Notice.Sent("1", "m1", P, P),
            new Notice.Joined(null, "r", 3, P),
            new Notice.Left("2", "r"),
            new Notice.RoomMembers(null, "r", 2, List.of("1:1")),
            new Notice.Resumed(null, Map.of()),
            new Notice.HistoryPage(null, "room:r", List.of(), P));

    private final FeedbackDialect dialect =
            new FeedbackDialect(InstantSource.fixed(Instant.parse("2026-01-01T00:00:00Z")));

    private static Map<String, Notice> shown() {
        var all = new LinkedHashMap<String, Notice>();
        all.put("failure", new Notice.Failure("m1", "not_allowed", "by others only"));
        all.put("failure without id", new Notice.Failure(null, "bad_json", "no \"JSON\""));
        all.put("pong", new Notice.Pong(null, 1_700_000_000_000L));
        all.put("refreshed", new Notice.Refreshed(null, 1_700_000_000));
        all.put("drain", new Notice.Drain(5_000));
        all.put("token_expiring", new Notice.TokenExpiring(30));
        all.put("degraded", new Notice.Degraded());
        all.put("restored", new Notice.Restored());
        all.put("resync", new Notice.Resync("user:1:1", P));
        all.put("answer", new Notice.Answer("said", "m1", Payload.ofJson("[1]")));
        return all;
    }

    private static List<String[]> golden(String file) throws IOException {
        try (InputStream in = FeedbackDialectTest.class.getResourceAsStream("/dialect/feedback/" + file)) {
            return new String(in.readAllBytes(), UTF_8)
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

    static Stream<String[]> goldenEvents() throws IOException {
        return golden("events.txt").stream();
    }

    @ParameterizedTest(name = "{0}")
    @MethodSource("goldenCommands")
    void readsAClientFrame(String frame, String command) {
        assertThat(describe(dialect.decode(frame.getBytes(UTF_8)))).isEqualTo(command);
    }

    @ParameterizedTest(name = "{0}")
    @MethodSource("goldenNotices")
    void writesANotice(String notice, String frame) {
        assertThat(new String(dialect.encode(SHOWN.get(notice)), UTF_8)).isEqualTo(frame);
    }

    @ParameterizedTest(name = "{0}")
    @MethodSource("goldenEvents")
    void writesAnEvent(String event, String frame) throws Exception {
        byte[] text = dialect.encode(EventCodec.readStamped(event.getBytes(UTF_8)));
        assertThat(text == null ? "-" : new String(text, UTF_8)).isEqualTo(frame);
    }

    @Test
    void everyNoticeIsWrittenOrLeftOutOnPurpose() throws IOException {
        assertThat(golden("notices.txt")).extracting(line -> line[0]).containsExactlyElementsOf(SHOWN.keySet());
        for (Notice notice : UNSHOWN) assertThat(dialect.encode(notice)).isNull();
        assertThat(Stream.concat(SHOWN.values().stream(), UNSHOWN.stream())
                        .map(Object::getClass)
                        .distinct())
                .containsExactlyInAnyOrder(Notice.class.getPermittedSubclasses());
    }

    @Test
    void aPlainEventIsReceivedByWhomItsChannelNames() {
        Event event =
                new Event.Builder("typing").channel("user:2:7").timestamp(5).build();
        assertThat(new String(dialect.encode(event), UTF_8))
                .isEqualTo("{\"event\":\"typing\",\"timestamp\":\"1970-01-01T00:00:00.005Z\","
                        + "\"receiver\":{\"id\":7,\"type\":2},\"data\":{}}");
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "",
                "7",
                "2:",
                ":7",
                "0:7",
                "4:7",
                "2:07",
                "02:7",
                "2:+7",
                "2:-7",
                "2:18446744073709551616",
                "2:7:1",
                "2:٧"
            })
    void whatIsWrittenOtherwiseIsNoPerson(String user) {
        assertThat(Person.of(user)).isNull();
    }

    @ParameterizedTest
    @ValueSource(strings = {"1:0", "2:7", "3:9007199254740993", "1:18446744073709551615"})
    void aPersonIsAUserOfTheCluster(String user) {
        assertThat(Person.of(user).user()).isEqualTo(user);
    }

    private static String describe(Command command) {
        String ref = command.ref() == null ? "" : " ref=" + command.ref();
        return switch (command) {
            case Command.Publish publish -> "Publish " + describe(publish.event()) + ref;
            case Command.Ping ping -> "Ping" + ref;
            case Command.Ack ack -> "Ack " + ack.id() + ref;
            case Command.Refresh refresh -> "Refresh" + ref;
            case Command.Invalid invalid -> "Invalid " + invalid.code() + ref;
            default -> "unheard of: " + command;
        };
    }

    private static String describe(Event event) {
        var text = new StringBuilder(event.type());
        if (event.from() != null || event.fromName() != null || event.fromKind() != null) text.append(" FROM");
        if (event.session() != null || event.exclude() != null || event.ack()) text.append(" FORBIDDEN");
        if (event.position() != null || event.channel() != null || event.timestamp() != 0) text.append(" STAMPED");
        if (event.room() != null || event.durable() != null) text.append(" OTHER");
        if (event.to() != null) text.append(" to=").append(event.to());
        if (event.id() != null) text.append(" id=").append(event.id());
        if (event.content() != null) text.append(" content=").append(json(event.content()));
        event.extra()
                .forEach((name, value) ->
                        text.append(' ').append(name).append('=').append(json(value)));
        return text.toString();
    }

    private static String json(Payload payload) {
        return new String(payload.bytes(), UTF_8);
    }
}
