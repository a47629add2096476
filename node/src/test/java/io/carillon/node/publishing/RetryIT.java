package io.carillon.node.publishing;

import static org.assertj.core.api.Assertions.assertThat;

import io.carillon.node.testing.Client;
import io.carillon.node.testing.Nodes;
import io.carillon.node.testing.RedisServer;
import io.lettuce.core.SetArgs;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.Map;
import java.util.UUID;
import java.util.concurrent.CompletableFuture;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.RegisterExtension;

/** A call with an Idempotency-Key is one event, whichever nodes its retries reach and whatever became of the first. */
class RetryIT {
    @RegisterExtension
    static final RedisServer redis = RedisServer.own();

    private static final HttpClient HTTP = HttpClient.newHttpClient();
    private static Nodes nodes;

    @BeforeAll
    static void start() {
        nodes = new Nodes(redis.url(), 2, Map.of());
    }

    @AfterAll
    static void stop() {
        if (nodes != null) nodes.close();
    }

    @Test
    void callsAtTheSameTimeOnTwoNodesAreOneEvent() throws Exception {
        try (Client client = Client.welcomed(nodes.url(0), "u1")) {
            var answers = new ArrayList<CompletableFuture<HttpResponse<String>>>();
            for (int i = 0; i < 20; i++) answers.add(send(i % 2, "u1", "same"));
            var bodies = new HashSet<String>();
            for (var answer : answers) {
                assertThat(answer.join().statusCode()).isEqualTo(202);
                bodies.add(answer.join().body());
            }
            assertThat(bodies).hasSize(1);
            assertThat(send(1, "u1", "other").join().statusCode()).isEqualTo(202);
            assertThat(client.next("order").path("offset").asLong()).isEqualTo(1);
            assertThat(client.next("order").path("offset").asLong()).isEqualTo(2);
        }
    }

    @Test
    void aRetryOnAnotherNodeIsOneEventThoughTheFirstDiedBeforeItRemembered() {
        String first = send(0, "u2", "died").join().body();
        // The event is in Redis, the answer is not: the node died in between, its mark left behind.
        var keys = redis.commands().keys("carillon:push:idempotency:*").stream()
                .filter(key -> redis.commands()
                        .get(key)
                        .contains(Client.JSON.readTree(first).path("id").asString()))
                .toList();
        assertThat(keys).hasSize(1);
        String kept = redis.commands().get(keys.getFirst());
        assertThat(kept).startsWith("!");
        redis.commands()
                .set(keys.getFirst(), "?" + kept.substring(1, 65) + UUID.randomUUID(), SetArgs.Builder.px(1500));
        HttpResponse<String> again = send(1, "u2", "died").join();
        assertThat(again.statusCode()).isEqualTo(202);
        var answer = Client.JSON.readTree(again.body());
        assertThat(answer.path("id")).isEqualTo(Client.JSON.readTree(first).path("id"));
        assertThat(answer.path("offset")).isEqualTo(Client.JSON.readTree(first).path("offset"));
        assertThat(redis.commands().llen("carillon:push:user:{u2}:history")).isEqualTo(1);
        assertThat(redis.commands().get(keys.getFirst())).startsWith("!");
    }

    private static CompletableFuture<HttpResponse<String>> send(int node, String user, String key) {
        var request = HttpRequest.newBuilder(URI.create(nodes.url(node) + "/api/ws/send"))
                .header("X-API-Key", Nodes.API_KEY)
                .header("Content-Type", "application/json")
                .header("Idempotency-Key", user + key)
                .POST(HttpRequest.BodyPublishers.ofString("{\"type\":\"order\",\"to\":\"" + user + "\"}"))
                .build();
        return HTTP.sendAsync(request, HttpResponse.BodyHandlers.ofString());
    }
}
