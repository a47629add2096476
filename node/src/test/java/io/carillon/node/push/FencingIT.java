package io.carillon.node.push;

import static org.assertj.core.api.Assertions.assertThat;

import io.carillon.node.testing.Client;
import io.carillon.node.testing.Nodes;
import io.carillon.node.testing.Poll;
import io.carillon.node.testing.RedisServer;
import java.io.IOException;
import java.net.ServerSocket;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;
import tools.jackson.databind.JsonNode;

/** A node whose process stands still for longer than its lease, and then goes on as if nothing had been. */
class FencingIT {
    private static final Map<String, String> QUICK = Map.of(
            "carillon.presence.beat", "300ms",
            "carillon.presence.lease", "1500ms",
            "carillon.presence.leader", "900ms",
            "carillon.presence.steady", "1s",
            "carillon.presence.grace", "1s",
            "carillon.presence.claim", "1s",
            "carillon.presence.late", "2s");

    @Test
    void aFrozenNodeIsTakenOutAndComesBackAsANewOneWithItsSessions() throws Exception {
        try (var redis = RedisServer.running();
                var nodes = new Nodes(redis.url(), 1, QUICK);
                var frozen = new OwnProcess(redis.url())) {
            Poll.until("both nodes", Duration.ofSeconds(60), () -> ids(nodes).size() == 2);
            Client ada = Poll.until(
                    "a session on the other process",
                    Duration.ofSeconds(30),
                    () -> Client.push("http://127.0.0.1:" + frozen.port, "ada"),
                    client -> true);
            try (ada;
                    Client bob = Client.welcomed(nodes.url(0), "bob")) {
                JsonNode welcome = ada.next("welcome");
                String boot = welcome.path("node").asString();
                Poll.until("both online", Duration.ofSeconds(10), () -> online(nodes) == 2);
                bob.send("{\"type\":\"chat\",\"to\":\"ada\",\"content\":1}");
                ada.next("chat");

                frozen.signal("-STOP");
                Poll.until("ada to be gone", Duration.ofSeconds(30), () -> online(nodes) == 1);
                Poll.until(
                        "the node to be gone",
                        Duration.ofSeconds(30),
                        () -> !ids(nodes).contains(boot));
                bob.send("{\"type\":\"chat\",\"to\":\"ada\",\"content\":2}");

                frozen.signal("-CONT");
                assertThat(ada.next("chat").path("content").asInt()).isEqualTo(2);
                Poll.until("ada to be back", Duration.ofSeconds(30), () -> online(nodes) == 2);
                Poll.until(
                        "the node to be back",
                        Duration.ofSeconds(30),
                        () -> ids(nodes).contains(boot));
                assertThat(nodes.get("/api/ws/users/ada").path("sessions")).hasSize(1);
                // Under a name that nobody holds for dead.
                assertThat(redis.commands().zrange("carillon:nodes", 0, -1))
                        .filteredOn(name -> name.startsWith(boot))
                        .singleElement()
                        .isNotEqualTo(boot + ".0");

                ada.leave();
                Poll.until("ada to leave no ghost", Duration.ofSeconds(30), () -> online(nodes) == 1);
                assertThat(nodes.get("/api/ws/users/ada").path("online").asBoolean())
                        .isFalse();
            }
        }
    }

    private static int online(Nodes nodes) throws Exception {
        return nodes.get("/api/ws/status").path("online_count").asInt();
    }

    private static List<String> ids(Nodes nodes) throws Exception {
        var ids = new ArrayList<String>();
        for (JsonNode node : nodes.get("/api/ws/nodes").path("nodes"))
            ids.add(node.path("id").asString());
        return ids;
    }

    /** A node in a process of its own, which can be stopped by a signal while this one goes on. */
    private static final class OwnProcess implements AutoCloseable {
        final int port;
        private final Process process;

        OwnProcess(String redisUrl) throws IOException {
            try (var probe = new ServerSocket(0)) {
                port = probe.getLocalPort();
            }
            var command = new ArrayList<>(List.of(
                    Path.of(System.getProperty("java.home"), "bin", "java").toString(),
                    "-Xmx128m",
                    "-XX:+UseSerialGC",
                    "-XX:TieredStopAtLevel=1",
                    "-cp",
                    System.getProperty("java.class.path"),
                    "io.carillon.node.CarillonNode",
                    "--spring.profiles.active=local",
                    "--carillon.port=" + port,
                    "--carillon.management-port=0",
                    "--carillon.redis.url=" + redisUrl,
                    "--carillon.auth.jwt-secret=" + Nodes.JWT_SECRET,
                    "--carillon.auth.api-keys=" + Nodes.API_KEY,
                    "--carillon.ops.warm-up=0",
                    "--carillon.edge.drain-notice=0",
                    "--carillon.edge.drain-window=0"));
            QUICK.forEach((name, value) -> command.add("--" + name + "=" + value));
            process = new ProcessBuilder(command)
                    .redirectErrorStream(true)
                    .redirectOutput(Path.of("target", "fencing-node.log").toFile())
                    .start();
            Runtime.getRuntime().addShutdownHook(new Thread(process::destroyForcibly));
        }

        void signal(String signal) throws Exception {
            int answer = new ProcessBuilder("kill", signal, Long.toString(process.pid()))
                    .start()
                    .waitFor();
            assertThat(answer).isZero();
        }

        @Override
        public void close() throws Exception {
            signal("-CONT");
            process.destroy();
            boolean ended = process.waitFor(30, TimeUnit.SECONDS);
            process.destroyForcibly();
            assertThat(ended).as("SIGTERM ends it").isTrue();
            assertThat(process.exitValue()).isZero();
        }
    }
}
