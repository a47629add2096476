package io.carillon.node.scenario;

import static org.assertj.core.api.Assertions.assertThat;

import io.carillon.node.testing.Client;
import io.carillon.node.testing.Poll;
import java.net.URI;
import java.net.http.HttpResponse;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import tools.jackson.databind.JsonNode;

/** The demo pages, each in Chromium through nginx, while nodes are killed. */
class DemoScenarioIT {
    private static final Path SHOTS = Cluster.REPO.resolve("node/target/screenshots");
    private static final List<String> PAGES = List.of("push", "feedback", "conversation", "chat", "line");
    private static final String VUE = "/webjars/vue/3.5.26/dist/vue.runtime.esm-browser.prod.js";
    private static Cluster cluster;

    /** The node that was killed last, by its id. */
    private static String dead = "";

    @BeforeAll
    static void up() throws Exception {
        cluster = Cluster.up("demo");
    }

    @AfterAll
    static void down() throws Exception {
        cluster.close();
        cluster.forget();
    }

    @Test
    void everyNodeServesThePagesAndWhatTheyAreMadeOf() throws Exception {
        for (String node : cluster.list("CARILLON_NODE_URLS")) {
            HttpResponse<String> index = cluster.get(node + "/demo/");
            assertThat(index.statusCode()).isEqualTo(200);
            assertThat(index.headers().firstValue("Content-Type").orElse("")).startsWith("text/html");
            assertThat(index.headers().firstValue("Content-Security-Policy").orElse(""))
                    .contains("default-src 'none'")
                    .doesNotContain("unsafe");
            HttpResponse<String> bare = cluster.get(node + "/demo");
            assertThat(bare.statusCode()).isEqualTo(308);
            assertThat(bare.headers().firstValue("Location")).hasValue("/demo/");
            for (String page : PAGES) {
                String html = cluster.get(node + "/demo/" + page + ".html").body();
                assertThat(html).contains("data-page=\"" + page + "\"");
                assertThat(html).as("no page asks another host for anything").doesNotContain("//");
            }
            HttpResponse<String> vue = cluster.get(node + VUE);
            assertThat(vue.statusCode()).isEqualTo(200);
            assertThat(vue.headers().firstValue("Content-Type").orElse("")).startsWith("text/javascript");
        }
        try (var page = new Browser(1280, 900)) {
            page.open(cluster.url() + "/");
            page.evaluate("document.querySelector('a[href=\"demo/\"]').click()");
            page.await("h1", "Five applications");
            for (String name : PAGES) {
                page.open(cluster.url() + "/demo/");
                page.await("h1", "Five applications");
                page.evaluate("document.querySelector('.card a[href=\"" + name + ".html\"]').click()");
                page.await("nav [aria-current]", "");
                assertThat(page.evaluate("location.pathname")).isEqualTo("/demo/" + name + ".html");
            }
            page.open(cluster.url() + "/demo/");
            finish(page, "index");
            assertThat(page.complaints).isEmpty();
        }
    }

    @Test
    void bothLanguagesSayTheSameThings() throws Exception {
        try (var page = new Browser(1280, 900)) {
            page.open(cluster.url() + "/demo/feedback.html");
            page.await("#desk-1 .state", "Connected");
            assertThat(page.evaluate(TEXTS)).isEqualTo("the same");

            assertThat(page.evaluate("document.documentElement.lang")).isEqualTo("en");
            page.focus(".languages [lang=zh-CN]");
            page.press("Enter");
            page.await("h1", "反馈台");
            page.await("#desk-1 .state", "已连接");
            assertThat(page.evaluate("document.documentElement.lang")).isEqualTo("zh-CN");
            assertThat(page.evaluate("document.title")).startsWith("反馈台");
            assertThat(page.evaluate("document.querySelector('#desk-1 .composer input').placeholder"))
                    .isEqualTo("消息");

            // It is remembered, for all pages.
            for (String name : PAGES) {
                page.open(cluster.url() + "/demo/" + name + ".html");
                Poll.until(
                        name + " in Chinese",
                        Duration.ofSeconds(15),
                        () -> page.evaluate("document.documentElement.lang"),
                        "zh-CN"::equals);
                fits(page, name + "-zh");
            }
            assertThat(page.complaints).isEmpty();
        }
    }

    /** Keys, and the values each text names. */
    private static final String TEXTS = """
            (async () => {
              const [en, zh] = (await Promise.all([import('/demo/texts/en.js'), import('/demo/texts/zh.js')])).map((texts) => texts.default);
              const keys = (texts) => Object.keys(texts).sort().join();
              if (keys(en) !== keys(zh)) return `other keys: ${[...Object.keys(en).filter((key) => !(key in zh)), ...Object.keys(zh).filter((key) => !(key in en))]}`;
              const values = (text) => [...text.matchAll(/\\{\\w+\\}/g)].map(String).sort().join();
              const other = Object.keys(en).filter((key) => values(en[key]) !== values(zh[key]) || !zh[key].trim());
              return other.length ? `other values: ${other}` : 'the same';
            })()""";

    @Test
    void whatAServicePublishesWhileAClientIsAwayIsThereWhenItIsBack() throws Exception {
        try (var page = new Browser(1280, 900)) {
            page.open(cluster.url() + "/demo/push.html");
            page.await("h1", "Push console");
            fill(page, "#enter [name=user]", "u1");
            page.await("#client .state", "Connected");
            fill(page, "#join [name=room]", "garden");
            page.await("#rooms", "garden");
            fill(page, "#key [name=key]", cluster.env().get("CARILLON_API_KEY"));
            page.await("#status", "3 nodes");
            fill(page, "#publish [name=content]", "{\"order\":991,\"status\":\"shipped\"}");
            page.await("#events", "\"order\":991");
            fill(page, "#send [name=content]", "Good <b>morning</b>");
            page.await("#events .mine .mark", "✓ #");
            assertThat(count(page, "#events b")).isZero();

            page.evaluate("document.querySelector('#away').click()");
            page.await("#client .state", "Not connected");
            for (int order = 992; order <= 994; order++) {
                fill(page, "#publish [name=content]", "{\"order\":" + order + "}");
                page.await("#published", "offset " + (order - 990));
            }
            page.evaluate("document.querySelector('#away').click()");
            page.await("#events .message:last-child", "\"order\":994");
            assertThat(page.text("#events")).containsSubsequence("\"order\":992", "\"order\":993", "\"order\":994");
            assertThat(count(page, "#events .badge")).isEqualTo(3);
            assertThat(page.complaints).isEmpty();

            // A SIGKILL under it: it comes back, and what was published meanwhile comes once.
            watchStates(page);
            killHolderOf("push");
            fill(page, "#publish [name=content]", "{\"order\":995}");
            awaitBack(page, "#client .state");
            page.await("#events", "\"order\":995");
            assertThat(page.text("#events").split("\"order\":995", -1)).hasSize(2);
            revive(page);
            page.await("#status", "3 nodes");
            finish(page, "push");
        }
    }

    @Test
    void threePeopleHandleAFeedback() throws Exception {
        try (var page = new Browser(1280, 900)) {
            page.open(cluster.url() + "/demo/feedback.html");
            for (int desk = 1; desk <= 3; desk++) page.await("#desk-" + desk + " .state", "Connected");
            fill(page, "#desk-1 .file input", "The parcel came late");
            page.await("#desk-2 .cases", "The parcel came late");
            page.await("#desk-3 .cases", "The parcel came late");
            page.focus("#desk-2 .cases select");
            page.press("ArrowDown");
            page.await("#desk-1 .cases .badge", "in progress");

            // Typing shows, the message comes, its mark says when it was read.
            fillOnly(page, "#desk-1 .composer [name=text]", "Where <i>is</i> it?");
            page.await("#desk-2 .typing", "Ada is typing");
            assertThat(page.text("#desk-3 .typing")).isEmpty();
            page.press("Enter");
            page.await("#desk-2 .log .message", "Where <i>is</i> it?");
            assertThat(count(page, ".log i")).isZero();
            assertThat(page.text("#desk-3 .log")).doesNotContain("Where");
            page.await("#desk-1 .log .mine .mark", "✓");
            assertThat(page.text("#desk-1 .log .mine .mark")).isEqualTo("✓");
            fill(page, "#desk-2 .composer [name=text]", "On its way");
            page.await("#desk-1 .log .mine .mark", "✓✓");
            page.await("#desk-1 .log", "On its way");
            assertThat(page.complaints).isEmpty();

            watchStates(page);
            killHolderOf("feedback");
            awaitBack(page, "#desk-1 .state", "#desk-2 .state", "#desk-3 .state");
            fill(page, "#desk-3 .composer [name=text]", "I will look into it");
            page.await("#desk-1 .log", "I will look into it");
            page.focus("#desk-3 .cases select");
            page.press("ArrowDown");
            page.await("#desk-1 .cases .badge", "done");
            revive(page);
            finish(page, "feedback");
            page.evaluate("document.querySelector('#desk-3 .cases button').click()");
            page.await("#desk-1 .none", "None yet");
            Poll.until(
                    "no feedback left",
                    Duration.ofSeconds(10),
                    () -> count(page, ".cases > li"),
                    Integer.valueOf(0)::equals);
        }
    }

    @Test
    void aVisitorAndAnAgentTalkAndNothingIsLostOrDoubled() throws Exception {
        try (var page = new Browser(1280, 900)) {
            page.open(cluster.url() + "/demo/conversation.html");
            page.await("#visitor .state", "Connected");
            fill(page, "#agent .token input", token("--user", "agent-1", "--kind", "agent"));
            page.await("#agent .state", "Connected");
            fill(page, "#visitor .composer input", "Are you <b>open</b>?");
            page.await("#agent .log .message", "Are you <b>open</b>?");
            assertThat(count(page, ".log b")).isZero();
            fill(page, "#agent .composer input", "Until eight 你好");
            page.await("#visitor .log", "Until eight 你好");
            assertThat(page.text("#visitor .log")).containsSubsequence("#1", "Are you", "#2", "Until eight");
            assertThat(page.complaints).isEmpty();

            watchStates(page);
            killHolderOf("conversation");
            fill(page, "#visitor .composer input", "Still there?");
            awaitBack(page, "#visitor .state", "#agent .state");
            for (String side : List.of("#visitor", "#agent")) {
                page.await(side + " .log", "#3");
                assertThat(count(page, side + " .message .body", "Still there?"))
                        .isEqualTo(1);
            }
            revive(page);

            // Another conversation knows nothing of this one.
            finish(page, "conversation");
            fill(page, "#open [name=id]", "124");
            page.await("#visitor .log", "Nothing said yet");
            page.await("#visitor .state", "Connected");
            assertThat(page.text("#agent .log")).doesNotContain("open");
        }
    }

    @Test
    void theChatRoomIsAVueComponentOnTheComposable() throws Exception {
        try (var page = new Browser(1280, 900)) {
            page.open(cluster.url() + "/demo/chat.html");
            page.await("#seat-ben .entry", "sit down");
            fill(page, "#seat-ada input", "no.good.token");
            page.await("#seat-ada [role=alert]", "did not take this token");
            // What Chromium itself says of refused requests.
            page.complaints.removeIf(DemoScenarioIT::network);
            fill(page, "#seat-ada input", token("--user", "ada", "--claim", "name=Ada"));
            page.await("#seat-ada .state", "Connected");
            fill(page, "#seat-ben input", token("--user", "ben", "--claim", "name=Ben"));
            page.await("#seat-ben .state", "Connected");
            page.await("#seat-ada .online", "2 online");
            page.await("#seat-ada .chips", "Ben");
            fill(page, "#seat-ada .composer input", "Hi <i>Ben</i> & all");
            page.await("#seat-ben .log", "Hi <i>Ben</i> & all");
            assertThat(count(page, ".log i")).isZero();
            fill(page, "#seat-ben .composer input", "Good morning");
            page.await("#seat-ada .log", "Good morning");
            assertThat(page.complaints).isEmpty();

            watchStates(page);
            killHolderOf("chat");
            fill(page, "#seat-ada .composer input", "Still here");
            awaitBack(page, "#seat-ada .state", "#seat-ben .state");
            for (String seat : List.of("#seat-ada", "#seat-ben")) {
                Poll.until(
                        "“Still here” once in the log of " + seat,
                        Duration.ofSeconds(15),
                        // Its frames tell what became of it otherwise.
                        () -> count(page, seat + " .log .body", "Still here") + " in "
                                + page.evaluate("document.querySelector('" + seat + "').textContent"),
                        seen -> seen.startsWith("1 in "));
            }
            for (String seat : List.of("#seat-ada", "#seat-ben")) {
                assertThat(count(page, seat + " .log .body", "Still here")).isEqualTo(1);
            }
            revive(page);
            finish(page, "chat");
            page.evaluate("document.querySelector('#seat-ben .quiet').click()");
            page.await("#seat-ada .online", "1 online");
        }
    }

    @Test
    void theDashboardCountsWhatTheWindowsClientReports() throws Exception {
        try (var page = new Browser(1280, 900)) {
            page.open(cluster.url() + "/demo/line.html");
            page.await("#windows .state", "Not connected");
            page.evaluate("document.querySelector('#codes').open = true");
            fill(page, "#make [name=key]", cluster.env().get("CARILLON_API_KEY"));
            page.await("#made", "HG66OP88 is good for group 1");
            assertThat(page.evaluate("document.querySelector('#make [name=key]').value"))
                    .isEmpty();
            fill(page, "#watch [name=token]", token("--user", "1", "--claim", "group_id=1"));
            page.await("#dashboard .state", "Connected");
            page.await("#group", "Group 1");
            fill(page, "#activate [name=code]", "HG66OP88");
            page.await("#windows .state", "Connected");
            shows(page, "#online-accounts", "3");

            page.focus("#come .primary");
            for (int i = 0; i < 3; i++) page.press("Enter");
            shows(page, "#today-incoming", "3");
            page.focus("#again");
            page.press("Enter");
            shows(page, "#today-incoming", "4");
            shows(page, "#today-duplicate", "1");
            page.await("#feed", "duplicate");
            page.evaluate("document.querySelector('#customer').click()");
            page.await("#feed", "was synced");
            page.evaluate("document.querySelector('#follow-up').click()");
            page.await("#feed", "Follow-up");
            page.evaluate("document.querySelector('#accounts button').click()");
            shows(page, "#online-accounts", "2");
            page.await("#rows tr[data-account=a1]", "offline");

            // What the charts show, they also say: three new and a duplicate, at the turn of a minute in two bars.
            assertThat(count(page, "#incoming-chart .fresh")).isBetween(1, 2);
            assertThat(count(page, "#incoming-chart .again")).isEqualTo(1);
            assertThat(page.evaluate("document.querySelector('#online-chart').getAttribute('aria-label')"))
                    .contains("now 2");
            assertThat(page.evaluate("document.querySelector('#online-chart .line').getAttribute('d')"))
                    .contains("V");
            assertThat(page.complaints).isEmpty();

            watchStates(page);
            killHolderOf("line");
            awaitBack(page, "#dashboard .state", "#windows .state");
            shows(page, "#online-accounts", "2");
            page.focus("#come .primary");
            page.press("Enter");
            shows(page, "#today-incoming", "5");
            revive(page);
            finish(page, "line");

            page.evaluate("document.querySelector('#cut').click()");
            shows(page, "#online-accounts", "0");
        }
    }

    // --- what every page is asked ---

    /** It shows well on wide and narrow screens, everything is reached by keyboard and named, and nothing went wrong. */
    private static void finish(Browser page, String name) throws Exception {
        fits(page, name);
        everyControlIsReachedByTabAndHasAName(page);
        assertThat(page.complaints.stream().filter(complaint -> !network(complaint)))
                .isEmpty();
    }

    private static void fits(Browser page, String name) throws Exception {
        for (int width : List.of(390, 1280)) {
            resize(page, width, 900);
            Poll.until(
                    "no sideways scrolling of " + name + " at " + width,
                    Duration.ofSeconds(5),
                    () -> page.evaluate("String(document.documentElement.scrollWidth <= innerWidth)"),
                    "true"::equals);
            resize(page, width, Integer.parseInt(page.evaluate("String(document.documentElement.scrollHeight)")));
            page.screenshot(SHOTS.resolve("demo-" + name + "-" + width + ".png"));
            resize(page, width, 900);
        }
    }

    private static void resize(Browser page, int width, int height) throws Exception {
        page.call(
                "Emulation.setDeviceMetricsOverride",
                "{\"width\":" + width + ",\"height\":" + height + ",\"deviceScaleFactor\":1,\"mobile\":false}");
    }

    private static void everyControlIsReachedByTabAndHasAName(Browser page) throws Exception {
        int controls = Integer.parseInt(page.evaluate("""
                document.querySelectorAll('details').forEach((details) => { details.open = true; });
                globalThis.reached = new Set();
                document.addEventListener('focusin', ({ target }) => reached.add(target));
                globalThis.controls = () => [...document.querySelectorAll('a[href], button, input, select, summary, [tabindex="0"]')]
                  .filter((control) => control.checkVisibility() && !control.disabled);
                document.activeElement.blur();
                String(controls().length)"""));
        assertThat(controls).isGreaterThan(8);
        // Round once and a bit: the first Tab starts wherever the focus was.
        for (int i = 0; i < 2 * controls; i++) page.press("Tab");
        assertThat(
                        page.evaluate(
                                "controls().filter((control) => !reached.has(control)).map((control) => control.outerHTML.slice(0, 160)).join('\\n')"))
                .as("controls that Tab does not reach")
                .isEmpty();

        var nameless = new ArrayList<String>();
        page.call("Accessibility.enable", "{}");
        for (JsonNode node : page.call("Accessibility.getFullAXTree", "{}").path("nodes")) {
            boolean focusable = false;
            for (JsonNode property : node.path("properties")) {
                focusable |= property.path("name").asString("").equals("focusable")
                        && property.path("value").path("value").asBoolean(false);
            }
            String name = node.path("name").path("value").asString("");
            if (focusable && !node.path("ignored").asBoolean(false) && name.isBlank()) nameless.add(node.toString());
        }
        assertThat(nameless).as("controls without a name").isEmpty();
    }

    // --- a person at the page ---

    /** Writes into a field, over what is there, and presses Enter. */
    private static void fill(Browser page, String field, String text) throws Exception {
        fillOnly(page, field, text);
        page.press("Enter");
    }

    private static void fillOnly(Browser page, String field, String text) throws Exception {
        page.focus(field);
        page.evaluate("document.activeElement.select()");
        page.type(text);
    }

    private static void shows(Browser page, String selector, String number) {
        Poll.until(number + " in " + selector, Duration.ofSeconds(15), () -> page.text(selector), number::equals);
    }

    private static int count(Browser page, String selector) throws Exception {
        return Integer.parseInt(page.evaluate("String(document.querySelectorAll('" + selector + "').length)"));
    }

    private static int count(Browser page, String selector, String text) throws Exception {
        return Integer.parseInt(page.evaluate("String([...document.querySelectorAll('" + selector
                + "')].filter((one) => one.textContent === " + Client.JSON.writeValueAsString(text) + ").length)"));
    }

    private static String token(String... arguments) throws Exception {
        return cluster.ok("token", arguments).strip();
    }

    // --- nodes that die ---

    /** Remembers that a connection was lost, however short that was. */
    private static void watchStates(Browser page) throws Exception {
        page.evaluate("""
                globalThis.lost = 0;
                new MutationObserver(() => { if (document.querySelector('.state:not([data-state=on])')) lost += 1; })
                  .observe(document.body, { subtree: true, attributeFilter: ['data-state'] }); ''""");
    }

    /** Kills a node that holds sessions of a namespace. */
    private static void killHolderOf(String namespace) throws Exception {
        // From presence, which is of this moment; what nodes say of themselves may be a second old.
        JsonNode holder = Poll.until(
                "a node with sessions of " + namespace,
                Duration.ofSeconds(15),
                () -> {
                    String of = "?namespace=" + namespace;
                    JsonNode users = Client.JSON
                            .readTree(cluster.api("/api/ws/status" + of))
                            .path("online_users");
                    if (users.isEmpty()) return users;
                    JsonNode sessions = Client.JSON
                            .readTree(
                                    cluster.api("/api/ws/users/" + users.get(0).asString() + of))
                            .path("sessions");
                    if (sessions.isEmpty()) return sessions;
                    String id = sessions.get(sessions.size() - 1).path("node").asString();
                    for (JsonNode node : nodes()) {
                        if (node.path("id").asString().equals(id)) return node;
                    }
                    return sessions;
                },
                node -> node.has("port"));
        dead = holder.path("id").asString();
        List<String> urls = cluster.list("CARILLON_NODE_URLS");
        for (int i = 0; i < urls.size(); i++) {
            if (URI.create(urls.get(i)).getPort() == holder.path("port").asInt()) {
                cluster.ok("node", "--kill", String.valueOf(i + 1));
                return;
            }
        }
        throw new AssertionError("no node listens where " + holder + " did");
    }

    private static JsonNode nodes() throws Exception {
        return Client.JSON.readTree(cluster.api("/api/ws/nodes")).path("nodes");
    }

    private static void awaitBack(Browser page, String... states) {
        Poll.until(
                "a connection to be lost",
                Duration.ofSeconds(15),
                () -> page.evaluate("String(lost > 0)"),
                "true"::equals);
        for (String state : states) {
            Poll.until(
                    state + " to come back",
                    Duration.ofSeconds(30),
                    () -> page.evaluate("document.querySelector('" + state + "').dataset.state"),
                    "on"::equals);
        }
    }

    /** Starts the dead node again, for the next test. */
    private static void revive(Browser page) throws Exception {
        cluster.ok("up");
        Poll.until("three nodes, none of them dead", Duration.ofSeconds(30), () -> {
            JsonNode nodes = nodes();
            return nodes.size() == 3
                    && nodes.valueStream()
                            .noneMatch(node -> node.path("id").asString().equals(dead));
        });
        assertThat(page.complaints).allMatch(DemoScenarioIT::network);
    }

    /** What Chromium says of a connection that broke; a page cannot keep it from that. */
    private static boolean network(String complaint) {
        return complaint.contains("\"source\":\"network\"");
    }
}
