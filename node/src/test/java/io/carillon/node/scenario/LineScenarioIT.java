package io.carillon.node.scenario;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import io.carillon.node.testing.Client;
import io.carillon.node.testing.Poll;
import java.net.URI;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import tools.jackson.databind.JsonNode;

/** Customer desks through the front door: the frames of a published guide, and two hundred clients while a node dies. */
class LineScenarioIT {
    private static final int CLIENTS = 200;
    private static final int MESSAGES = 30;
    private static final int CUSTOMERS = 4000;
    private static final int ACCOUNTS = 50;
    private static final int CODES = 20;

    private Cluster cluster;

    @BeforeEach
    void up() throws Exception {
        cluster = Cluster.up("line");
    }

    @AfterEach
    void down() throws Exception {
        cluster.close();
        cluster.forget();
    }

    private void code(String code, long group) throws Exception {
        var request = HttpRequest.newBuilder(URI.create(cluster.url() + "/api/line/activation-codes/" + code))
                .header("X-API-Key", cluster.env().get("CARILLON_API_KEY"))
                .header("Content-Type", "application/json")
                .PUT(HttpRequest.BodyPublishers.ofString("{\"group_id\":" + group + "}"));
        assertThat(Cluster.HTTP
                        .send(request.build(), HttpResponse.BodyHandlers.ofString())
                        .statusCode())
                .isEqualTo(201);
    }

    private Client dashboard(String url, String user) throws Exception {
        String token =
                cluster.ok("token", "--user", user, "--claim", "group_id=1").strip();
        return Client.connect(url + "/ws/dashboard?token=" + token);
    }

    // ---- the guide

    private static @Nullable String guide() throws Exception {
        Path seeds = Cluster.REPO.resolveSibling("shared/seeds");
        if (!Files.isDirectory(seeds)) return null;
        try (DirectoryStream<Path> files = Files.newDirectoryStream(seeds)) {
            for (Path file : files) {
                String text = Files.readString(file);
                if (text.contains("sync_line_accounts")) return text;
            }
        }
        return null;
    }

    /** The examples of a table, by type: objects as a page would write them, with gaps. */
    private static Map<String, String> examples(String guide, String heading) {
        int start = guide.indexOf(heading);
        int end = guide.indexOf("\n#", start);
        var all = new LinkedHashMap<String, String>();
        Pattern row = Pattern.compile("^\\| `(\\w+)` \\|.*\\| `(\\{.*})` \\|$", Pattern.MULTILINE);
        row.matcher(guide.substring(start, end)).results().forEach(found -> all.put(found.group(1), found.group(2)));
        return all;
    }

    /** The example as JSON, its gaps filled. */
    private static JsonNode filled(String example, String data) {
        return Client.JSON.readTree(example.replace("data: [...]", "data: " + data)
                .replace("data: {...}", "data: " + data)
                .replace("[...]", "[]")
                .replace("\"...\"", "\"HG66OP88\"")
                .replaceAll("([{,] ?)(\\w+):", "$1\"$2\":"));
    }

    /** Has every field of the example, each of the same kind of value, and the same value where that is fixed. */
    private static void follows(JsonNode actual, JsonNode example, String where) {
        assertThat(actual.getNodeType()).as(where).isEqualTo(example.getNodeType());
        for (var field : example.properties()) {
            String at = where + "." + field.getKey();
            assertThat(actual.has(field.getKey())).as(at).isTrue();
            if (List.of("message", "status", "success", "type", "group_id", "user_id")
                    .contains(field.getKey())) {
                assertThat(actual.path(field.getKey())).as(at).isEqualTo(field.getValue());
            }
            follows(actual.path(field.getKey()), field.getValue(), at);
        }
    }

    @Test
    void theFramesOfAPublishedGuideAreAnsweredAsItsTablesSay() throws Exception {
        String guide = guide();
        assumeTrue(
                guide != null, "the guide with sync_line_accounts does not lie beside this checkout (../shared/seeds)");
        Map<String, String> sent = examples(guide, "### 客户端发送消息");
        Map<String, String> pushed = examples(guide, "### 服务器推送消息");
        assertThat(sent).hasSize(6);
        assertThat(pushed).hasSize(12);
        var data = Map.of(
                "sync_line_accounts", "[{\"line_id\":\"a1\",\"display_name\":\"A\",\"online_status\":\"online\"}]",
                "incoming", "{\"line_account_id\":\"a1\",\"incoming_line_id\":\"x9\",\"display_name\":\"X\"}",
                "customer_sync", "{\"customer_id\":\"c1\"}",
                "follow_up_sync", "{\"customer_id\":\"c1\",\"content\":\"called\"}",
                "account_status_change", "{\"line_account_id\":\"a1\",\"online_status\":\"online\"}");
        code("HG66OP88", 1);
        var seen = new HashMap<String, JsonNode>();
        try (Client dashboard = dashboard(cluster.url(), "1");
                Client windows = Client.connect(cluster.url() + "/ws/windows?activation_code=HG66OP88")) {
            seen.put("connected", dashboard.next("connected"));
            seen.put("auth_success", windows.next("auth_success"));
            for (String type : sent.keySet()) {
                String answer = switch (type) {
                    case "heartbeat" -> "heartbeat_ack";
                    case "sync_line_accounts" -> "sync_result";
                    case "account_status_change" -> "account_status_updated";
                    default -> type + "_received";
                };
                windows.send(filled(sent.get(type), data.getOrDefault(type, "")).toString());
                seen.put(answer, windows.next(answer));
            }
            windows.send("{\"type\":\"unheard_of\",\"activation_code\":\"HG66OP88\"}");
            seen.put("error", windows.next("error"));
            // Numbers that follow one another closely come together, behind what they belong to.
            var watched = List.of("account_stats_update", "account_status_change", "group_stats_update");
            while (!seen.keySet().containsAll(watched)) {
                JsonNode frame = dashboard.poll(Duration.ofSeconds(10));
                assertThat(frame).as("next to %s", seen.keySet()).isNotNull();
                seen.put(frame.path("type").asString(), frame);
            }
            dashboard.send(filled(sent.get("heartbeat"), "").toString());
            follows(dashboard.next("heartbeat_ack"), filled(pushed.get("heartbeat_ack"), ""), "heartbeat_ack");
        }
        assertThat(seen).containsKeys(pushed.keySet().toArray(String[]::new));
        pushed.forEach((type, example) -> follows(seen.get(type), filled(example, ""), type));
        assertThat(seen).containsKeys("incoming", "customer_sync", "follow_up_sync");
    }

    // ---- two hundred clients

    /** One client's work: every message until it is answered, wherever that takes it. */
    private void work(int number, AtomicInteger answered) throws Exception {
        String code = "CODE-" + number % CODES;
        Client client = null;
        try {
            for (int i = 0; i < MESSAGES; i++) {
                String id = "m-" + number + "-" + i;
                String message = "{\"type\":\"incoming\",\"activation_code\":\"" + code + "\",\"id\":\"" + id
                        + "\",\"data\":{\"line_account_id\":\"a" + number % ACCOUNTS + "\",\"incoming_line_id\":\"x"
                        + (number * MESSAGES + i) % CUSTOMERS + "\"}}";
                while (true) {
                    try {
                        if (client == null || client.ended()) {
                            if (client != null) client.close();
                            client = Client.connect(cluster.url() + "/ws/windows?activation_code=" + code);
                        }
                        client.send(message);
                        // Some are impatient and say everything twice.
                        if (i % 5 == 0) client.send(message);
                        if (answer(client, id)) break;
                    } catch (Exception e) {
                        if (client != null) client.close();
                        client = null;
                    }
                }
                answered.incrementAndGet();
            }
        } finally {
            if (client != null) client.leave();
        }
    }

    private static boolean answer(Client client, String id) throws InterruptedException {
        long deadline = System.nanoTime() + Duration.ofSeconds(15).toNanos();
        while (System.nanoTime() < deadline && !client.ended()) {
            JsonNode frame = client.poll(Duration.ofMillis(200));
            if (frame == null || !frame.path("id").asString("").equals(id)) continue;
            return frame.path("type").asString().equals("incoming_received");
        }
        return false;
    }

    /** What a dashboard saw. */
    private static final class Watcher {
        final Map<String, Long> accounts = new TreeMap<>();
        final AtomicInteger incoming = new AtomicInteger();
        volatile @Nullable JsonNode group;

        void watch(Client client, AtomicBoolean over) throws InterruptedException {
            while (!over.get()) {
                JsonNode frame = client.poll(Duration.ofMillis(100));
                if (frame == null) continue;
                JsonNode data = frame.path("data");
                switch (frame.path("type").asString("")) {
                    case "incoming" -> incoming.incrementAndGet();
                    case "group_stats_update" -> group = data;
                    case "account_stats_update" -> {
                        synchronized (accounts) {
                            accounts.put(
                                    data.path("line_id").asString(),
                                    data.path("total_incoming").asLong());
                        }
                    }
                    default -> {}
                }
            }
        }

        List<Long> numbers() {
            JsonNode stats = group;
            if (stats == null) return List.of();
            var all = new ArrayList<Long>();
            for (String field : List.of(
                    "total_incoming",
                    "duplicate_incoming",
                    "today_incoming",
                    "today_duplicate",
                    "total_accounts",
                    "online_accounts")) {
                all.add(stats.path(field).asLong());
            }
            synchronized (accounts) {
                all.add(accounts.values().stream().mapToLong(Long::longValue).sum());
            }
            all.add((long) incoming.get());
            return all;
        }
    }

    @Test
    void twoHundredClientsWithRetriesAreCountedExactlyWhileANodeIsKilled() throws Exception {
        for (int i = 0; i < CODES; i++) code("CODE-" + i, 1);
        var over = new AtomicBoolean();
        var answered = new AtomicInteger();
        var first = new Watcher();
        var third = new Watcher();
        List<String> urls = cluster.list("CARILLON_NODE_URLS");
        try (Client near = dashboard(urls.get(0), "1");
                Client far = dashboard(urls.get(2), "2");
                Client reporter = Client.connect(urls.get(0) + "/ws/windows?activation_code=CODE-0");
                ExecutorService threads = Executors.newVirtualThreadPerTaskExecutor()) {
            near.next("connected");
            far.next("connected");
            reporter.next("auth_success");
            var accounts = new StringBuilder();
            for (int i = 0; i < ACCOUNTS; i++) {
                accounts.append(i == 0 ? "" : ",")
                        .append("{\"line_id\":\"a")
                        .append(i)
                        .append("\",\"online_status\":\"online\"}");
            }
            reporter.send(
                    "{\"type\":\"sync_line_accounts\",\"activation_code\":\"CODE-0\",\"data\":[" + accounts + "]}");
            reporter.next("sync_result");
            List<Future<?>> watchers = List.of(
                    threads.submit(() -> {
                        first.watch(near, over);
                        return null;
                    }),
                    threads.submit(() -> {
                        third.watch(far, over);
                        return null;
                    }));
            var clients = new ArrayList<Future<?>>();
            for (int i = 0; i < CLIENTS; i++) {
                int number = i;
                clients.add(threads.submit(() -> {
                    work(number, answered);
                    return null;
                }));
            }
            Poll.until("a third of the messages", Duration.ofMinutes(3), () -> answered.get() > CLIENTS * MESSAGES / 3);
            cluster.ok("node", "--kill", "2");
            for (Future<?> client : clients) client.get(4, TimeUnit.MINUTES);
            long total = (long) CLIENTS * MESSAGES;
            long twice = total - CUSTOMERS;
            var expected = List.of(total, twice, total, twice, (long) ACCOUNTS, (long) ACCOUNTS, total, total);
            for (Watcher watcher : List.of(first, third)) {
                Poll.until("all counted", Duration.ofSeconds(15), watcher::numbers, expected::equals);
            }
            // CODE-0 alone has spoken for accounts, and now it goes.
            reporter.leave();
            Poll.until(
                    "nobody online",
                    Duration.ofSeconds(15),
                    () -> first.numbers().get(5) + third.numbers().get(5),
                    online -> online == 0);
            over.set(true);
            for (Future<?> watcher : watchers) watcher.get(10, TimeUnit.SECONDS);
        }
    }
}
