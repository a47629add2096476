package io.carillon.node.dialect.chat;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;

import io.carillon.model.channel.Position;
import io.carillon.model.event.Event;
import io.carillon.model.event.Payload;
import io.carillon.node.dialect.Golden;
import io.carillon.node.dialect.Notice;
import java.io.IOException;
import java.util.Map;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

class ChatDialectTest {
    private static final Payload NINE = Payload.ofJson("{\"id\":9}");

    private static final Map<String, Notice> NOTICES = Map.ofEntries(
            Map.entry("ack", new Notice.Answer("ack", "c1", NINE)),
            Map.entry("ack without mark", new Notice.Answer("ack", null, NINE)),
            Map.entry("online count", new Notice.Answer("online_count", null, Payload.ofJson("{\"count\":12}"))),
            Map.entry("failure", new Notice.Failure("c1", "rate_limited", "slow down")),
            Map.entry("failure without mark", new Notice.Failure(null, "bad_json", "no JSON")),
            Map.entry("pong", new Notice.Pong(null, 1_700_000_000_000L)),
            Map.entry("refreshed", new Notice.Refreshed(null, 1_700_000_000)),
            Map.entry("drain", new Notice.Drain(5_000)),
            Map.entry("token_expiring", new Notice.TokenExpiring(30)),
            Map.entry("degraded", new Notice.Degraded()),
            Map.entry("restored", new Notice.Restored()),
            Map.entry("resync", new Notice.Resync("broadcast", new Position("e", 4))));

    private final ChatDialect dialect = new ChatDialect();

    static Stream<String[]> commands() throws IOException {
        return Golden.lines("chat/commands.txt").stream();
    }

    static Stream<String[]> notices() throws IOException {
        return Golden.lines("chat/notices.txt").stream();
    }

    @ParameterizedTest(name = "{0}")
    @MethodSource("commands")
    void readsAClientFrame(String frame, String command) {
        assertThat(Golden.describe(dialect.decode(frame.getBytes(UTF_8)))).isEqualTo(command);
    }

    @ParameterizedTest(name = "{0}")
    @MethodSource("notices")
    void writesANotice(String notice, String frame) {
        assertThat(new String(dialect.encode(NOTICES.get(notice)), UTF_8)).isEqualTo(frame);
    }

    @Test
    void everyNoticeItHasIsGolden() throws IOException {
        assertThat(Golden.lines("chat/notices.txt"))
                .extracting(line -> line[0])
                .containsExactlyInAnyOrderElementsOf(NOTICES.keySet());
        assertThat(dialect.encode(new Notice.Welcome("s", "u", "n", 1, Map.of())))
                .isNull();
    }

    @Test
    void aMarkIsBounded() {
        String longest = "c".repeat(128);
        assertThat(Golden.describe(
                        dialect.decode(("{\"type\":\"message\",\"content\":\"x\",\"client_id\":\"" + longest + "\"}")
                                .getBytes(UTF_8))))
                .endsWith(longest);
        assertThat(Golden.describe(
                        dialect.decode(("{\"type\":\"message\",\"content\":\"x\",\"client_id\":\"" + longest + "c\"}")
                                .getBytes(UTF_8))))
                .isEqualTo("Invalid too_large");
    }

    @Test
    void anEventIsItsTypeAndDataAndPresenceIsNotShown() {
        Event event = new Event.Builder("message")
                .id("e-1")
                .from("42", null, null)
                .content(Payload.ofJson("{\"id\":9,\"content\":\"&lt;é\"}"))
                .position(new Position("e", 1))
                .channel("broadcast")
                .build();
        assertThat(new String(dialect.encode(event), UTF_8))
                .isEqualTo("{\"type\":\"message\",\"data\":{\"id\":9,\"content\":\"&lt;é\"}}");
        assertThat(dialect.encode(Event.of("presence_join", null))).isNull();
        assertThat(dialect.encode(Event.of("presence_leave", null))).isNull();
    }
}
