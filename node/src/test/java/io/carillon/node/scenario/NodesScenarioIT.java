package io.carillon.node.scenario;

import static org.assertj.core.api.Assertions.assertThat;

import io.carillon.node.testing.Client;
import io.carillon.node.testing.Http;
import io.carillon.node.testing.Poll;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Collection;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.locks.LockSupport;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.IntStream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import tools.jackson.databind.JsonNode;

/** Several nodes as one: talking across them, losing one, adding one, restarting them. */
class NodesScenarioIT {
    private static final Pattern GAUGE =
            Pattern.compile("^carillon_users_online\\{[^}]*namespace=\"push\"[^}]*} (\\S+)", Pattern.MULTILINE);
    private Cluster cluster;
    private final List<Client> clients = new ArrayList<>();

    @BeforeEach
    void up() throws Exception {
        cluster = Cluster.up("nodes");
    }

    @AfterEach
    void down() throws Exception {
        clients.forEach(Client::close);
        cluster.close();
        cluster.forget();
    }

    @Test
    void usersOnDifferentNodesTalkAndAllCountsAgreeThroughALostNode() throws Exception {
        List<String> nodes = nodeIds();
        var online = new TreeMap<String, String>();
        for (int i = 0; i < 9; i++) {
            String user = "u" + i;
            Client client = client(cluster.url(), user);
            online.put(user, client.next("welcome").path("node").asString());
        }
        assertThat(online.values())
                .as("least_conn spreads sessions over all nodes")
                .contains(nodes.toArray(String[]::new));

        String second = nodes.get(1);
        int stranger = users(online).stream()
                .filter(user -> !online.get("u" + user).equals(online.get("u0")))
                .findFirst()
                .orElseThrow();
        clients.get(0)
                .send("{\"type\":\"chat\",\"to\":\"u" + stranger
                        + "\",\"content\":\"hello over there\",\"ref\":\"1\"}");
        clients.get(0).next("sent");
        var received = clients.get(stranger).next("chat");
        assertThat(received.path("from").asString()).isEqualTo("u0");
        assertThat(received.path("content").asString()).isEqualTo("hello over there");

        Poll.until("all counts to be 9", Duration.ofSeconds(10), this::counts, List.of(9L, 9L, 9L, 9L, 9L)::equals);

        long left =
                online.values().stream().filter(node -> !node.equals(second)).count();
        assertThat(left).isLessThan(9);
        cluster.ok("node", "--kill", "2");
        var status = cluster.script("status");
        assertThat(status.code()).isEqualTo(1);
        assertThat(status.output()).containsPattern("node 2 +down");
        // Nodes that have just come up believe no silence of others for 5 s (ADR 6); then it takes 2.5 s at most.
        Poll.until(
                "all counts to be " + left,
                Duration.ofSeconds(12),
                this::counts,
                counts -> counts.stream().allMatch(count -> count == left));

        // nginx passes over a node that died without anybody telling it, too.
        Client before = client(cluster.list("CARILLON_NODE_URLS").get(0), "before");
        before.next("welcome");
        long third = Long.parseLong(cluster.list("CARILLON_NODE_PIDS").get(2));
        ProcessHandle.of(third).orElseThrow().destroyForcibly();
        for (int i = 0; i < 6; i++) {
            assertThat(client(cluster.url(), "early" + i)
                            .next("welcome")
                            .path("node")
                            .asString())
                    .isEqualTo(nodes.getFirst());
        }

        // The front door passes over the dead nodes, and a restart brings them back where they were.
        String url = cluster.list("CARILLON_NODE_URLS").get(1);
        for (int i = 0; i < 6; i++) {
            assertThat(client(cluster.url(), "late" + i)
                            .next("welcome")
                            .path("node")
                            .asString())
                    .isNotEqualTo(second);
        }
        cluster.ok("up");
        assertThat(cluster.list("CARILLON_NODE_URLS").get(1)).isEqualTo(url);
        assertThat(cluster.ok("status")).doesNotContain("down");
    }

    @Test
    void aNodeIsAddedAndOneIsDrainedWhileSessionsElsewhereGoOn() throws Exception {
        cluster.ok("node", "--add");
        assertThat(cluster.list("CARILLON_NODE_URLS")).hasSize(4);
        assertThat(cluster.list("CARILLON_NODE_PIDS")).hasSize(4);
        List<String> nodes = nodeIds();
        assertThat(nodes).doesNotHaveDuplicates().hasSize(4);
        Client witness = client(cluster.list("CARILLON_NODE_URLS").get(3), "witness");
        witness.next("welcome");
        cluster.ok("node", "--drain", "1");
        assertThat(cluster.script("status").output()).containsPattern("node 1 +down");
        cluster.ok("node", "--restart", "1");
        cluster.ok("status");
        witness.send("{\"type\":\"ping\"}");
        witness.next("pong");
    }

    @Test
    void aRollingRestartUnderLoadLosesNoEventAndRefusesNoPublisher() throws Exception {
        var over = new AtomicBoolean();
        var published = new AtomicInteger();
        var failures = new ConcurrentLinkedQueue<String>();
        var codes = new ConcurrentLinkedQueue<Integer>();
        try (ExecutorService threads = Executors.newVirtualThreadPerTaskExecutor()) {
            var followers = new ArrayList<Future<List<Integer>>>();
            for (int i = 0; i < 30; i++) {
                String user = "f" + i;
                followers.add(threads.submit(() -> follow(user, codes)));
            }
            Poll.until("all to be online", Duration.ofSeconds(20), () -> counts().getFirst() == 30);
            Future<?> publisher = threads.submit(() -> {
                while (!over.get()) {
                    try {
                        publish("news", published.get() + 1, failures);
                        published.incrementAndGet();
                    } catch (Exception e) {
                        failures.add(e.toString());
                    }
                    LockSupport.parkNanos(20_000_000);
                }
            });
            try {
                Poll.until("some events", Duration.ofSeconds(20), () -> published.get() > 20);
                cluster.ok("node", "--restart");
            } finally {
                over.set(true);
                publisher.get();
                publish("last", 0, failures);
            }
            assertThat(failures).isEmpty();
            var all = IntStream.rangeClosed(1, published.get()).boxed().toList();
            for (Future<List<Integer>> follower : followers) {
                assertThat(follower.get(30, TimeUnit.SECONDS)).isEqualTo(all);
            }
            // Three nodes have gone: everybody was moved at least once, and never otherwise than by a drain.
            assertThat(codes).hasSizeGreaterThanOrEqualTo(30).containsOnly(1012);
        }
    }

    private void publish(String type, int number, Collection<String> failures) throws Exception {
        Http.Answer answer =
                cluster.publish("/api/ws/broadcast", "{\"type\":\"" + type + "\",\"content\":" + number + "}");
        if (answer.status() != 202) failures.add(answer.toString());
    }

    /** What a client that comes back after each close and resumes has seen until the last event, in order of offsets. */
    private List<Integer> follow(String user, Collection<Integer> codes) throws Exception {
        var seen = new TreeMap<Long, Integer>();
        JsonNode position = null;
        while (true) {
            try (Client client = reconnect(user)) {
                JsonNode welcome = client.next("welcome");
                if (position == null) {
                    position = welcome.path("channels").path("broadcast");
                } else {
                    client.send("{\"type\":\"resume\",\"channels\":{\"broadcast\":{\"epoch\":\""
                            + position.path("epoch").asString() + "\",\"offset\":"
                            + position.path("offset").asLong() + "}}}");
                    // The last event may come before what was missed.
                    boolean last = false;
                    for (JsonNode frame : client.upTo("resumed")) last |= take(frame, seen);
                    if (last) return List.copyOf(seen.values());
                }
                while (true) {
                    JsonNode frame = client.poll(Duration.ofMillis(100));
                    if (frame == null && client.ended()) break;
                    if (frame != null && take(frame, seen)) return List.copyOf(seen.values());
                }
                codes.add(client.closeCode());
                if (!seen.isEmpty()) {
                    position =
                            Client.JSON.createObjectNode().put("epoch", epoch).put("offset", seen.lastKey());
                }
            }
        }
    }

    private volatile String epoch = "";

    private boolean take(JsonNode frame, TreeMap<Long, Integer> seen) {
        String type = frame.path("type").asString("");
        if (type.equals("news")) {
            epoch = frame.path("epoch").asString();
            seen.put(frame.path("offset").asLong(), frame.path("content").asInt());
        }
        return type.equals("last");
    }

    private Client reconnect(String user) {
        return Poll.until(
                "a session", Duration.ofSeconds(20), () -> Client.push(cluster.url(), user), client -> client != null);
    }

    private static List<Integer> users(Map<String, String> online) {
        return online.keySet().stream()
                .map(user -> Integer.parseInt(user.substring(1)))
                .toList();
    }

    private Client client(String url, String user) throws Exception {
        Client client = Client.push(url, user);
        clients.add(client);
        return client;
    }

    /** The nodes' own names, in the order of the env file. */
    private List<String> nodeIds() throws Exception {
        var ids = new ArrayList<String>();
        for (String url : cluster.list("CARILLON_NODE_URLS")) {
            try (Client client = Client.push(url, "asker")) {
                ids.add(client.next("welcome").path("node").asString());
            }
        }
        return ids;
    }

    /** Online users by the status call, by Redis, and by the gauge of every node that lives. */
    private List<Long> counts() throws Exception {
        var counts = new ArrayList<Long>();
        counts.add(Client.JSON
                .readTree(cluster.api("/api/ws/status"))
                .path("online_count")
                .asLong());
        counts.add(Long.parseLong(cluster.redis("SCARD", "carillon:push:presence:online")));
        for (String url : cluster.list("CARILLON_MANAGEMENT_URLS")) {
            if (Cluster.listens(java.net.URI.create(url).getPort())) {
                Matcher gauge =
                        GAUGE.matcher(cluster.get(url + "/actuator/prometheus").body());
                assertThat(gauge.find())
                        .as("carillon_users_online{namespace=\"push\"} at " + url)
                        .isTrue();
                counts.add((long) Double.parseDouble(gauge.group(1)));
            }
        }
        return counts;
    }
}
