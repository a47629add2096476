package io.carillon.node.dialect.line;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;

import io.carillon.model.channel.Position;
import io.carillon.model.event.Event;
import io.carillon.model.event.Payload;
import io.carillon.node.dialect.Command;
import io.carillon.node.dialect.Notice;
import java.io.IOException;
import java.io.InputStream;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;
import org.junit.jupiter.params.provider.ValueSource;

class LineDialectTest {
    private static final Position P = new Position("e", 4);
    private static final Payload DATA = Payload.ofJson("{\"status\":\"processed\"}");
    private static final Map<String, Notice> NOTICES = notices();

    private final WindowsDialect windows = new WindowsDialect();
    private final DashboardDialect dashboard = new DashboardDialect();

    private static Map<String, Notice> notices() {
        var all = new LinkedHashMap<String, Notice>();
        all.put("welcome", new Notice.Welcome("b-1", "u1", "n1", 25_000, Map.of()));
        all.put("sent", new Notice.Sent("1", "m1", P, null));
        all.put("joined", new Notice.Joined(null, "r", 3, P));
        all.put("left", new Notice.Left(null, "r"));
        all.put("presence", new Notice.RoomMembers(null, "r", 1, List.of("u1")));
        all.put("resumed", new Notice.Resumed(null, Map.of()));
        all.put("history", new Notice.HistoryPage(null, "room:r", List.of(), P));
        all.put("answer", new Notice.Answer("incoming_received", null, DATA));
        all.put("answer with id", new Notice.Answer("incoming_received", "m1", DATA));
        all.put("pong", new Notice.Pong("HG66OP88", 1_700_000_000_000L));
        all.put("pong of a dashboard", new Notice.Pong(null, 1_700_000_000_000L));
        all.put("failure", new Notice.Failure(null, "bad_json", "no JSON"));
        all.put("failure with id", new Notice.Failure("m1", "not_allowed", "no"));
        all.put("refreshed", new Notice.Refreshed(null, 1_700_000_000));
        all.put("drain", new Notice.Drain(5_000));
        all.put("token_expiring", new Notice.TokenExpiring(30));
        all.put("degraded", new Notice.Degraded());
        all.put("restored", new Notice.Restored());
        all.put("resync", new Notice.Resync("room:group-1", P));
        return all;
    }

    private static Stream<String[]> golden(String file) throws IOException {
        try (InputStream in = LineDialectTest.class.getResourceAsStream("/dialect/line/" + file)) {
            return new String(in.readAllBytes(), UTF_8)
                            .lines()
                            .filter(line -> !line.startsWith("#") && !line.isBlank())
                            .map(line -> line.split(" => ", 2))
                            .toList()
                            .stream();
        }
    }

    static Stream<String[]> commands() throws IOException {
        return golden("commands.txt");
    }

    static Stream<String[]> frames() throws IOException {
        return golden("notices.txt");
    }

    @ParameterizedTest(name = "{0}")
    @MethodSource("commands")
    void readsAWindowsClientsFrame(String frame, String command) {
        assertThat(describe(windows.decode(frame.getBytes(UTF_8)))).isEqualTo(command);
    }

    @ParameterizedTest(name = "{0}")
    @MethodSource("frames")
    void writesANotice(String notice, String frame) {
        for (byte[] text : new byte[][] {windows.encode(NOTICES.get(notice)), dashboard.encode(NOTICES.get(notice))}) {
            assertThat(text == null ? "null" : new String(text, UTF_8)).isEqualTo(frame);
        }
    }

    @Test
    void everyNoticeHasAGoldenFrame() throws IOException {
        assertThat(frames()).extracting(line -> line[0]).containsExactlyInAnyOrderElementsOf(NOTICES.keySet());
        assertThat(NOTICES.values().stream().map(Object::getClass).distinct())
                .containsExactlyInAnyOrder(Notice.class.getPermittedSubclasses());
    }

    @ParameterizedTest
    @ValueSource(strings = {"sync_line_accounts", "incoming", "customer_sync", "chat", "join", "ping"})
    void aDashboardSendsNothingButHeartbeatsAndFreshTokens(String type) {
        String frame = "{\"type\":\"" + type + "\",\"activation_code\":\"HG66OP88\",\"data\":{},\"room\":\"r\"}";
        assertThat(dashboard.decode(frame.getBytes(UTF_8))).isInstanceOfSatisfying(Command.Invalid.class, invalid -> {
            assertThat(invalid.code()).isEqualTo("unknown_type");
            assertThat(invalid.sentence()).endsWith(": heartbeat, refresh");
        });
        assertThat(dashboard.decode("{\"type\":\"heartbeat\",\"timestamp\":1}".getBytes(UTF_8)))
                .isEqualTo(new Command.Ping(null));
    }

    @Test
    void anEventIsItsTypeAndContentAndNothingElse() {
        Event event = new Event.Builder("incoming")
                .id("m1")
                .channel("room:group-1")
                .position(P)
                .timestamp(5)
                .content(Payload.ofJson("{\"a\" :1.50}"))
                .build();
        assertThat(new String(dashboard.encode(event), UTF_8))
                .isEqualTo("{\"type\":\"incoming\",\"data\":{\"a\" :1.50}}");
        assertThat(new String(dashboard.encode(Event.of("notice", null)), UTF_8))
                .isEqualTo("{\"type\":\"notice\",\"data\":null}");
        for (String type : List.of("line_stats", "presence_join", "presence_leave")) {
            assertThat(dashboard.encode(Event.of(type, null))).isNull();
            assertThat(windows.encode(Event.of(type, null))).isNull();
        }
    }

    private static String describe(Command command) {
        String ref = command.ref() == null ? "" : " ref=" + command.ref();
        return switch (command) {
            case Command.Publish publish -> {
                Event event = publish.event();
                assertThat(event.from() == null && event.to() == null && event.channel() == null)
                        .isTrue();
                yield event.type() + " " + event.room() + " "
                        + new String(event.content().bytes(), UTF_8) + ref;
            }
            case Command.Invalid invalid -> "Invalid " + invalid.code() + ref;
            default -> command.getClass().getSimpleName() + ref;
        };
    }
}
