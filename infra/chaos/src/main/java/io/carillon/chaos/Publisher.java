package io.carillon.chaos;

import io.carillon.chaos.World.Tenant;
import io.carillon.client.CarillonClient;
import io.carillon.client.Message;
import io.carillon.client.RefusedException;
import io.carillon.client.Sent;
import io.carillon.model.channel.Position;
import java.io.IOException;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import org.jspecify.annotations.Nullable;
import tools.jackson.core.JacksonException;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;
import tools.jackson.databind.util.RawValue;

/**
 * Publishes at a steady rate, one event at a time, in one of the ways there are. What it could not learn is tried again
 * under the same id until it is known, as a careful service would. One virtual thread each.
 */
final class Publisher implements Runnable {
    /** The ways to publish. */
    enum Way {
        SOCKET,
        /** The Java library, over its own WebSocket. */
        CLIENT,
        HTTP,
        FUNCTION,
        STREAM,
        PLAIN
    }

    /** How one attempt ended. */
    private sealed interface Outcome {
        record Accepted(@Nullable String epoch, long offset) implements Outcome {}

        record Refused(String status) implements Outcome {}

        record Unknown(String why) implements Outcome {}
    }

    private static final JsonMapper JSON = JsonMapper.shared();
    private static final double GIVE_UP = 45;
    static final String STREAM = "carillon:ingress:{chaos}";

    private final World world;
    private final String name;
    private final Way way;
    private final double interval;
    private final Journal journal;
    private final Random random;
    private final HttpClient http;
    private final Map<String, CompletableFuture<JsonNode>> answers = new ConcurrentHashMap<>();
    private final Tenant tenant;
    private int number;
    private int connections;
    private volatile boolean stopping;
    private volatile @Nullable WebSocketClient socket;
    private @Nullable CarillonClient client;
    private @Nullable Wire wire;
    private @Nullable Redis redis;
    private String redisKey = "";

    Publisher(World world, int index, Way way, double rate, Journal journal, HttpClient http) {
        this.world = world;
        this.way = way;
        this.name = way.name().toLowerCase(java.util.Locale.ROOT) + index;
        this.interval = 1 / rate;
        this.journal = journal;
        this.random = new Random(world.seed() * 104_729 + index);
        this.http = http;
        // A WebSocket client lives in one namespace; the others publish into both.
        this.tenant = World.TENANTS.get(index % World.TENANTS.size());
    }

    void stop() {
        stopping = true;
    }

    @Override
    public void run() {
        try {
            double due = world.clock().now() + random.nextDouble() * interval;
            while (!stopping) {
                Moment.pause(due - world.clock().now());
                if (stopping) break;
                one();
                due = Math.max(due + interval, world.clock().now() - interval);
            }
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        } finally {
            WebSocketClient open = socket;
            if (open != null) open.leave();
            if (wire != null) wire.left();
            if (client != null) client.close();
            if (redis != null) redis.close();
            if (way != Way.SOCKET) journal.close();
        }
    }

    private void one() throws InterruptedException {
        boolean service = way != Way.SOCKET && way != Way.CLIENT;
        Tenant to = !service ? tenant : World.TENANTS.get(random.nextInt(World.TENANTS.size()));
        String channel = World.channel(random);
        String mid = name + "-" + ++number;
        Content content = Content.of(mid, to.canary(), random);
        boolean durable = way != Way.PLAIN;
        // A client cannot ask for one, and a plain PUBLISH is not kept.
        boolean ack = channel.startsWith("user:") && durable && service && random.nextInt(4) == 0;
        double began = journal.write(
                "pub.invoke",
                "mid",
                mid,
                "ns",
                to.namespace(),
                "ch",
                channel,
                "sha",
                content.sha(),
                "durable",
                durable,
                "queued",
                way == Way.STREAM ? true : null,
                "ack",
                ack ? true : null);
        for (int attempt = 1; ; attempt++) {
            Outcome outcome = attempt(to, channel, mid, content, ack);
            switch (outcome) {
                case Outcome.Accepted ok -> {
                    journal.write(
                            "pub.ok",
                            "mid",
                            mid,
                            "ns",
                            to.namespace(),
                            "ch",
                            channel,
                            "epoch",
                            ok.epoch(),
                            "off",
                            ok.epoch() == null ? null : ok.offset(),
                            "tries",
                            attempt);
                    world.totals().published().incrementAndGet();
                    return;
                }
                case Outcome.Refused no -> {
                    // Refused now; it may have been taken by an attempt before whose answer was lost.
                    journal.write(attempt == 1 ? "pub.fail" : "pub.info", "mid", mid, "status", no.status());
                    return;
                }
                case Outcome.Unknown why -> journal.write("pub.info", "mid", mid, "status", why.why());
            }
            // An ephemeral event is not worth a second attempt, and would be another one.
            if (!durable || stopping || world.clock().now() - began > GIVE_UP) return;
            Moment.pause(Math.min(1, 0.1 * attempt) * (0.5 + random.nextDouble()));
        }
    }

    private Outcome attempt(Tenant to, String channel, String mid, Content content, boolean ack)
            throws InterruptedException {
        try {
            return switch (way) {
                case SOCKET -> bySocket(to, channel, mid, content);
                case CLIENT -> byClient(to, channel, mid, content);
                case HTTP -> byHttp(to, channel, mid, content, ack);
                case FUNCTION, STREAM, PLAIN -> byRedis(to, channel, mid, content, ack);
            };
        } catch (IOException | JacksonException e) {
            return new Outcome.Unknown(e.getClass().getSimpleName());
        }
    }

    private static String id(String channel) {
        int colon = channel.indexOf(':');
        return colon < 0 ? "" : channel.substring(colon + 1);
    }

    private static String receiver(String channel) {
        if (channel.startsWith("user:")) return "\"to\":\"" + id(channel) + "\",";
        if (channel.startsWith("room:")) return "\"room\":\"" + id(channel) + "\",";
        return "";
    }

    private static String asking(boolean ack) {
        return ack ? "\"ack\":true," : "";
    }

    private static Outcome accepted(JsonNode answer) {
        return answer.has("epoch")
                ? new Outcome.Accepted(
                        answer.path("epoch").asString(""), answer.path("offset").asLong())
                : new Outcome.Accepted(null, 0);
    }

    // ---- over a WebSocket

    private Outcome bySocket(Tenant to, String channel, String mid, Content content)
            throws IOException, InterruptedException {
        WebSocketClient open = socket;
        if (open == null) open = connect(to);
        var answer = new CompletableFuture<JsonNode>();
        answers.put(mid, answer);
        try {
            open.send("{\"type\":\"chat\"," + receiver(channel) + "\"id\":\"" + mid + "\",\"ref\":\"" + mid
                    + "\",\"content\":" + content.text() + "}");
            JsonNode said = answer.get(5, TimeUnit.SECONDS);
            if (said.path("type").asString("").equals("sent")) return accepted(said);
            String code = said.path("code").asString("");
            // "unavailable" may come after Redis took it.
            return switch (code) {
                case "bad_frame", "bad_json", "bad_id", "not_allowed", "rate_limited", "too_large" ->
                    new Outcome.Refused(code);
                default -> new Outcome.Unknown(code);
            };
        } catch (TimeoutException | ExecutionException e) {
            open.abort();
            return new Outcome.Unknown(e instanceof TimeoutException ? "timeout" : "connection lost");
        } finally {
            answers.remove(mid);
        }
    }

    private WebSocketClient connect(Tenant to) throws IOException, InterruptedException {
        String user = "pub-" + name;
        var open = WebSocketClient.connect(world.deployment().options().front(), to.path(), world.token(user), 0);
        String cid = name + "." + ++connections;
        var joined = new java.util.concurrent.CountDownLatch(World.ROOMS);
        var notes = new Notes(journal, name, user, to);
        notes.opened(cid, null);
        socket = open;
        Thread.ofVirtual().name(name + "-reader").start(() -> read(open, notes, cid, joined));
        for (int i = 0; i < World.ROOMS; i++) open.send("{\"type\":\"join\",\"room\":\"r" + i + "\"}");
        if (!joined.await(5, TimeUnit.SECONDS)) {
            open.abort();
            throw new IOException("could not join the rooms");
        }
        return open;
    }

    private void read(WebSocketClient open, Notes notes, String cid, java.util.concurrent.CountDownLatch joined) {
        int code = 1006;
        boolean ours = false;
        try {
            while (true) {
                JsonNode frame = JSON.readTree(open.read());
                String type = frame.path("type").asString("");
                if (type.equals("joined")) joined.countDown();
                if (!type.equals("sent") && !type.equals("error")) continue;
                CompletableFuture<JsonNode> waiting =
                        answers.get(frame.path("ref").asString(""));
                if (waiting != null) waiting.complete(frame);
            }
        } catch (WebSocketClient.Closed e) {
            code = e.code();
            ours = stopping;
        } catch (IOException e) {
            ours = true;
        } finally {
            socket = null;
            open.close();
            answers.values().forEach(waiting -> waiting.completeExceptionally(new IOException("closed")));
            notes.closed(cid, code, ours ? "client" : "server");
            if (stopping) journal.close();
        }
    }

    // ---- with the library

    /** The library tries again by itself, over connections and nodes. */
    private Outcome byClient(Tenant to, String channel, String mid, Content content) throws InterruptedException {
        CarillonClient open = client;
        if (open == null) client = open = customer(to);
        // Byte for byte, as the others send it.
        JsonNode raw = JSON.getNodeFactory().rawValueNode(new RawValue(content.text()));
        Message message = channel.startsWith("user:")
                ? Message.toUser(id(channel), "chat", raw)
                : channel.startsWith("room:")
                        ? Message.toRoom(id(channel), "chat", raw)
                        : Message.toEveryone("chat", raw);
        CompletableFuture<Sent> answer = open.send(message.withId(mid));
        for (double seconds = 0; ; seconds++) {
            try {
                Position at = answer.get(1, TimeUnit.SECONDS).position();
                return at == null ? new Outcome.Accepted(null, 0) : new Outcome.Accepted(at.epoch(), at.offset());
            } catch (TimeoutException e) {
                if (seconds >= (stopping ? 5 : GIVE_UP)) return new Outcome.Unknown("timeout");
            } catch (ExecutionException e) {
                // Whatever it is refused with now, an attempt of the library's before may have been taken.
                return new Outcome.Unknown(
                        e.getCause() instanceof RefusedException refused
                                ? refused.code()
                                : String.valueOf(e.getCause()));
            }
        }
    }

    private CarillonClient customer(Tenant to) {
        String user = "pub-" + name;
        var mine = new Wire(world, new Notes(journal, name, user, to), null);
        wire = mine;
        CarillonClient made = CarillonClient.at(world.deployment().front())
                .path(to.path())
                .eventStream(null)
                .tokens(() -> world.token(user))
                .resendWithin(Duration.ofSeconds((long) GIVE_UP - 5))
                .tap(mine)
                .build();
        for (int i = 0; i < World.ROOMS; i++) {
            var unused = made.join("r" + i);
        }
        var unused = made.connect();
        return made;
    }

    // ---- over HTTP

    private Outcome byHttp(Tenant to, String channel, String mid, Content content, boolean ack)
            throws IOException, InterruptedException {
        String path = channel.startsWith("user:")
                ? "/api/ws/send"
                : channel.startsWith("room:") ? "/api/ws/rooms/" + id(channel) + "/broadcast" : "/api/ws/broadcast";
        String body = "{\"type\":\"order\"," + asking(ack) + (channel.startsWith("user:") ? receiver(channel) : "")
                + "\"content\":" + content.text() + "}";
        var request = HttpRequest.newBuilder(
                        URI.create(world.deployment().front() + path + "?namespace=" + to.namespace()))
                .timeout(Duration.ofSeconds(5))
                .header("Authorization", "Bearer " + world.deployment().apiKey())
                .header("Content-Type", "application/json")
                .header("Idempotency-Key", mid)
                .POST(HttpRequest.BodyPublishers.ofString(body))
                .build();
        HttpResponse<String> response = http.send(request, HttpResponse.BodyHandlers.ofString());
        int status = response.statusCode();
        if (status == 202) return accepted(JSON.readTree(response.body()));
        // A 503 may have been said after Redis took it.
        if (status >= 400 && status < 500 && status != 408 && status != 429) {
            return new Outcome.Refused(status + " " + response.body());
        }
        return new Outcome.Unknown("status " + status);
    }

    // ---- straight to Redis

    private Outcome byRedis(Tenant to, String channel, String mid, Content content, boolean ack) throws IOException {
        String topic = World.topic(to, channel);
        Redis open = redis;
        String key = way == Way.STREAM ? STREAM : topic;
        boolean other = world.deployment().clustered() && !key.equals(redisKey);
        if (open == null || open.broken() || other) {
            if (open != null) open.close();
            open = world.deployment().connect(key, 2000);
            redis = open;
            redisKey = key;
            if (open == null) return new Outcome.Unknown("no Redis");
        }
        String event = "{\"type\":\"" + (way == Way.PLAIN ? "typing" : "order") + "\"," + asking(ack)
                + receiver(channel) + "\"content\":" + content.text() + "}";
        try {
            switch (way) {
                case PLAIN -> {
                    open.call(world.deployment().clustered() ? "SPUBLISH" : "PUBLISH", topic, event);
                    return new Outcome.Accepted(null, 0);
                }
                case STREAM -> {
                    open.call(
                            "XADD",
                            STREAM,
                            "*",
                            "channel",
                            to.namespace() + ":" + (channel.equals("broadcast") ? "broadcast" : channel),
                            "event",
                            "{\"id\":\"" + mid + "\"," + event.substring(1));
                    return new Outcome.Accepted(null, 0);
                }
                default -> {
                    List<Object> reply = open.list("FCALL", "carillon_publish", 1, topic, event, mid);
                    return new Outcome.Accepted(
                            String.valueOf(reply.get(1)), Long.parseLong(String.valueOf(reply.get(0))));
                }
            }
        } catch (Redis.Refusal e) {
            String text = e.text();
            boolean elsewhere = text.startsWith("READONLY") || text.startsWith("MOVED") || text.startsWith("ASK");
            if (elsewhere || text.startsWith("NOREPLICAS") || text.startsWith("MASTERDOWN")) {
                open.close();
                redis = null;
            }
            return new Outcome.Unknown(text);
        } catch (IOException e) {
            open.close();
            redis = null;
            throw e;
        }
    }
}
