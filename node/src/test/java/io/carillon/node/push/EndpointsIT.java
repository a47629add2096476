package io.carillon.node.push;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.carillon.node.testing.Client;
import io.carillon.node.testing.Nodes;
import io.carillon.node.testing.RedisServer;
import java.net.http.WebSocketHandshakeException;
import java.time.Instant;
import java.util.LinkedHashMap;
import java.util.Map;
import org.assertj.core.api.ThrowableAssert.ThrowingCallable;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import tools.jackson.databind.JsonNode;

/** Endpoints are settings: the same dialect is served under several addresses, each by its own rules. */
class EndpointsIT {
    private static final String DESK = "carillon.endpoints.desk.";

    private static RedisServer redis;
    private static Nodes nodes;

    @BeforeAll
    static void start() {
        redis = RedisServer.running();
        nodes = new Nodes(
                redis.url(),
                2,
                Map.of(
                        DESK + "path", "/desk",
                        DESK + "dialect", "push",
                        DESK + "namespace", "desk-of-bob",
                        DESK + "max-message", "1KB",
                        DESK + "origins", "https://desk.example",
                        DESK + "query-token", "false",
                        DESK + "client-broadcast", "true",
                        DESK + "senders.notice", "agent, admin",
                        DESK + "history.user", "2",
                        DESK + "history.age", "120s"));
    }

    @AfterAll
    static void stop() {
        nodes.close();
        redis.close();
    }

    private static Client desk(int node, String user, String claims) throws Exception {
        String token = Nodes.token(user, Instant.now().getEpochSecond() + 600, claims);
        Client client = Client.connect(nodes.url(node) + "/desk", "Authorization", "Bearer " + token);
        client.next("welcome");
        return client;
    }

    @Test
    void theSameDialectServesTwoNamespacesThatNeverSeeEachOther() throws Exception {
        try (Client ada = desk(0, "ada", "");
                Client bob = desk(1, "bob", "");
                Client twin = Client.welcomed(nodes.url(1), "bob")) {
            ada.send("{\"type\":\"chat\",\"to\":\"bob\",\"content\":\"here\",\"ref\":\"1\"}")
                    .next("sent");
            assertThat(bob.next("chat").path("content").asString()).isEqualTo("here");
            nodes.call("POST", "/api/ws/send", "{\"type\":\"mark\",\"to\":\"bob\"}");
            assertThat(twin.upTo("mark"))
                    .extracting(frame -> frame.path("type").asString())
                    .containsExactly("mark");
            assertThat(nodes.get("/api/ws/status?namespace=desk-of-bob")
                            .path("online_count")
                            .asInt())
                    .isEqualTo(2);
        }
    }

    @Test
    void eachEndpointHasItsOwnLimitOriginsAndCredentials() throws Exception {
        try (Client ada = desk(0, "ada", "")) {
            ada.send("{\"type\":\"chat\",\"to\":\"bob\",\"content\":\"" + "x".repeat(1024) + "\"}");
            assertThat(ada.closeCode()).isEqualTo(1009);
        }
        String token = Nodes.token("ada", Instant.now().getEpochSecond() + 600, "");
        assertThat(status(() -> Client.connect(nodes.url(0) + "/desk?token=" + token)))
                .isEqualTo(401);
        String bearer = "Bearer " + token;
        Client.connect(nodes.url(0) + "/desk", "Authorization", bearer, "Origin", "https://desk.example")
                .close();
        assertThat(status(() -> Client.connect(
                        nodes.url(0) + "/api/ws/connect", "Authorization", bearer, "Origin", "https://desk.example")))
                .isEqualTo(403);
    }

    private static int status(ThrowingCallable handshake) {
        var failure = org.assertj.core.api.Assertions.catchThrowable(handshake);
        assertThat(failure).hasCauseInstanceOf(WebSocketHandshakeException.class);
        return ((WebSocketHandshakeException) failure.getCause()).getResponse().statusCode();
    }

    @Test
    void anEventTypeIsSentByTheKindsOfUsersTheEndpointNames() throws Exception {
        try (Client user = desk(0, "u", "\"kind\":\"user\"");
                Client nobody = desk(0, "n", "");
                Client agent = desk(1, "a", "\"kind\":\"agent\"")) {
            for (Client refused : new Client[] {user, nobody}) {
                JsonNode error =
                        refused.send("{\"type\":\"notice\",\"ref\":\"1\"}").next("error");
                assertThat(error.path("code").asString()).isEqualTo("not_allowed");
                assertThat(error.path("error").asString()).contains("agent").contains("admin");
            }
            agent.send("{\"type\":\"notice\",\"content\":1,\"ref\":\"2\"}").next("sent");
            assertThat(user.next("notice").path("from").asString()).isEqualTo("a");
            // A type that is not named anyone may send.
            user.send("{\"type\":\"word\",\"ref\":\"3\"}").next("sent");
        }
    }

    @Test
    void anEndpointSaysHowMuchIsKeptOfItsNamespace() throws Exception {
        for (int i = 0; i < 5; i++) {
            nodes.call("POST", "/api/ws/send?namespace=desk-of-bob", "{\"type\":\"m\",\"to\":\"kept\"}");
            nodes.call("POST", "/api/ws/send", "{\"type\":\"m\",\"to\":\"kept\"}");
        }
        assertThat(nodes.get("/api/ws/history?channel=user:kept&namespace=desk-of-bob")
                        .path("events")
                        .size())
                .isEqualTo(2);
        assertThat(nodes.get("/api/ws/history?channel=user:kept").path("events").size())
                .isEqualTo(5);
        assertThat(redis.commands().ttl("carillon:desk-of-bob:user:{kept}:history"))
                .isBetween(100L, 120L);
        assertThat(redis.commands().ttl("carillon:push:user:{kept}:history")).isGreaterThan(200L);
    }

    @ParameterizedTest(name = "{0}={1}")
    @CsvSource(
            delimiter = '|',
            value = {
                "path|desk|path",
                "path|/api/ws/connect|same path",
                "dialect|smoke-signals|smoke-signals",
                "namespace|Not A Name|namespace",
                "max-message|10B|max-message",
                "silence|5s|silence",
                "history.age|0s|history.age",
                "history.user|0|history.user",
                "over-limit|explode|over-limit",
                "origins|*|origins",
            })
    void aBadSettingStopsTheStartAndIsNamed(String name, String value, String said) {
        var settings = new LinkedHashMap<>(Map.of(DESK + "path", "/desk", DESK + "dialect", "push"));
        settings.put(DESK + name, value);
        assertThatThrownBy(() -> new Nodes(redis.url(), 1, settings).close())
                .satisfies(failure -> assertThat(chain(failure)).contains(said));
    }

    private static String chain(Throwable failure) {
        var text = new StringBuilder();
        for (Throwable cause = failure; cause != null; cause = cause.getCause()) {
            text.append(cause.getMessage()).append('\n');
        }
        return text.toString();
    }
}
