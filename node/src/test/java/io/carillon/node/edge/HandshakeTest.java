package io.carillon.node.edge;

import static io.carillon.node.edge.RawClient.request;
import static org.assertj.core.api.Assertions.assertThat;

import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;

/** The opening handshake on a listener of the node's own, which reads HTTP itself and answers for every path. */
class HandshakeTest extends HandshakeContract {
    @Override
    EchoNode start(String... settings) {
        return EchoNode.start(settings);
    }

    static Stream<Arguments> refusedHere() {
        String big = "x".repeat(20_000);
        StringBuilder many = new StringBuilder();
        for (int i = 0; i < 2_000; i++) many.append("X-").append(i).append(": 1\r\n");
        StringBuilder some = new StringBuilder();
        for (int i = 0; i < 100; i++) some.append("X-").append(i).append(": 1\r\n");
        return Stream.of(
                the("H16 no Host", request("/ws", "-Host"), 400),
                the("H17 two Hosts", request("/ws", "+Host: b"), 400),
                the("Host is no host", request("/ws", "Host: a/b"), 400),
                the("H29 header without colon", request("/ws").replace("Host:", "garbage line\r\nHost:"), 400),
                the("H32 NUL in a value", request("/ws", "X-A: a\u0000b"), 400),
                the("H33 header of 20 KB", request("/ws", "X-A: " + big), 431),
                the("H34 2,000 headers", request("/ws").replace("Host:", many + "Host:"), 431),
                the("more headers than allowed", request("/ws").replace("Host:", some + "Host:"), 431),
                the("H35 target of 20 KB", request("/ws?a=" + big), 414),
                the("H36 space before the colon", request("/ws").replace("Upgrade:", "Upgrade :"), 400),
                the("unknown path", request("/nope"), 404),
                the("path with a slash more", request("/ws/"), 404),
                the("path with a parameter", request("/ws;x=1"), 404),
                the("path encoded", request("/%77s"), 404),
                the(
                        "an unknown path comes first",
                        request("/nope?refuse=401", "Origin: https://evil.example", "-Sec-WebSocket-Version"),
                        404));
    }

    @ParameterizedTest(name = "{0}")
    @MethodSource
    void refusedHere(String name, String request, int status) throws Exception {
        refused(name, request, status);
    }

    /** Where a lenient answer would do, too: what counts is that it is one of these, and never an error of ours. */
    static Stream<Arguments> tolerated() {
        return Stream.of(
                Arguments.of("H30 folded header", request("/ws").replace("Host:", "X-A: b\r\n c\r\nHost:")),
                Arguments.of("H31 bare LF", request("/ws").replace("\r\n", "\n")));
    }

    @ParameterizedTest(name = "{0}")
    @MethodSource
    void tolerated(String name, String request) throws Exception {
        try (RawClient client = node.connect()) {
            client.send(request);
            assertThat(client.answerHead().status()).isIn(101, 400);
        }
    }

    @Test
    void h38ARequestBehindARefusedUpgradeIsNotServed() throws Exception {
        try (RawClient client = node.connect()) {
            client.send(request("/ws", "Origin: https://evil.example") + "GET /hello HTTP/1.1\r\nHost: a\r\n\r\n");
            assertThat(client.answer().status()).isEqualTo(403);
            assertThat(client.atEnd()).isTrue();
        }
    }
}
