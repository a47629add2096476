package io.carillon.node.scenario;

import io.carillon.node.testing.Client;
import io.carillon.node.testing.Http;
import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.UUID;
import java.util.concurrent.TimeUnit;

/**
 * A cluster of this test's own, driven as a person would: by {@code scripts/}. It lies in a directory of its own and on
 * free ports, so any number of them, and one from the same checkout, may be up at the same time.
 */
final class Cluster implements AutoCloseable {
    /** What a script said and how it ended. */
    record Ended(int code, String output) {}

    static final Path REPO = repo();
    static final HttpClient HTTP = HttpClient.newBuilder()
            .version(HttpClient.Version.HTTP_1_1)
            .connectTimeout(Duration.ofSeconds(5))
            .build();

    final Path home;
    final int port;

    Cluster(String name) throws Exception {
        home = Files.createTempDirectory(Files.createDirectories(REPO.resolve("node/target/scenario")), name + "-");
        port = freePort();
    }

    /** A cluster of three nodes that is up. */
    static Cluster up(String name) throws Exception {
        var cluster = new Cluster(name);
        try {
            String said = cluster.ok("up", "--port", String.valueOf(cluster.port));
            // Where nodes have to do without a trained start cache they run all the same, and slower.
            if (said.contains("train.log")) throw new AssertionError(said);
            return cluster;
        } catch (Exception | AssertionError e) {
            cluster.close();
            throw e;
        }
    }

    /** Runs a script to its end. */
    Ended script(String name, String... arguments) throws Exception {
        var command = new ArrayList<>(List.of(REPO.resolve("scripts/" + name).toString()));
        command.addAll(List.of(arguments));
        return run(command);
    }

    /** Runs a script that must end well; its output. */
    String ok(String name, String... arguments) throws Exception {
        Ended ended = script(name, arguments);
        if (ended.code() != 0) {
            throw new AssertionError("scripts/" + name + " " + String.join(" ", arguments) + " ended with "
                    + ended.code() + ":\n" + ended.output());
        }
        return ended.output();
    }

    /** Runs a command in the checkout, with this cluster as the one the scripts mean. */
    Ended run(List<String> command) throws Exception {
        Path output = Files.createTempFile("scenario", ".out");
        try {
            var builder = new ProcessBuilder(command)
                    .directory(REPO.toFile())
                    .redirectErrorStream(true)
                    .redirectOutput(output.toFile())
                    .redirectInput(Path.of("/dev/null").toFile());
            builder.environment().put("CARILLON_HOME", home.toString());
            Process process = builder.start();
            if (!process.waitFor(5, TimeUnit.MINUTES)) {
                process.destroy();
                throw new AssertionError(command + " does not end:\n" + Files.readString(output));
            }
            return new Ended(process.exitValue(), Files.readString(output));
        } finally {
            Files.delete(output);
        }
    }

    /** The values of {@code .carillon/env}. */
    Map<String, String> env() throws IOException {
        var values = new HashMap<String, String>();
        for (String line : Files.readAllLines(home.resolve("env"))) {
            int equals = line.indexOf('=');
            values.put(line.substring(0, equals), line.substring(equals + 1));
        }
        return values;
    }

    List<String> list(String key) throws IOException {
        return List.of(env().get(key).split(","));
    }

    /** The number of a node, for scripts/node, from its own name. */
    int numberOf(String node) throws Exception {
        List<String> urls = list("CARILLON_NODE_URLS");
        for (int i = 0; i < urls.size(); i++) {
            try (Client client = Client.push(urls.get(i), "asker")) {
                if (client.next("welcome").path("node").asString().equals(node)) {
                    return i + 1;
                }
            }
        }
        throw new AssertionError("no node is called " + node);
    }

    String url() {
        return "http://127.0.0.1:" + port;
    }

    HttpResponse<String> get(String url, String... headers) throws Exception {
        var request = HttpRequest.newBuilder(URI.create(url)).timeout(Duration.ofSeconds(10));
        if (headers.length > 0) {
            request.headers(headers);
        }
        return HTTP.send(request.build(), HttpResponse.BodyHandlers.ofString());
    }

    /** An operator's call on the front door. */
    String api(String path) throws Exception {
        HttpResponse<String> answer = get(url() + path, "X-API-Key", env().get("CARILLON_API_KEY"));
        if (answer.statusCode() != 200) {
            throw new AssertionError(path + " answered " + answer.statusCode() + ": " + answer.body());
        }
        return answer.body();
    }

    /**
     * A service's call on the front door. nginx closes kept connections as it reloads, which happens when a node is
     * killed or restarted; what got no answer because of that is sent again, as services do, and its key makes it one
     * event.
     */
    Http.Answer publish(String path, String body) throws Exception {
        String[] headers = {
            "X-API-Key",
            env().get("CARILLON_API_KEY"),
            "Idempotency-Key",
            UUID.randomUUID().toString()
        };
        try {
            return Http.post(url() + path, body, headers);
        } catch (IOException unanswered) {
            return Http.post(url() + path, body, headers);
        }
    }

    /** A Redis command; the first line of the reply without its type. */
    String redis(String... command) throws Exception {
        URI redis = URI.create(env().get("CARILLON_REDIS_URL"));
        try (var socket = new Socket()) {
            socket.connect(new InetSocketAddress(redis.getHost(), redis.getPort()), 2000);
            socket.setSoTimeout(5000);
            var out = socket.getOutputStream();
            out.write(resp("AUTH", redis.getUserInfo().substring(1)));
            out.write(resp(command));
            out.flush();
            var in = new java.io.BufferedReader(
                    new java.io.InputStreamReader(socket.getInputStream(), StandardCharsets.UTF_8));
            if (!"+OK".equals(in.readLine())) {
                throw new AssertionError("Redis does not take the password of the env file");
            }
            return in.readLine().substring(1);
        }
    }

    private static byte[] resp(String... words) {
        var out = new StringBuilder("*" + words.length + "\r\n");
        for (String word : words) {
            out.append('$')
                    .append(word.getBytes(StandardCharsets.UTF_8).length)
                    .append("\r\n")
                    .append(word)
                    .append("\r\n");
        }
        return out.toString().getBytes(StandardCharsets.UTF_8);
    }

    static boolean listens(int port) {
        try (var socket = new Socket()) {
            socket.connect(new InetSocketAddress(InetAddress.getLoopbackAddress(), port), 1000);
            return true;
        } catch (IOException e) {
            return false;
        }
    }

    static int freePort() throws IOException {
        try (var socket = new ServerSocket(0, 1, InetAddress.getLoopbackAddress())) {
            return socket.getLocalPort();
        }
    }

    /** Stops it. The logs stay under {@code node/target/scenario} for whoever looks into a failure. */
    @Override
    public void close() throws Exception {
        ok("down");
    }

    /** Removes the directory of a cluster that has served its purpose. */
    void forget() throws IOException {
        try (var files = Files.walk(home)) {
            for (Path file : files.sorted(Comparator.reverseOrder()).toList()) {
                Files.deleteIfExists(file);
            }
        }
    }

    private static Path repo() {
        Path at = Path.of("").toAbsolutePath();
        while (!Files.isExecutable(at.resolve("scripts/up"))) {
            at = at.getParent();
            if (at == null) {
                throw new IllegalStateException("not inside the checkout");
            }
        }
        return at;
    }
}
