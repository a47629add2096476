package io.carillon.node.scenario;

import static org.assertj.core.api.Assertions.assertThat;

import io.carillon.node.testing.Client;
import io.carillon.node.testing.NodeJs;
import io.carillon.node.testing.Poll;
import java.io.BufferedReader;
import java.io.ByteArrayInputStream;
import java.io.InputStreamReader;
import java.net.URI;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.time.Duration;
import java.util.concurrent.TimeUnit;
import java.util.zip.GZIPInputStream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import tools.jackson.databind.JsonNode;

/** The client library in Node.js and in Chromium, through nginx, while the cluster is broken. */
class JsClientScenarioIT {
    private Cluster cluster;

    @BeforeEach
    void up() throws Exception {
        cluster = Cluster.up("js-client");
    }

    @AfterEach
    void down() throws Exception {
        cluster.close();
        cluster.forget();
    }

    @Test
    void everythingArrivesOnceAndInOrderWhileNodesAreKilledAndRestarted() throws Exception {
        var builder = new ProcessBuilder(NodeJs.command("talk.main.js"))
                .directory(NodeJs.tests().toFile())
                .redirectErrorStream(true);
        builder.environment().put("CARILLON_URL", cluster.url());
        Process process = builder.start();
        try (BufferedReader printed = process.inputReader(StandardCharsets.UTF_8);
                var browser = new Browser(800, 600)) {
            assertThat(printed.readLine()).isEqualTo("talking");
            browser.open(cluster.url() + "/");
            String talk = Files.readString(NodeJs.tests().resolve("talk.js")).replace("export function", "function");
            browser.evaluate("import('/client/carillon.js').then(async ({ Carillon }) => { " + talk
                    + "\nglobalThis.talking = talk(Carillon, { name: 'page', size: 4, options: {} });"
                    + " await talking.start(); return ''; })");
            goesOn(browser, 40);
            for (String number : new String[] {"1", "2"}) {
                cluster.ok("node", "--kill", number);
                goesOn(browser, 40);
                cluster.ok("up");
                goesOn(browser, 20);
            }
            cluster.ok("node", "--restart");
            goesOn(browser, 40);

            well("in the browser", browser.evaluate("talking.end().then(JSON.stringify)"));
            process.getOutputStream().close();
            well("in Node", printed.readLine());
            assertThat(process.waitFor(20, TimeUnit.SECONDS)).isTrue();
            assertThat(process.exitValue()).isZero();
            assertThat(browser.complaints.stream()
                            // Sockets to killed nodes.
                            .filter(complaint -> !complaint.contains("WebSocket connection to")))
                    .isEmpty();
        } finally {
            process.destroy();
        }
    }

    private static void goesOn(Browser browser, int messages) {
        long before = answered(browser);
        Poll.until(
                messages + " more messages",
                Duration.ofSeconds(60),
                () -> answered(browser),
                now -> now >= before + messages);
    }

    private static long answered(Browser browser) {
        try {
            return Long.parseLong(browser.evaluate("String(talking.progress.answered)"));
        } catch (Exception e) {
            throw new AssertionError(e);
        }
    }

    private static void well(String where, String result) {
        JsonNode talked = Client.JSON.readTree(result);
        System.out.println(where + ": " + talked);
        assertThat(talked.path("problems")).as(where).isEmpty();
        assertThat(talked.path("sent").asInt()).as(where).isGreaterThan(300);
        // Four clients, each moved at least once by the restart.
        assertThat(talked.path("returns").asInt()).as(where).isGreaterThanOrEqualTo(4);
    }

    @Test
    void theFrontDoorCompressesTheLibraryAndNoAnswerOfTheApi() throws Exception {
        HttpResponse<byte[]> library = compressed("/client/carillon.js");
        assertThat(library.headers().firstValue("Content-Encoding")).hasValue("gzip");
        assertThat(library.headers().firstValue("Vary").orElse("")).contains("Accept-Encoding");
        assertThat(library.body().length).isLessThan(8192);
        try (var in = new InputStreamReader(
                new GZIPInputStream(new ByteArrayInputStream(library.body())), StandardCharsets.UTF_8)) {
            assertThat(in.readAllAsString())
                    .isEqualTo(Files.readString(NodeJs.library().resolve("carillon.js")));
        }
        String tag = library.headers().firstValue("ETag").orElseThrow();
        assertThat(cluster.get(cluster.url() + "/client/carillon.js", "If-None-Match", tag, "Accept-Encoding", "gzip")
                        .statusCode())
                .isEqualTo(304);
        HttpResponse<byte[]> api = compressed("/api/openapi.json");
        assertThat(api.statusCode()).isEqualTo(200);
        assertThat(api.headers().firstValue("Content-Encoding")).isEmpty();
    }

    private HttpResponse<byte[]> compressed(String path) throws Exception {
        var request = HttpRequest.newBuilder(URI.create(cluster.url() + path)).header("Accept-Encoding", "gzip");
        return Cluster.HTTP.send(request.build(), HttpResponse.BodyHandlers.ofByteArray());
    }
}
