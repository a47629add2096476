package io.carillon.node.push;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.example.host.HostApplication;
import io.carillon.node.identity.UnsafeSettingsException;
import io.carillon.node.testing.Client;
import io.carillon.node.testing.HostProcess;
import io.carillon.node.testing.Nodes;
import io.carillon.node.testing.Poll;
import io.carillon.node.testing.RedisServer;
import io.micrometer.core.instrument.MeterRegistry;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpRequest.BodyPublishers;
import java.net.http.HttpResponse;
import java.time.Clock;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.RegisterExtension;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.springframework.boot.SpringApplication;
import org.springframework.context.ApplicationContext;
import org.springframework.context.ConfigurableApplicationContext;
import org.springframework.context.annotation.Profile;
import org.springframework.web.bind.annotation.GetMapping;
import org.springframework.web.bind.annotation.RestController;
import tools.jackson.databind.JsonNode;

/** A node inside somebody else's Spring MVC application (1), and one in a process of its own (0), in one cluster. */
class EmbeddedIT {
    @RegisterExtension
    static final RedisServer redis = RedisServer.own();

    private static final HttpClient HTTP = HttpClient.newHttpClient();
    private static final AtomicInteger NEXT = new AtomicInteger();

    private static Nodes nodes;

    private final int test = NEXT.incrementAndGet();

    @BeforeAll
    static void start() {
        nodes = new Nodes(redis.url(), 2, Map.of(), node -> node == 1);
    }

    @AfterAll
    static void stop() {
        if (nodes != null) nodes.close();
    }

    private String user(String name) {
        return name + test;
    }

    private static HttpResponse<String> get(String url) throws Exception {
        return HTTP.send(HttpRequest.newBuilder(URI.create(url)).build(), HttpResponse.BodyHandlers.ofString());
    }

    private static HttpResponse<String> post(String url, String body, String... headers) throws Exception {
        return HTTP.send(
                HttpRequest.newBuilder(URI.create(url))
                        .headers(headers)
                        .POST(BodyPublishers.ofString(body))
                        .build(),
                HttpResponse.BodyHandlers.ofString());
    }

    @Test
    void sessionsOnBothKindsOfNodeTalkBothWaysAndResumeAtEither() throws Exception {
        String ada = user("ada");
        String bob = user("bob");
        for (int here : new int[] {0, 1}) {
            int there = 1 - here;
            JsonNode position;
            try (Client a = Client.welcomed(nodes.url(here), ada);
                    Client b = Client.welcomed(nodes.url(there), bob)) {
                a.send("{\"type\":\"chat\",\"to\":\"" + bob + "\",\"content\":\"grüß dich\",\"ref\":\"1\"}");
                a.next("sent");
                position = b.next("chat");
                assertThat(position.path("content").asString()).isEqualTo("grüß dich");
                b.send("{\"type\":\"answer\",\"to\":\"" + ada + "\",\"content\":\"" + here + "\"}");
                assertThat(a.next("answer").path("content").asString()).isEqualTo(Integer.toString(here));
            }
            for (int i = 0; i < 20; i++) {
                String event = "{\"type\":\"missed\",\"to\":\"" + bob + "\",\"content\":" + i + "}";
                assertThat(nodes.call(there, "POST", "/api/ws/send", event).statusCode())
                        .isEqualTo(202);
            }
            try (Client back = Client.welcomed(nodes.url(here), bob)) {
                back.send("{\"type\":\"resume\",\"channels\":{\"user:" + bob + "\":{\"epoch\":\""
                        + position.path("epoch").asString() + "\",\"offset\":"
                        + position.path("offset").asLong() + "}}}");
                List<JsonNode> frames = back.upTo("resumed");
                assertThat(frames.getLast()
                                .path("channels")
                                .path("user:" + bob)
                                .path("recovered")
                                .asBoolean())
                        .isTrue();
                assertThat(frames.stream()
                                .filter(frame -> frame.path("type").asString("").equals("missed"))
                                .map(frame -> frame.path("content").asInt()))
                        .hasSize(20)
                        .isSorted();
            }
        }
    }

    @Test
    void presenceCountsBothKindsOfNode() throws Exception {
        String ada = user("ada");
        try (Client one = Client.welcomed(nodes.url(0), ada);
                Client two = Client.welcomed(nodes.url(1), ada)) {
            for (int asked : new int[] {0, 1}) {
                JsonNode user = Client.JSON.readTree(
                        nodes.call(asked, "GET", "/api/ws/users/" + ada, null).body());
                assertThat(user.path("sessions")
                                .valueStream()
                                .map(session -> session.path("node").asString()))
                        .hasSize(2)
                        .doesNotHaveDuplicates();
            }
            JsonNode all = nodes.get("/api/ws/nodes").path("nodes");
            assertThat(all).hasSize(2);
            Poll.until(
                    "the port of the application",
                    Duration.ofSeconds(10),
                    () -> nodes.get("/api/ws/nodes")
                            .path("nodes")
                            .valueStream()
                            .map(node -> node.path("port").asInt())
                            .toList()
                            .contains(URI.create(nodes.url(1)).getPort()));
        }
    }

    @Test
    void usersOfAKilledApplicationAreGone() throws Exception {
        String ada = user("ada");
        try (var host = new HostProcess(redis.url());
                Client watcher = Client.welcomed(nodes.url(0), user("bob"));
                Client client = Client.welcomed(host.url, ada)) {
            watcher.send("{\"type\":\"chat\",\"to\":\"" + ada + "\"}");
            client.next("chat");
            assertThat(online(ada)).isTrue();
            host.kill();
            Poll.until("its user to be away", Duration.ofSeconds(15), () -> !online(ada));
        }
    }

    private static boolean online(String user) throws Exception {
        return nodes.get("/api/ws/users/" + user).path("online").asBoolean();
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            value = {
                "/api/ws/connect | '' | 401",
                "/api/ws/connect?token=wrong | '' | 401",
                "/api/ws/connect?user_id=a%20b | '' | 400",
                "/api/ws/connect?user_id=u | Origin: https://evil.example | 403",
                "/api/ws/connect?user_id=u | Sec-WebSocket-Version: 8 | 426",
                "/api/ws/connect?user_id=u | Sec-WebSocket-Key: short | 400",
            })
    void aBadHandshakeIsAnsweredAsOnANodeOfItsOwn(String target, String header, int status) throws Exception {
        var answers = new ArrayList<String>();
        for (int node : new int[] {0, 1}) {
            URI address = URI.create(nodes.url(node));
            try (var socket = new java.net.Socket(address.getHost(), address.getPort())) {
                var lines = new ArrayList<>(List.of(
                        "Host: " + address.getAuthority(),
                        "Upgrade: websocket",
                        "Connection: Upgrade",
                        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
                        "Sec-WebSocket-Version: 13"));
                if (!header.isEmpty()) {
                    lines.removeIf(line -> line.startsWith(header.substring(0, header.indexOf(':') + 1)));
                    lines.add(header);
                }
                socket.setSoTimeout(5_000);
                socket.getOutputStream()
                        .write(("GET " + target + " HTTP/1.1\r\n" + String.join("\r\n", lines) + "\r\n\r\n")
                                .getBytes());
                var answer = new StringBuilder();
                while (answer.indexOf("}") < 0)
                    answer.append((char) socket.getInputStream().read());
                assertThat(answer).startsWith("HTTP/1.1 " + status);
                answers.add(answer.substring(answer.indexOf("{")));
            }
        }
        assertThat(answers.getFirst()).startsWith("{\"error\":\"").isEqualTo(answers.getLast());
    }

    @Test
    void aSlowClientIsClosedAloneAndTheOthersWaitForNobody() throws Exception {
        String room = user("lobby");
        double before = slow();
        try (Client slow = Client.welcomed(nodes.url(1), user("sloth"));
                Client quick = Client.welcomed(nodes.url(1), user("bob"));
                Client away = Client.welcomed(nodes.url(0), user("cleo"))) {
            for (Client member : List.of(slow, quick, away)) {
                member.send("{\"type\":\"join\",\"room\":\"" + room + "\"}").next("joined");
            }
            slow.stopReading();
            String frame = "{\"type\":\"bulk\",\"content\":\"" + "x".repeat(100_000) + "\"}";
            for (int i = 0; i < 200; i++) {
                redis.commands().publish("carillon:push:room:{" + room + "}", frame);
                quick.next("bulk");
                away.next("bulk");
            }
            Poll.until("the slow one is closed", Duration.ofSeconds(15), () -> slow() == before + 1);
            Poll.until("it is away", Duration.ofSeconds(15), () -> !online(user("sloth")));
            quick.send("{\"type\":\"ping\"}").next("pong");
        }
    }

    private static double slow() {
        return nodes.bean(1, MeterRegistry.class)
                .counter("carillon.outbox.slow")
                .count();
    }

    @Test
    void theApplicationIsAsItWas() throws Exception {
        assertThat(get(nodes.url(1) + "/hello").body()).isEqualTo("{\"hello\":0}");
        assertThat(get(nodes.url(1) + "/broken").statusCode()).isEqualTo(418);
        assertThat(get(nodes.url(1) + "/").statusCode()).isEqualTo(418);
        try (Client own = Client.connect(nodes.url(1) + "/own/ws")) {
            assertThat(own.send("1").next("own").path("said").asInt()).isEqualTo(1);
        }
        ApplicationContext application = nodes.context(1);
        assertThat(application.getBeansOfType(Clock.class)).containsOnlyKeys("clock");
        assertThat(application.getBean("publisher")).isEqualTo("the application's");
        assertThat(application.getBeanDefinitionNames())
                .filteredOn(name -> application.getType(name) != null
                        && application.getType(name).getName().startsWith("io.carillon.node"))
                .containsExactlyInAnyOrder(
                        "io.carillon.node.CarillonAutoConfiguration",
                        "io.carillon.node.CarillonHealthAutoConfiguration",
                        "carillonNode",
                        "carillonDrain",
                        "carillonHealthIndicator");
        assertThat(application.getEnvironment().getProperty("spring.main.banner-mode"))
                .isNull();
        assertThat(application.getClass().getSimpleName()).contains("Servlet");
    }

    @Test
    void theHttpApiIsTheSameThere() throws Exception {
        String url = nodes.url(1);
        String bob = user("bob");
        try (Client b = Client.welcomed(nodes.url(0), bob)) {
            String event = "{\"type\":\"invoice\",\"to\":\"" + bob + "\",\"content\":1}";
            String[] headers = {
                "X-API-Key", Nodes.API_KEY, "Content-Type", "application/json", "Idempotency-Key", "key-" + test
            };
            HttpResponse<String> first = post(url + "/api/ws/send", event, headers);
            HttpResponse<String> again = post(url + "/api/ws/send", event, headers);
            HttpResponse<String> elsewhere = post(nodes.url(0) + "/api/ws/send", event, headers);
            assertThat(first.statusCode()).isEqualTo(202);
            assertThat(Client.JSON.readTree(first.body()).path("online").asBoolean())
                    .isTrue();
            assertThat(again.body()).isEqualTo(first.body());
            assertThat(elsewhere.body()).isEqualTo(first.body());
            assertThat(post(url + "/api/ws/send", event.replace("1}", "2}"), headers)
                            .statusCode())
                    .isEqualTo(422);
            redis.commands().publish("carillon:push:user:{" + bob + "}", "{\"type\":\"end\"}");
            assertThat(b.upTo("end").stream().map(frame -> frame.path("type").asString()))
                    .containsExactly("invoice", "end");
            JsonNode status = Client.JSON.readTree(
                    nodes.call(1, "GET", "/api/ws/status?limit=1000", null).body());
            assertThat(status.path("online_users").valueStream().map(JsonNode::asString))
                    .contains(bob);
            assertThat(status.path("nodes").asInt()).isEqualTo(2);
        }
    }

    /** What a call comes to that is not as it should be, word for word as on a node of its own. */
    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            value = {
                "GET | /api/ws/status | '' | '' | 401",
                "GET | /api/ws/nothing | key | '' | 404",
                "GET | /api/ws/status?namespace=nobody | key | '' | 404",
                "GET | /api/ws/status?limit=0 | key | '' | 400",
                "GET | /api/ws/status?limit=many | key | '' | 400",
                "POST | /api/ws/status | key | {} | 405",
                "POST | /api/ws/send | key | {} | 400",
                "POST | /api/ws/send | key | '' | 400",
                "POST | /api/ws/send | key | large | 413",
                "POST | /api/ws/send | text | {} | 415",
                "GET | /api/ws/rooms/a//b | key | '' | 400",
                "GET | /api/ws/rooms/a;b=c | key | '' | 400",
                "GET | /api/ws/history | key | '' | 400",
                "POST | /api/ws/tickets | '' | '' | 401",
                "GET | /api/ws/tickets | '' | '' | 405",
            })
    void aWrongCallIsAnsweredAsOnANodeOfItsOwn(String method, String path, String with, String body, int status)
            throws Exception {
        var bodies = new ArrayList<JsonNode>();
        for (int node : new int[] {0, 1}) {
            String sent = body.equals("large") ? "x".repeat(1_100_000) : body;
            var request = HttpRequest.newBuilder(URI.create(nodes.url(node) + path))
                    .method(method, body.isEmpty() ? BodyPublishers.noBody() : BodyPublishers.ofString(sent));
            if (!with.isEmpty()) request.header("Authorization", "Bearer " + Nodes.API_KEY);
            request.header("Content-Type", with.equals("text") ? "text/plain" : "application/json");
            HttpResponse<String> answer = HTTP.send(request.build(), HttpResponse.BodyHandlers.ofString());
            assertThat(answer.statusCode()).as(node + answer.body()).isEqualTo(status);
            assertThat(answer.headers().firstValue("Content-Type")).hasValue("application/problem+json");
            assertThat(answer.headers().firstValue("X-Content-Type-Options")).hasValue("nosniff");
            bodies.add(Client.JSON.readTree(answer.body()));
        }
        assertThat(bodies.getLast()).isEqualTo(bodies.getFirst());
    }

    @Test
    void aTicketOfOneIsGoodAtTheOther() throws Exception {
        String token = Nodes.token(user("ada"), Instant.now().getEpochSecond() + 60, "");
        for (int from : new int[] {0, 1}) {
            HttpResponse<String> minted =
                    post(nodes.url(from) + "/api/ws/tickets", "", "Authorization", "Bearer " + token);
            assertThat(minted.statusCode()).isEqualTo(201);
            String ticket = Client.JSON.readTree(minted.body()).path("ticket").asString();
            try (Client a = Client.connect(nodes.url(1 - from) + "/api/ws/connect?ticket=" + ticket)) {
                assertThat(a.next("welcome").path("user").asString()).isEqualTo(user("ada"));
            }
        }
    }

    @Test
    void healthAndMetricsAreAmongTheApplications() throws Exception {
        try (Client a = Client.welcomed(nodes.url(1), user("ada"))) {
            HttpResponse<String> health = get(nodes.managementUrl(1) + "/actuator/health");
            assertThat(health.statusCode()).isEqualTo(200);
            assertThat(Client.JSON
                            .readTree(health.body())
                            .path("components")
                            .path("carillon")
                            .path("status")
                            .asString())
                    .isEqualTo("UP");
            assertThat(get(nodes.managementUrl(1) + "/actuator/prometheus").body())
                    .contains("carillon_sessions{endpoint=\"push\"")
                    .contains("carillon_redis_up 1.0");
        }
    }

    @Test
    void aDrainedNodeLeavesTheApplicationServing() throws Exception {
        try (var more = new Nodes(redis.url(), 1, Map.of(), node -> true);
                Client client = Client.push(more.url(0), user("ada"))) {
            String id = client.next("welcome").path("node").asString();
            assertThat(nodes.call("POST", "/api/ws/nodes/" + id + "/drain", null)
                            .statusCode())
                    .isEqualTo(202);
            client.next("drain");
            assertThat(client.closeCode()).isEqualTo(1012);
            Poll.until(
                    "the node to leave the cluster",
                    Duration.ofSeconds(15),
                    () -> !nodes.get("/api/ws/nodes")
                            .path("nodes")
                            .valueStream()
                            .map(node -> node.path("id").asString())
                            .toList()
                            .contains(id));
            assertThat(get(more.url(0) + "/hello").statusCode()).isEqualTo(200);
            assertThat(more.call("GET", "/api/ws/status", null).statusCode()).isEqualTo(503);
            assertThatThrownBy(() -> Client.push(more.url(0), "late")).hasStackTraceContaining("503");
            assertThat(get(more.managementUrl(0) + "/actuator/health").statusCode())
                    .isEqualTo(503);
        }
    }

    @Test
    void anApplicationThatStopsSaysGoodbye() throws Exception {
        var more = new Nodes(redis.url(), 1, Map.of(), node -> true);
        try (Client client = Client.welcomed(more.url(0), user("ada"))) {
            Thread stop = Thread.ofVirtual().start(more::close);
            client.next("drain");
            assertThat(client.closeCode()).isEqualTo(1012);
            stop.join();
        }
        assertThat(online(user("ada"))).isFalse();
    }

    @Test
    void underAContextPathAndBesideAServletPathAddressesFollow() throws Exception {
        var settings = Map.of("server.servlet.context-path", "/shop", "spring.mvc.servlet.path", "/api");
        try (var more = new Nodes(redis.url(), 1, settings, node -> true)) {
            assertThat(get(more.url(0) + "/shop/api/hello").statusCode()).isEqualTo(200);
            try (Client client = Client.welcomed(more.url(0) + "/shop", user("ada"))) {
                assertThat(more.call("GET", "/shop/api/ws/users/" + user("ada"), null)
                                .body())
                        .contains("\"online\":true");
                client.send("{\"type\":\"ping\"}").next("pong");
            }
        }
    }

    @Test
    void withoutTheSettingNothingIsThere() throws Exception {
        try (var host = host("--carillon.enabled=false", "--server.address=127.0.0.1")) {
            assertThat(host.getBeanNamesForType(Object.class))
                    .noneMatch(name -> name.startsWith("carillonN") || name.startsWith("io.carillon.node"));
            String url = "http://127.0.0.1:" + host.getEnvironment().getProperty("local.server.port");
            assertThat(get(url + "/hello").statusCode()).isEqualTo(200);
            assertThat(get(url + "/api/ws/status").statusCode()).isEqualTo(418);
        }
    }

    @Test
    void settingsThatLetStrangersInStopTheStart() {
        // The application listens on every address: anybody could be any user.
        assertThatThrownBy(() -> host(
                        "--carillon.enabled=true",
                        "--carillon.redis.url=" + redis.url(),
                        "--carillon.auth.open-identity=true"))
                .rootCause()
                .isInstanceOf(UnsafeSettingsException.class)
                .hasMessageContaining("server.address");
        assertThatThrownBy(() -> host("--carillon.enabled=true", "--carillon.redis.url=" + redis.url()))
                .rootCause()
                .isInstanceOf(UnsafeSettingsException.class)
                .hasMessageContaining("CARILLON_JWT_SECRET");
        assertThatThrownBy(() -> host(
                        "--carillon.enabled=true",
                        "--carillon.redis.url=" + redis.url(),
                        "--spring.data.redis.sentinel.master=main",
                        "--spring.data.redis.sentinel.nodes=127.0.0.1:1"))
                .rootCause()
                .hasMessageContaining("carillon.redis.url and spring.data.redis.sentinel.master");
    }

    /** Has an address that the node has, too. */
    @RestController
    @Profile("clashing")
    static class Inbox {
        @GetMapping("/messages")
        String messages() {
            return "the application's own";
        }
    }

    @Test
    void anAddressThatBothHaveStopsTheStartUntilOneOfThemIsLeftOut() throws Exception {
        String[] settings = {
            "--server.address=127.0.0.1",
            "--spring.profiles.active=clashing",
            "--carillon.enabled=true",
            "--spring.data.redis.url=" + redis.url(),
            "--carillon.auth.jwt-secret=" + Nodes.JWT_SECRET
        };
        assertThatThrownBy(() -> host(settings))
                .rootCause()
                .hasMessageContaining("the application has /messages")
                .hasMessageContaining("carillon.endpoints.<name>.enabled=false");
        var without = new ArrayList<>(List.of(settings));
        without.add("--carillon.endpoints.conversation.enabled=false");
        try (var host = host(without.toArray(String[]::new))) {
            String url = "http://127.0.0.1:" + host.getEnvironment().getProperty("local.server.port");
            assertThat(get(url + "/messages").body()).isEqualTo("the application's own");
            assertThat(get(url + "/ws").statusCode()).isEqualTo(418);
            assertThat(get(url + "/api/ws/connect").statusCode()).isEqualTo(426);
        }
    }

    private static ConfigurableApplicationContext host(String... settings) {
        var application = new SpringApplication(HostApplication.class, Inbox.class);
        application.setDefaultProperties(Map.of("server.port", "0"));
        return application.run(settings);
    }
}
