import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.net.http.WebSocket;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;

/**
 * Has a node serve clients for some seconds, so that its JVM knows which code that takes: they connect with a token, talk to
 * each other, get events of a service and go, again and again. Run by {@code train} of {@code scripts/lib.sh} against a
 * node that has its Redis for itself. The secrets are in {@code CARILLON_JWT_SECRET} and {@code CARILLON_API_KEY}; the only
 * argument is the node's address. Ends with an exception, and so with code 1, where something does not come in time.
 */
public class Train {
    private static final int ROUNDS = 16;
    private static final int CLIENTS = 150;
    private static final Instant END = Instant.now().plusSeconds(30);

    private final HttpClient http = HttpClient.newHttpClient();
    private final String node;

    private Train(String node) {
        this.node = node;
    }

    public static void main(String[] args) throws Exception {
        var train = new Train(args[0]);
        for (int round = 0; round < ROUNDS; round++) train.round();
    }

    private void round() throws Exception {
        var opening = new ArrayList<CompletableFuture<Client>>();
        for (int i = 0; i < CLIENTS; i++) opening.add(open("user" + i));
        var clients = new ArrayList<Client>();
        for (var each : opening) clients.add(each.get(left(), TimeUnit.MILLISECONDS));
        await(clients, "welcome");
        for (int i = 0; i < CLIENTS; i++) {
            clients.get(i).socket.sendText("{\"type\":\"chat\",\"to\":\"user" + (i + 1) % CLIENTS + "\",\"content\":\"hello\"}", true);
        }
        await(clients, "chat");
        var published = new ArrayList<CompletableFuture<?>>();
        for (int i = 0; i < CLIENTS; i++) {
            published.add(publish("/api/ws/send", "{\"type\":\"news\",\"to\":\"user" + i + "\",\"content\":{\"n\":1}}"));
        }
        await(clients, "news");
        published.add(publish("/api/ws/broadcast", "{\"type\":\"all\",\"content\":{\"n\":2}}"));
        await(clients, "all");
        for (var each : published) each.get(left(), TimeUnit.MILLISECONDS);
        for (Client client : clients) client.socket.sendClose(WebSocket.NORMAL_CLOSURE, "");
        for (Client client : clients) client.closed.get(left(), TimeUnit.MILLISECONDS);
    }

    private CompletableFuture<Client> open(String user) throws Exception {
        var client = new Client();
        return http.newWebSocketBuilder()
                .header("Authorization", "Bearer " + Token.signed("{\"sub\":\"" + user + "\",\"exp\":" + END.plusSeconds(60).getEpochSecond() + "}"))
                .buildAsync(URI.create("ws" + node.substring("http".length()) + "/api/ws/connect"), client)
                .thenApply(socket -> client);
    }

    private CompletableFuture<?> publish(String path, String event) {
        var request = HttpRequest.newBuilder(URI.create(node + path))
                .header("X-API-Key", System.getenv("CARILLON_API_KEY"))
                .header("Content-Type", "application/json")
                .timeout(Duration.ofSeconds(10))
                .POST(HttpRequest.BodyPublishers.ofString(event));
        return http.sendAsync(request.build(), HttpResponse.BodyHandlers.discarding());
    }

    private static void await(List<Client> clients, String type) throws InterruptedException {
        for (Client client : clients) {
            if (client.seen.get(type).await(left(), TimeUnit.MILLISECONDS)) continue;
            throw new IllegalStateException("a client waited in vain for " + type);
        }
    }

    private static long left() {
        return Math.max(1, Duration.between(Instant.now(), END).toMillis());
    }

    /** One connection, and what has come on it. */
    private static final class Client implements WebSocket.Listener {
        private final Map<String, CountDownLatch> seen = Map.of(
                "welcome", new CountDownLatch(1),
                "chat", new CountDownLatch(1),
                "news", new CountDownLatch(1),
                "all", new CountDownLatch(1));
        private final CompletableFuture<Void> closed = new CompletableFuture<>();
        private final StringBuilder text = new StringBuilder();
        private volatile WebSocket socket;

        @Override
        public void onOpen(WebSocket opened) {
            socket = opened;
            opened.request(Long.MAX_VALUE);
        }

        @Override
        public CompletionStage<?> onText(WebSocket from, CharSequence part, boolean last) {
            text.append(part);
            if (last) {
                seen.forEach((type, came) -> {
                    if (text.indexOf("\"type\":\"" + type + "\"") >= 0) came.countDown();
                });
                text.setLength(0);
            }
            return null;
        }

        @Override
        public CompletionStage<?> onClose(WebSocket from, int code, String reason) {
            closed.complete(null);
            return null;
        }

        @Override
        public void onError(WebSocket from, Throwable failure) {
            closed.completeExceptionally(failure);
        }
    }
}
