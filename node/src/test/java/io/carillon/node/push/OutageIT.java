package io.carillon.node.push;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.carillon.node.testing.Client;
import io.carillon.node.testing.Nodes;
import io.carillon.node.testing.Poll;
import io.carillon.node.testing.RedisServer;
import java.net.http.WebSocketHandshakeException;
import java.time.Duration;
import java.util.Map;
import java.util.Set;
import org.junit.jupiter.api.Test;
import tools.jackson.databind.JsonNode;

/** Redis goes and comes back under a node that holds sessions. */
class OutageIT {
    @Test
    void sessionsStayPublishersAreToldAndEverythingHeals() throws Exception {
        try (var redis = RedisServer.running();
                var nodes = new Nodes(redis.url(), 1, Map.of());
                Client ada = Client.welcomed(nodes.url(0), "ada");
                Client bob = Client.welcomed(nodes.url(0), "bob")) {
            redis.stop();
            bob.next("degraded");
            ada.next("degraded");
            assertThat(nodes.ready(0)).isFalse();
            long asked = System.nanoTime();
            ada.send("{\"type\":\"chat\",\"to\":\"bob\",\"ref\":\"1\"}");
            JsonNode error = ada.next("error");
            assertThat(error.path("code").asString()).isEqualTo("unavailable");
            assertThat(error.path("ref").asString()).isEqualTo("1");
            assertThat(Duration.ofNanos(System.nanoTime() - asked)).isLessThan(Duration.ofSeconds(2));
            assertThatThrownBy(() -> Client.push(nodes.url(0), "cleo"))
                    .cause()
                    .isInstanceOfSatisfying(
                            WebSocketHandshakeException.class,
                            refused -> assertThat(refused.getResponse().statusCode())
                                    .isEqualTo(503));

            redis.start();
            bob.next("restored");
            ada.next("restored");
            // Empty now: what the sessions knew of their channels cannot be proven, and they are told.
            Poll.until("the node is ready again", Duration.ofSeconds(20), () -> nodes.ready(0));
            Poll.until(
                    "both to be online again",
                    Duration.ofSeconds(20),
                    () -> redis.commands().smembers("carillon:push:presence:online"),
                    Set.of("ada", "bob")::equals);
            ada.send("{\"type\":\"after\",\"to\":\"bob\",\"ref\":\"2\"}");
            assertThat(ada.next("sent").path("offset").asLong()).isEqualTo(1);
            assertThat(bob.next("after").path("from").asString()).isEqualTo("ada");
        }
    }

    @Test
    void aFrozenRedisIsNoticedAsOneThatIsGone() throws Exception {
        try (var redis = RedisServer.running();
                var nodes = new Nodes(redis.url(), 1, Map.of());
                Client ada = Client.welcomed(nodes.url(0), "ada");
                Client bob = Client.welcomed(nodes.url(0), "bob")) {
            redis.freeze();
            try {
                // The connections are as they were and nobody answers: both ways of publishing end all the same.
                for (int i = 0; i < 3; i++) {
                    long asked = System.nanoTime();
                    assertThat(nodes.call("POST", "/api/ws/send", "{\"type\":\"chat\",\"to\":\"bob\"}")
                                    .statusCode())
                            .isEqualTo(503);
                    ada.send("{\"type\":\"chat\",\"to\":\"bob\",\"ref\":\"f" + i + "\"}");
                    JsonNode error = ada.next("error");
                    assertThat(error.path("code").asString()).isEqualTo("unavailable");
                    assertThat(error.path("ref").asString()).isEqualTo("f" + i);
                    // Two seconds for each of the two.
                    assertThat(Duration.ofNanos(System.nanoTime() - asked)).isLessThan(Duration.ofSeconds(4));
                }
                bob.next("degraded");
                Poll.until("readiness to end", Duration.ofSeconds(5), () -> !nodes.ready(0));
            } finally {
                redis.thaw();
            }
            bob.next("restored");
            Poll.until("the node is ready again", Duration.ofSeconds(20), () -> nodes.ready(0));
            ada.send("{\"type\":\"after\",\"to\":\"bob\",\"ref\":\"2\"}");
            ada.next("sent");
            assertThat(bob.next("after").path("from").asString()).isEqualTo("ada");
        }
    }

    @Test
    void aSlowRedisIsNoOutage() throws Exception {
        try (var redis = RedisServer.running();
                var nodes = new Nodes(redis.url(), 1, Map.of());
                Client ada = Client.welcomed(nodes.url(0), "ada");
                Client bob = Client.welcomed(nodes.url(0), "bob")) {
            for (int i = 0; i < 4; i++) {
                // Every command waits for this long (redis.io, CLIENT PAUSE).
                redis.commands().clientPause(400);
                ada.send("{\"type\":\"chat\",\"to\":\"bob\",\"content\":" + i + ",\"ref\":\"" + i + "\"}");
                ada.next("sent");
                assertThat(bob.next("chat").path("content").asInt()).isEqualTo(i);
            }
            assertThat(nodes.ready(0)).isTrue();
            assertThat(bob.rest()).isEmpty();
        }
    }

    @Test
    void aUserIsShutOutThoughRedisHasJustLostItsData() throws Exception {
        try (var redis = RedisServer.running();
                var nodes = new Nodes(redis.url(), 2, Map.of());
                Client eve = Client.welcomed(nodes.url(1), "eve")) {
            redis.commands().flushall();
            assertThat(nodes.call("DELETE", "/api/ws/users/eve", null).statusCode())
                    .isEqualTo(204);
            assertThat(eve.closeCode()).isEqualTo(4503);
        }
    }
}
