package io.carillon.node.dispatch;

import static org.assertj.core.api.Assertions.assertThat;

import io.carillon.model.channel.ChannelName;
import io.carillon.model.channel.Namespace;
import io.carillon.model.channel.Position;
import io.carillon.model.event.Event;
import io.carillon.model.event.EventCodec;
import io.carillon.model.event.Payload;
import io.carillon.node.backplane.Backplane;
import io.carillon.node.backplane.BackplaneException;
import io.carillon.node.backplane.BackplaneListener;
import io.carillon.node.backplane.InMemoryBackplane;
import io.carillon.node.channel.ChannelMetrics;
import io.carillon.node.channel.ChannelSettings;
import io.carillon.node.channel.Channels;
import io.carillon.node.dialect.Command;
import io.carillon.node.dialect.Dialect;
import io.carillon.node.dialect.Notice;
import io.carillon.node.dialect.push.PushDialect;
import io.carillon.node.identity.Principal;
import io.carillon.node.presence.InMemoryPresence;
import io.carillon.node.session.CloseCode;
import io.carillon.node.session.Endpoint;
import io.carillon.node.session.EndpointSettings;
import io.carillon.node.session.OutboxSettings;
import io.carillon.node.session.OverLimit;
import io.carillon.node.session.Session;
import io.carillon.node.session.StalledSocket;
import io.carillon.node.testing.Poll;
import io.micrometer.core.instrument.simple.SimpleMeterRegistry;
import io.netty.channel.DefaultEventLoop;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.time.InstantSource;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.ConcurrentSkipListMap;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;

/** What a resume sends and does not send, over a whole dispatch and a backplane in memory. */
class ResumeTest {
    private static final JsonMapper JSON = JsonMapper.shared();
    private static final ChannelName LOBBY = ChannelName.room(Namespace.PUSH, "lobby");
    private static final Backplane.Retention KEEP = new Backplane.Retention(1000, 60);
    private static final Duration PATIENCE = Duration.ofSeconds(20);

    private final InMemoryBackplane.Hub hub = new InMemoryBackplane.Hub();
    private final Watched backplane = new Watched(new InMemoryBackplane(hub, "node1"));
    private final InMemoryBackplane publisher = new InMemoryBackplane(hub, "node2");
    private final DefaultEventLoop loop = new DefaultEventLoop();
    private final SimpleMeterRegistry registry = new SimpleMeterRegistry();
    private final Pending pending = new Pending();
    private final AtomicInteger encoded = new AtomicInteger();
    private final List<StalledSocket> sockets = new ArrayList<>();
    private int published;

    @Nullable
    private Dispatch dispatch;

    @BeforeEach
    void start() {
        start(new RecoverySettings(2048, 1 << 20, 8, 4096, 1 << 20, Duration.ofMinutes(1)));
    }

    private void start(RecoverySettings recovery) {
        var channels = new Channels(
                backplane,
                List.of(loop),
                new ChannelSettings(Duration.ofSeconds(60), Duration.ofMillis(1), 1000, 65_536, 1 << 26),
                new ChannelMetrics(registry),
                InstantSource.system());
        var settings = new DispatchSettings(1 << 26, 0, 128, 100, 256, 1024, 2048, Duration.ofSeconds(300));
        var acks = new AckSettings(1000, Duration.ofHours(24), Duration.ofSeconds(10), Duration.ofSeconds(1));
        var metrics = new DispatchMetrics(registry);
        var endpoints = new EndpointSettings(Map.of());
        dispatch = new Dispatch(
                "node1",
                List.of(loop),
                channels,
                new InMemoryPresence(),
                new Publications(backplane, settings, endpoints, acks, InstantSource.system(), metrics),
                backplane,
                pending,
                (room, limit) -> CompletableFuture.failedFuture(new BackplaneException("not asked for here")),
                (current, token) -> CompletableFuture.failedFuture(new BackplaneException("not asked for here")),
                List.of(new Counted(new PushDialect())),
                List.of(endpoint()),
                new Applications(List.of(), endpoints),
                settings,
                recovery,
                acks,
                metrics,
                InstantSource.system());
        dispatch.start();
        publisher.start(new Deaf());
        Poll.until("the link is up", PATIENCE, () -> backplane.connected() && publisher.connected());
    }

    @AfterEach
    void stop() {
        backplane.stop();
        publisher.stop();
        loop.shutdownGracefully(0, 1, TimeUnit.SECONDS).syncUninterruptibly();
    }

    private static Endpoint endpoint() {
        return new Endpoint(
                "push",
                "/ws",
                "push",
                Namespace.PUSH,
                1024,
                0,
                1,
                Set.of(),
                true,
                0,
                OverLimit.REFUSE,
                true,
                false,
                Set.of("typing"),
                Map.of(),
                EndpointSettings.History.DEFAULT,
                Duration.ofSeconds(60),
                Duration.ofSeconds(25),
                false);
    }

    /** A client of the node. */
    private final class Fake {
        private final StalledSocket socket;
        private final Session session;

        private Fake(String user, long highWater) {
            socket = new StalledSocket(loop, highWater);
            session = new Session(
                    "s" + sockets.size(),
                    endpoint(),
                    new Principal(user, null, null, Set.of(), Long.MAX_VALUE, Map.of()),
                    socket,
                    new OutboxSettings(16_384, 100, Duration.ofSeconds(10)),
                    0);
            sockets.add(socket);
            onLoop(() -> node().opened(session));
        }

        Fake welcomed() {
            await("welcome");
            return this;
        }

        Fake inLobby() {
            send("{\"type\":\"join\",\"room\":\"lobby\"}");
            await("joined");
            return this;
        }

        Fake send(String frame) {
            onLoop(() -> node().received(session, frame.getBytes(StandardCharsets.UTF_8)));
            return this;
        }

        Fake resume(String channel, Position from) {
            return send("{\"type\":\"resume\",\"channels\":{\"" + channel + "\":{\"epoch\":\"" + from.epoch()
                    + "\",\"offset\":" + from.offset() + "}}}");
        }

        /** The client reads everything it was sent. */
        void reads() {
            onLoop(() -> {
                socket.read();
                session.writable();
            });
        }

        List<JsonNode> frames() {
            var frames = new ArrayList<JsonNode>();
            onLoop(() -> {
                for (byte[] bytes : socket.written()) {
                    for (int at = 0; at < bytes.length; ) {
                        int length = bytes[at + 1] & 0x7f;
                        int start = at + 2;
                        if (length == 126) {
                            length = (bytes[at + 2] & 0xff) << 8 | bytes[at + 3] & 0xff;
                            start = at + 4;
                        }
                        frames.add(JSON.readTree(bytes, start, length));
                        at = start + length;
                    }
                }
            });
            return frames;
        }

        List<String> types() {
            return frames().stream().map(f -> f.path("type").asString("")).toList();
        }

        /** Types of the events it was sent, without what the node itself says. */
        List<String> events() {
            return types().stream().filter(type -> type.startsWith("e")).toList();
        }

        JsonNode await(String type) {
            return await(type, 1);
        }

        JsonNode await(String type, int count) {
            return Poll.until(
                            type,
                            PATIENCE,
                            this::frames,
                            frames -> named(frames, type).size() >= count)
                    .stream()
                    .filter(f -> type.equals(f.path("type").asString("")))
                    .toList()
                    .get(count - 1);
        }
    }

    private static List<JsonNode> named(List<JsonNode> frames, String type) {
        return frames.stream()
                .filter(f -> type.equals(f.path("type").asString("")))
                .toList();
    }

    private Dispatch node() {
        if (dispatch == null) throw new IllegalStateException("not started");
        return dispatch;
    }

    private void onLoop(Runnable task) {
        loop.submit(task).syncUninterruptibly();
    }

    private Position publish(ChannelName channel) {
        int number = ++published;
        return publish(channel, "e" + number, Payload.ofJson("\"" + "x".repeat(100) + "\""));
    }

    private Position publish(ChannelName channel, String type, Payload content) {
        byte[] event = EventCodec.write(
                Event.of(type, content).with().id("i-" + published).build());
        return publisher
                .append(channel, event, "i-" + published, KEEP)
                .toCompletableFuture()
                .join()
                .position();
    }

    private Position publish(ChannelName channel, int count) {
        Position last = publish(channel);
        for (int i = 1; i < count; i++) last = publish(channel);
        return last;
    }

    private static List<String> numbered(int from, int to) {
        var types = new ArrayList<String>();
        for (int i = from; i <= to; i++) types.add("e" + i);
        return types;
    }

    private static JsonNode outcome(JsonNode resumed, String channel) {
        return resumed.path("channels").path(channel);
    }

    @Test
    void whatWasSentAlreadyIsNotSentAgainHoweverLateTheClientResumes() {
        Position first = publish(LOBBY, 3);
        Fake client = new Fake("u", Long.MAX_VALUE).welcomed().inLobby();
        publish(LOBBY, 2);
        client.await("e5");
        client.resume("room:lobby", new Position(first.epoch(), 1));
        JsonNode outcome = outcome(client.await("resumed"), "room:lobby");
        assertThat(client.events()).containsExactly("e4", "e5", "e2", "e3");
        assertThat(outcome.path("recovered").asBoolean()).isTrue();
        assertThat(outcome.path("offset").asLong()).isEqualTo(5);
        publish(LOBBY);
        client.await("e6");
        assertThat(client.events()).containsExactly("e4", "e5", "e2", "e3", "e6");
    }

    @Test
    void resumingAgainSendsOnlyWhatIsOlderStill() {
        Position last = publish(LOBBY, 5);
        Fake client = new Fake("u", Long.MAX_VALUE).welcomed().inLobby();
        backplane.hold();
        // Three at once: the same twice, then one from further back.
        client.resume("room:lobby", new Position(last.epoch(), 3));
        client.resume("room:lobby", new Position(last.epoch(), 3));
        client.resume("room:lobby", new Position(last.epoch(), 1));
        backplane.letGo();
        client.await("resumed", 3);
        client.resume("room:lobby", new Position(last.epoch(), 1));
        client.await("resumed", 4);
        assertThat(client.events()).containsExactly("e4", "e5", "e2", "e3");
        for (JsonNode resumed : named(client.frames(), "resumed")) {
            assertThat(outcome(resumed, "room:lobby").path("recovered").asBoolean())
                    .isTrue();
        }
    }

    @Test
    void whatComesMeanwhileWaitsBehindWhatWasMissed() {
        Position last = publish(LOBBY, 3);
        Fake client = new Fake("u", Long.MAX_VALUE).welcomed().inLobby();
        Fake other = new Fake("v", Long.MAX_VALUE).welcomed().inLobby();
        backplane.hold();
        client.resume("room:lobby", new Position(last.epoch(), 1));
        publish(LOBBY, 2);
        other.await("e5");
        assertThat(client.events()).isEmpty();
        backplane.letGo();
        client.await("resumed");
        assertThat(client.types()).endsWith("e2", "e3", "e4", "e5", "resumed");
    }

    @Test
    void whatDoesNotFitBehindIsReadFromTheHistory() {
        Position last = publish(LOBBY, 3);
        Fake client = new Fake("u", Long.MAX_VALUE).welcomed().inLobby();
        Fake other = new Fake("v", Long.MAX_VALUE).welcomed().inLobby();
        publish(LOBBY, 2);
        client.await("e5");
        other.await("e5");
        backplane.hold();
        client.resume("room:lobby", new Position(last.epoch(), 1));
        publish(LOBBY, 60);
        other.await("e65");
        backplane.letGo();
        client.await("resumed");
        publish(LOBBY);
        client.await("e66");
        var expected = new ArrayList<>(List.of("e4", "e5", "e2", "e3"));
        expected.addAll(numbered(6, 66));
        assertThat(client.events()).isEqualTo(expected);
        assertThat(other.events()).isEqualTo(numbered(4, 66));
    }

    @Test
    void whoLeavesMeanwhileIsTold() {
        Position last = publish(LOBBY, 3);
        Fake client = new Fake("u", Long.MAX_VALUE).welcomed().inLobby();
        backplane.hold();
        client.resume("room:lobby", new Position(last.epoch(), 1));
        client.send("{\"type\":\"leave\",\"room\":\"lobby\"}");
        JsonNode outcome = outcome(client.await("resumed"), "room:lobby");
        assertThat(outcome.path("recovered").asBoolean(true)).isFalse();
        assertThat(outcome.path("code").asString()).isEqualTo("not_in_room");
        backplane.letGo();
        client.inLobby();
        assertThat(client.events()).isEmpty();
    }

    @Test
    void whoLeavesARoomThatTheResumeIsStillJoiningIsTold() {
        Position last = publish(LOBBY, 3);
        Fake client = new Fake("u", Long.MAX_VALUE).welcomed();
        backplane.hold();
        client.resume("room:lobby", new Position(last.epoch(), 1));
        client.send("{\"type\":\"leave\",\"room\":\"lobby\"}");
        assertThat(outcome(client.await("resumed"), "room:lobby").path("code").asString())
                .isEqualTo("not_in_room");
        backplane.letGo();
    }

    @Test
    void aClientThatReadsSlowlyGetsEverythingAndIsNotClosed() {
        Position last = publish(LOBBY, 600);
        // Its outbox holds 16 KB, the socket 1 KB: far less than it missed.
        Fake client = new Fake("u", 1024).welcomed();
        client.reads();
        client.inLobby();
        client.reads();
        client.resume("room:lobby", new Position(last.epoch(), 0));
        Poll.until("it is resumed", PATIENCE, () -> {
            client.reads();
            return client.types().contains("resumed");
        });
        assertThat(client.events()).isEqualTo(numbered(1, 600));
        assertThat(client.socket.closes()).doesNotContain(CloseCode.TOO_SLOW);
    }

    @Test
    void nothingIsKeptForAClientThatDoesNotRead() {
        Position last = publish(LOBBY, 600);
        Fake client = new Fake("u", 1024).welcomed();
        client.reads();
        client.inLobby();
        client.reads();
        client.resume("room:lobby", new Position(last.epoch(), 0));
        Poll.until("it is sent some", PATIENCE, () -> client.events().size() >= 3);
        onLoop(() -> assertThat(client.session.outbox().frames()).isZero());
        publish(LOBBY, 100);
        Fake other = new Fake("v", Long.MAX_VALUE).welcomed().inLobby();
        publish(LOBBY);
        other.await("e701");
        // Live events wait in a bounded hold, not in the outbox.
        onLoop(() -> assertThat(client.session.outbox().frames()).isZero());
        Poll.until("it is resumed", PATIENCE, () -> {
            client.reads();
            return client.types().contains("resumed");
        });
        assertThat(client.events()).isEqualTo(numbered(1, 701));
    }

    @Test
    void anUnusedChannelsPositionIsGoodForAResume() {
        Fake before = new Fake("w", Long.MAX_VALUE).welcomed().inLobby();
        JsonNode joined = before.await("joined");
        var unused = new Position(
                joined.path("epoch").asString(), joined.path("offset").asLong());
        assertThat(unused.offset()).isZero();
        publish(LOBBY, 2);
        Fake client = new Fake("u", Long.MAX_VALUE).welcomed().inLobby();
        publish(LOBBY);
        client.await("e3");
        client.resume("room:lobby", unused);
        assertThat(outcome(client.await("resumed"), "room:lobby")
                        .path("recovered")
                        .asBoolean())
                .isTrue();
        client.resume("room:lobby", unused);
        client.await("resumed", 2);
        assertThat(client.events()).containsExactly("e3", "e1", "e2");
    }

    @Test
    void anotherEpochOrATrimmedHistoryIsNotRecovered() {
        Position last = publish(LOBBY, 3);
        Fake client = new Fake("u", Long.MAX_VALUE).welcomed().inLobby();
        client.resume("room:lobby", new Position("other", 1));
        JsonNode outcome = outcome(client.await("resumed"), "room:lobby");
        assertThat(outcome.path("recovered").asBoolean(true)).isFalse();
        assertThat(outcome.path("offset").asLong()).isEqualTo(3);
        assertThat(outcome.path("epoch").asString()).isEqualTo(last.epoch());
        assertThat(client.events()).isEmpty();
    }

    @Test
    void whileTheBackplaneIsAwayTheAnswerSaysSoAndALaterResumeSucceeds() {
        Position last = publish(LOBBY, 3);
        Fake client = new Fake("u", Long.MAX_VALUE).welcomed().inLobby();
        hub.takeDown();
        Poll.until(
                "the link is down",
                PATIENCE,
                () -> !backplane.connected()
                        || named(client.frames(), "degraded").size() > 0);
        client.resume("room:lobby", new Position(last.epoch(), 1));
        assertThat(outcome(client.await("resumed"), "room:lobby").path("code").asString())
                .isEqualTo("unavailable");
        hub.restore();
        client.await("restored");
        client.resume("room:lobby", new Position(last.epoch(), 1));
        assertThat(outcome(client.await("resumed", 2), "room:lobby")
                        .path("recovered")
                        .asBoolean())
                .isTrue();
        assertThat(client.events()).containsExactly("e2", "e3");
    }

    @Test
    void whatAResumeHasSentIsNotSentAgainAtOnceForWantOfAnAcknowledgement() throws Exception {
        ChannelName own = ChannelName.user(Namespace.PUSH, "u");
        Fake before = new Fake("u", Long.MAX_VALUE).welcomed();
        JsonNode start = before.await("welcome").path("channels").path("user:u");
        var from = new Position(start.path("epoch").asString(), 0);
        published = 1;
        byte[] asking =
                EventCodec.write(Event.of("e1", null).with().id("i-1").ack(true).build());
        publisher.append(own, asking, "i-1", KEEP).toCompletableFuture().join();
        // Here, so that the channel stands behind it when the client comes.
        before.await("e1");
        onLoop(() -> node().closed(before.session, 1000));
        byte[] stamped = publisher
                .history(own, 0, 1)
                .toCompletableFuture()
                .join()
                .events()
                .getFirst();
        pending.events.put("i-1", stamped);
        // One is out of the history by now.
        pending.events.put(
                "i-0",
                EventCodec.writeStamped(EventCodec.readStamped(stamped)
                        .with()
                        .id("i-0")
                        .type("e0")
                        .build()));
        int asked = pending.asked.get();
        Fake client = new Fake("u", Long.MAX_VALUE).welcomed();
        client.resume("user:u", from);
        client.await("e0");
        assertThat(pending.asked.get()).isGreaterThan(asked);
        assertThat(client.types()).endsWith("e1", "resumed", "e0");
        client.send("{\"type\":\"ack\",\"id\":\"i-1\",\"ref\":\"a\"}");
        client.await("sent");
        assertThat(pending.events).containsOnlyKeys("i-0");
    }

    @Test
    void whatWaitsToBeAcknowledgedDoesNotOvertakeWhatIsOnItsWay() throws Exception {
        ChannelName own = ChannelName.user(Namespace.PUSH, "u");
        Event asking = Event.of("e3", null).with().id("i-3").ack(true).build();
        publisher
                .append(own, EventCodec.write(asking.with().id("i-1").type("e1").build()), "i-1", KEEP)
                .toCompletableFuture()
                .join();
        Event first = EventCodec.readStamped(publisher
                .history(own, 0, 1)
                .toCompletableFuture()
                .join()
                .events()
                .getFirst());
        pending.events.put("i-1", EventCodec.writeStamped(first));
        // Redis has two more by now, the second waits, and neither message has come: this is what a look finds then.
        pending.events.put(
                "i-3",
                EventCodec.writeStamped(first.with()
                        .id("i-3")
                        .type("e3")
                        .position(new Position(first.position().epoch(), 3))
                        .build()));
        Fake client = new Fake("u", Long.MAX_VALUE).welcomed();
        client.await("e1");
        for (Event event : List.of(Event.of("e2", null).with().id("i-2").build(), asking)) {
            publisher
                    .append(own, EventCodec.write(event), String.valueOf(event.id()), KEEP)
                    .toCompletableFuture()
                    .join();
        }
        client.await("e3");
        assertThat(client.events()).containsExactly("e1", "e2", "e3");
    }

    @Test
    void tenThousandWhoMissedTheSameCostOneRead() {
        Position last = publish(LOBBY, 200);
        List<Fake> clients = crowd(10_000);
        int before = backplane.reads.get();
        int encodedBefore = encoded.get();
        for (Fake client : clients) client.resume("room:lobby", new Position(last.epoch(), 150));
        for (Fake client : clients) {
            client.await("resumed");
            assertThat(client.events()).isEqualTo(numbered(151, 200));
        }
        assertThat(backplane.reads.get() - before).isEqualTo(1);
        assertThat(encoded.get() - encodedBefore).isEqualTo(50);
    }

    @Test
    void aCrowdThatMissedDifferentlyCostsAHandfulOfReads() {
        Position last = publish(LOBBY, 200);
        List<Fake> clients = crowd(1000);
        int before = backplane.reads.get();
        int encodedBefore = encoded.get();
        // From the best informed down: each asks for more than is there already.
        for (int i = 0; i < clients.size(); i++) {
            clients.get(i).resume("room:lobby", new Position(last.epoch(), 199 - i % 200));
        }
        for (int i = 0; i < clients.size(); i++) {
            clients.get(i).await("resumed");
            assertThat(clients.get(i).events()).isEqualTo(numbered(200 - i % 200, 200));
        }
        assertThat(backplane.reads.get() - before).isLessThanOrEqualTo(4);
        assertThat(encoded.get() - encodedBefore).isEqualTo(200);
    }

    private List<Fake> crowd(int count) {
        var clients = new ArrayList<Fake>(count);
        for (int i = 0; i < count; i++) clients.add(new Fake("u" + i, Long.MAX_VALUE));
        for (Fake client : clients) client.await("welcome");
        for (Fake client : clients) client.send("{\"type\":\"join\",\"room\":\"lobby\"}");
        for (Fake client : clients) client.await("joined");
        return clients;
    }

    /** Counts what is encoded. */
    private final class Counted implements Dialect {
        private final Dialect dialect;

        private Counted(Dialect dialect) {
            this.dialect = dialect;
        }

        @Override
        public String name() {
            return dialect.name();
        }

        @Override
        public Command decode(byte[] text) {
            return dialect.decode(text);
        }

        @Override
        public byte @Nullable [] encode(Event event) {
            encoded.incrementAndGet();
            return dialect.encode(event);
        }

        @Override
        public byte @Nullable [] encode(Notice notice) {
            return dialect.encode(notice);
        }
    }

    /** A backplane whose reads of clients' positions are counted, and answered when the test lets them. */
    private static final class Watched implements Backplane {
        private final Backplane backplane;
        private final AtomicInteger reads = new AtomicInteger();
        private CompletableFuture<Void> gate = CompletableFuture.completedFuture(null);

        private Watched(Backplane backplane) {
            this.backplane = backplane;
        }

        synchronized void hold() {
            gate = new CompletableFuture<>();
        }

        void letGo() {
            CompletableFuture<Void> open;
            synchronized (this) {
                open = gate;
            }
            open.complete(null);
        }

        private synchronized CompletableFuture<Void> gate() {
            return gate;
        }

        @Override
        public void start(BackplaneListener listener) {
            backplane.start(listener);
        }

        @Override
        public void stop() {
            backplane.stop();
        }

        @Override
        public void subscribe(ChannelName channel) {
            backplane.subscribe(channel);
        }

        @Override
        public void unsubscribe(ChannelName channel) {
            backplane.unsubscribe(channel);
        }

        @Override
        public CompletionStage<Appended> append(ChannelName channel, byte[] event, String id, Retention retention) {
            return backplane.append(channel, event, id, retention);
        }

        @Override
        public CompletionStage<Long> publish(ChannelName channel, byte[] event) {
            return backplane.publish(channel, event);
        }

        @Override
        public CompletionStage<HistoryRead> read(ChannelName channel, @Nullable Position after, int limit) {
            reads.incrementAndGet();
            return gate().thenCompose(open -> backplane.read(channel, after, limit));
        }

        @Override
        public CompletionStage<HistoryRead> readHeld(ChannelName channel, @Nullable Position after, int limit) {
            return backplane.readHeld(channel, after, limit);
        }

        @Override
        public CompletionStage<HistoryRead> history(ChannelName channel, long after, int limit) {
            reads.incrementAndGet();
            return gate().thenCompose(open -> backplane.history(channel, after, limit));
        }

        @Override
        public CompletionStage<Long> publishToNode(String boot, byte[] message) {
            return backplane.publishToNode(boot, message);
        }

        @Override
        public void deadLetter(String source, String reason, byte[] message) {
            backplane.deadLetter(source, reason, message);
        }

        @Override
        public boolean connected() {
            return backplane.connected();
        }
    }

    /** What waits for one user, by id. */
    private static final class Pending implements Acknowledgements {
        private final Map<String, byte[]> events = new ConcurrentSkipListMap<>();
        private final AtomicInteger asked = new AtomicInteger();

        @Override
        public CompletionStage<Page> pending(ChannelName channel, long after) {
            asked.incrementAndGet();
            var all = new ArrayList<Waiting>();
            events.values().forEach(message -> all.add(new Waiting(all.size() + 1, message)));
            return CompletableFuture.completedFuture(new Page(
                    false, all.subList((int) Math.min(after, all.size()), all.size())));
        }

        @Override
        public CompletionStage<Boolean> acknowledge(ChannelName channel, String id) {
            return CompletableFuture.completedFuture(events.remove(id) != null);
        }

        @Override
        public CompletionStage<Fate> fate(ChannelName channel, String id) {
            return CompletableFuture.completedFuture(new Fate(State.UNKNOWN, 0));
        }
    }

    private static final class Deaf implements BackplaneListener {
        @Override
        public void subscribed(ChannelName channel) {}

        @Override
        public void lost(ChannelName channel) {}

        @Override
        public void message(ChannelName channel, byte[] message) {}

        @Override
        public void control(byte[] message) {}

        @Override
        public void linked(boolean up) {}
    }
}
