package io.carillon.node.push;

import static org.assertj.core.api.Assertions.assertThat;

import io.carillon.node.testing.NodeJs;
import io.carillon.node.testing.Nodes;
import io.carillon.node.testing.RedisServer;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.regex.Pattern;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.RegisterExtension;
import org.junit.jupiter.api.io.TempDir;

/** The client library in Node.js: by itself, against real nodes, as a package, and as a node serves it. */
class JsClientIT {
    @RegisterExtension
    static final RedisServer redis = RedisServer.own();

    private static final HttpClient HTTP = HttpClient.newHttpClient();
    private static Nodes nodes;

    @BeforeAll
    static void start() {
        nodes = new Nodes(redis.url(), 2, Map.of());
    }

    @AfterAll
    static void stop() {
        if (nodes != null) nodes.close();
    }

    @Test
    void theUnitTestsOfTheLibraryPass() throws Exception {
        passes(57, Map.of(), "carillon.test.js", "feed.test.js");
    }

    @Test
    void theLibraryTalksToRealNodes() throws Exception {
        passes(9, live(), "live.test.js");
    }

    @Test
    void chatAndConversationTalkToRealNodes() throws Exception {
        passes(5, live(), "dialects.live.test.js");
    }

    private static Map<String, String> live() {
        return Map.of(
                "CARILLON_NODE_URLS", nodes.url(0) + "," + nodes.url(1),
                "CARILLON_API_KEY", Nodes.API_KEY,
                "CARILLON_JWT_SECRET", Nodes.JWT_SECRET);
    }

    /** With the compiler, Vue and ws of the npm registry. */
    @Test
    void thePackageInstallsAndItsTypesVueAndWsWork(@TempDir Path directory) throws Exception {
        NodeJs.run(
                directory,
                Map.of(),
                List.of("npm", "pack", "--silent", NodeJs.library().toString()));
        Path tarball;
        try (var files = Files.list(directory)) {
            tarball = files.filter(file -> file.toString().endsWith(".tgz"))
                    .findFirst()
                    .orElseThrow();
        }
        Path sample = NodeJs.tests().resolve("package");
        try (var files = Files.list(sample)) {
            for (Path file : files.toList()) Files.copy(file, directory.resolve(file.getFileName()));
        }
        NodeJs.run(
                directory,
                Map.of("npm_config_cache", directory.resolve("cache").toString()),
                List.of("npm", "install", "--no-audit", "--no-fund", "--ignore-scripts", tarball.toString()));
        NodeJs.run(directory, Map.of(), List.of("node", "node_modules/typescript/bin/tsc", "--project", "."));
        String printed = NodeJs.run(
                directory, Map.of("CARILLON_URL", nodes.url(0)), List.of("node", "--test", "package.test.js"));
        assertThat(printed).containsPattern("(?m)^# pass [3-9]").contains("# fail 0", "# skipped 0");
    }

    @Test
    void everyFileIsServedAsWhatItIsAndAskedForAnew() throws Exception {
        try (var files = Files.list(NodeJs.library())) {
            for (Path file : files.toList()) {
                String name = file.getFileName().toString();
                HttpResponse<String> answer = get("/client/" + name);
                assertThat(answer.statusCode()).as(name).isEqualTo(200);
                assertThat(answer.body()).as(name).isEqualTo(Files.readString(file));
                assertThat(header(answer, "Cache-Control")).as(name).isEqualTo("no-cache");
                assertThat(header(answer, "X-Content-Type-Options")).as(name).isEqualTo("nosniff");
                assertThat(answer.headers().firstValue("Last-Modified"))
                        .as("the time of a reproducible build says nothing")
                        .isEmpty();
                assertThat(header(answer, "Content-Type"))
                        .as(name)
                        .startsWith(
                                name.endsWith(".js")
                                        ? "text/javascript"
                                        : name.endsWith(".ts")
                                                ? "text/plain"
                                                : name.endsWith(".md") ? "text/markdown" : "application/json");
                HttpResponse<String> again = get("/client/" + name, "If-None-Match", header(answer, "ETag"));
                assertThat(again.statusCode()).as(name).isEqualTo(304);
            }
        }
        assertThat(get("/").body()).contains("<title>Carillon</title>");
        assertThat(header(get("/app.js"), "Cache-Control")).isEqualTo("no-cache");
        assertThat(get("/client/nothing.js").statusCode()).isEqualTo(404);
        assertThat(get("/client/../application.yml").statusCode()).isNotEqualTo(200);
    }

    private static void passes(int atLeast, Map<String, String> environment, String... files) throws Exception {
        var command = NodeJs.command("--test", "--test-reporter=tap");
        command.addAll(List.of(files));
        String printed = NodeJs.run(NodeJs.tests(), environment, command);
        var passed = Pattern.compile("(?m)^# pass (\\d+)$").matcher(printed);
        assertThat(passed.find()).as(printed).isTrue();
        assertThat(Integer.parseInt(passed.group(1))).isGreaterThanOrEqualTo(atLeast);
        assertThat(printed).contains("# fail 0", "# skipped 0", "# cancelled 0", "# todo 0");
    }

    private static HttpResponse<String> get(String path, String... headers) throws Exception {
        var request = HttpRequest.newBuilder(URI.create(nodes.url(0) + path));
        if (headers.length > 0) request.headers(headers);
        return HTTP.send(request.build(), HttpResponse.BodyHandlers.ofString());
    }

    private static String header(HttpResponse<String> answer, String name) {
        return answer.headers().firstValue(name).orElse("");
    }
}
