package io.carillon.node.edge;

import static io.carillon.node.edge.RawClient.request;
import static org.assertj.core.api.Assertions.assertThat;

import io.carillon.node.edge.RawClient.Answer;
import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestInstance;
import org.junit.jupiter.api.extension.ExtendWith;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;

/** The opening handshake, RFC 6455 §4.2, on either transport: cases H1 to H38 and the order of refusals. */
@ExtendWith(NoLeaks.class)
@TestInstance(TestInstance.Lifecycle.PER_CLASS)
abstract class HandshakeContract {
    EchoNode node;

    abstract EchoNode start(String... settings);

    @BeforeAll
    void begin() {
        node = start();
    }

    @AfterAll
    void stop() throws Exception {
        node.awaitEmpty();
        node.close();
    }

    static Stream<Arguments> accepted() {
        return Stream.of(
                Arguments.of("H1 the RFC's sample key", request("/ws")),
                Arguments.of("H6 Connection is a list", request("/ws", "Connection: keep-alive, Upgrade")),
                Arguments.of(
                        "H6 Connection over two lines",
                        request("/ws", "Connection: keep-alive", "+Connection: Upgrade")),
                Arguments.of("H7 tokens in any case", request("/ws", "Connection: UPGRADE", "Upgrade: WebSocket")),
                Arguments.of("H22 no Origin", request("/ws")),
                Arguments.of("origin of the same host", request("/ws", "Origin: http://127.0.0.1")),
                Arguments.of("origin in capitals", request("/ws", "Origin: HTTPS://GOOD.example")),
                Arguments.of("origin with its default port", request("/ws", "Origin: https://good.example:443")),
                Arguments.of(
                        "origin of a host named with a port",
                        request("/ws", "Host: door.example:8080", "Origin: http://Door.Example:8080")),
                Arguments.of(
                        "origin of the front door behind a trusted proxy",
                        request(
                                "/ws",
                                "Origin: https://front.example",
                                "X-Forwarded-Proto: https",
                                "X-Forwarded-Host: front.example")),
                Arguments.of("H26 absolute-form target", request("http://127.0.0.1/ws")),
                Arguments.of("Content-Length of 0", request("/ws", "Content-Length: 0")),
                Arguments.of("a token of 4 KB in the query", request("/ws?token=" + "a".repeat(4096))),
                Arguments.of(
                        "an extension is offered",
                        request("/ws", "Sec-WebSocket-Extensions: permessage-deflate; server_max_window_bits=7")));
    }

    @ParameterizedTest(name = "{0}")
    @MethodSource
    void accepted(String name, String request) throws Exception {
        try (RawClient client = node.connect()) {
            client.send(request);
            Answer answer = client.answerHead();
            assertThat(answer.status()).isEqualTo(101);
            assertThat(answer.header("Sec-WebSocket-Accept")).isEqualTo("s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
            assertThat(answer.header("Upgrade")).isEqualTo("websocket");
            assertThat(answer.header("Connection")).containsIgnoringCase("upgrade");
            assertThat(answer.header("Sec-WebSocket-Extensions")).isNull();
            client.send(RawClient.text("there"));
            assertThat(client.frame().text()).isEqualTo("there");
        }
    }

    static Stream<Arguments> refused() {
        return Stream.of(
                the("H2 POST", request("/ws", "Content-Length: 0").replace("GET ", "POST "), 405),
                the("H3 HTTP/1.0", request("/ws").replace("HTTP/1.1", "HTTP/1.0"), 426),
                the("H4 no Upgrade", request("/ws", "-Upgrade"), 426),
                the("H5 no Connection", request("/ws", "-Connection"), 426),
                the("plain GET", "GET /ws HTTP/1.1\r\nHost: a\r\n\r\n", 426),
                the("H8 no key", request("/ws", "-Sec-WebSocket-Key"), 400),
                the("H9 key of 15 bytes", request("/ws", "Sec-WebSocket-Key: eHh4eHh4eHh4eHh4eHh4"), 400),
                the("H9 key of 17 bytes", request("/ws", "Sec-WebSocket-Key: eHh4eHh4eHh4eHh4eHh4eHg="), 400),
                the("H10 key not base64", request("/ws", "Sec-WebSocket-Key: !!!not!base64!at!all!!!!"), 400),
                the("H11 two keys", request("/ws", "+Sec-WebSocket-Key: " + RawClient.KEY), 400),
                the("H12 no version", request("/ws", "-Sec-WebSocket-Version"), 426),
                the("H13 version 8", request("/ws", "Sec-WebSocket-Version: 8"), 426),
                the("H14 version 14", request("/ws", "Sec-WebSocket-Version: 14"), 426),
                the("H15 versions 13, 8", request("/ws", "Sec-WebSocket-Version: 13, 8"), 426),
                the("two versions", request("/ws", "+Sec-WebSocket-Version: 13"), 426),
                the("H18 foreign Origin", request("/ws", "Origin: https://evil.example"), 403),
                the("H19 Origin null", request("/ws", "Origin: null"), 403),
                the("H20 Origin as prefix", request("/ws", "Origin: https://good.example.evil.com"), 403),
                the("Origin as suffix", request("/ws", "Origin: https://evilgood.example"), 403),
                the("Origin of another scheme", request("/ws", "Origin: http://good.example"), 403),
                the("Origin of another port", request("/ws", "Origin: https://good.example:444"), 403),
                the("Origin of the host over TLS", request("/ws", "Origin: https://127.0.0.1"), 403),
                the(
                        "H21 two Origins",
                        request("/ws", "Origin: https://good.example", "+Origin: https://evil.example"),
                        400),
                the("H27 a body by length", request("/ws", "Content-Length: 5") + "hello", 400),
                the(
                        "H28 a chunked body",
                        request("/ws", "Transfer-Encoding: chunked") + "5\r\nhello\r\n0\r\n\r\n",
                        400),
                the("nine subprotocols", request("/ws", "Sec-WebSocket-Protocol: a,b,c,d,e,f,g,h,i"), 400),
                the("two Authorizations", request("/ws", "Authorization: Bearer a", "+Authorization: Bearer b"), 400),
                the("query not decodable", request("/ws?a=%zz"), 400),
                the("parameter refused by identity", request("/ws?refuse=400"), 400),
                the("identity refused", request("/ws?refuse=401"), 401),
                the("identity not for here", request("/ws?refuse=403"), 403));
    }

    static Arguments the(String name, String request, int status) {
        return Arguments.of(name, request, status);
    }

    @ParameterizedTest(name = "{0}")
    @MethodSource
    void refused(String name, String request, int status) throws Exception {
        try (RawClient client = node.connect()) {
            client.sendWhatGoes(request.getBytes(StandardCharsets.ISO_8859_1));
            Answer answer = client.answer();
            assertThat(answer.status()).as(answer.toString()).isEqualTo(status);
            assertThat(answer.body()).matches("\\{\"error\":\".+\"}");
            assertThat(answer.header("Content-Type")).isEqualTo("application/json");
            if (status == 426) {
                assertThat(answer.header("Sec-WebSocket-Version")).isEqualTo("13");
            }
            if (status == 405) {
                assertThat(answer.header("Allow")).isEqualTo("GET");
            }
            assertThat(answer.header("Connection")).startsWith("close");
            assertThat(client.atEnd()).isTrue();
        }
    }

    @Test
    void h23KnownSubprotocolIsAnswered() throws Exception {
        assertThat(subprotocol("chat.v1")).isEqualTo("chat.v1");
    }

    @Test
    void h24UnknownSubprotocolIsNotAnswered() throws Exception {
        assertThat(subprotocol("nope")).isNull();
    }

    @Test
    void h25TokenAmongSubprotocolsIsNotEchoed() throws Exception {
        assertThat(subprotocol("chat.v1, bearer.abc")).isEqualTo("chat.v1");
        assertThat(node.doorman.seen)
                .last()
                .satisfies(
                        credentials -> assertThat(credentials.subprotocols()).containsExactly("chat.v1", "bearer.abc"));
    }

    private String subprotocol(String offered) throws Exception {
        try (RawClient client = node.connect()) {
            client.send(request("/ws", "Sec-WebSocket-Protocol: " + offered));
            Answer answer = client.answerHead();
            assertThat(answer.status()).isEqualTo(101);
            assertThat(String.join("\n", answer.headers())).doesNotContain("bearer");
            return answer.header("Sec-WebSocket-Protocol");
        }
    }

    @Test
    void h37AFrameInTheSegmentOfTheRequestIsNotLost() throws Exception {
        try (RawClient client = node.connect()) {
            client.send(RawClient.join(
                    request("/ws").getBytes(StandardCharsets.ISO_8859_1), RawClient.bytes("8185 00000000 6561726c79")));
            assertThat(client.answerHead().status()).isEqualTo(101);
            assertThat(client.frame().text()).isEqualTo("early");
        }
    }

    @Test
    void refusalsComeInTheContractsOrder() throws Exception {
        // One thing after the other is put right, and the next is told.
        record Step(String request, int status) {}
        String foreign = "Origin: https://evil.example";
        for (Step step : List.of(
                new Step(request("/ws?refuse=401", foreign, "-Sec-WebSocket-Version"), 426),
                new Step(request("/ws?refuse=401", foreign), 403),
                new Step(request("/ws?refuse=401"), 401))) {
            try (RawClient client = node.connect()) {
                client.send(step.request);
                assertThat(client.answer().status()).isEqualTo(step.status);
            }
        }
    }

    @Test
    void aSentenceOfIdentityIsEscaped() throws Exception {
        try (RawClient client = node.connect()) {
            client.send(request("/ws?refuse=401"));
            Answer answer = client.answer();
            assertThat(answer.body()).isEqualTo("{\"error\":\"refused as \\u0022asked\\u0022\"}");
            assertThat(answer.header("WWW-Authenticate")).isEqualTo("Bearer");
        }
    }

    @Test
    void headOfAnEndpointHasNoBody() throws Exception {
        try (RawClient client = node.connect()) {
            client.send("HEAD /ws HTTP/1.1\r\nHost: a\r\n\r\n");
            assertThat(client.answerHead().status()).isEqualTo(405);
            assertThat(client.atEnd()).isTrue();
        }
    }

    @Test
    void theClientsAddressIsTheLastThatNoTrustedProxyAdded() throws Exception {
        assertThat(address()).isEqualTo("127.0.0.1");
        assertThat(address("X-Forwarded-For: 203.0.113.9")).isEqualTo("203.0.113.9");
        assertThat(address("X-Forwarded-For: 1.2.3.4, 203.0.113.9, 127.0.0.1")).isEqualTo("203.0.113.9");
        assertThat(address("X-Forwarded-For: 1.2.3.4", "+X-Forwarded-For: 203.0.113.9"))
                .isEqualTo("203.0.113.9");
        assertThat(address("X-Forwarded-For: 2001:db8::1")).isEqualTo("2001:db8::1");
        assertThat(address("X-Forwarded-For: not an address")).isEqualTo("127.0.0.1");
    }

    private String address(String... headers) throws Exception {
        try (RawClient client = node.connect()) {
            client.upgrade("/ws", headers);
            return node.doorman.address;
        }
    }

    @Test
    void credentialsReachIdentityAndSessionIdsAreNotGuessable() throws Exception {
        try (RawClient client = node.connect()) {
            client.upgrade("/ws?token=a%2Bb&x=1&x=2", "Authorization: Bearer abc");
            assertThat(node.doorman.seen).last().satisfies(credentials -> {
                assertThat(credentials.authorization()).isEqualTo("Bearer abc");
                assertThat(credentials.query()).containsEntry("token", "a+b").containsEntry("x", "1");
            });
        }
        var ids = new SessionIds("b1");
        assertThat(Stream.generate(ids::next).limit(1_000))
                .allMatch(id -> id.matches("b1-[a-z2-7]{24}"))
                .doesNotHaveDuplicates();
    }
}
