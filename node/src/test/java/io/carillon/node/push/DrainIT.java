package io.carillon.node.push;

import static org.assertj.core.api.Assertions.assertThat;

import io.carillon.node.testing.Client;
import io.carillon.node.testing.Nodes;
import io.carillon.node.testing.Poll;
import io.carillon.node.testing.RedisServer;
import java.net.http.HttpResponse;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.Test;
import tools.jackson.databind.JsonNode;

/** A node is drained through the HTTP API of another while clients and publishers go on. */
class DrainIT {
    private static final int CLIENTS = 200;
    private static final Map<String, String> SETTINGS = Map.of(
            "carillon.edge.drain-notice", "700ms",
            "carillon.edge.drain-window", "1s",
            "carillon.endpoints.push.origins", "https://app.example");

    @Test
    void clientsThatComeBackMissNothingAndTheNodeEnds() throws Exception {
        try (var redis = RedisServer.running();
                var nodes = new Nodes(redis.url(), 2, SETTINGS);
                ExecutorService threads = Executors.newVirtualThreadPerTaskExecutor()) {
            String leaving;
            try (Client asker = Client.push(nodes.url(1), "asker")) {
                leaving = asker.next("welcome").path("node").asString();
            }
            var clients = new ArrayList<CompletableFuture<Set<Integer>>>();
            var codes = new ConcurrentLinkedQueue<Integer>();
            var published = new AtomicInteger();
            var over = new AtomicBoolean();
            for (int i = 0; i < CLIENTS; i++) {
                Client client = Client.push(nodes.url(1), "u" + i);
                JsonNode welcome = client.next("welcome");
                clients.add(CompletableFuture.supplyAsync(
                        () -> {
                            try {
                                return follow(client, welcome, nodes.url(0), codes);
                            } catch (Exception e) {
                                throw new IllegalStateException(e);
                            }
                        },
                        threads));
            }
            // Publishing goes on through both nodes for as long as the second takes requests.
            var failures = new ConcurrentLinkedQueue<String>();
            CompletableFuture<Void> publisher = CompletableFuture.runAsync(
                    () -> {
                        while (!over.get()) {
                            int number = published.incrementAndGet();
                            try {
                                HttpResponse<String> answer = nodes.call(
                                        0,
                                        "POST",
                                        "/api/ws/broadcast",
                                        "{\"type\":\"news\",\"content\":" + number + "}");
                                if (answer.statusCode() != 202) failures.add(answer.body());
                            } catch (Exception e) {
                                failures.add(e.toString());
                            }
                        }
                    },
                    threads);
            Poll.until("some events", Duration.ofSeconds(10), () -> published.get() > 20);

            assertThat(nodes.call("POST", "/api/ws/nodes/" + leaving + "/drain", null)
                            .statusCode())
                    .isEqualTo(202);
            // At once: no sessions, not ready, and so in the list of nodes; HTTP still answers, and ends its
            // connections.
            Poll.until("readiness to end", Duration.ofSeconds(5), () -> !nodes.ready(1));
            HttpResponse<String> late = nodes.call(1, "GET", "/api/ws/status", null);
            assertThat(late.statusCode()).isEqualTo(200);
            assertThat(late.headers().firstValue("Connection")).contains("close");
            Poll.until(
                    "the state in the list of nodes",
                    Duration.ofSeconds(5),
                    () -> state(nodes, leaving),
                    "draining"::equals);
            assertThat(nodes.call("POST", "/api/ws/nodes/" + leaving + "/drain", null)
                            .statusCode())
                    .isEqualTo(202);

            Poll.until("every session closed", Duration.ofSeconds(20), () -> codes.size() == CLIENTS);
            Poll.until("the node's end", Duration.ofSeconds(20), () -> !nodes.running(1));
            int last = published.get() + 1;
            over.set(true);
            publisher.join();
            assertThat(nodes.call("POST", "/api/ws/broadcast", "{\"type\":\"last\",\"content\":" + last + "}")
                            .statusCode())
                    .isEqualTo(202);

            assertThat(failures).isEmpty();
            assertThat(codes).containsOnly(1012);
            var all = new TreeSet<Integer>();
            for (int i = 1; i <= published.get(); i++) all.add(i);
            for (CompletableFuture<Set<Integer>> client : clients) {
                assertThat(client.get()).isEqualTo(all);
            }
            assertThat(state(nodes, leaving)).isEqualTo("gone");
        }
    }

    @Test
    void anUnknownNodeIsNotFound() throws Exception {
        try (var redis = RedisServer.running();
                var nodes = new Nodes(redis.url(), 1, Map.of())) {
            HttpResponse<String> answer = nodes.call("POST", "/api/ws/nodes/nobody/drain", null);
            assertThat(answer.statusCode()).isEqualTo(404);
        }
    }

    /** The numbers a client has seen, on the node it was on and after the drain on the other. */
    private static Set<Integer> follow(
            Client first, JsonNode welcome, String elsewhere, ConcurrentLinkedQueue<Integer> codes) throws Exception {
        var seen = new ArrayList<Integer>();
        JsonNode position = welcome.path("channels").path("broadcast");
        for (JsonNode frame : first.upTo("drain")) {
            if (frame.path("type").asString().equals("news")) {
                seen.add(frame.path("content").asInt());
                position = frame;
            } else if (frame.path("type").asString().equals("drain")) {
                assertThat(frame.path("reconnect_within_ms").asInt()).isEqualTo(1000);
            }
        }
        codes.add(first.closeCode());
        for (JsonNode frame : first.rest()) {
            if (frame.path("type").asString().equals("news")) {
                seen.add(frame.path("content").asInt());
                position = frame;
            }
        }
        assertThat(seen).as("in order, on the node that goes").isSorted();
        try (Client second = Client.push(elsewhere, welcome.path("user").asString())) {
            second.next("welcome");
            second.send("{\"type\":\"resume\",\"channels\":{\"broadcast\":{\"epoch\":\""
                    + position.path("epoch").asString() + "\",\"offset\":"
                    + position.path("offset").asLong() + "}}}");
            // What is published between the welcome and the resume comes before what was missed.
            var came = new ArrayList<>(second.upTo("resumed"));
            assertThat(came.getLast()
                            .path("channels")
                            .path("broadcast")
                            .path("recovered")
                            .asBoolean())
                    .isTrue();
            if (came.stream().noneMatch(DrainIT::last)) came.addAll(second.upTo("last"));
            // The other node may have been a moment behind: what it sent before it was told how far the client is, the
            // client knows.
            long known = position.path("offset").asLong();
            for (JsonNode frame : came) {
                if (frame.path("type").asString().equals("news")
                        && frame.path("offset").asLong() > known)
                    seen.add(frame.path("content").asInt());
            }
        }
        assertThat(seen).as("each once").doesNotHaveDuplicates();
        return new TreeSet<>(seen);
    }

    private static boolean last(JsonNode frame) {
        return frame.path("type").asString().equals("last");
    }

    private static String state(Nodes nodes, String id) throws Exception {
        for (JsonNode node : nodes.get("/api/ws/nodes").path("nodes")) {
            if (node.path("id").asString().equals(id)) return node.path("state").asString();
        }
        return "gone";
    }
}
