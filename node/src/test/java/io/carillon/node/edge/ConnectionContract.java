package io.carillon.node.edge;

import static io.carillon.node.edge.RawClient.filled;
import static io.carillon.node.edge.RawClient.frame;
import static org.assertj.core.api.Assertions.assertThat;

import io.carillon.node.edge.EchoNode.Ended;
import io.carillon.node.edge.RawClient.Frame;
import io.carillon.node.session.CloseCode;
import io.carillon.node.session.Session;
import io.carillon.node.testing.Poll;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestInstance;
import org.junit.jupiter.api.extension.ExtendWith;

/** A session's connection on either transport: heartbeats, deadlines, floods, slow clients, and every way to end. */
@ExtendWith(NoLeaks.class)
@TestInstance(TestInstance.Lifecycle.PER_CLASS)
abstract class ConnectionContract {
    EchoNode node;

    abstract EchoNode start(String... settings);

    @BeforeAll
    void begin() {
        node = start(
                "carillon.edge.assembly=400ms",
                "carillon.edge.fragments=8",
                "carillon.endpoints.small.path=/small",
                "carillon.endpoints.small.dialect=push",
                "carillon.endpoints.small.max-message=20KB",
                "carillon.endpoints.nervous.path=/nervous",
                "carillon.endpoints.nervous.dialect=push",
                "carillon.endpoints.nervous.ping=100ms",
                "carillon.endpoints.nervous.silence=500ms",
                "carillon.endpoints.strict.path=/strict",
                "carillon.endpoints.strict.dialect=push",
                "carillon.endpoints.strict.ping=100ms",
                "carillon.endpoints.strict.silence=500ms",
                "carillon.endpoints.strict.must-speak=true");
    }

    @AfterAll
    void stop() {
        node.close();
    }

    @BeforeEach
    void forget() {
        node.echo.opened.clear();
        node.echo.ended.clear();
        EchoNode.logged();
    }

    @AfterEach
    void nothingIsLeftAndNothingWasLogged() {
        node.awaitEmpty();
        assertThat(EchoNode.logged()).isEmpty();
    }

    @Test
    void aSilentClientIsPingedThenClosedWith4408() throws Exception {
        try (RawClient client = node.open("/nervous")) {
            long begun = System.nanoTime();
            List<Frame> frames = client.rest();
            assertThat(Duration.ofNanos(System.nanoTime() - begun))
                    .isBetween(Duration.ofMillis(450), Duration.ofSeconds(3));
            assertThat(frames.getLast().code()).isEqualTo(4408);
            assertThat(frames.subList(0, frames.size() - 1))
                    .hasSizeGreaterThanOrEqualTo(2)
                    .allMatch(ping -> ping.opcode() == 9);
            assertThat(node.echo.nextEnded().code()).isEqualTo(4408);
        }
    }

    @Test
    void pongsKeepASessionAlive() throws Exception {
        try (RawClient client = node.open("/nervous")) {
            for (int i = 0; i < 10; i++) {
                Frame ping = client.frame();
                assertThat(ping.opcode()).isEqualTo(9);
                client.send(frame(0x8A, ping.payload()));
            }
            client.send(RawClient.text("alive"));
            Frame frame = client.frame();
            while (frame.opcode() == 9) frame = client.frame();
            assertThat(frame.text()).isEqualTo("alive");
        }
        assertThat(node.echo.nextEnded().code()).isEqualTo(1006);
    }

    @Test
    void whoMustSpeakIsNotKeptAliveByPongsAndPings() throws Exception {
        try (RawClient client = node.open("/strict")) {
            long begun = System.nanoTime();
            Frame frame = client.frame();
            boolean spoke = false;
            while (frame.opcode() == 9 || frame.opcode() == 10 || frame.opcode() == 1) {
                if (frame.opcode() == 9) {
                    client.send(frame(0x8A, frame.payload()));
                    client.send(frame(0x89, new byte[] {'x'}));
                }
                if (!spoke && System.nanoTime() - begun > 300_000_000L) {
                    spoke = true;
                    client.send(RawClient.text("here"));
                }
                frame = client.frame();
            }
            assertThat(frame.code()).isEqualTo(4408);
            assertThat(Duration.ofNanos(System.nanoTime() - begun))
                    .as("the message counted, and nothing after it")
                    .isBetween(Duration.ofMillis(750), Duration.ofSeconds(4));
        }
    }

    @Test
    void aFloodOfUnaskedPongsIsClosedWith4510() throws Exception {
        try (RawClient client = node.open()) {
            client.sendWhatGoes(RawClient.repeat(frame(0x8A, new byte[0]), 1_000));
            assertThat(client.frame().code()).isEqualTo(4510);
        }
    }

    @Test
    void aMessageThatDoesNotEndIsClosedWith1008() throws Exception {
        try (RawClient client = node.open()) {
            client.send(frame(0x01, filled(3, 'a')));
            assertThat(client.frame().code()).isEqualTo(1008);
        }
        assertThat(node.echo.nextEnded().code()).isEqualTo(1008);
    }

    @Test
    void aMessageOfTheLimitIsTakenHoweverItIsCutAndOneByteMoreIs1009() throws Exception {
        byte[] text = "ü".repeat(10 * 1024).getBytes(StandardCharsets.UTF_8);
        try (RawClient client = node.open("/small")) {
            client.send(frame(0x81, text, 0x01020304));
            assertThat(message(client)).isEqualTo(text);
            client.send(frame(0x01, java.util.Arrays.copyOf(text, 7), 0x01020304));
            client.send(frame(0x00, java.util.Arrays.copyOfRange(text, 7, 9_001), 0x01020304));
            client.send(frame(0x89, new byte[0]));
            client.send(frame(0x80, java.util.Arrays.copyOfRange(text, 9_001, text.length), 0x01020304));
            assertThat(message(client)).isEqualTo(text);
            client.sendWhatGoes(frame(0x81, RawClient.join(text, new byte[] {'x'})));
            assertThat(client.frame().code()).isEqualTo(1009);
        }
        assertThat(node.echo.nextEnded().code()).isEqualTo(1009);
    }

    /** The payload of the next message, however it is cut. */
    private static byte[] message(RawClient client) throws Exception {
        byte[] payload = {};
        while (true) {
            Frame frame = client.frame();
            if (frame.opcode() > 2) continue;
            payload = RawClient.join(payload, frame.payload());
            if (frame.fin()) return payload;
        }
    }

    @Test
    void asManyFragmentsAsAllowedAreOneMessageAndOneMoreIs1008() throws Exception {
        try (RawClient client = node.open()) {
            client.send(frame(0x01, new byte[] {'a'}));
            for (int i = 0; i < 6; i++) client.send(frame(0x00, new byte[] {'b'}));
            client.send(frame(0x80, new byte[] {'c'}));
            assertThat(client.frame().text()).isEqualTo("abbbbbbc");
            client.send(frame(0x01, new byte[] {'a'}));
            for (int i = 0; i < 8; i++) client.sendWhatGoes(frame(0x00, new byte[] {'b'}));
            assertThat(client.frame().code()).isEqualTo(1008);
        }
    }

    @Test
    void whatIsNoTextIsRefused() throws Exception {
        try (RawClient binary = node.open();
                RawClient broken = node.open();
                RawClient unmasked = node.open()) {
            binary.send(frame(0x82, new byte[] {1, 2, 3}));
            assertThat(binary.frame().code()).isEqualTo(1003);
            broken.send(frame(0x81, new byte[] {(byte) 0xC3, (byte) 0x28}));
            assertThat(broken.frame().code()).isEqualTo(1007);
            unmasked.send("\u0081\u0001a".getBytes(StandardCharsets.ISO_8859_1));
            assertThat(unmasked.frame().code()).isEqualTo(1002);
        }
    }

    @Test
    void aMessageOfNothingIsAMessage() throws Exception {
        try (RawClient client = node.open()) {
            client.send(frame(0x81, new byte[0]));
            assertThat(client.frame().payload()).isEmpty();
        }
    }

    @Test
    void manyMessagesCutAnywhereAreNotTakenForOneThatTrickles() throws Exception {
        try (RawClient client = node.open()) {
            // Every segment ends in the middle of a message, for longer than a message may take.
            byte[] text = frame(0x81, filled(10, 'a'), 0x01020304);
            client.send(java.util.Arrays.copyOf(text, 7));
            byte[] shifted = RawClient.join(
                    java.util.Arrays.copyOfRange(text, 7, text.length), java.util.Arrays.copyOf(text, 7));
            long until = System.nanoTime() + Duration.ofMillis(900).toNanos();
            int sent = 0;
            while (System.nanoTime() < until) {
                client.send(shifted);
                assertThat(client.frame().text()).isEqualTo("a".repeat(10));
                sent++;
            }
            assertThat(sent).isGreaterThan(10);
        }
    }

    @Test
    void x8AnEndWithoutACloseFrameCounts1006() throws Exception {
        try (RawClient client = node.open()) {
            client.socket.shutdownOutput();
            assertThat(node.echo.nextEnded().code()).isEqualTo(1006);
            assertThat(client.rest()).allMatch(frame -> frame.opcode() == 8);
        }
    }

    @Test
    void x9AClientThatIgnoresTheCloseFrameIsDroppedAndNothingItSendsCounts() throws Exception {
        try (RawClient client = node.open()) {
            Session session = node.echo.nextOpened();
            int received = node.echo.received.get();
            node.echo.close(session, CloseCode.KICKED);
            assertThat(client.frame().code()).isEqualTo(4503);
            long begun = System.nanoTime();
            for (int i = 0; i < 10; i++) client.sendWhatGoes(RawClient.text("still here"));
            // Tomcat ends a connection at once whose ping it reads while it has not yet noted that it said goodbye.
            assertThat(client.silentFor(100)).isTrue();
            client.sendWhatGoes(frame(0x89, new byte[] {'x'}));
            assertThat(client.atEnd()).isTrue();
            assertThat(Duration.ofNanos(System.nanoTime() - begun))
                    .isBetween(Duration.ofMillis(400), Duration.ofSeconds(3));
            assertThat(node.echo.received.get()).isEqualTo(received);
            assertThat(node.echo.nextEnded().code()).isEqualTo(4503);
        }
    }

    @Test
    void aClientThatAnswersTheCloseFrameIsClosedAtOnce() throws Exception {
        try (RawClient client = node.open()) {
            node.echo.close(node.echo.nextOpened(), CloseCode.GOING_AWAY);
            long begun = System.nanoTime();
            Frame close = client.frame();
            assertThat(close.code()).isEqualTo(1001);
            assertThat(close.text().substring(2)).isEqualTo("going away");
            client.send(frame(0x88, new byte[] {0x03, (byte) 0xE9}));
            assertThat(client.rest()).isEmpty();
            assertThat(Duration.ofNanos(System.nanoTime() - begun)).isLessThan(Duration.ofMillis(400));
        }
        assertThat(node.echo.nextEnded()).isEqualTo(new Ended("u1", 1001));
        assertThat(node.echo.ended).isEmpty();
    }

    @Test
    void aSecondCloseFrameIsNeverSent() throws Exception {
        try (RawClient client = node.open()) {
            Session session = node.echo.nextOpened();
            node.echo.close(session, CloseCode.RESTARTING);
            node.echo.close(session, CloseCode.KICKED);
            assertThat(client.frame().code()).isEqualTo(1012);
            // A protocol error while the close is under way, too.
            client.send(RawClient.bytes("8100"));
            assertThat(client.rest()).isEmpty();
        }
    }

    @Test
    void x10AResetInTheMiddleOfAFrameIsNoNews() throws Exception {
        RawClient client = node.open();
        client.hex("81FE 0100 00000000 6161");
        client.reset();
        assertThat(node.echo.nextEnded().code()).isEqualTo(1006);
    }

    @Test
    void aSlowClientThatReadsAgainSeesWhy() throws Exception {
        try (RawClient client = node.connect()) {
            client.upgrade("/ws");
            Session session = node.echo.nextOpened();
            long sent = fill(session);
            node.echo.close(session, CloseCode.TOO_SLOW);
            assertThat(node.echo.nextEnded().code()).isEqualTo(4430);
            List<Frame> frames = client.rest();
            assertThat(frames.getLast().code()).isEqualTo(4430);
            // The container cuts messages into frames as it likes.
            assertThat(frames.stream().filter(Frame::fin).count() - 1).isEqualTo(sent);
        }
    }

    @Test
    void whatWaitedForAClientFollowsWhenItReadsAgain() throws Exception {
        try (RawClient client = node.connect()) {
            client.upgrade("/ws");
            Session session = node.echo.nextOpened();
            long sent = fill(session);
            var waiting = new CompletableFuture<Integer>();
            session.socket().loop().execute(() -> {
                session.outbox().offer(EchoNode.frame("late".getBytes(StandardCharsets.UTF_8)), 1, 0);
                waiting.complete(session.outbox().frames());
            });
            assertThat(waiting.get()).isEqualTo(1);
            long whole = 0;
            String last = "";
            while (whole <= sent) {
                Frame frame = client.frame();
                if (frame.fin()) whole++;
                last = frame.text();
            }
            assertThat(last).isEqualTo("late");
        }
    }

    @Test
    void aSlowClientThatDoesNotReadAgainIsDropped() throws Exception {
        try (RawClient client = node.connect()) {
            client.socket.setReceiveBufferSize(4096);
            client.upgrade("/ws");
            Session session = node.echo.nextOpened();
            fill(session);
            node.echo.close(session, CloseCode.TOO_SLOW);
            node.awaitEmpty();
        }
    }

    /** Writes until the kernel takes no more; how many frames. */
    private static long fill(Session session) throws Exception {
        long frames = fillOnce(session);
        while (true) {
            try {
                // A connection that is written to by a thread of its own may only be behind.
                frames += Poll.until(
                        "the socket takes more", Duration.ofMillis(500), () -> fillOnce(session), more -> more > 0);
            } catch (AssertionError full) {
                assertThat(frames).isPositive();
                var pending = new CompletableFuture<Long>();
                session.socket()
                        .loop()
                        .execute(() -> pending.complete(session.socket().pendingBytes()));
                assertThat(pending.get())
                        .as("what waits where nothing more is taken")
                        .isPositive();
                return frames;
            }
        }
    }

    private static long fillOnce(Session session) throws Exception {
        var filled = new CompletableFuture<Long>();
        session.socket().loop().execute(() -> {
            long frames = 0;
            while (session.socket().writable()) {
                session.socket().write(EchoNode.frame(filled(16_000, 'x')));
                session.socket().flush();
                frames++;
            }
            filled.complete(frames);
        });
        return filled.get();
    }

    @Test
    void aListenerThatFailsClosesItsSessionAlone() throws Exception {
        try (RawClient broken = node.open();
                RawClient other = node.open()) {
            broken.send(RawClient.text("throw"));
            assertThat(broken.frame().code()).isEqualTo(1011);
            other.send(RawClient.text("fine"));
            assertThat(other.frame().text()).isEqualTo("fine");
        }
        assertThat(EchoNode.logged()).singleElement().asString().startsWith("ERROR");
    }
}
