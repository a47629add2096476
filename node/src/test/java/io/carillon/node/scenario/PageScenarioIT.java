package io.carillon.node.scenario;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import io.carillon.node.testing.Client;
import io.carillon.node.testing.Poll;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import tools.jackson.databind.JsonNode;

/** The page at {@code /}, and a browser client that knows nothing of this project, in Chromium through nginx. */
class PageScenarioIT {
    private static final Path SHOTS = Cluster.REPO.resolve("node/target/screenshots");
    private Cluster cluster;

    @BeforeEach
    void up() throws Exception {
        cluster = Cluster.up("page");
    }

    @AfterEach
    void down() throws Exception {
        cluster.close();
        cluster.forget();
    }

    @Test
    void twoPeopleOnDifferentNodesTalk() throws Exception {
        try (var ada = new Browser(1180, 760);
                var ben = new Browser(390, 844)) {
            ada.open(cluster.url() + "/#ada");
            ada.screenshot(SHOTS.resolve("1-start.png"));
            // With the keyboard alone: the user id has the focus.
            ada.press("Enter");
            ada.await("#state", "Connected as ada");
            ben.open(cluster.url() + "/#ben");
            ben.press("Enter");
            ben.await("#state", "Connected as ben");
            // The front door may put both on one node; then Ben comes again.
            Poll.until("a second node for Ben", Duration.ofSeconds(30), () -> {
                if (!ada.text("#session-node").equals(ben.text("#session-node"))) {
                    return true;
                }
                ben.evaluate("document.querySelector('#connect-button').click()");
                ben.evaluate("document.querySelector('#connect-button').click()");
                ben.await("#state", "Connected as ben");
                return false;
            });
            ada.await("#online", "2");
            ben.await("#online", "2");

            // To one user, chosen by keyboard.
            ada.focus("#target");
            ada.press("ArrowDown");
            ada.press("Tab");
            ada.type("ben");
            ada.press("Tab");
            ada.type("Hello <b>Ben</b> & welcome");
            ada.press("Enter");
            ben.await("#messages", "Hello <b>Ben</b> & welcome");
            assertThat(ben.evaluate("String(document.querySelectorAll('#messages b').length)"))
                    .isEqualTo("0");
            ada.await("#messages .mine .mark", "✓");

            // To everyone, and in a room both have joined.
            ben.focus("#text");
            ben.type("Good morning all");
            ben.press("Enter");
            ada.await("#messages", "Good morning all");
            for (Browser each : List.of(ada, ben)) {
                each.focus("#room");
                each.type("garden");
                each.press("Enter");
                each.await("#rooms", "garden");
            }
            ada.evaluate(
                    "document.querySelector('#target').value = 'room'; document.querySelector('#target').dispatchEvent(new Event('change')); document.querySelector('#name').value = 'garden'");
            ada.focus("#text");
            ada.type("The roses are out");
            ada.press("Enter");
            ben.await("#messages", "in garden");
            ben.await("#messages", "The roses are out");

            // With the API key the count is the cluster's.
            ada.evaluate("document.querySelector('#api-key').value = "
                    + Client.JSON.writeValueAsString(cluster.env().get("CARILLON_API_KEY")));
            ada.await("#online-what", "online");
            ada.await("#online", "2");
            ada.screenshot(SHOTS.resolve("2-wide.png"));
            ben.evaluate("window.scrollTo(0, document.body.scrollHeight)");
            ben.screenshot(SHOTS.resolve("3-narrow.png"));
            assertThat(ben.evaluate("String(document.documentElement.scrollWidth <= innerWidth)"))
                    .as("no sideways scrolling on a narrow screen")
                    .isEqualTo("true");
            ada.evaluate("document.querySelector('#show-frames').click()");
            ada.await("#frames", "\"welcome\"");
            ada.screenshot(SHOTS.resolve("4-frames.png"));
            assertThat(ada.complaints).isEmpty();
            assertThat(ben.complaints).isEmpty();
            assertThat(cluster.get(cluster.url() + "/")
                            .headers()
                            .firstValue("Content-Security-Policy")
                            .orElse(""))
                    .contains("default-src 'none'");
        }
    }

    @Test
    void thePageComesBackWithWhatItMissed() throws Exception {
        try (var ada = new Browser(1180, 760)) {
            ada.open(cluster.url() + "/#ada");
            ada.press("Enter");
            ada.await("#state", "Connected as ada");
            int number = cluster.numberOf(ada.text("#session-node"));
            cluster.ok("node", "--kill", String.valueOf(number));
            try (Client ben = Client.push(cluster.url(), "ben")) {
                ben.next("welcome");
                ben.send("{\"type\":\"chat\",\"to\":\"ada\",\"content\":\"while you were away\",\"ref\":\"1\"}");
                ben.next("sent");
            }
            ada.await("#messages", "Back, on node");
            ada.await("#messages", "while you were away");
            assertThat(
                            ada.evaluate(
                                    "String([...document.querySelectorAll('#messages .body')].filter(e => e.textContent === 'while you were away').length)"))
                    .isEqualTo("1");
        }
    }

    /** Nothing but what a browser has by itself: it reconnects and says where it was. */
    @Test
    void anEventSourceGoesOnAtAnotherNodeWhenItsOwnDies() throws Exception {
        try (var browser = new Browser(800, 600)) {
            browser.open(cluster.url() + "/");
            browser.evaluate("globalThis.seen = []; globalThis.errors = 0;"
                    + "globalThis.source = new EventSource('/api/ws/events?user_id=ada&channels=user:ada');"
                    + "source.onmessage = (event) => { seen.push(JSON.parse(event.data).content); };"
                    + "source.onerror = () => { errors++; }; ''");
            Poll.until(
                    "the stream to be open",
                    Duration.ofSeconds(15),
                    () -> browser.evaluate("String(source.readyState)"),
                    "1"::equals);
            // It is open with its head, and flows a moment later: what is sent between is not for it.
            Poll.until(
                    "the stream to flow",
                    Duration.ofSeconds(15),
                    () -> {
                        send(0);
                        return browser.evaluate("String(seen.includes(0))");
                    },
                    "true"::equals);
            String numbers = "seen.filter((number) => number > 0).join()";
            send(1);
            Poll.until("the first", Duration.ofSeconds(10), () -> browser.evaluate(numbers), "1"::equals);
            JsonNode user = Client.JSON.readTree(cluster.api("/api/ws/users/ada"));
            assertThat(user.path("sessions")).hasSize(1);
            String node = user.path("sessions").get(0).path("node").asString();
            cluster.ok("node", "--kill", String.valueOf(cluster.numberOf(node)));
            // While it is away, as far as it is.
            for (int i = 2; i <= 20; i++) send(i);
            String all = IntStream.rangeClosed(1, 20).mapToObj(String::valueOf).collect(Collectors.joining(","));
            Poll.until("what it missed", Duration.ofSeconds(30), () -> browser.evaluate(numbers), all::equals);
            assertThat(browser.evaluate("String(errors > 0)")).isEqualTo("true");
            Poll.until(
                    "the session at another node",
                    Duration.ofSeconds(15),
                    () -> Client.JSON.readTree(cluster.api("/api/ws/users/ada")).path("sessions"),
                    sessions -> sessions.size() == 1
                            && !sessions.get(0).path("node").asString().equals(node));
            send(21);
            Poll.until(
                    "what comes later", Duration.ofSeconds(10), () -> browser.evaluate(numbers), (all + ",21")::equals);
        }
    }

    private void send(int number) throws Exception {
        assertThat(cluster.publish("/api/ws/send", "{\"type\":\"news\",\"to\":\"ada\",\"content\":" + number + "}")
                        .status())
                .isEqualTo(202);
    }

    /** The client class of a published guide, unmodified, with only the host of the address changed. */
    @Test
    void theClientClassOfAPublishedGuideWorksUnmodifiedAndReconnects() throws Exception {
        String guide = Seeds.with("class WebSocketClient {");
        assumeTrue(
                guide != null,
                "the guide with class WebSocketClient does not lie beside this checkout (../shared/seeds)");
        String client = Seeds.part(guide, "(^class WebSocketClient \\{.*?^\\})");
        try (var browser = new Browser(800, 600);
                Client friend = Client.push(cluster.url(), "user456")) {
            friend.next("welcome");
            browser.open(cluster.url() + "/");
            browser.evaluate(client + ";\n"
                    + "const client = new WebSocketClient('ws://127.0.0.1:" + cluster.port
                    + "/api/ws/connect?user_id=user123');\n"
                    + "globalThis.seen = []; globalThis.opened = 0; globalThis.node = '';\n"
                    + "client.on('open', () => { opened++; });\n"
                    + "client.on('welcome', (msg) => { node = msg.node; });\n"
                    + "client.on('notification', (msg) => { seen.push(`notification ${msg.content}`); });\n"
                    + "client.on('chat', (msg) => { seen.push(`${msg.from}: ${msg.content}`); });\n"
                    + "globalThis.client = client; ''");
            Poll.until(
                    "the class to connect",
                    Duration.ofSeconds(10),
                    () -> browser.evaluate("node"),
                    node -> !node.isEmpty());
            browser.evaluate("client.send({ type: 'chat', to: 'user456', content: 'Hello!' })");
            var chat = friend.next("chat");
            assertThat(chat.path("from").asString()).isEqualTo("user123");
            assertThat(chat.path("content").asString()).isEqualTo("Hello!");
            friend.send("{\"type\":\"chat\",\"to\":\"user123\",\"content\":\"Hello back\"}");
            friend.send("{\"type\":\"notification\",\"to\":\"user123\",\"content\":\"maintenance\"}");
            Poll.until(
                    "chat and notification",
                    Duration.ofSeconds(10),
                    () -> browser.evaluate("seen.join()"),
                    "user456: Hello back,notification maintenance"::equals);

            String node = browser.evaluate("node");
            cluster.ok("node", "--kill", String.valueOf(cluster.numberOf(node)));
            // It is there with its welcome, and not with the open connection already.
            Poll.until(
                    "the class to be welcomed at another node",
                    Duration.ofSeconds(15),
                    () -> browser.evaluate("opened + ' ' + node"),
                    state -> state.startsWith("2 ") && !state.endsWith(node));
            try (Client another = Client.push(cluster.url(), "user789")) {
                another.next("welcome");
                another.send("{\"type\":\"chat\",\"to\":\"user123\",\"content\":\"Again\"}");
                Poll.until(
                        "a chat after the reconnect",
                        Duration.ofSeconds(10),
                        () -> browser.evaluate("seen.join()"),
                        seen -> seen.endsWith("user789: Again"));
            }
        }
    }
}
