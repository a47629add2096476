package io.carillon.node.scenario;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import io.carillon.node.testing.Client;
import io.carillon.node.testing.Http;
import io.carillon.node.testing.Poll;
import java.io.IOException;
import java.io.Writer;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import tools.jackson.databind.JsonNode;

/** The chat with the command line of a published guide: wscat through nginx and three nodes, while one is killed. */
class ChatScenarioIT {
    private Cluster cluster;

    @BeforeEach
    void up() throws Exception {
        cluster = Cluster.up("chat");
    }

    @AfterEach
    void down() throws Exception {
        cluster.close();
        cluster.forget();
    }

    @Test
    void theCommandLineOfAPublishedGuideChatsOverThreeNodesWhileOneDies() throws Exception {
        String guide = Seeds.with("wscat -c ws://localhost:3001/api/chat/ws");
        assumeTrue(guide != null, "the guide with the wscat line does not lie beside this checkout (../shared/seeds)");
        String line = Seeds.part(guide, "^(wscat -c ws://localhost:3001/api/chat/ws -H .*?)$");
        Path wscat = wscat();
        String ada = token("ada", "Ada");

        var others = new ArrayList<Client>();
        try (var terminal = new Terminal(wscat, line, cluster.port, ada)) {
            terminal.shows("\"online_count\"");
            for (int i = 0; i < 3; i++) {
                Client other = Client.connect(
                        cluster.list("CARILLON_NODE_URLS").get(i) + "/api/chat/ws",
                        "Authorization",
                        "Bearer " + token("u" + i, "User " + i));
                others.add(other);
                other.next("online_count");
            }
            terminal.shows("{\"type\":\"online_count\",\"data\":{\"count\":4}}");

            terminal.types("{\"type\":\"message\",\"content\":\"hello from <wscat>\",\"client_id\":\"w1\"}");
            terminal.shows("{\"type\":\"ack\",\"client_id\":\"w1\",\"data\":{\"id\":1}}");
            for (Client other : others) {
                JsonNode data = other.next("message").path("data");
                assertThat(data.path("content").stringValue()).isEqualTo("hello from &lt;wscat&gt;");
                assertThat(data.path("username").stringValue()).isEqualTo("Ada");
            }
            terminal.types("{\"type\":\"heartbeat\"}");
            terminal.shows("{\"type\":\"heartbeat_ack\"}");

            // The node that holds the terminal dies, and with it one of the others.
            int dead = cluster.numberOf(Client.JSON
                    .readTree(cluster.api("/api/ws/users/ada?namespace=chat"))
                    .path("sessions")
                    .get(0)
                    .path("node")
                    .stringValue());
            cluster.ok("node", "--kill", String.valueOf(dead));
            terminal.ends();
            Client gone = others.remove(dead - 1);
            Poll.until("the other's end", Duration.ofSeconds(10), gone::ended);
            for (Client other : others) {
                Poll.until(
                        "the count without the dead node's users",
                        Duration.ofSeconds(20),
                        () -> other.next("online_count")
                                        .path("data")
                                        .path("count")
                                        .intValue()
                                == 2);
            }
            others.getFirst()
                    .send("{\"type\":\"message\",\"content\":\"while you were away\",\"client_id\":\"1\"}")
                    .next("ack");
            assertThat(others.getLast().next("message").path("data").path("id").longValue())
                    .isEqualTo(2);
        }

        // The same line again goes to a node that lives; what was missed is there to be read.
        try (var terminal = new Terminal(wscat, line, cluster.port, ada)) {
            terminal.shows("{\"type\":\"online_count\",\"data\":{\"count\":3}}");
            JsonNode missed = Http.get(
                            cluster.url() + "/api/chat/messages/new?after_id=1", "Authorization", "Bearer " + ada)
                    .json();
            assertThat(missed.path("messages")).hasSize(1);
            assertThat(missed.path("messages").get(0).path("content").stringValue())
                    .isEqualTo("while you were away");
            // What was said before the crash is known by its mark.
            terminal.types("{\"type\":\"message\",\"content\":\"hello from <wscat>\",\"client_id\":\"w1\"}");
            terminal.shows("{\"type\":\"ack\",\"client_id\":\"w1\",\"data\":{\"id\":1}}");
            others.getLast()
                    .send("{\"type\":\"message\",\"content\":\"welcome back\"}")
                    .next("ack");
            terminal.shows("\"content\":\"welcome back\"");
            JsonNode online = Http.get(cluster.url() + "/api/chat/online-users", "Authorization", "Bearer " + ada)
                    .json();
            assertThat(online.path("count").intValue()).isEqualTo(3);
            assertThat(online.path("users").toString()).contains("{\"id\":\"ada\",\"name\":\"Ada\"}");
        } finally {
            others.forEach(Client::close);
        }
    }

    private String token(String user, String name) throws Exception {
        return cluster.ok("token", "--user", user, "--claim", "name=" + name).strip();
    }

    /** The program, from the registry as the guide has it, in the cluster's own directory. */
    private Path wscat() throws Exception {
        Path directory = Files.createDirectories(cluster.home.resolve("wscat"));
        var installed = cluster.run(
                List.of("npm", "install", "--prefix", directory.toString(), "--no-audit", "--no-fund", "wscat@6.1.0"));
        assertThat(installed.code()).as(installed.output()).isZero();
        return directory.resolve("node_modules/.bin/wscat");
    }

    /** The guide's line in a shell, with only address and token filled in. */
    private static final class Terminal implements AutoCloseable {
        private final Process process;
        private final Writer keyboard;
        private final Path screen;

        Terminal(Path wscat, String line, int port, String token) throws IOException {
            screen = Files.createTempFile("wscat", ".out");
            String command = line.replace("localhost:3001", "127.0.0.1:" + port).replace("YOUR_TOKEN", token);
            var builder = new ProcessBuilder("sh", "-c", "exec " + command)
                    .redirectErrorStream(true)
                    .redirectOutput(screen.toFile());
            builder.environment().merge("PATH", wscat.getParent().toString(), (path, ours) -> ours + ":" + path);
            process = builder.start();
            keyboard = process.outputWriter(StandardCharsets.UTF_8);
        }

        void types(String text) throws IOException {
            keyboard.write(text + "\n");
            keyboard.flush();
        }

        void shows(String text) {
            Poll.until(
                    "wscat to show " + text,
                    Duration.ofSeconds(20),
                    () -> Files.readString(screen),
                    shown -> shown.contains(text));
        }

        void ends() throws InterruptedException {
            assertThat(process.waitFor(20, TimeUnit.SECONDS))
                    .as("wscat ends with its connection")
                    .isTrue();
        }

        @Override
        public void close() throws IOException, InterruptedException {
            process.destroy();
            process.waitFor(10, TimeUnit.SECONDS);
            Files.deleteIfExists(screen);
        }
    }
}
