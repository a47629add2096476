package io.carillon.node.testing;

import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.WebSocket;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;

/** A WebSocket client that keeps every text message it gets. */
public final class Client implements AutoCloseable {
    public static final JsonMapper JSON = JsonMapper.shared();

    private static final HttpClient HTTP = HttpClient.newHttpClient();
    private static final long PATIENCE_SECONDS = 10;

    private final LinkedBlockingQueue<String> messages = new LinkedBlockingQueue<>();
    private final CompletableFuture<Integer> closed = new CompletableFuture<>();
    private final WebSocket socket;
    private volatile boolean reading = true;

    private Client(URI address, String... headers) throws Exception {
        var builder = HTTP.newWebSocketBuilder().connectTimeout(Duration.ofSeconds(PATIENCE_SECONDS));
        for (int i = 0; i < headers.length; i += 2) builder.header(headers[i], headers[i + 1]);
        socket = builder.buildAsync(address, new Collector()).get(PATIENCE_SECONDS, TimeUnit.SECONDS);
    }

    /** A session of a user on the push endpoint, through the front door or at a node: its welcome is still to be read. */
    public static Client push(String url, String user) throws Exception {
        return connect(url + "/api/ws/connect?user_id=" + user);
    }

    /** The same with a token in the header. */
    public static Client pushWith(String url, String token) throws Exception {
        return connect(url + "/api/ws/connect", "Authorization", "Bearer " + token);
    }

    /** The same, welcomed. */
    public static Client welcomed(String url, String user) throws Exception {
        Client client = push(url, user);
        client.next("welcome");
        return client;
    }

    public static Client connect(String url, String... headers) throws Exception {
        return new Client(URI.create(url.replaceFirst("^http", "ws")), headers);
    }

    public Client send(String text) throws Exception {
        socket.sendText(text, true).get(PATIENCE_SECONDS, TimeUnit.SECONDS);
        return this;
    }

    /** The next message of a type; what comes before it is passed over. */
    public JsonNode next(String type) throws Exception {
        return upTo(type).getLast();
    }

    /** Every message up to the next of a type, which is the last. */
    public List<JsonNode> upTo(String type) throws Exception {
        long deadline = System.nanoTime() + Duration.ofSeconds(PATIENCE_SECONDS).toNanos();
        var passed = new ArrayList<JsonNode>();
        while (true) {
            String message = messages.poll(deadline - System.nanoTime(), TimeUnit.NANOSECONDS);
            if (message == null) {
                throw new AssertionError("no " + type + " within " + PATIENCE_SECONDS + " s; came: " + passed);
            }
            JsonNode frame = JSON.readTree(message);
            passed.add(frame);
            if (type.equals(kind(frame))) return passed;
        }
    }

    /** The word by which dialects tell their frames apart. */
    public static String kind(JsonNode frame) {
        return frame.path("type").asString(frame.path("event").asString(""));
    }

    /** What has come and was not read yet. */
    public List<JsonNode> rest() {
        var raw = new ArrayList<String>();
        messages.drainTo(raw);
        return raw.stream().map(JSON::readTree).toList();
    }

    /** The next message of any type; null when none comes in time. */
    public @Nullable JsonNode poll(Duration within) throws InterruptedException {
        String message = messages.poll(within.toMillis(), TimeUnit.MILLISECONDS);
        return message == null ? null : JSON.readTree(message);
    }

    /** Whether the connection has ended, in order or not. */
    public boolean ended() {
        return closed.isDone();
    }

    /** Takes nothing more from the connection, as a program that hangs. */
    public void stopReading() {
        reading = false;
    }

    /** The code the server closed with. */
    public int closeCode() throws Exception {
        return closed.get(PATIENCE_SECONDS, TimeUnit.SECONDS);
    }

    /** Closes as a browser does, and waits until the server answered. */
    public void leave() throws Exception {
        socket.sendClose(WebSocket.NORMAL_CLOSURE, "").get(PATIENCE_SECONDS, TimeUnit.SECONDS);
        closed.get(PATIENCE_SECONDS, TimeUnit.SECONDS);
    }

    @Override
    public void close() {
        socket.abort();
    }

    private final class Collector implements WebSocket.Listener {
        private final StringBuilder text = new StringBuilder();

        @Override
        public @Nullable CompletionStage<?> onText(WebSocket from, CharSequence data, boolean last) {
            text.append(data);
            if (last) {
                messages.add(text.toString());
                text.setLength(0);
            }
            if (reading) from.request(1);
            return null;
        }

        @Override
        public @Nullable CompletionStage<?> onClose(WebSocket from, int code, String reason) {
            closed.complete(code);
            return null;
        }

        @Override
        public void onError(WebSocket from, Throwable error) {
            closed.completeExceptionally(error);
        }
    }
}
