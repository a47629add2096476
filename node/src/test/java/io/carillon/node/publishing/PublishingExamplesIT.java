package io.carillon.node.publishing;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import io.carillon.node.testing.Client;
import io.carillon.node.testing.Nodes;
import io.carillon.node.testing.RedisServer;
import java.io.File;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.RegisterExtension;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.springframework.boot.SpringBootConfiguration;
import org.springframework.boot.WebApplicationType;
import org.springframework.boot.autoconfigure.EnableAutoConfiguration;
import org.springframework.boot.builder.SpringApplicationBuilder;
import org.springframework.context.annotation.Import;
import org.springframework.context.annotation.Profile;
import shop.OrderService;
import tools.jackson.databind.JsonNode;

/** The programs of {@code docs/examples}, run as they are, and what a client gets of it. */
class PublishingExamplesIT {
    private static final Path EXAMPLES =
            Path.of("..", "docs", "examples").toAbsolutePath().normalize();

    @RegisterExtension
    static final RedisServer redis = RedisServer.own();

    private static Nodes nodes;

    @BeforeAll
    static void start() {
        nodes = new Nodes(redis.url(), 1, Map.of("carillon.ingress.services", "orders"));
    }

    @AfterAll
    static void stop() {
        if (nodes != null) nodes.close();
    }

    @ParameterizedTest
    @CsvSource({
        "bash, redis-cli, bash publish.sh",
        "python, python3, python3 publish.py",
        "node, node, node publish.mjs",
        "go, go, go run publish.go"
    })
    void aProgramPublishesAndTheClientReceives(String language, String needs, String command) throws Exception {
        assumeTrue(onPath(needs), needs + " is not on this machine: the example in " + language + " did not run");
        String user = "u-" + language;
        try (Client client = Client.welcomed(nodes.url(0), user)) {
            String printed = run(command, user);
            assertThat(printed.lines().findFirst()).as(printed).hasValue("1"); // one node had the user
            JsonNode plain = client.next("typing");
            assertThat(plain.path("content").path("by").asString()).isEqualTo(language);
            assertThat(plain.path("offset").isMissingNode()).isTrue();
            JsonNode durable = client.next("order_status");
            assertThat(durable.path("content").path("by").asString()).isEqualTo(language);
            assertThat(durable.path("id").asString()).isEqualTo(language + "-" + user + "-1");
            assertThat(durable.path("offset").asLong()).isPositive();

            run(command, user);
            redis.commands()
                    .xadd(
                            "carillon:ingress:{orders}",
                            Map.of("channel", "push:user:" + user, "event", "{\"type\":\"end\"}"));
            assertThat(client.upTo("end"))
                    .as("a repeat is no second event")
                    .noneMatch(frame -> frame.path("type").asString().equals("order_status"));
        }
    }

    @SpringBootConfiguration
    @EnableAutoConfiguration
    @Import(OrderService.class)
    @Profile("the-shop")
    static class Shop {}

    @Test
    void theSpringServicePublishes() throws Exception {
        try (var context = new SpringApplicationBuilder(Shop.class)
                        .web(WebApplicationType.NONE)
                        .profiles("the-shop")
                        .run("--spring.config.name=a-service", "--spring.data.redis.url=" + redis.url());
                Client client = Client.welcomed(nodes.url(0), "ada")) {
            OrderService orders = context.getBean(OrderService.class);
            orders.viewing("ada", "o-1");
            assertThat(client.next("order_viewed").path("content").path("order").asString())
                    .isEqualTo("o-1");
            assertThat(orders.shipped("ada", "o-1").duplicate()).isFalse();
            assertThat(orders.shipped("ada", "o-1").duplicate()).isTrue();
            assertThat(client.next("order_status")
                            .path("content")
                            .path("status")
                            .asString())
                    .isEqualTo("shipped");
        }
    }

    private static boolean onPath(String program) {
        for (String folder : System.getenv().getOrDefault("PATH", "").split(File.pathSeparator)) {
            if (Files.isExecutable(Path.of(folder, program))) return true;
        }
        return false;
    }

    private static String run(String command, String user) throws Exception {
        List<String> words = new ArrayList<>(List.of(command.split(" ")));
        words.add(user);
        Path output = Files.createTempFile("example", ".out");
        try {
            var builder = new ProcessBuilder(words)
                    .directory(EXAMPLES.toFile())
                    .redirectErrorStream(true)
                    .redirectOutput(output.toFile());
            builder.environment().put("CARILLON_REDIS_HOST", redis.uri().getHost());
            builder.environment()
                    .put("CARILLON_REDIS_PORT", Integer.toString(redis.uri().getPort()));
            Process process = builder.start();
            if (!process.waitFor(2, TimeUnit.MINUTES)) {
                process.destroyForcibly();
                throw new AssertionError(command + " does not end: " + Files.readString(output));
            }
            String printed = Files.readString(output);
            assertThat(process.exitValue()).as(printed).isZero();
            return printed;
        } finally {
            Files.delete(output);
        }
    }
}
