package io.carillon.node.scenario;

import static org.assertj.core.api.Assertions.assertThat;

import io.carillon.client.CarillonClient;
import io.carillon.client.Gap;
import io.carillon.client.Message;
import io.carillon.client.Sent;
import io.carillon.node.testing.Poll;
import java.net.URI;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.TimeUnit;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;
import tools.jackson.databind.JsonNode;

/** Java clients behind nginx, whose node is killed. */
class ClientScenarioIT {
    @Test
    void aKilledNodeCostsItsClientsNothing() throws Exception {
        Cluster cluster = Cluster.up("client");
        var gaps = new ConcurrentLinkedQueue<Gap>();
        var got = new ConcurrentLinkedQueue<Integer>();
        var atBob = new ConcurrentLinkedQueue<Integer>();
        try (CarillonClient ada = client(cluster, "ada");
                CarillonClient bob = client(cluster, "bob")) {
            ada.onGap(gaps::add).on("n", event -> got.add(event.content().asInt()));
            bob.onGap(gaps::add).on("m", event -> atBob.add(event.content().asInt()));
            ada.join("r");
            ada.connect().get(20, TimeUnit.SECONDS);
            bob.connect().get(20, TimeUnit.SECONDS);
            String key = cluster.env().get("CARILLON_API_KEY");
            String place = nodeOf(cluster, "ada");
            List<String> nodes = new ArrayList<>();
            for (JsonNode node : tree(cluster, "/api/ws/nodes").path("nodes")) {
                nodes.add(node.path("id").asString());
            }
            assertThat(nodes).contains(place);
            var sent = new ArrayList<CompletableFuture<Sent>>();
            for (int i = 1; i <= 500; i++) {
                publish(cluster, key, i);
                if (i % 25 == 0) sent.add(ada.send(Message.toUser("bob", "m", sent.size() + 1)));
                if (i == 200) kill(cluster, place);
            }
            Poll.until("every event", Duration.ofSeconds(30), () -> got.size() >= 500);
            assertThat(got)
                    .containsExactlyElementsOf(
                            IntStream.rangeClosed(1, 500).boxed().toList());
            for (CompletableFuture<Sent> one : sent) one.get(30, TimeUnit.SECONDS);
            Poll.until("every message", Duration.ofSeconds(30), () -> atBob.size() >= 20);
            assertThat(atBob)
                    .containsExactlyElementsOf(
                            IntStream.rangeClosed(1, 20).boxed().toList());
            assertThat(gaps).isEmpty();
            // The dead node's session is listed until a neighbour has cleaned up after it.
            Poll.until(
                    "ada to be elsewhere only",
                    Duration.ofSeconds(30),
                    () -> nodeOf(cluster, "ada"),
                    node -> !node.isEmpty() && !node.equals(place));
        } finally {
            cluster.close();
        }
        cluster.forget();
    }

    private static CarillonClient client(Cluster cluster, String user) throws Exception {
        return CarillonClient.at(cluster.url())
                .token(cluster.ok("token", "--user", user).strip())
                .build();
    }

    private static JsonNode tree(Cluster cluster, String path) throws Exception {
        return tools.jackson.databind.json.JsonMapper.shared().readTree(cluster.api(path));
    }

    private static String nodeOf(Cluster cluster, String user) throws Exception {
        return tree(cluster, "/api/ws/users/" + user)
                .path("sessions")
                .path(0)
                .path("node")
                .asString("");
    }

    /** Kills the node of this id by SIGKILL; its place in the env file is that of the address which welcomes by this id. */
    private static void kill(Cluster cluster, String id) throws Exception {
        List<String> urls = cluster.list("CARILLON_NODE_URLS");
        for (int i = 0; i < urls.size(); i++) {
            try (var asker = io.carillon.node.testing.Client.push(urls.get(i), "asker")) {
                if (!asker.next("welcome").path("node").asString().equals(id)) continue;
            }
            long pid = Long.parseLong(cluster.list("CARILLON_NODE_PIDS").get(i));
            ProcessHandle.of(pid).orElseThrow().destroyForcibly();
            return;
        }
        throw new AssertionError("no node is called " + id);
    }

    private static void publish(Cluster cluster, String key, int number) throws Exception {
        // The same key makes a retry harmless: nginx answers 502 for a request that was on the node that died.
        Poll.until("event " + number + " to be taken", Duration.ofSeconds(20), () -> {
            var request = HttpRequest.newBuilder(URI.create(cluster.url() + "/api/ws/rooms/r/broadcast"))
                    .header("X-API-Key", key)
                    .header("Idempotency-Key", "n-" + number)
                    .header("Content-Type", "application/json")
                    .timeout(Duration.ofSeconds(10))
                    .POST(HttpRequest.BodyPublishers.ofString("{\"type\":\"n\",\"content\":" + number + "}"));
            return Cluster.HTTP
                            .send(request.build(), HttpResponse.BodyHandlers.ofString())
                            .statusCode()
                    == 202;
        });
    }
}
