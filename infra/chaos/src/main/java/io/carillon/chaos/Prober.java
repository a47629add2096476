package io.carillon.chaos;

import io.carillon.chaos.World.Tenant;
import java.io.IOException;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;
import tools.jackson.core.JacksonException;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;

/** Asks twice a second who is online, as operators do: Redis itself where one set has them all, and the HTTP API. */
final class Prober implements Runnable {
    private static final JsonMapper JSON = JsonMapper.shared();
    private static final double INTERVAL = 0.5;

    private final World world;
    private final Journal journal;
    private final HttpClient http;
    private @Nullable Redis redis;
    private volatile boolean stopping;

    Prober(World world, Journal journal, HttpClient http) {
        this.world = world;
        this.journal = journal;
        this.http = http;
    }

    void stop() {
        stopping = true;
    }

    @Override
    public void run() {
        try {
            double due = world.clock().now();
            for (int round = 0; !stopping; round++) {
                for (Tenant tenant : World.TENANTS) {
                    if (!world.deployment().clustered()) fromRedis(tenant);
                    if (world.deployment().clustered() || round % 4 == 0) fromApi(tenant);
                }
                due = Math.max(due + INTERVAL, world.clock().now());
                Moment.pause(due - world.clock().now());
            }
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        } finally {
            if (redis != null) redis.close();
            journal.close();
        }
    }

    private void fromRedis(Tenant tenant) {
        double from = world.clock().now();
        try {
            if (redis == null || redis.broken()) {
                if (redis != null) redis.close();
                redis = world.deployment().connect(null, 1000);
            }
            if (redis == null) return;
            List<Object> users = redis.list("SMEMBERS", "carillon:" + tenant.namespace() + ":presence:online");
            journal.write("presence", "ns", tenant.namespace(), "via", "redis", "from", from, "users", users);
        } catch (IOException e) {
            if (redis != null) redis.close();
            redis = null;
        }
    }

    private void fromApi(Tenant tenant) throws InterruptedException {
        double from = world.clock().now();
        List<String> users = new ArrayList<>();
        String cursor = "";
        try {
            do {
                var request = HttpRequest.newBuilder(
                                URI.create(world.deployment().front() + "/api/ws/status?namespace=" + tenant.namespace()
                                        + "&limit=1000" + (cursor.isEmpty() ? "" : "&cursor=" + cursor)))
                        .timeout(Duration.ofSeconds(3))
                        .header("Authorization", "Bearer " + world.deployment().apiKey())
                        .build();
                HttpResponse<String> response = http.send(request, HttpResponse.BodyHandlers.ofString());
                if (response.statusCode() != 200) return;
                JsonNode status = JSON.readTree(response.body());
                status.path("online_users").forEach(user -> users.add(user.asString("")));
                cursor = status.path("next_cursor").asString("");
            } while (!cursor.isEmpty());
            journal.write("presence", "ns", tenant.namespace(), "via", "http", "from", from, "users", users);
        } catch (IOException | JacksonException e) {
            // No answer is no statement.
        }
    }
}
