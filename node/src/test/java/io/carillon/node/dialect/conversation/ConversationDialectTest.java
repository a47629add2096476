package io.carillon.node.dialect.conversation;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;

import io.carillon.model.channel.Position;
import io.carillon.model.event.Event;
import io.carillon.model.event.Payload;
import io.carillon.node.dialect.Command;
import io.carillon.node.dialect.Golden;
import io.carillon.node.dialect.Notice;
import java.io.IOException;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

class ConversationDialectTest {
    private static final Map<String, Notice> NOTICES = Map.of(
            "answer", new Notice.Answer("note", null, Payload.ofJson("{\"a\":1}")),
            "failure", new Notice.Failure(null, "rate_limited", "slow down"),
            "pong", new Notice.Pong(null, 1_700_000_000_000L),
            "refreshed", new Notice.Refreshed(null, 1_700_000_000),
            "drain", new Notice.Drain(5_000),
            "token_expiring", new Notice.TokenExpiring(30),
            "degraded", new Notice.Degraded(),
            "restored", new Notice.Restored(),
            "resync", new Notice.Resync("room:7", new Position("e", 4)));

    private final ConversationDialect dialect = new ConversationDialect();

    static Stream<String[]> commands() throws IOException {
        return Golden.lines("conversation/commands.txt").stream();
    }

    static Stream<String[]> notices() throws IOException {
        return Golden.lines("conversation/notices.txt").stream();
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
        assertThat(Golden.lines("conversation/notices.txt"))
                .extracting(line -> line[0])
                .containsExactlyInAnyOrderElementsOf(NOTICES.keySet());
    }

    @Test
    void aSessionIsNotWelcomed() {
        assertThat(dialect.encode(new Notice.Welcome("s", "u", "n", 1, Map.of())))
                .isNull();
        assertThat(dialect.encode(new Notice.RoomMembers(null, "r", 0, List.of())))
                .isNull();
    }

    @Test
    void anEventIsItsTypeAndData() {
        Event event = new Event.Builder("new_message")
                .id("e-1")
                .room("7")
                .content(Payload.ofJson("{\"id\":18446744073709551615,\"content\":\"é\"}"))
                .position(new Position("e", 1))
                .channel("room:7")
                .timestamp(1)
                .build();
        assertThat(new String(dialect.encode(event), UTF_8))
                .isEqualTo("{\"type\":\"new_message\",\"data\":{\"id\":18446744073709551615,\"content\":\"é\"}}");
        assertThat(new String(dialect.encode(Event.of("closed", null)), UTF_8)).isEqualTo("{\"type\":\"closed\"}");
        assertThat(dialect.encode(Event.of("presence_join", null))).isNull();
        assertThat(dialect.encode(Event.of("presence_leave", null))).isNull();
    }

    @Test
    void whatItReadsOfATokenIsNotShown() {
        Command command = dialect.decode("{\"type\":\"refresh\",\"token\":\"secret\"}".getBytes(UTF_8));
        assertThat(command)
                .isInstanceOfSatisfying(
                        Command.Refresh.class,
                        refresh -> assertThat(refresh.token()).isEqualTo("secret"));
        assertThat(command.toString()).doesNotContain("secret");
    }
}
