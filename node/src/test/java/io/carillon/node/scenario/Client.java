package io.carillon.node.scenario;

import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.WebSocket;
import java.time.Duration;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.ObjectMapper;

/** A WebSocket client that keeps every text message it gets. */
final class Client implements AutoCloseable {
    static final ObjectMapper JSON = new ObjectMapper();
    private static final HttpClient HTTP = HttpClient.newHttpClient();

    private final LinkedBlockingQueue<String> messages = new LinkedBlockingQueue<>();
    private final WebSocket socket;

    private Client(URI address, int patienceSeconds) throws Exception {
        socket = HTTP.newWebSocketBuilder()
                .connectTimeout(Duration.ofSeconds(10))
                .buildAsync(address, new Collector())
                .get(patienceSeconds, TimeUnit.SECONDS);
    }

    /** A session of a user on the push endpoint, through the front door or at a node: its welcome is still to be read. */
    static Client push(String url, String user) throws Exception {
        return connect(url + "/api/ws/connect?user_id=" + user);
    }

    static Client connect(String url) throws Exception {
        return new Client(URI.create(url.replaceFirst("^http", "ws")), 10);
    }

    void send(String text) throws Exception {
        socket.sendText(text, true).get(10, TimeUnit.SECONDS);
    }

    /** The next message of a type; what comes before it is passed over. */
    JsonNode next(String type) throws Exception {
        long deadline = System.nanoTime() + Duration.ofSeconds(10).toNanos();
        var passed = new StringBuilder();
        while (true) {
            String message = messages.poll(deadline - System.nanoTime(), TimeUnit.NANOSECONDS);
            if (message == null) {
                throw new AssertionError("no " + type + " within 10 s; came: " + passed);
            }
            JsonNode frame = JSON.readTree(message);
            if (type.equals(frame.path("type").asString(""))) {
                return frame;
            }
            passed.append(message).append('\n');
        }
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
            from.request(1);
            return null;
        }
    }
}
