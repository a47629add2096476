package io.carillon.node.scenario;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import io.carillon.node.testing.Client;
import io.carillon.node.testing.Poll;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import java.util.regex.Pattern;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import tools.jackson.databind.JsonNode;

/** The methods of a feedback desk's own page, in Chromium through nginx to three nodes, one of which is killed. */
class FeedbackScenarioIT {
    private Cluster cluster;

    @BeforeEach
    void up() throws Exception {
        cluster = Cluster.up("feedback");
    }

    @AfterEach
    void down() throws Exception {
        cluster.close();
        cluster.forget();
    }

    /** The page around the two methods: what it shows it keeps in {@code seen}; a lost connection it makes anew. */
    private static final String PAGE = """
            globalThis.CONFIG = {
                WS_URL: 'ws://127.0.0.1:%d/ws/feedback',
                USER_TYPE_NUMBERS: { USER: 1, MERCHANT: 2, ADMIN: 3 },
                WS_EVENT_TYPE: { MESSAGE: 'message', TYPING: 'typing' },
            };
            globalThis.token = '';
            class Page {
                constructor(id, username, token) {
                    this.state = { currentUser: { id, username }, wsConnection: null };
                    this.token = token;
                    this.seen = [];
                    this.open();
                }
                open() {
                    globalThis.token = this.token;
                    this.connectWebSocket();
                    this.state.wsConnection.onclose = () => setTimeout(() => this.open(), 200);
                }
                say(event, receiver, data) {
                    this.state.wsConnection.send(JSON.stringify({ event, receiver, data }));
                }
                handleIncomingMessage(message) {
                    const from = message.sender ? message.sender.name : 'service';
                    this.seen.push(`${from}: ${message.data.text}`);
                }
                handleTypingEvent(message) {
                    this.seen.push(`${message.sender.name} types`);
                }
                %s
                %s
            }
            globalThis.pages = [];
            globalThis.add = (id, name, token) => { pages.push(new Page(id, name, token)); return String(pages.length); };
            ''""";

    @Test
    void theMethodsOfThePageWorkUnmodifiedOverThreeNodesAndADeath() throws Exception {
        String guide = Seeds.with("connectWebSocket() {");
        assumeTrue(
                guide != null,
                "the guide with connectWebSocket and handleWebSocketMessage does not lie beside this checkout (../shared/seeds)");
        String ada = token("1:1");
        try (var browser = new Browser(800, 600)) {
            browser.open(cluster.url() + "/");
            browser.evaluate(PAGE.formatted(
                    cluster.port, method(guide, "connectWebSocket"), method(guide, "handleWebSocketMessage")));
            browser.evaluate("add(2, 'Bob', '" + token("1:2") + "')");
            Poll.until(
                    "Bob's session", Duration.ofSeconds(15), () -> homes("1:2").size() == 1);
            String home = homes("1:2").getFirst();
            // Tabs of Ada's until they are on two nodes.
            Poll.until("Ada on two nodes", Duration.ofSeconds(30), () -> {
                int tabs = Integer.parseInt(browser.evaluate("add(1, 'Ada', '" + ada + "')")) - 1;
                Poll.until(
                        "her tab " + tabs,
                        Duration.ofSeconds(15),
                        () -> homes("1:1").size() == tabs);
                return Set.copyOf(homes("1:1")).size() > 1;
            });
            int doomed = cluster.numberOf(home);

            try (Client watcher = person(doomed % 3, 3, 9);
                    Client lost = person(doomed - 1, 2, 8)) {
                browser.evaluate("pages[0].say('message', {id: 1, type: 1, name: 'Ada'}, {text: 'Hello'})");
                allSee(browser, "Bob: Hello");
                browser.evaluate("pages[1].say('typing', {id: 2, type: 1})");
                Poll.until(
                        "typing at Bob's",
                        Duration.ofSeconds(10),
                        () -> seen(browser, 0).endsWith(",Ada types"));
                assertThat(cluster.publish(
                                        "/api/ws/send?namespace=feedback",
                                        "{\"type\":\"message\",\"to\":[\"1:1\",\"1:2\"],\"content\":{\"text\":\"Paid\"}}")
                                .status())
                        .isEqualTo(202);
                allSee(browser, "service: Paid");

                cluster.ok("node", "--kill", String.valueOf(doomed));
                // Who does not come back has gone, once; Bob, whose page did, never went.
                var frames = new ArrayList<JsonNode>();
                do frames.addAll(watcher.upTo("disconnect"));
                while (id(frames.getLast()) != 8);
                Poll.until(
                        "all to be back",
                        Duration.ofSeconds(15),
                        () -> homes("1:2").size() == 1
                                && !homes("1:2").contains(home)
                                && homes("1:1").size() == pages(browser) - 1
                                && !homes("1:1").contains(home));
                browser.evaluate("pages[0].say('message', {id: 1, type: 1, name: 'Ada'}, {text: 'Again'})");
                allSee(browser, "Bob: Again");
                browser.evaluate("pages.at(-1).say('message', {id: 2, type: 1, name: 'Bob'}, {text: 'Still here'})");
                allSee(browser, "Ada: Still here");
                watcher.send("{\"event\":\"message\",\"receiver\":{\"id\":9,\"type\":3},\"data\":{}}");
                frames.addAll(watcher.upTo("message"));
                assertThat(frames)
                        .filteredOn(frame -> Client.kind(frame).equals("disconnect"))
                        .extracting(FeedbackScenarioIT::id)
                        .containsExactly(8L);
            }
            assertThat(seen(browser, 0)).isEqualTo("Bob: Hello,Ada types,service: Paid,Bob: Again,Ada: Still here");
            for (int tab = 1; tab < pages(browser); tab++) {
                assertThat(seen(browser, tab)).isEqualTo("Bob: Hello,service: Paid,Bob: Again,Ada: Still here");
            }
            assertThat(browser.complaints)
                    .allMatch(complaint -> complaint.contains("/ws/feedback"), "of the connections that died");
        }
    }

    /** A method of the page as it stands in the guide. */
    private static String method(String guide, String name) {
        var found = Pattern.compile("^" + name + "\\(.*?\\) \\{.*?^}", Pattern.MULTILINE | Pattern.DOTALL)
                .matcher(guide);
        assertThat(found.find()).as(name).isTrue();
        return found.group();
    }

    private String token(String user) throws Exception {
        return cluster.ok("token", "--user", user).strip();
    }

    /** A session at a node itself, counted from 0. */
    private Client person(int node, int type, int id) throws Exception {
        Client client = Client.connect(
                cluster.list("CARILLON_NODE_URLS").get(node) + "/ws/feedback?user_id=" + id + "&user_type=" + type);
        // Its own: from here on others are told when it goes.
        while (id(client.next("connect")) != id) {}
        return client;
    }

    private static long id(JsonNode frame) {
        return frame.path("sender").path("id").asLong();
    }

    /** The nodes of the user's sessions, one for each. */
    private List<String> homes(String user) throws Exception {
        return Client.JSON
                .readTree(cluster.api("/api/ws/users/" + user + "?namespace=feedback"))
                .path("sessions")
                .valueStream()
                .map(session -> session.path("node").asString())
                .toList();
    }

    private static int pages(Browser browser) throws Exception {
        return Integer.parseInt(browser.evaluate("String(pages.length)"));
    }

    private static String seen(Browser browser, int page) throws Exception {
        return browser.evaluate("pages[" + page + "].seen.join()");
    }

    private static void allSee(Browser browser, String last) throws Exception {
        for (int page = 0; page < pages(browser); page++) {
            int which = page;
            Poll.until(
                    last + " on page " + page,
                    Duration.ofSeconds(15),
                    () -> seen(browser, which),
                    seen -> seen.endsWith(last));
        }
    }
}
