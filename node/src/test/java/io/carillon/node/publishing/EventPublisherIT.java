package io.carillon.node.publishing;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.carillon.model.channel.ChannelName;
import io.carillon.model.channel.Namespace;
import io.carillon.model.event.Event;
import io.carillon.model.event.Payload;
import io.carillon.model.publish.EventPublisher;
import io.carillon.model.publish.PublishException;
import io.carillon.model.publish.Published;
import io.carillon.model.publish.Way;
import io.carillon.node.testing.Client;
import io.carillon.node.testing.Nodes;
import io.carillon.node.testing.RedisCluster;
import io.carillon.node.testing.RedisServer;
import java.util.Map;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.RegisterExtension;
import org.springframework.boot.SpringBootConfiguration;
import org.springframework.boot.WebApplicationType;
import org.springframework.boot.autoconfigure.EnableAutoConfiguration;
import org.springframework.boot.builder.SpringApplicationBuilder;
import org.springframework.context.ConfigurableApplicationContext;
import org.springframework.context.annotation.Bean;
import org.springframework.context.annotation.Profile;
import tools.jackson.databind.JsonNode;

/** A Spring service of somebody else publishes, and the clients of real nodes get it. */
class EventPublisherIT {
    @RegisterExtension
    static final RedisServer redis = RedisServer.own();

    @RegisterExtension
    static final RedisCluster cluster = new RedisCluster();

    private static Nodes nodes;
    private static ConfigurableApplicationContext context;
    private static Orders orders;

    /** What such a service looks like. */
    @SpringBootConfiguration
    @EnableAutoConfiguration
    @Profile("a-service") // so that no node takes it for a part of itself
    static class Service {
        @Bean
        Orders orders(EventPublisher publisher) {
            return new Orders(publisher);
        }
    }

    record Shipped(String order, int parcels) {}

    record Orders(EventPublisher publisher) {
        Published shipped(String user, String order) {
            return publisher.toUser("push", user, "order_status", new Shipped(order, 2), order + "-shipped");
        }
    }

    @BeforeAll
    static void start() {
        nodes = new Nodes(redis.url(), 2, Map.of("carillon.ingress.scan", "1s"));
        context = service(redis.url());
        orders = context.getBean(Orders.class);
    }

    private static ConfigurableApplicationContext service(String url, String... more) {
        return serviceOn("--spring.data.redis.url=" + url, more);
    }

    private static ConfigurableApplicationContext serviceOn(String where, String... more) {
        var arguments = new java.util.ArrayList<>(
                java.util.List.of("--spring.config.name=a-service", "--spring.application.name=shop", where));
        arguments.addAll(java.util.List.of(more));
        return new SpringApplicationBuilder(Service.class)
                .web(WebApplicationType.NONE)
                .profiles("a-service")
                .run(arguments.toArray(String[]::new));
    }

    @AfterAll
    static void stop() {
        if (context != null) context.close();
        if (nodes != null) nodes.close();
    }

    @Test
    void aDurableEventComesOnceHoweverOftenItIsRepeated() throws Exception {
        try (Client client = Client.welcomed(nodes.url(1), "u1")) {
            Published first = orders.shipped("u1", "o-1");
            assertThat(first.id()).isEqualTo("o-1-shipped");
            assertThat(first.position().offset()).isEqualTo(1);
            assertThat(first.receivers()).isEqualTo(1);
            assertThat(first.duplicate()).isFalse();
            Published again = orders.shipped("u1", "o-1");
            assertThat(again.duplicate()).isTrue();
            assertThat(again.position()).isEqualTo(first.position());
            orders.publisher().toUser("push", "u1", "end", null);
            var frames = client.upTo("end");
            assertThat(frames).hasSize(2);
            JsonNode frame = frames.getFirst();
            assertThat(frame.path("type").asString()).isEqualTo("order_status");
            assertThat(frame.path("content").path("order").asString()).isEqualTo("o-1");
            assertThat(frame.path("content").path("parcels").asInt()).isEqualTo(2);
            assertThat(frame.path("offset").asLong()).isEqualTo(1);
            assertThat(frame.path("from").isMissingNode()).isTrue();
        }
    }

    @Test
    void aDurableEventWaitsForAUserWhoIsAway() throws Exception {
        Published published = orders.shipped("u2", "o-2");
        assertThat(published.receivers()).isZero();
        try (Client client = Client.welcomed(nodes.url(0), "u2")) {
            client.send("{\"type\":\"history\",\"channel\":\"user:u2\"}");
            assertThat(client.next("history").path("events").get(0).path("id").asString())
                    .isEqualTo("o-2-shipped");
        }
    }

    @Test
    void roomsAndEveryoneAreReached() throws Exception {
        try (Client client = Client.welcomed(nodes.url(0), "u3")) {
            client.send("{\"type\":\"join\",\"room\":\"r3\"}");
            client.next("joined");
            orders.publisher().toRoom("push", "r3", "sale", Map.of("percent", 20));
            assertThat(client.next("sale").path("room").isMissingNode()).isTrue();
            assertThat(orders.publisher().toBroadcast("push", "closing", "at 8").receivers())
                    .isPositive();
            assertThat(client.next("closing").path("content").asString()).isEqualTo("at 8");
        }
    }

    @Test
    void aPlainEventReachesWhoIsOnlineAndIsNotKept() throws Exception {
        EventPublisher plain = orders.publisher().by(Way.PLAIN);
        assertThat(plain.toUser("push", "u4", "cursor", 1).receivers()).isZero();
        try (Client client = Client.welcomed(nodes.url(0), "u4")) {
            Published published = plain.toUser("push", "u4", "cursor", Payload.ofJson("{\"x\": 2}"));
            assertThat(published.receivers()).isEqualTo(1);
            assertThat(published.position()).isNull();
            JsonNode frame = client.next("cursor");
            assertThat(frame.path("content").path("x").asInt()).isEqualTo(2);
            assertThat(frame.path("offset").isMissingNode()).isTrue();
            assertThat(frame.path("timestamp").asLong()).isPositive();
        }
        assertThat(redis.commands().exists("carillon:push:user:{u4}:history")).isZero();
    }

    @Test
    void throughTheIngressStreamItNeedsTheRightToThatAlone() throws Exception {
        redis.commands()
                .dispatch(
                        io.lettuce.core.protocol.CommandType.ACL,
                        new io.lettuce.core.output.StatusOutput<>(io.lettuce.core.codec.StringCodec.UTF8),
                        new io.lettuce.core.protocol.CommandArgs<>(io.lettuce.core.codec.StringCodec.UTF8)
                                .addValues(
                                        "SETUSER",
                                        "shop",
                                        "on",
                                        ">pw",
                                        "reset",
                                        "on",
                                        ">pw",
                                        "~carillon:ingress:{shop}",
                                        "-@all",
                                        "+xadd",
                                        "+ping",
                                        "+hello"));
        String url = redis.url().replace("redis://", "redis://shop:pw@");
        try (Client client = Client.welcomed(nodes.url(0), "u5");
                var least = service(url, "--carillon.publisher.way=ingress")) {
            EventPublisher publisher = least.getBean(EventPublisher.class);
            publisher.toUser("push", "u5", "a", 1, "i-1");
            publisher.toUser("push", "u5", "a", 1, "i-1");
            publisher.toUser("push", "u5", "b", 2);
            var frames = client.upTo("b");
            assertThat(frames).hasSize(2);
            assertThat(frames.getLast().path("offset").asLong()).isEqualTo(2);
            assertThatThrownBy(() -> publisher.by(Way.DURABLE).toUser("push", "u5", "c", 3, "i-2"))
                    .isInstanceOfSatisfying(
                            PublishException.class, e -> assertThat(e.id()).isEqualTo("i-2"))
                    .hasMessageContaining("NOPERM");
        }
    }

    @Test
    void everyWayLeadsThroughARedisClusterToo() throws Exception {
        String where = "spring.data.redis.cluster.nodes";
        try (var clustered = new Nodes("", 2, Map.of(where, cluster.nodes(), "carillon.ingress.scan", "1s"));
                var shop = serviceOn("--" + where + "=" + cluster.nodes())) {
            EventPublisher publisher = shop.getBean(EventPublisher.class);
            // Users on every primary.
            var users = new java.util.TreeMap<Integer, String>();
            for (int i = 0; users.size() < 3; i++) {
                users.putIfAbsent(cluster.ownerOf("carillon:push:user:{c" + i + "}"), "c" + i);
            }
            for (String user : users.values()) {
                try (Client client = Client.welcomed(clustered.url(1), user)) {
                    Published first = publisher.toUser("push", user, "a", 1, "i-1");
                    assertThat(first.position().offset()).isEqualTo(1);
                    assertThat(first.receivers()).isEqualTo(1);
                    assertThat(publisher.toUser("push", user, "a", 1, "i-1").duplicate())
                            .isTrue();
                    assertThat(publisher
                                    .by(Way.PLAIN)
                                    .toUser("push", user, "b", 2)
                                    .receivers())
                            .isEqualTo(1);
                    client.next("b");
                    publisher.by(Way.INGRESS).toUser("push", user, "c", 3);
                    assertThat(client.next("c").path("offset").asLong()).isEqualTo(2);
                }
            }
            // A service keeps finding its channel while its slot moves to another primary.
            String user = users.firstEntry().getValue();
            String key = "carillon:push:user:{" + user + "}";
            try (Client client = Client.welcomed(clustered.url(0), user)) {
                cluster.move(key, users.lastKey(), () -> {});
                Published moved = publisher.toUser("push", user, "moved", 4, "i-4");
                assertThat(moved.position().offset()).isEqualTo(3);
                assertThat(client.next("moved").path("offset").asLong()).isEqualTo(3);
            }
            try (Client client = Client.welcomed(clustered.url(0), "c-all")) {
                assertThat(publisher.toBroadcast("push", "closing", 5).receivers())
                        .isPositive();
                client.next("closing");
            }
        }
    }

    @Test
    void aForgottenScriptIsLoadedAgain() {
        redis.commands().scriptFlush();
        assertThat(orders.shipped("u6", "o-6").position().offset()).isEqualTo(1);
    }

    @Test
    void whatBreaksARuleIsRefusedBeforeAnythingIsSent() {
        EventPublisher publisher = orders.publisher();
        assertThatThrownBy(() -> publisher.toUser("push", "u 7", "t", 1))
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessageContaining("user id");
        assertThatThrownBy(() -> publisher.toUser("Push", "u7", "t", 1))
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessageContaining("namespace");
        assertThatThrownBy(() -> publisher.toUser("push", "u7", "a type", 1))
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessageContaining("type");
        assertThatThrownBy(() -> publisher.toUser("push", "u7", "t", 1, "an id"))
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessageContaining("event id");
        assertThatThrownBy(() -> publisher.toUser("push", "u7", "t", "x".repeat(600_000)))
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessageContaining("at most 540672");
        assertThatThrownBy(() -> publisher.toUser("push", "u7", "t", Payload.ofJson("{\"a\":")))
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessageContaining("JSON");
        assertThat(redis.commands().keys("carillon:push:user:{u7}*")).isEmpty();
    }

    @Test
    void otherFieldsOfAnEventAreSetWithItsBuilder() throws Exception {
        try (Client client = Client.welcomed(nodes.url(0), "u8")) {
            Event event = Event.of("hint", Payload.ofJson("1"))
                    .with()
                    .from("ada", "Ada", "agent")
                    .build();
            orders.publisher().publish(ChannelName.user(Namespace.PUSH, "u8"), event);
            assertThat(client.next("hint").path("from").asString()).isEqualTo("ada");
        }
    }
}
