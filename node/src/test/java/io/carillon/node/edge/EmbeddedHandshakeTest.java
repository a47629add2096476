package io.carillon.node.edge;

import static io.carillon.node.edge.RawClient.request;
import static org.assertj.core.api.Assertions.assertThat;

import org.junit.jupiter.api.Test;

/** The opening handshake inside a servlet application: what is malformed and what is no endpoint is the container's. */
class EmbeddedHandshakeTest extends HandshakeContract {
    @Override
    EchoNode start(String... settings) {
        return EchoNode.embedded(settings);
    }

    @Test
    void whatIsNoEndpointIsTheApplications() throws Exception {
        try (RawClient client = node.connect()) {
            client.send("GET /hello HTTP/1.1\r\nHost: a\r\n\r\n");
            assertThat(client.answer().body()).isEqualTo("hello");
            client.send(request("/ws/"));
            assertThat(client.answer().status()).isEqualTo(404);
        }
    }

    @Test
    void aMalformedRequestIsNoSession() throws Exception {
        for (String request : new String[] {
            request("/ws", "-Host"),
            request("/ws", "+Host: b"),
            request("/ws").replace("Host:", "garbage line\r\nHost:")
        }) {
            try (RawClient client = node.connect()) {
                client.send(request);
                assertThat(client.answerHead().status()).isEqualTo(400);
            }
        }
    }
}
