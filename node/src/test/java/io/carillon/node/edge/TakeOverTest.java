package io.carillon.node.edge;

import static io.carillon.node.edge.RawClient.request;
import static org.assertj.core.api.Assertions.assertThat;

import io.carillon.node.edge.RawClient.Answer;
import io.carillon.node.identity.Verdict;
import io.carillon.node.testing.Poll;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CountDownLatch;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.ExtendWith;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;

/** One listener for HTTP and WebSocket: neither loses a byte of the other's. */
@ExtendWith(NoLeaks.class)
class TakeOverTest {
    private static final String HELLO = "GET /hello HTTP/1.1\r\nHost: a\r\n\r\n";

    private static final String SLOW = "GET /slow HTTP/1.1\r\nHost: a\r\n\r\n";

    private static EchoNode node;

    @BeforeAll
    static void start() {
        node = EchoNode.start(
                "carillon.edge.handshake=600ms",
                "carillon.edge.request-body=600ms",
                "carillon.edge.keep-alive=600ms",
                "spring.http.codecs.max-in-memory-size=2MB");
    }

    @AfterAll
    static void stop() {
        node.close();
    }

    @BeforeEach
    void forget() {
        node.doorman.instead = null;
        node.pages().slow = new CountDownLatch(1);
        node.echo.opened.clear();
        node.echo.ended.clear();
        EchoNode.logged();
    }

    @AfterEach
    void nothingIsLeft() {
        node.doorman.instead = null;
        node.awaitEmpty();
    }

    private static byte[] latin(String text) {
        return text.getBytes(StandardCharsets.ISO_8859_1);
    }

    @Test
    void aHandshakeAndItsFramesMayComeByteByByte() throws Exception {
        try (RawClient client = node.connect()) {
            client.sendByteByByte(RawClient.join(latin(request("/ws")), RawClient.text("one"), RawClient.text("two")));
            assertThat(client.answerHead().status()).isEqualTo(101);
            assertThat(client.frame().text()).isEqualTo("one");
            assertThat(client.frame().text()).isEqualTo("two");
        }
    }

    @Test
    void aRequestAndItsFramesMayBeCutAnywhere() throws Exception {
        byte[] all = RawClient.join(latin(request("/ws")), RawClient.text("one"), RawClient.text("two"));
        for (int cut = all.length - 25; cut < all.length; cut++) {
            try (RawClient client = node.connect()) {
                client.send(java.util.Arrays.copyOf(all, cut));
                client.send(java.util.Arrays.copyOfRange(all, cut, all.length));
                assertThat(client.answerHead().status()).isEqualTo(101);
                assertThat(client.frame().text()).isEqualTo("one");
                assertThat(client.frame().text()).isEqualTo("two");
            }
        }
    }

    @Test
    void framesSentWhileIdentityIsCheckedComeAfterTheAnswer() throws Exception {
        var verdict = new CompletableFuture<Verdict>();
        node.doorman.instead = (endpoint, credentials, address) -> verdict;
        try (RawClient client = node.connect()) {
            client.send(RawClient.join(latin(request("/ws")), RawClient.text("one"), RawClient.bytes("81")));
            client.send(RawClient.bytes("83 00000000 74776F"));
            assertThat(client.silentFor(100)).isTrue();
            Thread.startVirtualThread(() -> verdict.complete(EchoNode.Doorman.granted(node.doorman.seen.peek())));
            assertThat(client.answerHead().status()).isEqualTo(101);
            assertThat(client.frame().text()).isEqualTo("one");
            assertThat(client.frame().text()).isEqualTo("two");
        }
    }

    @Test
    void whoSendsTooMuchBeforeTheAnswerIsCut() throws Exception {
        // Reading stops while identity is checked: only what came with the request's own read can pile up.
        var verdict = new CompletableFuture<Verdict>();
        node.doorman.instead = (endpoint, credentials, address) -> verdict;
        try (RawClient client = node.connect()) {
            client.send(request("/ws"));
            client.sendWhatGoes(new byte[1_000_000]);
            assertThat(client.answer().status()).isEqualTo(503);
        }
    }

    @Test
    void anIdentityThatIsNotDecidedInTimeIs503() throws Exception {
        node.doorman.instead = (endpoint, credentials, address) -> new CompletableFuture<>();
        try (RawClient client = node.connect()) {
            client.send(request("/ws"));
            Answer answer = client.answer();
            assertThat(answer.status()).isEqualTo(503);
            assertThat(Integer.parseInt(answer.header("Retry-After"))).isBetween(1, 5);
            assertThat(client.atEnd()).isTrue();
        }
    }

    @Test
    void anIdentityCheckThatFailsIs503() throws Exception {
        node.doorman.instead =
                (endpoint, credentials, address) -> CompletableFuture.failedFuture(new IllegalStateException("down"));
        try (RawClient client = node.connect()) {
            client.send(request("/ws"));
            assertThat(client.answer().status()).isEqualTo(503);
        }
        node.doorman.instead = (endpoint, credentials, address) -> {
            throw new IllegalStateException("broken");
        };
        try (RawClient client = node.connect()) {
            client.send(request("/ws"));
            assertThat(client.answer().status()).isEqualTo(503);
        }
    }

    @Test
    void aClientThatLeavesWhileIdentityIsCheckedLeavesNothingBehind() throws Exception {
        var verdict = new CompletableFuture<Verdict>();
        node.doorman.instead = (endpoint, credentials, address) -> verdict;
        RawClient client = node.connect();
        client.send(RawClient.join(latin(request("/limited")), RawClient.text("early")));
        Poll.until(
                "the handshake is admitted",
                Duration.ofSeconds(5),
                () -> !node.bean(Edge.class).isEmpty());
        client.reset();
        node.awaitEmpty();
        verdict.complete(EchoNode.Doorman.granted(node.doorman.seen.peek()));
        assertThat(node.echo.opened).isEmpty();
    }

    static Stream<Arguments> exchanges() {
        return Stream.of(
                Arguments.of("GET", HELLO, "hello"),
                Arguments.of("blocking GET", "GET /blocking HTTP/1.1\r\nHost: a\r\n\r\n", "virtual"),
                Arguments.of(
                        "POST",
                        "POST /length HTTP/1.1\r\nHost: a\r\nContent-Type: text/plain\r\nContent-Length: 5\r\n\r\nhello",
                        "5"),
                Arguments.of(
                        "chunked POST",
                        "POST /length HTTP/1.1\r\nHost: a\r\nContent-Type: text/plain\r\nTransfer-Encoding: chunked\r\n\r\n"
                                + "5\r\nhello\r\n0\r\n\r\n",
                        "5"),
                Arguments.of("not found", "GET /nothing HTTP/1.1\r\nHost: a\r\n\r\n", null));
    }

    @ParameterizedTest(name = "after {0}")
    @MethodSource("exchanges")
    void anUpgradeMayFollowExchangesOnItsConnection(String name, String request, String body) throws Exception {
        for (int i = 0; i < 20; i++) {
            try (RawClient client = node.connect()) {
                for (int before = 0; before <= i % 3; before++) {
                    client.send(request);
                    Answer answer = client.answer();
                    if (body != null) assertThat(answer.body()).isEqualTo(body);
                }
                upgradeAndEcho(client);
            }
        }
    }

    @Test
    void anUpgradeMayFollowAHead() throws Exception {
        try (RawClient client = node.connect()) {
            client.send("HEAD /hello HTTP/1.1\r\nHost: a\r\n\r\n");
            assertThat(client.answerHead().status()).isEqualTo(200);
            upgradeAndEcho(client);
        }
    }

    @Test
    void anUpgradeMayFollowA100Continue() throws Exception {
        try (RawClient client = node.connect()) {
            client.send(
                    "POST /length HTTP/1.1\r\nHost: a\r\nContent-Type: text/plain\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\n");
            assertThat(client.answerHead().status()).isEqualTo(100);
            client.send("hello");
            assertThat(client.answer().body()).isEqualTo("5");
            upgradeAndEcho(client);
        }
    }

    private static void upgradeAndEcho(RawClient client) throws Exception {
        client.send(RawClient.join(latin(request("/ws")), RawClient.text("first")));
        assertThat(client.answerHead().status()).isEqualTo(101);
        assertThat(client.frame().text()).isEqualTo("first");
        client.send(RawClient.text("second"));
        assertThat(client.frame().text()).isEqualTo("second");
    }

    @Test
    void anUpgradeBehindAnUnansweredRequestWaitsForItsTurn() throws Exception {
        try (RawClient client = node.connect()) {
            client.send(SLOW + request("/ws"));
            assertThat(client.silentFor(100)).isTrue();
            node.pages().slow.countDown();
            assertThat(client.answer().body()).isEqualTo("slow");
            assertThat(client.answerHead().status()).isEqualTo(101);
            client.send(RawClient.text("first"));
            assertThat(client.frame().text()).isEqualTo("first");
        }
    }

    @Test
    void aRefusalBehindAnUnansweredRequestWaitsForItsTurn() throws Exception {
        try (RawClient client = node.connect()) {
            client.send(SLOW + request("/ws?refuse=401"));
            assertThat(client.silentFor(100)).isTrue();
            node.pages().slow.countDown();
            assertThat(client.answer().body()).isEqualTo("slow");
            assertThat(client.answer().status()).isEqualTo(401);
            assertThat(client.atEnd()).isTrue();
        }
    }

    @Test
    void whatFollowsAnUpgradeThatWaitsClosesTheConnection() throws Exception {
        for (String behind : List.of(HELLO, request("/ws"), "\u0081\u0000\r\n\r\n")) {
            try (RawClient client = node.connect()) {
                client.send(latin(SLOW + request("/ws") + behind));
                assertThat(client.atEnd()).isTrue();
            }
        }
        assertThat(node.echo.opened).isEmpty();
    }

    @Test
    void anUpgradeWhoseTurnDoesNotComeInTimeClosesTheConnection() throws Exception {
        try (RawClient client = node.connect()) {
            client.send(SLOW + request("/ws"));
            assertThat(client.atEnd()).isTrue();
        }
        assertThat(node.echo.opened).isEmpty();
    }

    @Test
    void aConnectionIsReadOnAfterARequestThatWaitedAndIsAnsweredAtOnce() throws Exception {
        try (RawClient client = node.connect()) {
            client.send(SLOW + "GET /nothing HTTP/1.1\r\nHost: a\r\n\r\n");
            assertThat(client.silentFor(100)).isTrue();
            node.pages().slow.countDown();
            assertThat(client.answer().body()).isEqualTo("slow");
            assertThat(client.answer().status()).isEqualTo(404);
            client.send(HELLO);
            assertThat(client.answer().body()).isEqualTo("hello");
            upgradeAndEcho(client);
        }
    }

    @Test
    void pipelinedRequestsAreAnsweredInOrder() throws Exception {
        try (RawClient client = node.connect()) {
            client.send(HELLO + "GET /blocking HTTP/1.1\r\nHost: a\r\n\r\n" + HELLO);
            assertThat(client.answer().body()).isEqualTo("hello");
            assertThat(client.answer().body()).isEqualTo("virtual");
            assertThat(client.answer().body()).isEqualTo("hello");
            upgradeAndEcho(client);
        }
    }

    @Test
    void streamsAndLargeBodiesPass() throws Exception {
        try (RawClient client = node.connect()) {
            client.send("GET /stream HTTP/1.1\r\nHost: a\r\nAccept: text/event-stream\r\n\r\n");
            assertThat(client.answer().body()).contains("data:event 0", "data:event 4");
            client.send(
                    "POST /length HTTP/1.1\r\nHost: a\r\nContent-Type: text/plain\r\nContent-Length: 1000000\r\n\r\n");
            client.send(RawClient.filled(1_000_000, 'a'));
            assertThat(client.answer().body()).isEqualTo("1000000");
            upgradeAndEcho(client);
        }
    }

    @Test
    void aFirstRequestThatDoesNotEndInTimeIs408() throws Exception {
        try (RawClient client = node.connect();
                RawClient nothing = node.connect()) {
            client.send("GET /ws HTTP/1.1\r\nHost: a\r\n");
            CompletableFuture<Void> dribble = CompletableFuture.runAsync(() -> {
                for (int i = 0; i < 500; i++) {
                    client.sendWhatGoes(latin("X-" + i + ": 1\r\n"));
                    java.util.concurrent.locks.LockSupport.parkNanos(2_000_000);
                }
            });
            Answer answer = client.answer();
            if (answer != null) assertThat(answer.status()).isEqualTo(408);
            client.close();
            dribble.join();
            assertThat(nothing.answer().status()).isEqualTo(408);
            assertThat(nothing.atEnd()).isTrue();
        }
    }

    @Test
    void anIdleHttpConnectionAndATricklingBodyAreCut() throws Exception {
        try (RawClient idle = node.connect();
                RawClient trickles = node.connect()) {
            idle.send(HELLO);
            assertThat(idle.answer().body()).isEqualTo("hello");
            trickles.send(
                    "POST /length HTTP/1.1\r\nHost: a\r\nContent-Type: text/plain\r\nContent-Length: 5\r\n\r\nhel");
            assertThat(idle.atEnd()).isTrue();
            assertThat(trickles.atEnd()).isTrue();
        }
    }

    @Test
    void anAnswerThatTakesLongerThanEveryDeadlineArrives() throws Exception {
        try (RawClient client = node.connect()) {
            client.send(SLOW);
            assertThat(client.silentFor(1_500)).isTrue();
            node.pages().slow.countDown();
            assertThat(client.answer().body()).isEqualTo("slow");
        }
    }

    @Test
    void manyConnectsWithResetsAndHalvesLeaveNothing() throws Exception {
        var random = new Random(42);
        byte[] request = latin(request("/limited?user=u"));
        for (int i = 0; i < 400; i++) {
            RawClient client = node.connect();
            switch (i % 8) {
                case 0 -> client.send(java.util.Arrays.copyOf(request, random.nextInt(request.length)));
                case 1 -> client.send(latin(request("/limited?user=a" + i)));
                case 2 -> {
                    client.upgrade("/limited?user=b" + i);
                    byte[] text = RawClient.text("cut anywhere");
                    client.send(java.util.Arrays.copyOf(text, random.nextInt(text.length)));
                }
                case 3 -> {
                    client.upgrade("/limited?user=c" + i);
                    client.send(RawClient.text("whole"));
                    assertThat(client.frame().text()).isEqualTo("whole");
                }
                case 4 -> client.send(latin(request("/ws?refuse=401")));
                case 5 -> client.send(latin("POST /length HTTP/1.1\r\nHost: a\r\nContent-Length: 50\r\n\r\nhalf"));
                case 6 -> {
                    client.upgrade("/ws");
                    client.send(RawClient.frame(0x88, new byte[] {3, (byte) 0xE8}));
                }
                default -> client.send(RawClient.join(latin(request("/ws")), RawClient.text("early")));
            }
            if (random.nextBoolean()) client.reset();
            else client.close();
        }
        node.awaitEmpty();
        assertThat(EchoNode.logged()).isEmpty();
    }

    @Test
    void requestsThatAreNotHttpGetOneAnswerAndTheEnd() throws Exception {
        List<String> broken = new ArrayList<>(List.of(
                "\u0016\u0003\u0001\u0002\u0000\u0001\u0000\u0001\u00fc\u0003\u0003 a TLS hello\r\n\r\n",
                "GET\r\n\r\n",
                "GET /hello HTTP/1.1\r\nno colon\r\n\r\n"));
        for (String request : broken) {
            try (RawClient client = node.connect()) {
                client.send(latin(request));
                Answer answer = client.answer();
                assertThat(answer.status()).isIn(400, 505);
                assertThat(client.atEnd()).isTrue();
            }
        }
        assertThat(EchoNode.logged()).isEmpty();
    }
}
