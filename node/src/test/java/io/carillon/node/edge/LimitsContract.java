package io.carillon.node.edge;

import static io.carillon.node.edge.RawClient.request;
import static org.assertj.core.api.Assertions.assertThat;

import io.carillon.node.edge.RawClient.Answer;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.ExtendWith;

/** How many may be in, and how fast they may come, on either transport. */
@ExtendWith(NoLeaks.class)
abstract class LimitsContract {
    abstract EchoNode start(String... settings);

    private static Answer knock(EchoNode node, String target, String... headers) throws Exception {
        try (RawClient client = node.connect()) {
            client.send(request(target, headers));
            return client.answer();
        }
    }

    @Test
    void aFullNodeAnd503WithRetryAfterUntilSomebodyLeaves() throws Exception {
        try (EchoNode node = start("carillon.edge.max-sessions=2", "carillon.edge.sessions-per-address=3")) {
            try (RawClient one = node.open();
                    RawClient two = node.open()) {
                Answer answer = knock(node, "/ws");
                assertThat(answer.status()).isEqualTo(503);
                assertThat(Integer.parseInt(answer.header("Retry-After"))).isBetween(1, 5);
                // A page of another origin is told so first, an unknown user never.
                assertThat(knock(node, "/ws", "Origin: https://evil.example").status())
                        .isEqualTo(403);
                assertThat(knock(node, "/ws?refuse=401").status()).isEqualTo(503);
                one.send(RawClient.text("in"));
                assertThat(one.frame().text()).isEqualTo("in");
                two.send(RawClient.text("in"));
                assertThat(two.frame().text()).isEqualTo("in");
            }
            node.awaitEmpty();
            node.open().close();
            node.awaitEmpty();
        }
    }

    @Test
    void anAddressWithTooManySessionsIs429() throws Exception {
        try (EchoNode node = start("carillon.edge.sessions-per-address=2")) {
            String first = "X-Forwarded-For: 203.0.113.1";
            String v6 = "X-Forwarded-For: 2001:db8:1:2::";
            try (RawClient one = node.connect().upgrade("/ws", first);
                    RawClient two = node.connect().upgrade("/ws", first);
                    RawClient other = node.connect().upgrade("/ws", "X-Forwarded-For: 203.0.113.2");
                    RawClient six = node.connect().upgrade("/ws", v6 + "1");
                    RawClient sixToo = node.connect().upgrade("/ws", v6 + "2")) {
                assertThat(knock(node, "/ws", first).status()).isEqualTo(429);
                assertThat(knock(node, "/ws", v6 + "3").status()).isEqualTo(429);
                node.connect()
                        .upgrade("/ws", "X-Forwarded-For: 2001:db8:1:3::1")
                        .close();
            }
            node.awaitEmpty();
            node.connect().upgrade("/ws", first).close();
            node.awaitEmpty();
        }
    }

    @Test
    void aUserWithTooManySessionsHereOrElsewhereIs429() throws Exception {
        try (EchoNode node = start()) {
            try (RawClient one = node.open("/limited?user=a");
                    RawClient two = node.open("/limited?user=a");
                    RawClient other = node.open("/limited?user=b")) {
                assertThat(knock(node, "/limited?user=a").status()).isEqualTo(429);
                assertThat(knock(node, "/limited?user=busy").status()).isEqualTo(429);
                assertThat(knock(node, "/limited?user=a&refuse=401").status()).isEqualTo(401);
            }
            node.awaitEmpty();
            node.open("/limited?user=a").close();
            node.awaitEmpty();
        }
    }

    @Test
    void handshakesOverTheRateAre503() throws Exception {
        try (EchoNode node = start("carillon.edge.handshakes-per-second=1", "carillon.edge.handshake-burst=3")) {
            for (int i = 0; i < 3; i++) node.open().close();
            Answer answer = knock(node, "/ws");
            assertThat(answer.status()).isEqualTo(503);
            assertThat(answer.header("Retry-After")).isNotNull();
            node.awaitEmpty();
        }
    }

    @Test
    void aSettingThatMakesNoSenseStopsTheStart() {
        for (String setting : new String[] {
            "carillon.edge.trusted-proxies=10.0.0.0/33",
            "carillon.edge.handshake=0s",
            "carillon.edge.max-sessions=-1",
            "carillon.endpoints.echo.origins=*"
        }) {
            try (EchoNode node = start(setting)) {
                throw new AssertionError("started with " + setting);
            } catch (RuntimeException e) {
                assertThat(e).hasStackTraceContaining(setting.contains("echo") ? "origins" : "carillon.edge");
            }
        }
    }
}
