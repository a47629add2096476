package io.carillon.chaos;

import java.io.IOException;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * The cluster under test: nodes, nginx and Redis, all on loopback, as operators run them and told what to do by the same
 * settings. Used by the main thread; addresses may be read from any.
 */
final class Deployment implements AutoCloseable {
    /**
     * Where things are and how they are run.
     *
     * @param front port of nginx
     * @param nodes ports of the nodes
     * @param management their management ports
     * @param spare free ports for Redis and what stands before it
     * @param jvm options of a node's JVM
     * @param settings settings of every node, {@code name=value}
     */
    record Options(
            Path directory,
            Plan.Profile profile,
            int front,
            List<Integer> nodes,
            List<Integer> management,
            List<Integer> spare,
            String java,
            Path jar,
            List<String> jvm,
            List<String> settings,
            String redis,
            String nginx) {}

    static final String MASTER = "carillon";

    private final Options options;
    private final Processes processes;
    private final String password;
    private final String apiKey;
    private final String secret;
    private final List<FaultProxy> proxies = new ArrayList<>();
    private final List<Integer> redisPorts = new ArrayList<>();
    private final List<Integer> sentinelPorts = new ArrayList<>();
    private final HttpClient http =
            HttpClient.newBuilder().connectTimeout(Duration.ofSeconds(2)).build();

    Deployment(Options options, String password, String apiKey, String secret) throws IOException {
        this.options = options;
        this.password = password;
        this.apiKey = apiKey;
        this.secret = secret;
        processes = new Processes(options.directory());
    }

    Processes processes() {
        return processes;
    }

    Options options() {
        return options;
    }

    String password() {
        return password;
    }

    String apiKey() {
        return apiKey;
    }

    String secret() {
        return secret;
    }

    int nodeCount() {
        return options.nodes().size();
    }

    boolean clustered() {
        return options.profile() == Plan.Profile.CLUSTER;
    }

    FaultProxy proxy(int node) {
        return proxies.get(node);
    }

    static String node(int node) {
        return "node-" + (node + 1);
    }

    static String redis(int n) {
        return "redis-" + (n + 1);
    }

    List<Integer> redisPorts() {
        return List.copyOf(redisPorts);
    }

    void start() throws IOException, InterruptedException {
        var spare = options.spare().iterator();
        switch (options.profile()) {
            case STANDALONE -> {
                redisPorts.add(spare.next());
                startRedis(0, false);
                for (int i = 0; i < nodeCount(); i++) proxies.add(new FaultProxy(spare.next(), redisPorts.getFirst()));
            }
            case SENTINEL -> {
                for (int i = 0; i < 2; i++) redisPorts.add(spare.next());
                startRedis(0, false);
                startRedis(1, false, "--replicaof", "127.0.0.1 " + redisPorts.getFirst());
                for (int i = 0; i < 3; i++) sentinelPorts.add(spare.next());
                for (int i = 0; i < 3; i++) startSentinel(i);
            }
            case CLUSTER -> {
                for (int i = 0; i < 6; i++) redisPorts.add(spare.next());
                for (int i = 0; i < 6; i++) startRedis(i, false);
                joinCluster();
            }
        }
        for (int i = 0; i < nodeCount(); i++) startNode(i);
        for (int i = 0; i < nodeCount(); i++) awaitReady(i, 240);
        processes.start(
                "nginx",
                List.of(
                        options.nginx(),
                        "-p",
                        options.directory().resolve("nginx").toString(),
                        "-e",
                        options.directory().resolve("logs/nginx-error.log").toString(),
                        "-c",
                        options.directory().resolve("nginx/nginx.conf").toString()),
                Map.of());
        until(15, "nginx serves", () -> get(front() + "/api/ws/nodes", true) == 200);
    }

    // ---- nodes

    void startNode(int node) throws IOException {
        List<String> command = new ArrayList<>(List.of(options.java()));
        command.addAll(options.jvm());
        command.addAll(List.of("-jar", options.jar().toString()));
        for (String setting : options.settings()) command.add("--" + setting);
        Map<String, String> environment = new HashMap<>();
        environment.put("CARILLON_HOST", "127.0.0.1");
        environment.put("CARILLON_PORT", options.nodes().get(node).toString());
        environment.put(
                "CARILLON_MANAGEMENT_PORT", options.management().get(node).toString());
        environment.put("CARILLON_API_KEY", apiKey);
        environment.put("CARILLON_JWT_SECRET", secret);
        switch (options.profile()) {
            case STANDALONE -> {
                int port = options.spare().get(1 + node);
                environment.put("CARILLON_REDIS_URL", "redis://:" + password + "@127.0.0.1:" + port);
            }
            case SENTINEL -> {
                environment.put("SPRING_DATA_REDIS_SENTINEL_MASTER", MASTER);
                environment.put("SPRING_DATA_REDIS_SENTINEL_NODES", addresses(sentinelPorts));
                environment.put("SPRING_DATA_REDIS_PASSWORD", password);
            }
            case CLUSTER -> {
                environment.put("SPRING_DATA_REDIS_CLUSTER_NODES", addresses(redisPorts));
                environment.put("SPRING_DATA_REDIS_PASSWORD", password);
            }
        }
        processes.start(node(node), command, environment);
    }

    private static String addresses(List<Integer> ports) {
        return String.join(",", ports.stream().map(port -> "127.0.0.1:" + port).toList());
    }

    void awaitReady(int node, double seconds) throws InterruptedException {
        String health = management(node) + "/actuator/health/readiness";
        until(seconds, node(node) + " is ready", () -> {
            if (!processes.of(node(node)).isAlive()) {
                throw new IllegalStateException(node(node) + " ended; see logs/" + node(node) + ".log");
            }
            return get(health, false) == 200;
        });
    }

    String front() {
        return "http://127.0.0.1:" + options.front();
    }

    String management(int node) {
        return "http://127.0.0.1:" + options.management().get(node);
    }

    /** The status of a GET; 0 where there was no answer. */
    private int get(String url, boolean key) {
        try {
            var request = HttpRequest.newBuilder(URI.create(url)).timeout(Duration.ofSeconds(2));
            if (key) request.header("Authorization", "Bearer " + apiKey);
            return http.send(request.build(), HttpResponse.BodyHandlers.discarding())
                    .statusCode();
        } catch (IOException e) {
            return 0;
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            return 0;
        }
    }

    /** The sum of a metric's samples on a node; NaN where it does not answer. */
    double metric(int node, String name) {
        try {
            var request = HttpRequest.newBuilder(URI.create(management(node) + "/actuator/prometheus"))
                    .timeout(Duration.ofSeconds(3))
                    .build();
            double sum = 0;
            for (String line : http.send(request, HttpResponse.BodyHandlers.ofString())
                    .body()
                    .split("\n", -1)) {
                if (line.startsWith(name + "{") || line.startsWith(name + " ")) {
                    sum += Double.parseDouble(line.substring(line.lastIndexOf(' ') + 1));
                }
            }
            return sum;
        } catch (IOException e) {
            return Double.NaN;
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            return Double.NaN;
        }
    }

    // ---- Redis

    private Path data(int n) {
        return options.directory().resolve("data/" + redis(n));
    }

    /** Starts a Redis server, by its own configuration file and what is given here. */
    void startRedis(int n, boolean empty, String... more) throws IOException, InterruptedException {
        Path data = data(n);
        if (empty) wipe(n);
        Files.createDirectories(data);
        Map<String, String> settings = new LinkedHashMap<>();
        settings.put("bind", "127.0.0.1");
        settings.put("port", redisPorts.get(n).toString());
        settings.put("requirepass", password);
        settings.put("masterauth", password);
        settings.put("dir", data.toString());
        settings.put("save", "\"\"");
        settings.put("appendonly", "yes");
        settings.put("appendfsync", "everysec");
        settings.put("maxmemory-policy", "noeviction");
        settings.put("client-output-buffer-limit", "pubsub 256mb 64mb 60");
        settings.put("repl-diskless-sync-delay", "0");
        if (options.profile() == Plan.Profile.CLUSTER) {
            settings.put("cluster-enabled", "yes");
            settings.put("cluster-node-timeout", "3000");
        }
        for (int i = 0; i < more.length; i += 2) settings.put(more[i].substring(2), more[i + 1]);
        Path file = data.resolve("redis.conf");
        // Sentinel writes the roles into it.
        if (!Files.exists(file)) {
            var text = new StringBuilder();
            settings.forEach(
                    (name, value) -> text.append(name).append(' ').append(value).append('\n'));
            Files.writeString(file, text);
        }
        processes.start(redis(n), List.of(options.redis(), file.toString()), Map.of());
        until(20, redis(n) + " answers", () -> {
            try (Redis redis = new Redis(redisPorts.get(n), password, 1000)) {
                return "PONG".equals(redis.call("PING"));
            } catch (IOException e) {
                return false;
            }
        });
    }

    private void wipe(int n) throws IOException {
        Path data = data(n);
        if (!Files.exists(data)) return;
        try (var files = Files.walk(data)) {
            for (Path file : files.sorted(java.util.Comparator.reverseOrder()).toList()) Files.delete(file);
        }
    }

    private void startSentinel(int n) throws IOException {
        Path directory = Files.createDirectories(options.directory().resolve("data/sentinel-" + (n + 1)));
        Path file = directory.resolve("sentinel.conf");
        Files.writeString(
                file, """
                bind 127.0.0.1
                port %d
                dir %s
                sentinel monitor %4$s 127.0.0.1 %3$d 2
                sentinel auth-pass %4$s %5$s
                sentinel down-after-milliseconds %4$s 2000
                sentinel failover-timeout %4$s 10000
                sentinel parallel-syncs %4$s 1
                """.formatted(sentinelPorts.get(n), directory, redisPorts.getFirst(), MASTER, password));
        processes.start("sentinel-" + (n + 1), List.of(options.redis(), file.toString(), "--sentinel"), Map.of());
    }

    private void joinCluster() throws IOException, InterruptedException {
        int[][] slots = {{0, 5460}, {5461, 10922}, {10923, 16383}};
        List<String> ids = new ArrayList<>();
        for (int i = 0; i < 6; i++) {
            try (Redis redis = new Redis(redisPorts.get(i), password, 2000)) {
                ids.add(String.valueOf(redis.call("CLUSTER", "MYID")));
                redis.call("CONFIG", "SET", "cluster-require-full-coverage", "no");
                if (i < 3) redis.call("CLUSTER", "ADDSLOTSRANGE", slots[i][0], slots[i][1]);
                if (i > 0) redis.call("CLUSTER", "MEET", "127.0.0.1", redisPorts.getFirst());
            }
        }
        until(20, "the six Redis know each other", () -> everyRedis("cluster_known_nodes:6"));
        for (int i = 3; i < 6; i++) {
            try (Redis redis = new Redis(redisPorts.get(i), password, 2000)) {
                String primary = ids.get(i - 3);
                until(10, "a replica knows its primary", () -> {
                    try {
                        redis.call("CLUSTER", "REPLICATE", primary);
                        return true;
                    } catch (IOException e) {
                        return false;
                    }
                });
            }
        }
        until(20, "the cluster is up", () -> everyRedis("cluster_state:ok"));
    }

    private boolean everyRedis(String line) {
        for (int port : redisPorts) {
            try (Redis redis = new Redis(port, password, 2000)) {
                if (!String.valueOf(redis.call("CLUSTER", "INFO")).contains(line)) return false;
            } catch (IOException e) {
                return false;
            }
        }
        return true;
    }

    /** Index of a Redis that is a primary; the one Sentinel names, the only one, or one of a cluster's. */
    int primary(int which) throws IOException {
        switch (options.profile()) {
            case STANDALONE -> {
                return 0;
            }
            case SENTINEL -> {
                IOException last = null;
                for (int port : sentinelPorts) {
                    try (Redis sentinel = new Redis(port, "", 1000)) {
                        List<Object> address = sentinel.list("SENTINEL", "get-master-addr-by-name", MASTER);
                        int found = redisPorts.indexOf(Integer.valueOf(String.valueOf(address.get(1))));
                        if (found >= 0) return found;
                    } catch (IOException e) {
                        last = e;
                    }
                }
                throw last == null ? new IOException("no Sentinel names a primary") : last;
            }
            case CLUSTER -> {
                List<Integer> primaries = new ArrayList<>();
                for (int i = 0; i < redisPorts.size(); i++) {
                    try (Redis redis = new Redis(redisPorts.get(i), password, 1000)) {
                        if ("master".equals(redis.list("ROLE").getFirst())) primaries.add(i);
                    } catch (IOException e) {
                        // Down, or frozen: not one to choose.
                    }
                }
                if (primaries.isEmpty()) throw new IOException("no primary answers");
                return primaries.get(which % primaries.size());
            }
        }
        throw new IllegalStateException();
    }

    void askForFailover(int which) throws IOException {
        if (options.profile() == Plan.Profile.SENTINEL) {
            try (Redis sentinel = new Redis(sentinelPorts.getFirst(), "", 2000)) {
                sentinel.call("SENTINEL", "FAILOVER", MASTER);
            }
            return;
        }
        int primary = primary(which);
        int port = redisPorts.get(primary);
        for (int i = 0; i < redisPorts.size(); i++) {
            try (Redis redis = new Redis(redisPorts.get(i), password, 2000)) {
                List<Object> role = redis.list("ROLE");
                if ("slave".equals(role.getFirst())
                        && String.valueOf(role.get(2)).equals(Integer.toString(port))) {
                    redis.call("CLUSTER", "FAILOVER");
                    return;
                }
            }
        }
        throw new IOException("the primary has no replica");
    }

    /** A command to every Redis that answers. */
    void everywhere(Object... words) {
        for (int port : redisPorts) {
            try (Redis redis = new Redis(port, password, 2000)) {
                redis.call(words);
            } catch (IOException e) {
                // A replica may refuse, one that is down cannot answer.
            }
        }
    }

    /** Whether every primary has the functions that services may call. */
    boolean functions() {
        for (int port : redisPorts) {
            try (Redis redis = new Redis(port, password, 2000)) {
                if (!"master".equals(redis.list("ROLE").getFirst())) continue;
                if (redis.list("FUNCTION", "LIST", "LIBRARYNAME", "carillon").isEmpty()) return false;
            } catch (IOException e) {
                return false;
            }
        }
        return true;
    }

    // ---- waiting

    interface Condition {
        boolean holds() throws InterruptedException;
    }

    static void until(double seconds, String what, Condition condition) throws InterruptedException {
        if (!within(seconds, condition)) {
            throw new IllegalStateException("after " + Math.round(seconds) + " s still not: " + what);
        }
    }

    static boolean within(double seconds, Condition condition) throws InterruptedException {
        long deadline = System.nanoTime() + (long) (seconds * 1e9);
        while (!condition.holds()) {
            if (System.nanoTime() > deadline) return false;
            Thread.sleep(50);
        }
        return true;
    }

    @Override
    public void close() {
        processes.close();
        for (FaultProxy proxy : proxies) {
            try {
                proxy.close();
            } catch (IOException e) {
                // The run is over.
            }
        }
        http.close();
    }

    /** A connection to the Redis that holds a key, or to the primary; null while there is none. */
    @Nullable
    Redis connect(@Nullable String key, int timeoutMillis) {
        try {
            if (!clustered() || key == null) return new Redis(redisPorts.get(primary(0)), password, timeoutMillis);
            for (int port : redisPorts) {
                try (Redis any = new Redis(port, password, timeoutMillis)) {
                    long slot = any.number("CLUSTER", "KEYSLOT", key);
                    for (Object range : any.list("CLUSTER", "SLOTS")) {
                        if (!(range instanceof List<?> parts)
                                || !(parts.get(0) instanceof Long from)
                                || !(parts.get(1) instanceof Long to)
                                || slot < from
                                || slot > to) continue;
                        if (parts.get(2) instanceof List<?> owner) {
                            return new Redis(Integer.parseInt(String.valueOf(owner.get(1))), password, timeoutMillis);
                        }
                    }
                } catch (IOException e) {
                    // Ask another.
                }
            }
            return null;
        } catch (IOException e) {
            return null;
        }
    }
}
