package io.carillon.node.scenario;

import static org.assertj.core.api.Assertions.assertThat;

import io.carillon.node.testing.Client;
import io.carillon.node.testing.Poll;
import java.io.IOException;
import java.net.URI;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Base64;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;

/** What the two commands of the README promise: a cluster that comes up, works, keeps its secrets and leaves nothing. */
class QuickStartScenarioIT {
    private static Cluster cluster;
    private static String said;

    @BeforeAll
    static void up() throws Exception {
        cluster = new Cluster("quickstart");
        Cluster.Ended ended = cluster.script("up", "--port", String.valueOf(cluster.port));
        said = ended.output();
        assertThat(ended.code()).as(said).isZero();
    }

    @AfterAll
    static void down() throws Exception {
        cluster.close();
        cluster.forget();
    }

    @Test
    void upSaysWhatToOpenAndWhereTheKeyIs() {
        assertThat(said)
                .contains(cluster.url() + "/")
                .contains(Cluster.REPO.relativize(cluster.home) + "/env")
                .contains("CARILLON_API_KEY");
    }

    @Test
    void theThreeCommandsThatUpPrintsWork() throws Exception {
        List<String> commands = said.lines()
                .map(String::strip)
                .filter(line ->
                        line.startsWith("(. ") || line.contains("/redis-cli PUBLISH") || line.contains("/token --user"))
                .toList();
        assertThat(commands).hasSize(3);
        for (String command : commands) {
            Cluster.Ended ended = cluster.run(List.of("sh", "-ec", command));
            assertThat(ended.code()).as(command + "\n" + ended.output()).isZero();
            // The count, the id, and how many nodes Redis handed it to (or a token, where there is no redis-cli).
            assertThat(ended.output().strip())
                    .as(command)
                    .matches("\\{\"online_count\":.*|\\{\"id\":.*|\\d+|eyJ.*")
                    .doesNotContain("\"error\"");
        }
    }

    @Test
    void upAgainChangesNothing() throws Exception {
        Map<String, String> before = cluster.env();
        cluster.ok("up");
        assertThat(cluster.env()).isEqualTo(before);
        assertThat(cluster.ok("status")).doesNotContain("down");
    }

    @Test
    void nginxAcceptsItsConfiguration() throws Exception {
        String nginx = Files.isExecutable(Path.of("/usr/sbin/nginx")) ? "/usr/sbin/nginx" : "nginx";
        Path conf = cluster.home.resolve("nginx/nginx.conf");
        Cluster.Ended ended =
                cluster.run(List.of(nginx, "-t", "-p", cluster.home + "/nginx", "-e", "stderr", "-c", conf.toString()));
        assertThat(ended.code()).as(ended.output()).isZero();
        assertThat(Files.readString(conf)).doesNotContainPattern("@[A-Z]+@");
    }

    @Test
    void theFrontDoorHasLimitsAndNoActuator() throws Exception {
        for (String path : List.of(
                "/actuator", "/actuator/health", "/%61ctuator/prometheus", "//actuator/env", "/actuator;x/env")) {
            HttpResponse<String> answer = cluster.get(cluster.url() + path);
            assertThat(answer.statusCode()).as(path).isEqualTo(404);
            assertThat(answer.body()).as(path).isEqualTo("{\"error\":\"There is nothing here.\"}");
        }
        var tooLarge = HttpRequest.newBuilder(URI.create(cluster.url() + "/api/ws/broadcast"))
                .timeout(Duration.ofSeconds(10))
                .POST(HttpRequest.BodyPublishers.ofByteArray(new byte[(1 << 20) + 1]))
                .build();
        HttpResponse<String> answer = Cluster.HTTP.send(tooLarge, HttpResponse.BodyHandlers.ofString());
        assertThat(answer.statusCode()).isEqualTo(413);
        assertThat(answer.body()).startsWith("{\"error\":");
    }

    @Test
    void noLogHoldsAQuery() throws Exception {
        try (Client client = Client.connect(cluster.url() + "/api/ws/connect?user_id=u1&mark=sesame-in-a-query")) {
            client.next("welcome");
        }
        cluster.get(cluster.url() + "/api/ws/connect?mark=sesame-in-a-query");
        Path access = cluster.home.resolve("logs/nginx-access.log");
        Poll.until(
                "the requests in the access log",
                Duration.ofSeconds(5),
                () -> Files.readString(access),
                log -> log.contains("\"GET /api/ws/connect\" 101"));
        for (Path log : logs()) {
            assertThat(Files.readString(log)).as(log.toString()).doesNotContain("sesame-in-a-query");
        }
    }

    @Test
    void secretsAreInNoLogAndOnNoCommandLine() throws Exception {
        assertThat(PosixFilePermissions.toString(Files.getPosixFilePermissions(cluster.home)))
                .isEqualTo("rwx------");
        assertThat(PosixFilePermissions.toString(Files.getPosixFilePermissions(cluster.home.resolve("env"))))
                .isEqualTo("rw-------");
        Map<String, String> env = cluster.env();
        String password =
                URI.create(env.get("CARILLON_REDIS_URL")).getUserInfo().substring(1);
        for (String secret : List.of(env.get("CARILLON_API_KEY"), env.get("CARILLON_JWT_SECRET"), password)) {
            assertThat(secret).hasSizeGreaterThanOrEqualTo(32);
            assertThat(said).doesNotContain(secret);
            for (Path log : logs()) {
                assertThat(Files.readString(log).contains(secret))
                        .as("a secret in " + log)
                        .isFalse();
            }
            assertThat(commandLines().anyMatch(line -> line.contains(secret)))
                    .as("a secret on a command line")
                    .isFalse();
        }
    }

    @Test
    void aTokenOfThisClusterIsBelieved() throws Exception {
        String token = cluster.ok(
                        "token",
                        "--user",
                        "ada",
                        "--kind",
                        "agent",
                        "--claim",
                        "rooms=[\"private-a\"]",
                        "--claim",
                        "n=42",
                        "--claim",
                        "s=it's",
                        "--ttl",
                        "2m")
                .strip();
        var claims = Client.JSON.readTree(Base64.getUrlDecoder().decode(token.split("\\.")[1]));
        assertThat(claims.path("sub").asString()).isEqualTo("ada");
        assertThat(claims.path("kind").asString()).isEqualTo("agent");
        assertThat(claims.path("rooms").get(0).asString()).isEqualTo("private-a");
        assertThat(claims.path("n").asInt()).isEqualTo(42);
        assertThat(claims.path("s").asString()).isEqualTo("it's");
        assertThat(claims.path("exp").asLong() - claims.path("iat").asLong()).isEqualTo(120);
        try (Client client = Client.connect(cluster.url() + "/api/ws/connect?token=" + token)) {
            assertThat(client.next("welcome").path("user").asString()).isEqualTo("ada");
        }
    }

    @Test
    void everythingListensOnLoopbackOnly() throws Exception {
        // Bound addresses of the machine's listening sockets, by port: 0100007F is 127.0.0.1.
        var foreign = new ArrayList<String>();
        List<Integer> ports = ports(cluster);
        for (Path table : List.of(Path.of("/proc/net/tcp"), Path.of("/proc/net/tcp6"))) {
            for (String line : Files.exists(table) ? Files.readAllLines(table) : List.<String>of()) {
                String[] fields = line.strip().split("\\s+");
                if (fields.length > 3
                        && fields[3].equals("0A")
                        && ports.contains(Integer.parseInt(fields[1].substring(fields[1].indexOf(':') + 1), 16))
                        && !fields[1].startsWith("0100007F:")
                        && !fields[1].startsWith("0000000000000000FFFF00000100007F:")) {
                    foreign.add(line);
                }
            }
        }
        assertThat(foreign).isEmpty();
    }

    @Test
    void downLeavesNoProcessAndNoPort() throws Exception {
        try (Cluster other = new Cluster("down")) {
            other.ok("up", "--nodes", "2", "--port", String.valueOf(other.port));
            List<Integer> ports = ports(other);
            assertThat(ports).hasSize(6).allMatch(Cluster::listens);
            assertThat(processes(other)).isNotEmpty();
            other.ok("down");
            assertThat(ports).noneMatch(Cluster::listens);
            assertThat(processes(other)).isEmpty();
            assertThat(other.home.resolve("env")).doesNotExist();
            assertThat(other.script("status").code()).isEqualTo(3);
            assertThat(other.ok("down")).contains("Nothing was running");
            other.forget();
        }
    }

    /** The front door, the nodes, their management, Redis. */
    private static List<Integer> ports(Cluster of) throws IOException {
        return Stream.of("CARILLON_URL", "CARILLON_NODE_URLS", "CARILLON_MANAGEMENT_URLS", "CARILLON_REDIS_URL")
                .flatMap(key -> {
                    try {
                        return of.list(key).stream();
                    } catch (IOException e) {
                        throw new java.io.UncheckedIOException(e);
                    }
                })
                .map(url -> URI.create(url).getPort())
                .toList();
    }

    private static List<Path> logs() throws IOException {
        try (var files = Files.list(cluster.home.resolve("logs"))) {
            return files.toList();
        }
    }

    private static Stream<String> commandLines() {
        return ProcessHandle.allProcesses().map(process -> commandLine(process.pid()));
    }

    private static String commandLine(long pid) {
        try {
            return new String(Files.readAllBytes(Path.of("/proc/" + pid + "/cmdline")), StandardCharsets.UTF_8)
                    .replace('\0', ' ');
        } catch (IOException e) {
            return "";
        }
    }

    /** Processes that name a cluster's directory on their command line or work in it. */
    private static List<String> processes(Cluster of) {
        return ProcessHandle.allProcesses()
                .map(process -> commandLine(process.pid()) + workingDirectory(process.pid()))
                .filter(line -> line.contains(of.home.toString()))
                .toList();
    }

    private static String workingDirectory(long pid) {
        try {
            return Files.readSymbolicLink(Path.of("/proc/" + pid + "/cwd")).toString();
        } catch (IOException e) {
            return "";
        }
    }
}
