package io.carillon.node.scenario;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import io.carillon.node.testing.Client;
import io.carillon.node.testing.Http;
import io.carillon.node.testing.Poll;
import java.time.Duration;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import tools.jackson.databind.JsonNode;

/**
 * A visitor's page as a published guide has it, in Chromium through nginx and three nodes, while the node that holds it
 * is killed.
 */
class ConversationScenarioIT {
    private Cluster cluster;

    @BeforeEach
    void up() throws Exception {
        cluster = Cluster.up("conversation");
    }

    @AfterEach
    void down() throws Exception {
        cluster.close();
        cluster.forget();
    }

    @Test
    void theClientClassAndThePageOfAPublishedGuideWorkUnmodifiedAndReconnect() throws Exception {
        String guide = Seeds.with("class WSClient {");
        assumeTrue(guide != null, "the guide with class WSClient does not lie beside this checkout (../shared/seeds)");
        // The guide shows the class in two parts; the types go, as a compiler takes them out, and the host is this one.
        String client = javaScript(Seeds.part(guide, "(^class WSClient \\{.*?^\\})"))
                .replace("ws://127.0.0.1:8080/", "ws://127.0.0.1:" + cluster.port + "/");
        String reconnect = javaScript(Seeds.part(guide, "(^private attemptReconnect\\(\\) \\{.*?^\\})"));
        String effect = Seeds.part(guide, "^useEffect\\(\\(\\) => \\{(.*?)^\\}, \\[conversationId\\]\\);");
        assertThat(client).contains("conversation_id=123");

        try (var visitor = new Browser(800, 600);
                Client agent = Client.connect(
                        cluster.url() + "/ws?conversation_id=123",
                        "Authorization",
                        "Bearer "
                                + cluster.ok("token", "--user", "a1", "--kind", "agent")
                                        .strip())) {
            agent.send("{\"type\":\"ping\"}").next("pong");
            visitor.open(cluster.url() + "/");
            // What a page brings: the state of React, and the fields the guide leaves out.
            visitor.evaluate(client + "\n"
                    + "globalThis.opened = 0;\n"
                    + "globalThis.WSClient = class extends WSClient {\n"
                    + "  reconnectAttempts = 0; maxReconnectAttempts = 5;\n"
                    + "  constructor(options) { super(); Object.assign(this, options); }\n"
                    + reconnect + "\n"
                    + "  disconnect() { this.maxReconnectAttempts = 0; this.ws.close(); }\n"
                    + "};\n"
                    + "globalThis.messages = [];\n"
                    + "globalThis.setMessages = (update) => { messages = update(messages); };\n"
                    + "globalThis.mount = (WSClient, conversationId) => {" + effect + "};\n"
                    + "globalThis.say = (content) => fetch('/messages', { method: 'POST',\n"
                    + "  headers: { 'Content-Type': 'application/json' },\n"
                    + "  body: JSON.stringify({ conversation_id: 123, content, sender_is_agent: false }) });\n"
                    + "globalThis.log = console.log; console.log = (text) => { if (text === '连接成功') opened++; };\n"
                    + "globalThis.unmount = mount(globalThis.WSClient, 123); ''");
            Poll.until(
                    "the page to connect",
                    Duration.ofSeconds(10),
                    () -> visitor.evaluate("String(opened)"),
                    "1"::equals);
            Poll.until("its session in its place", Duration.ofSeconds(10), () -> nodeOfVisitor() != null);

            // The guide's flow: the visitor posts, both see it at once.
            visitor.evaluate("say('你好'); ''");
            JsonNode pushed = agent.next("new_message").path("data");
            assertThat(pushed.path("content").stringValue()).isEqualTo("你好");
            assertThat(pushed.path("conversation_id").intValue()).isEqualTo(123);
            assertThat(pushed.path("sender_is_agent").booleanValue()).isFalse();
            seen(visitor, "1 你好");
            assertThat(sayAsAgent("welcome").status()).isEqualTo(201);
            seen(visitor, "1 你好,2 welcome");

            // The node that holds the visitor dies; the page comes back by itself, three seconds later.
            kill(nodeOfVisitor());
            assertThat(sayAsAgent("are you there?").status()).isEqualTo(201);
            Poll.until(
                    "the page to reconnect",
                    Duration.ofSeconds(20),
                    () -> visitor.evaluate("String(opened)"),
                    "2"::equals);
            Poll.until("its session in its place", Duration.ofSeconds(10), () -> nodeOfVisitor() != null);
            visitor.evaluate("say('I am back'); ''");
            seen(visitor, "1 你好,2 welcome,4 I am back");
            // What it missed it fetches as the guide says: over HTTP.
            visitor.evaluate("fetch('/messages?conversation_id=123&after_id=2').then((answer) => answer.json())"
                    + ".then((page) => { messages = [...messages.filter((m) => m.id <= 2), ...page.messages]; }); ''");
            seen(visitor, "1 你好,2 welcome,3 are you there?,4 I am back");

            visitor.evaluate("unmount(); ''");
            Poll.until("the visitor to be gone", Duration.ofSeconds(10), () -> nodeOfVisitor() == null);
        }
    }

    private static String javaScript(String typeScript) {
        return typeScript
                .replaceAll("private (\\w+)\\??: (?:[^=;]|=>)+?( = [^;]+)?;", "$1$2;")
                .replaceAll("private (\\w+\\()", "$1");
    }

    private static void seen(Browser page, String messages) {
        Poll.until(
                "the page's messages",
                Duration.ofSeconds(10),
                () -> page.evaluate("messages.map((m) => `${m.id} ${m.content}`).join()"),
                messages::equals);
    }

    private Http.Answer sayAsAgent(String content) throws Exception {
        String body = "{\"conversation_id\":123,\"content\":\"" + content + "\",\"sender_is_agent\":true}";
        // A retry is harmless: nginx may have tried the node that died.
        Http.Answer answer = Poll.until(
                "the message to be taken",
                Duration.ofSeconds(10),
                () -> Http.post(
                        cluster.url() + "/messages",
                        body,
                        "X-API-Key",
                        cluster.env().get("CARILLON_API_KEY"),
                        "Idempotency-Key",
                        content),
                tried -> tried.status() < 500);
        return answer.status() == 200 ? new Http.Answer(201, answer.body()) : answer;
    }

    /** The node that holds the visitor's session; null when he has none. */
    private @org.jspecify.annotations.Nullable String nodeOfVisitor() throws Exception {
        JsonNode users = Client.JSON
                .readTree(cluster.api("/api/ws/status?namespace=conversation"))
                .path("online_users");
        for (JsonNode user : users) {
            if (!user.stringValue().startsWith("visitor-")) continue;
            JsonNode sessions = Client.JSON
                    .readTree(cluster.api("/api/ws/users/" + user.stringValue() + "?namespace=conversation"))
                    .path("sessions");
            if (!sessions.isEmpty()) return sessions.get(0).path("node").stringValue();
        }
        return null;
    }

    private void kill(String node) throws Exception {
        cluster.ok("node", "--kill", String.valueOf(cluster.numberOf(node)));
    }
}
