package io.carillon.node.edge;

import static io.carillon.node.edge.RawClient.filled;
import static io.carillon.node.edge.RawClient.frame;
import static org.assertj.core.api.Assertions.assertThat;

import io.carillon.node.edge.EchoNode.Ended;
import io.carillon.node.edge.RawClient.Frame;
import io.carillon.node.session.CloseCode;
import io.carillon.node.session.Session;
import io.micrometer.core.instrument.MeterRegistry;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.ExtendWith;

/** A session's connection: heartbeats, deadlines, floods, slow clients, and every way to end. */
@ExtendWith(NoLeaks.class)
class ConnectionTest {
    private static EchoNode node;

    @BeforeAll
    static void start() {
        node = EchoNode.start(
                "carillon.edge.assembly=400ms",
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
    static void stop() {
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
    void x5AFloodOfPingsIsClosedWith4510() throws Exception {
        try (RawClient client = node.open()) {
            client.sendWhatGoes(RawClient.repeat(frame(0x89, new byte[] {'x'}), 10_000));
            List<Frame> frames = client.rest();
            assertThat(frames.getLast().code()).isEqualTo(4510);
            assertThat(frames.size() - 1).isBetween(20, 30);
            assertThat(node.echo.nextEnded().code()).isEqualTo(4510);
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
    void x7AMessageThatTricklesIsClosedWith1008() throws Exception {
        try (RawClient client = node.open()) {
            client.hex("81FF000000000007D000 00000000");
            // Whatever it sends on the way: the time counts from the message's first byte.
            CompletableFuture<Void> trickle = CompletableFuture.runAsync(() -> {
                for (int i = 0; i < 1_000; i++) {
                    client.sendWhatGoes(new byte[] {'a'});
                    java.util.concurrent.locks.LockSupport.parkNanos(2_000_000);
                }
            });
            assertThat(client.frame().code()).isEqualTo(1008);
            client.close();
            trickle.join();
        }
        assertThat(node.echo.nextEnded().code()).isEqualTo(1008);
    }

    @Test
    void aHeaderThatDoesNotEndIsClosedWith1008() throws Exception {
        try (RawClient client = node.open()) {
            client.hex("81");
            assertThat(client.frame().code()).isEqualTo(1008);
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
            assertThat(client.atEnd()).isTrue();
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
            assertThat(frames.size() - 1).isEqualTo((int) sent);
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
        var filled = new CompletableFuture<Long>();
        session.socket().loop().execute(() -> {
            long frames = 0;
            while (session.socket().writable()) {
                session.socket().write(EchoNode.frame(filled(16_000, 'x')));
                session.socket().flush();
                frames++;
            }
            filled.complete(session.socket().pendingBytes() > 0 ? frames : -1);
        });
        long frames = filled.get();
        assertThat(frames).isPositive();
        return frames;
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

    @Test
    void whatHappensIsCounted() throws Exception {
        MeterRegistry registry = node.bean(MeterRegistry.class);
        double accepted = count(registry, "carillon.connects", "endpoint", "echo", "result", "accepted");
        double origin = count(registry, "carillon.connects", "endpoint", "echo", "result", "origin");
        double other = count(registry, "carillon.closes", "endpoint", "echo", "code", "other");
        double mask = count(registry, "carillon.protocol.errors", "kind", "unmasked");
        double in = registry.get("carillon.bytes")
                .tag("direction", "in")
                .functionCounter()
                .count();
        double out = registry.get("carillon.bytes")
                .tag("direction", "out")
                .functionCounter()
                .count();
        double frames = registry.get("carillon.frames")
                .tag("direction", "in")
                .functionCounter()
                .count();
        try (RawClient client = node.open();
                RawClient refused = node.connect();
                RawClient wrong = node.open()) {
            assertThat(registry.get("carillon.sessions")
                            .tag("endpoint", "echo")
                            .gauge()
                            .value())
                    .isEqualTo(2);
            client.send(RawClient.text("four"));
            assertThat(client.frame().text()).isEqualTo("four");
            refused.send(RawClient.request("/ws", "Origin: https://evil.example"));
            assertThat(refused.answer().status()).isEqualTo(403);
            wrong.send("\u0081\u0000".getBytes(StandardCharsets.ISO_8859_1));
            assertThat(wrong.frame().code()).isEqualTo(1002);
            client.send(frame(0x88, new byte[] {0x11, 0x11}));
            assertThat(client.frame().code()).isEqualTo(0x1111);
        }
        node.awaitEmpty();
        assertThat(count(registry, "carillon.connects", "endpoint", "echo", "result", "accepted") - accepted)
                .isEqualTo(2);
        assertThat(count(registry, "carillon.connects", "endpoint", "echo", "result", "origin") - origin)
                .isEqualTo(1);
        assertThat(count(registry, "carillon.closes", "endpoint", "echo", "code", "other") - other)
                .isEqualTo(1);
        assertThat(count(registry, "carillon.protocol.errors", "kind", "unmasked") - mask)
                .isEqualTo(1);
        assertThat(registry.get("carillon.bytes")
                                .tag("direction", "in")
                                .functionCounter()
                                .count()
                        - in)
                .isEqualTo(10 + 2 + 8);
        assertThat(registry.get("carillon.bytes")
                                .tag("direction", "out")
                                .functionCounter()
                                .count()
                        - out)
                .isEqualTo(6);
        assertThat(registry.get("carillon.frames")
                                .tag("direction", "in")
                                .functionCounter()
                                .count()
                        - frames)
                .isEqualTo(2);
    }

    private static double count(MeterRegistry registry, String name, String... tags) {
        var counter = registry.find(name).tags(tags).counter();
        return counter == null ? 0 : counter.count();
    }
}
