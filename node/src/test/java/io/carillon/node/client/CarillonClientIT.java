package io.carillon.node.client;

import static org.assertj.core.api.Assertions.assertThat;

import io.carillon.client.CarillonClient;
import io.carillon.client.FrameListener;
import io.carillon.client.Gap;
import io.carillon.client.HistoryPage;
import io.carillon.client.Message;
import io.carillon.client.RefusedException;
import io.carillon.client.Sent;
import io.carillon.node.testing.Client;
import io.carillon.node.testing.Nodes;
import io.carillon.node.testing.Poll;
import io.carillon.node.testing.RedisServer;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.function.Supplier;
import java.util.stream.IntStream;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.RegisterExtension;
import shop.OrderDesk;
import tools.jackson.databind.JsonNode;

/** The Java client against two real nodes and a real Redis. Users and rooms of a test meet no other test's. */
class CarillonClientIT {
    @RegisterExtension
    static final RedisServer redis = RedisServer.own();

    private static final Duration SOON = Duration.ofSeconds(20);
    private static final AtomicInteger NEXT = new AtomicInteger();

    private static Nodes nodes;

    private final int test = NEXT.incrementAndGet();
    private final ConcurrentLinkedQueue<Integer> got = new ConcurrentLinkedQueue<>();
    private final ConcurrentLinkedQueue<Gap> gaps = new ConcurrentLinkedQueue<>();
    private final ConcurrentLinkedQueue<String> wire = new ConcurrentLinkedQueue<>();
    private final ConcurrentLinkedQueue<Integer> codes = new ConcurrentLinkedQueue<>();
    private final List<CarillonClient> clients = new ArrayList<>();
    private Front front;

    @BeforeAll
    static void start() {
        nodes = new Nodes(redis.url(), 2, Map.of("carillon.ack.again", "1s", "carillon.ack.settle", "200ms"));
    }

    @AfterAll
    static void stop() {
        if (nodes != null) nodes.close();
    }

    @BeforeEach
    void open() throws Exception {
        front = new Front(nodes.url(0));
    }

    @AfterEach
    void close() throws Exception {
        clients.forEach(CarillonClient::close);
        front.close();
    }

    private String name(String name) {
        return name + test;
    }

    private static String token(String user, long seconds) {
        return Nodes.token(user, Instant.now().getEpochSecond() + seconds, "");
    }

    private CarillonClient.Builder of(Supplier<String> tokens) {
        return CarillonClient.at(front.url()).tokens(tokens).tap(new FrameListener() {
            @Override
            public void frame(String text) {
                wire.add(text);
            }

            @Override
            public void closed(int code) {
                codes.add(code);
            }
        });
    }

    /** A client of this user that writes down the numbers of {@code n} events, and gaps. */
    private CarillonClient client(String user) {
        return watched(of(() -> token(user, 600)));
    }

    private CarillonClient watched(CarillonClient.Builder settings) {
        CarillonClient client = settings.build();
        clients.add(client);
        return client.on("n", event -> got.add(event.content().asInt())).onGap(gaps::add);
    }

    private static void ready(CarillonClient client) throws Exception {
        client.connect().get(20, TimeUnit.SECONDS);
    }

    private static void publish(String path, String event) throws Exception {
        assertThat(nodes.call(1, "POST", "/api/ws/" + path, event).statusCode()).isEqualTo(202);
    }

    private void toRoom(String room, int number) throws Exception {
        publish("rooms/" + room + "/broadcast", "{\"type\":\"n\",\"content\":" + number + "}");
    }

    private void toUser(String user, int number) throws Exception {
        publish("send", "{\"type\":\"n\",\"to\":\"" + user + "\",\"content\":" + number + "}");
    }

    private void awaitNumbers(int last) {
        try {
            Poll.until("all events", SOON, () -> got.size() >= last);
        } finally {
            assertThat(got)
                    .containsExactlyElementsOf(
                            IntStream.rangeClosed(1, last).boxed().toList());
        }
    }

    @Test
    void aNodeLostInTheMiddleCostsNoEventAndNoOrder() throws Exception {
        CarillonClient client = client(name("ada"));
        client.join(name("r"));
        ready(client);
        for (int i = 1; i <= 500; i++) {
            toRoom(name("r"), i);
            if (i == 150 || i == 320) {
                int sofar = i;
                Poll.until("it to be connected", SOON, () -> got.size() == sofar);
                toRoom(name("r"), ++i);
                front.to(nodes.url(i < 200 ? 1 : 0));
                front.cut();
            }
        }
        awaitNumbers(500);
        assertThat(gaps).isEmpty();
        assertThat(front.connections()).isGreaterThanOrEqualTo(3);
    }

    @Test
    void aDrainedNodeCostsNothingEither() throws Exception {
        nodes.add();
        front.to(nodes.url(2));
        CarillonClient client = client(name("ada"));
        client.join(name("r"));
        ready(client);
        front.to(nodes.url(1));
        Thread stop = Thread.ofVirtual().start(() -> nodes.stop(2));
        for (int i = 1; i <= 200; i++) toRoom(name("r"), i);
        stop.join();
        for (int i = 201; i <= 220; i++) toRoom(name("r"), i);
        awaitNumbers(220);
        assertThat(gaps).isEmpty();
        assertThat(codes).containsExactly(1012);
        assertThat(wire).anyMatch(frame -> frame.contains("\"drain\""));
    }

    @Test
    void aHistoryThatIsGoneIsAGap() throws Exception {
        String ada = name("ada");
        CarillonClient client = client(ada);
        ready(client);
        toUser(ada, 1);
        awaitNumbers(1);
        front.toNone();
        front.cut();
        for (int i = 0; i < 300; i++) publish("send", "{\"type\":\"bulk\",\"to\":\"" + ada + "\"}");
        front.to(nodes.url(1));
        Poll.until("the gap", SOON, () -> !gaps.isEmpty());
        toUser(ada, 2);
        awaitNumbers(2);
        assertThat(gaps).singleElement().satisfies(gap -> {
            assertThat(gap.channel()).isEqualTo("user:" + ada);
            assertThat(gap.from().offset()).isEqualTo(1);
            assertThat(gap.to().offset()).isEqualTo(301);
        });
    }

    @Test
    void aTokenIsReplacedInTimeAndTheConnectionStays() throws Exception {
        String ada = name("ada");
        var asked = new AtomicInteger();
        CarillonClient client = watched(of(() -> token(ada, asked.incrementAndGet() == 1 ? 3 : 600)));
        ready(client);
        Poll.until("the answer", SOON, () -> wire.stream().anyMatch(frame -> frame.contains("\"refreshed\"")));
        // It outlives the first token.
        Poll.until("that token's end", SOON, () -> aged(client));
        toUser(ada, 1);
        awaitNumbers(1);
        assertThat(asked).hasValue(2);
        assertThat(codes).isEmpty();
    }

    private final long began = System.nanoTime();

    private boolean aged(CarillonClient client) {
        return System.nanoTime() - began > Duration.ofMillis(3_500).toNanos()
                && client.state() == CarillonClient.State.READY;
    }

    @Test
    void anExpiredTokenIsFollowedByAFreshOne() throws Exception {
        String ada = name("ada");
        var asked = new AtomicInteger();
        CarillonClient client = watched(of(() -> switch (asked.incrementAndGet()) {
            case 1 -> token(ada, 2);
            case 2 -> throw new IllegalStateException("the directory is away");
            default -> token(ada, 600);
        }));
        ready(client);
        toUser(ada, 1);
        Poll.until("the end of the first connection", SOON, () -> !codes.isEmpty());
        toUser(ada, 2);
        awaitNumbers(2);
        assertThat(codes).containsExactly(4401);
        assertThat(asked).hasValue(3);
        assertThat(gaps).isEmpty();
        assertThat(String.join("", wire)).doesNotContain("eyJ");
    }

    @Test
    void anEventComesAgainUntilItsHandlerHasRunAndThenNoMore() throws Exception {
        String ada = name("ada");
        String id = name("inv");
        var runs = new AtomicInteger();
        CarillonClient client = client(ada).on("invoice", event -> {
            if (runs.incrementAndGet() < 3) throw new IllegalStateException("the database is away");
        });
        ready(client);
        publish("send", "{\"type\":\"invoice\",\"to\":\"" + ada + "\",\"ack\":true,\"id\":\"" + id + "\"}");
        Poll.until("it to be acknowledged", SOON, () -> fate(ada, id), "acknowledged"::equals);
        assertThat(runs).hasValue(3);
        long frames = invoices();
        // On another connection it would come at once.
        front.cut();
        toUser(ada, 1);
        awaitNumbers(1);
        toUser(ada, 2);
        awaitNumbers(2);
        assertThat(invoices()).isEqualTo(frames);
        assertThat(runs).hasValue(3);
    }

    private long invoices() {
        return wire.stream().filter(frame -> frame.contains("\"invoice\"")).count();
    }

    private static String fate(String user, String id) throws Exception {
        return nodes.get("/api/ws/acks/" + id + "?user=" + user).path("state").asString();
    }

    @Test
    void whatIsSentAcrossOutagesArrivesOnceAndInOrder() throws Exception {
        String bob = name("bob");
        try (Client receiver = Client.welcomed(nodes.url(1), bob)) {
            CarillonClient sender = client(name("ada"));
            sender.on(CarillonClient.EVERY, event -> got.add(-1));
            var sent = new ArrayList<CompletableFuture<Sent>>();
            // Before there is a connection.
            for (int i = 1; i <= 5; i++) sent.add(sender.send(Message.toUser(bob, "n", i)));
            ready(sender);
            sent.getLast().get(20, TimeUnit.SECONDS);
            // The node takes them, and nobody learns of it.
            for (int round = 0; round < 3; round++) {
                for (CompletableFuture<Sent> one : sent) one.get(20, TimeUnit.SECONDS);
                int before = received(receiver, sent.size());
                front.mute();
                sent.add(sender.send(Message.toUser(bob, "n", before + 1)));
                sent.add(sender.send(Message.toUser(bob, "n", before + 2)));
                Poll.until("the node to have it", SOON, () -> history(bob) == before + 1);
                front.toNone();
                front.cut();
                sent.add(sender.send(Message.toUser(bob, "n", before + 3)));
                front.to(nodes.url((round + 1) % 2));
            }
            for (CompletableFuture<Sent> one : sent) one.get(20, TimeUnit.SECONDS);
            assertThat(sent.stream().map(one -> one.join().position().offset()))
                    .containsExactlyElementsOf(
                            IntStream.rangeClosed(1, 14).mapToObj(Long::valueOf).toList());
            assertThat(received(receiver, 14)).isEqualTo(14);
            assertThat(sender.queued()).isZero();
            // The sender's own copies are not for the sender, on this connection or another.
            assertThat(got).isEmpty();
            assertThat(gaps).isEmpty();
        }
    }

    private final List<Integer> arrived = new ArrayList<>();

    /** How many have arrived, at least so many; each once, in order. */
    private int received(Client receiver, int atLeast) throws Exception {
        while (arrived.size() < atLeast) {
            arrived.add(receiver.next("n").path("content").asInt());
        }
        for (JsonNode frame : receiver.rest()) arrived.add(frame.path("content").asInt());
        assertThat(arrived)
                .containsExactlyElementsOf(
                        IntStream.rangeClosed(1, arrived.size()).boxed().toList());
        return arrived.size();
    }

    private static long history(String user) throws Exception {
        return nodes.get("/api/ws/history?channel=user:" + user).path("offset").asLong();
    }

    @Test
    void roomsPresenceAndHistoryOverTwoNodes() throws Exception {
        String room = name("r");
        CarillonClient ada = client(name("ada"));
        ready(ada);
        assertThat(ada.join(room).get(20, TimeUnit.SECONDS)).isEqualTo(1);
        front.to(nodes.url(1));
        CarillonClient bob = client(name("bob"));
        CompletableFuture<Integer> members = bob.join(room);
        ready(bob);
        assertThat(members.get(20, TimeUnit.SECONDS)).isEqualTo(2);
        Sent first = bob.send(Message.toRoom(room, "n", 1)).get(20, TimeUnit.SECONDS);
        awaitNumbers(1);
        assertThat(first.position().offset()).isEqualTo(1);
        assertThat(ada.presence(room).get(20, TimeUnit.SECONDS).users())
                .containsExactlyInAnyOrder(name("ada"), name("bob"));
        HistoryPage page = ada.history("room:" + room, -1, 10).get(20, TimeUnit.SECONDS);
        assertThat(page.events())
                .singleElement()
                .satisfies(event -> assertThat(event.from()).isEqualTo(name("bob")));
        assertThat(page.position()).isEqualTo(first.position());
        CompletableFuture<Integer> secret = ada.join("private-" + room);
        Poll.until("the refusal", SOON, secret::isDone);
        assertThat(secret.exceptionNow())
                .isInstanceOfSatisfying(
                        RefusedException.class,
                        refused -> assertThat(refused.code()).isEqualTo("not_allowed"));
        ada.leave(room);
        Poll.until(
                "the room to be bob's",
                SOON,
                () -> bob.presence(room).get(20, TimeUnit.SECONDS).count() == 1);
    }

    @Test
    void aKickedUserStaysAway() throws Exception {
        CarillonClient client = client(name("ada"));
        ready(client);
        assertThat(nodes.call("DELETE", "/api/ws/users/" + name("ada"), null).statusCode())
                .isEqualTo(204);
        assertThat(client.whenClosed().get(20, TimeUnit.SECONDS).code()).isEqualTo("closed_4503");
        assertThat(front.connections()).isEqualTo(1);
    }

    @Test
    void whereNoWebSocketCanBeHadAnEventStreamGoesOnAtAnyNode() throws Exception {
        String ada = name("ada");
        String room = name("r");
        CarillonClient client = watched(of(() -> token(ada, 600)).path("/api/ws/nothing-there"));
        client.join(room);
        ready(client);
        for (int i = 1; i <= 60; i++) {
            toRoom(room, i);
            if (i == 20 || i == 40) {
                int sofar = i;
                Poll.until("it to be connected", SOON, () -> got.size() == sofar);
                toRoom(room, ++i);
                front.to(nodes.url(i < 30 ? 1 : 0));
                front.cut();
            }
        }
        awaitNumbers(60);
        assertThat(gaps).isEmpty();
    }

    @Test
    void theExampleDoesWhatItSays() throws Exception {
        var missed = new ConcurrentLinkedQueue<String>();
        String customer = name("cleo");
        try (Client cleo = Client.welcomed(nodes.url(1), customer)) {
            CarillonClient desk = OrderDesk.open(front.url(), () -> token(name("desk"), 600), missed::add);
            clients.add(desk);
            publish(
                    "rooms/orders/broadcast",
                    "{\"type\":\"order\",\"content\":{\"number\":\"" + name("o") + "\",\"customer\":\"" + customer
                            + "\"}}");
            JsonNode seen = cleo.next("order_seen");
            assertThat(seen.path("id").asString()).isEqualTo(name("o") + "-seen");
            assertThat(seen.path("from").asString()).isEqualTo(name("desk"));
            assertThat(missed).isEmpty();
        }
    }
}
