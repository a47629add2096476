package io.carillon.node.scenario;

import io.carillon.node.testing.Client;
import io.carillon.node.testing.Poll;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.net.http.WebSocket;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Base64;
import java.util.Comparator;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import org.jspecify.annotations.Nullable;
import tools.jackson.databind.JsonNode;

/** One headless Chromium with one page, driven over the DevTools protocol. */
final class Browser implements AutoCloseable {
    private final Path profile;
    private final Process process;
    private final WebSocket devtools;
    private final AtomicInteger ids = new AtomicInteger();
    private final Map<Integer, CompletableFuture<JsonNode>> answers = new ConcurrentHashMap<>();
    /** What the page complained of: exceptions, errors it wrote itself, refused resources, violations of its content policy. */
    final List<String> complaints = new CopyOnWriteArrayList<>();

    Browser(int width, int height) throws Exception {
        profile = Files.createTempDirectory("chromium");
        var command = new ArrayList<>(List.of(
                program(),
                "--headless=new",
                "--remote-debugging-port=0",
                "--user-data-dir=" + profile,
                "--no-first-run",
                "--disable-gpu",
                "--disable-dev-shm-usage",
                "--disable-background-networking",
                "--disable-component-update",
                "--disable-sync",
                "--no-proxy-server",
                "--hide-scrollbars",
                "--window-size=" + width + "," + height));
        if ("root".equals(System.getProperty("user.name"))) {
            command.add("--no-sandbox");
        }
        command.add("about:blank");
        process = new ProcessBuilder(command)
                .redirectErrorStream(true)
                .redirectOutput(profile.resolve("chromium.log").toFile())
                .start();
        try {
            Path portFile = profile.resolve("DevToolsActivePort");
            String port = Poll.until(
                    "Chromium's DevTools port",
                    Duration.ofSeconds(60),
                    () -> Files.readAllLines(portFile).getFirst(),
                    line -> !line.isBlank());
            JsonNode page =
                    Poll.until("Chromium's page", Duration.ofSeconds(30), () -> page(port), found -> found != null);
            devtools = HttpClient.newHttpClient()
                    .newWebSocketBuilder()
                    .buildAsync(URI.create(page.path("webSocketDebuggerUrl").asString()), new Listener())
                    .get(20, TimeUnit.SECONDS);
            call("Page.enable", "{}");
            call("Runtime.enable", "{}");
            call("Log.enable", "{}");
            call(
                    "Emulation.setDeviceMetricsOverride",
                    "{\"width\":" + width + ",\"height\":" + height + ",\"deviceScaleFactor\":1,\"mobile\":false}");
        } catch (Exception | AssertionError e) {
            process.destroyForcibly();
            throw e;
        }
    }

    private static String program() {
        for (String name : List.of("chromium", "chromium-browser", "google-chrome")) {
            for (String directory : System.getenv("PATH").split(":")) {
                if (Files.isExecutable(Path.of(directory, name))) {
                    return name;
                }
            }
        }
        throw new AssertionError("Chromium is missing on this machine");
    }

    private static @Nullable JsonNode page(String port) throws Exception {
        String list = Cluster.HTTP
                .send(
                        HttpRequest.newBuilder(URI.create("http://127.0.0.1:" + port + "/json/list"))
                                .build(),
                        HttpResponse.BodyHandlers.ofString())
                .body();
        for (JsonNode target : Client.JSON.readTree(list)) {
            if ("page".equals(target.path("type").asString(""))) {
                return target;
            }
        }
        return null;
    }

    JsonNode call(String method, String parameters) throws Exception {
        int id = ids.incrementAndGet();
        var answer = new CompletableFuture<JsonNode>();
        answers.put(id, answer);
        devtools.sendText("{\"id\":" + id + ",\"method\":\"" + method + "\",\"params\":" + parameters + "}", true)
                .get(20, TimeUnit.SECONDS);
        JsonNode frame = answer.get(30, TimeUnit.SECONDS);
        if (frame.has("error")) {
            throw new AssertionError(method + ": " + frame.get("error"));
        }
        return frame.path("result");
    }

    /** Opens an address and waits until it is loaded. */
    void open(String url) throws Exception {
        call("Page.navigate", "{\"url\":" + Client.JSON.writeValueAsString(url) + "}");
        Poll.until(
                "the page " + url,
                Duration.ofSeconds(20),
                () -> evaluate("location.href + ' ' + document.readyState"),
                (url + " complete")::equals);
    }

    /** The value of a JavaScript expression, as text; a promise is awaited. */
    String evaluate(String expression) throws Exception {
        JsonNode result = call(
                "Runtime.evaluate",
                "{\"awaitPromise\":true,\"returnByValue\":true,\"expression\":"
                        + Client.JSON.writeValueAsString(expression) + "}");
        if (result.has("exceptionDetails")) {
            throw new AssertionError(expression + ": " + result.get("exceptionDetails"));
        }
        return result.path("result").path("value").asString("");
    }

    String text(String selector) throws Exception {
        return evaluate("document.querySelector('" + selector + "').textContent");
    }

    void await(String selector, String part) {
        Poll.until(
                "“" + part + "” in " + selector,
                Duration.ofSeconds(15),
                () -> text(selector),
                text -> text.contains(part));
    }

    /** Types into what has the focus. */
    void type(String text) throws Exception {
        call("Input.insertText", "{\"text\":" + Client.JSON.writeValueAsString(text) + "}");
    }

    /** Presses a key: Enter, Tab, or one that selects in a list. */
    void press(String key) throws Exception {
        int code = switch (key) {
            case "Enter" -> 13;
            case "Tab" -> 9;
            case "ArrowDown" -> 40;
            default -> throw new IllegalArgumentException(key);
        };
        String text = key.equals("Enter") ? ",\"text\":\"\\r\"" : "";
        call(
                "Input.dispatchKeyEvent",
                "{\"type\":\"keyDown\",\"key\":\"" + key + "\",\"code\":\"" + key + "\",\"windowsVirtualKeyCode\":"
                        + code + text + "}");
        call(
                "Input.dispatchKeyEvent",
                "{\"type\":\"keyUp\",\"key\":\"" + key + "\",\"code\":\"" + key + "\",\"windowsVirtualKeyCode\":" + code
                        + "}");
    }

    void focus(String selector) throws Exception {
        evaluate("document.querySelector('" + selector + "').focus()");
    }

    void screenshot(Path file) throws Exception {
        Files.createDirectories(file.getParent());
        Files.write(
                file,
                Base64.getDecoder()
                        .decode(call("Page.captureScreenshot", "{}")
                                .path("data")
                                .asString()));
    }

    @Override
    public void close() throws Exception {
        devtools.abort();
        process.destroy();
        if (!process.waitFor(10, TimeUnit.SECONDS)) {
            process.destroyForcibly().waitFor(10, TimeUnit.SECONDS);
        }
        // Its helpers write until they notice; what they leave is in the temporary directory.
        try (var files = Files.walk(profile)) {
            for (Path file : files.sorted(Comparator.reverseOrder()).toList()) {
                Files.deleteIfExists(file);
            }
        } catch (java.io.IOException | java.io.UncheckedIOException e) {
            System.err.println("left behind: " + profile + " (" + e + ")");
        }
    }

    private final class Listener implements WebSocket.Listener {
        private final StringBuilder text = new StringBuilder();

        @Override
        public @Nullable CompletionStage<?> onText(WebSocket from, CharSequence data, boolean last) {
            text.append(data);
            if (last) {
                JsonNode frame = Client.JSON.readTree(text.toString());
                text.setLength(0);
                String method = frame.path("method").asString("");
                if (frame.has("id")) {
                    var answer = answers.remove(frame.get("id").asInt());
                    if (answer != null) {
                        answer.complete(frame);
                    }
                } else if (method.equals("Runtime.exceptionThrown")
                        || method.equals("Log.entryAdded")
                        || method.equals("Runtime.consoleAPICalled")
                                && List.of("error", "warning", "assert")
                                        .contains(frame.path("params")
                                                .path("type")
                                                .asString(""))) {
                    complaints.add(frame.path("params").toString());
                }
            }
            from.request(1);
            return null;
        }
    }
}
