package io.carillon.node.push;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.carillon.node.testing.Client;
import io.carillon.node.testing.Nodes;
import io.carillon.node.testing.Poll;
import io.carillon.node.testing.RedisServer;
import io.micrometer.core.instrument.Counter;
import io.micrometer.core.instrument.MeterRegistry;
import java.net.http.HttpResponse;
import java.net.http.WebSocketHandshakeException;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Map;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.Test;
import tools.jackson.databind.JsonNode;

/** More is asked of a node than it may take. */
class OverloadIT {
    private static final int EVENT_BYTES = 200_000;

    @Test
    void theSlowGoBeforeTheNodeDoesAndNoDurableEventIsLost() throws Exception {
        var settings = Map.of(
                "carillon.dispatch.memory", "6000000",
                "carillon.dispatch.broadcast-history", "500",
                // Each of the slow ones may have it all: only the node's own budget is in the way.
                "carillon.outbox.bytes", "1000000000",
                "carillon.outbox.frames", "100000",
                "carillon.outbox.age", "60s");
        try (var redis = RedisServer.running();
                var nodes = new Nodes(redis.url(), 1, settings);
                Client reader = Client.welcomed(nodes.url(0), "reader")) {
            var slow = new ArrayList<Client>();
            for (int i = 0; i < 3; i++) {
                Client client = Client.welcomed(nodes.url(0), "slow" + i);
                client.stopReading();
                slow.add(client);
            }
            String text = "\"" + "x".repeat(EVENT_BYTES) + "\"";
            var refused = new AtomicInteger();
            var published = new AtomicInteger();
            // Until the budget is passed, and what that takes has happened.
            Poll.until("handshakes to be refused", Duration.ofSeconds(60), () -> {
                HttpResponse<String> answer =
                        nodes.call("POST", "/api/ws/broadcast", "{\"type\":\"big\",\"content\":" + text + "}");
                if (answer.statusCode() == 202) published.incrementAndGet();
                redis.commands()
                        .publish("carillon:push:broadcast:{push}", "{\"type\":\"light\",\"content\":" + text + "}");
                try {
                    Client.push(nodes.url(0), "late").close();
                } catch (Exception e) {
                    if (e.getCause() instanceof WebSocketHandshakeException handshake
                            && handshake.getResponse().statusCode() == 503) refused.incrementAndGet();
                }
                return refused.get() > 0;
            });
            Poll.until(
                    "the slow to be closed",
                    Duration.ofSeconds(30),
                    () -> nodes.bean(0, MeterRegistry.class)
                                    .counter("carillon.outbox.slow")
                                    .count()
                            >= 1);
            Poll.until("room for handshakes", Duration.ofSeconds(60), () -> {
                Client.welcomed(nodes.url(0), "after").close();
                return true;
            });
            assertThat(nodes.call("POST", "/api/ws/broadcast", "{\"type\":\"last\"}")
                            .statusCode())
                    .isEqualTo(202);
            long offset = 0;
            int big = 0;
            for (JsonNode frame : reader.upTo("last")) {
                if (frame.path("offset").isMissingNode()) continue;
                assertThat(frame.path("offset").asLong()).isEqualTo(++offset);
                if (frame.path("type").asString().equals("big")) big++;
            }
            assertThat(big).isEqualTo(published.get());
            Counter dropped = nodes.bean(0, MeterRegistry.class)
                    .find("carillon.dispatch.dropped")
                    .tags("kind", "ephemeral", "reason", "memory")
                    .counter();
            assertThat(dropped).isNotNull();
            assertThat(dropped.count()).isPositive();
            slow.forEach(Client::close);
        }
    }

    @Test
    void aCallerOverItsRateIsToldToSlowDownAndOthersAreNot() throws Exception {
        var settings = Map.of("carillon.api.calls-per-second", "1", "carillon.api.call-burst", "3");
        try (var redis = RedisServer.running();
                var nodes = new Nodes(redis.url(), 1, settings)) {
            for (int i = 0; i < 3; i++) {
                assertThat(nodes.call("GET", "/api/ws/status", null).statusCode())
                        .isEqualTo(200);
            }
            HttpResponse<String> refused = nodes.call("POST", "/api/ws/broadcast", "{\"type\":\"news\"}");
            assertThat(refused.statusCode()).isEqualTo(429);
            assertThat(refused.headers().firstValue("Retry-After")).isPresent();
            assertThat(refused.body()).contains("\"error\":");
            Poll.until(
                    "the next call",
                    Duration.ofSeconds(10),
                    () -> nodes.call("GET", "/api/ws/status", null).statusCode() == 200);
        }
    }

    @Test
    void aFloodIsAnsweredAndThenClosed() throws Exception {
        try (var redis = RedisServer.running();
                var nodes = new Nodes(redis.url(), 1, Map.of());
                Client flood = Client.welcomed(nodes.url(0), "flood")) {
            for (int i = 0; i < 100; i++) flood.send("{\"type\":\"ping\"}");
            int pongs = 0;
            for (JsonNode frame : flood.upTo("error")) {
                if (frame.path("type").asString().equals("pong")) pongs++;
                else assertThat(frame.path("code").asString()).isEqualTo("rate_limited");
            }
            assertThat(pongs).isGreaterThanOrEqualTo(40);
            assertThatThrownBy(() -> {
                        for (int i = 0; i < 5_000; i++) flood.send("{\"type\":\"ping\"}");
                    })
                    .isNotNull();
            assertThat(flood.closeCode()).isEqualTo(4429);
        }
    }

    @Test
    void theOldestSessionGoesWhereTheEndpointSaysSo() throws Exception {
        var settings = Map.of(
                "carillon.endpoints.push.sessions-per-user", "2", "carillon.endpoints.push.over-limit", "close-oldest");
        try (var redis = RedisServer.running();
                var nodes = new Nodes(redis.url(), 2, settings);
                Client first = Client.welcomed(nodes.url(0), "ada");
                Client second = Client.welcomed(nodes.url(1), "ada");
                Client third = Client.welcomed(nodes.url(1), "ada")) {
            assertThat(first.closeCode()).isEqualTo(4504);
            Poll.until("two sessions", Duration.ofSeconds(10), () -> sessions(nodes) == 2);
            assertThat(second.ended()).isFalse();
            assertThat(third.ended()).isFalse();
        }
    }

    @Test
    void aNewSessionReplacesTheOldWhereTheEndpointAllowsOne() throws Exception {
        var settings = Map.of(
                "carillon.endpoints.push.sessions-per-user", "1", "carillon.endpoints.push.over-limit", "replace");
        try (var redis = RedisServer.running();
                var nodes = new Nodes(redis.url(), 2, settings);
                Client first = Client.welcomed(nodes.url(0), "ada");
                Client second = Client.welcomed(nodes.url(1), "ada")) {
            assertThat(first.closeCode()).isEqualTo(4509);
            Poll.until("one session", Duration.ofSeconds(10), () -> sessions(nodes) == 1);
            assertThat(second.ended()).isFalse();
        }
    }

    private static int sessions(Nodes nodes) throws Exception {
        return nodes.get("/api/ws/users/ada").path("sessions").size();
    }
}
