package io.carillon.client;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.carillon.client.CarillonClient.State;
import io.carillon.client.ScriptedServer.Line;
import java.time.Duration;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;

/** The client's rules, with time and the server in the test's hands. */
class CarillonClientTest extends Scripted {
    private final ScriptedServer streams = new ScriptedServer();
    private final ArrayDeque<String> tokens = new ArrayDeque<>();

    private CarillonClient client = make(settings());

    @AfterEach
    void close() {
        client.close();
    }

    private static CarillonClient.Builder settings() {
        return CarillonClient.at("http://front:8080").token("t0");
    }

    private CarillonClient make(CarillonClient.Builder settings) {
        client = settings.build(timer, random, Runnable::run, sockets, streams);
        return client.on("chat", event -> got.add(event.content().asString()))
                .onGap(gap -> got.add("gap " + gap.channel()));
    }

    private Line connected() {
        client.connect();
        return sockets.last().welcomes(0, 0);
    }

    /** Lets time pass until the client tries again. */
    private void untilItTriesAgain() {
        int before = sockets.lines.size();
        for (int i = 0; i < 2_000 && sockets.lines.size() == before; i++) timer.pass(10);
        assertThat(sockets.lines).as("another attempt").hasSize(before + 1);
    }

    @Override
    Line again() {
        untilItTriesAgain();
        return sockets.last().welcomes(0, 0);
    }

    @Test
    void theTokenGoesIntoTheHeaderAndReadyMeansWelcomedAndJoined() {
        CompletableFuture<Integer> members = client.join("r");
        CompletableFuture<Void> ready = client.connect();
        Line line = sockets.last();
        assertThat(line.address).hasToString("ws://front:8080/api/ws/connect");
        assertThat(line.token).isEqualTo("t0");
        line.welcomes(5, 9);
        assertThat(client.state()).isEqualTo(State.CONNECTING);
        line.answers("join", "joined", ",'room':'r','members':3,'epoch':'e','offset':2");
        assertThat(members).isCompletedWithValue(3);
        assertThat(ready).isCompleted();
        assertThat(client.state()).isEqualTo(State.READY);
    }

    @Test
    void whatWasMissedComesOnceInOrderBeforeAnythingElse() {
        client.join("r");
        client.connect();
        Line first = sockets.last().welcomes(0, 7);
        first.answers("join", "joined", ",'room':'r','members':1,'epoch':'e','offset':2");
        first.event(1);
        first.event(1);
        first.client.closed(1006);
        timer.pass(500);

        Line second = sockets.last().opens();
        // Without waiting for the welcome.
        JsonNode positions = second.last("resume").path("channels");
        assertThat(positions.path("user:me").path("offset").asLong()).isEqualTo(1);
        assertThat(positions.path("broadcast").path("offset").asLong()).isEqualTo(7);
        assertThat(positions.path("room:r").path("offset").asLong()).isEqualTo(2);
        assertThat(second.sent("join")).isEmpty();
        second.event(4);
        second.greets(4, 7);
        second.event(2);
        second.event(3);
        assertThat(client.state()).isEqualTo(State.CONNECTING);
        second.answers(
                "resume",
                "resumed",
                ",'channels':{'user:me':{'recovered':true,'epoch':'e','offset':4},'broadcast':{'recovered':true,"
                        + "'epoch':'e','offset':7},'room:r':{'recovered':true,'epoch':'e','offset':2}}");
        second.event(5);
        awaitGot("1", "2", "3", "4", "5");
        assertThat(client.state()).isEqualTo(State.READY);
    }

    @Test
    void aResumeThatIsRefusedForGoodIsAGapAndTheClientGoesOn() {
        client.join("r");
        client.connect();
        Line first = sockets.last().welcomes(0, 7);
        first.answers("join", "joined", ",'room':'r','members':1,'epoch':'e','offset':2");
        first.client.closed(1006);
        timer.pass(500);

        Line second = sockets.last().opens();
        second.greets(4, 7);
        second.event(4);
        second.answers("resume", "error", ",'code':'bad_frame','error':'no'");
        awaitGot("gap user:me", "4", "gap broadcast", "gap room:r");
        second.answers("join", "joined", ",'room':'r','members':1,'epoch':'e','offset':9");
        assertThat(client.state()).isEqualTo(State.READY);
        second.event(5);
        awaitGot("gap user:me", "4", "gap broadcast", "gap room:r", "5");
    }

    @Test
    void aHistoryThatIsGoneAndAResyncAreGaps() {
        Line line = connected();
        line.event(1);
        line.says("{'type':'resync','channel':'broadcast','epoch':'f','offset':8}");
        line.event(2);
        awaitGot("1", "gap broadcast", "2");
        line.client.closed(1006);
        timer.pass(500);
        Line second = sockets.last().welcomes(300, 8);
        second.answers(
                "resume",
                "resumed",
                ",'channels':{'user:me':{'recovered':false,'epoch':'e','offset':300},"
                        + "'broadcast':{'recovered':true,'epoch':'f','offset':8}}");
        second.event(301);
        awaitGot("1", "gap broadcast", "2", "gap user:me", "301");
    }

    @Test
    void aResumeThatCannotBeDoneNowIsTriedAgainAndARoomThatIsNoLongerAllowedIsAGap() {
        client.join("r");
        client.connect();
        Line first = sockets.last().welcomes(0, 0);
        first.answers("join", "joined", ",'room':'r','members':1,'epoch':'e','offset':2");
        first.client.closed(1001);
        CompletableFuture<Integer> members = client.join("r");
        timer.pass(500);
        Line second = sockets.last().welcomes(0, 0);
        second.answers(
                "resume",
                "resumed",
                ",'channels':{'user:me':{'recovered':false,'code':'unavailable'},"
                        + "'broadcast':{'recovered':true,'epoch':'e','offset':0},"
                        + "'room:r':{'recovered':false,'code':'not_allowed'}}");
        awaitGot("gap room:r");
        assertThat(code(members)).isEqualTo("not_allowed");
        assertThat(client.state()).isEqualTo(State.CONNECTING);
        timer.pass(1_000);
        assertThat(second.last("resume").path("channels").propertyNames()).containsExactly("user:me");
        second.answers("resume", "resumed", ",'channels':{'user:me':{'recovered':true,'epoch':'e','offset':0}}");
        assertThat(client.state()).isEqualTo(State.READY);
    }

    @ParameterizedTest
    @ValueSource(ints = {1000, 1001, 1002, 1006, 1011, 1012, 1013, 4000, 4408, 4429, 4430, 4431, 4432, 4499})
    void theseCodesMeanComeBack(int code) {
        Line line = connected();
        line.client.closed(code);
        assertThat(client.state()).isEqualTo(State.WAITING);
        again();
    }

    @ParameterizedTest
    @ValueSource(ints = {4500, 4501, 4503, 4504, 4509, 4510, 4999})
    void theseCodesMeanStayAway(int code) {
        CompletableFuture<Sent> waiting = client.send(Message.toUser("u2", "chat", 1));
        Line line = connected();
        line.client.closed(code);
        timer.pass(600_000);
        assertThat(sockets.lines).hasSize(1);
        assertThat(client.state()).isEqualTo(State.CLOSED);
        assertThat(client.whenClosed().join().code()).isEqualTo("closed_" + code);
        assertThat(code(waiting)).isEqualTo("closed_" + code);
        assertThat(code(client.send(Message.toUser("u2", "chat", 1)))).isEqualTo("closed");
    }

    @ParameterizedTest
    @CsvSource({"0, 0", "0.25, 2000", "0.999999, 7999"})
    void aDrainedNodesClientsComeBackSpreadOverItsWindow(double chance, long after) {
        share = chance;
        Line line = connected();
        line.says("{'type':'drain','reconnect_within_ms':8000}");
        line.client.closed(1012);
        if (after > 0) {
            timer.pass(after - 1);
            assertThat(sockets.lines).hasSize(1);
        }
        timer.pass(1);
        assertThat(sockets.lines).hasSize(2);
        // The window was that drain's.
        sockets.last().opens().client.closed(1012);
        timer.pass(Backoff.UNNAMED_WINDOW);
        assertThat(sockets.lines).hasSize(3);
    }

    @ParameterizedTest
    @ValueSource(ints = {1013, 4429, 4430})
    void whoWasTooMuchStaysAwayLonger(int code) {
        share = 0.5;
        connected().client.closed(code);
        timer.pass(2_499);
        assertThat(sockets.lines).hasSize(1);
        timer.pass(2);
        assertThat(sockets.lines).hasSize(2);
    }

    @Test
    void aServerThatSaysWhenIsHeard() {
        client.connect();
        sockets.last().client.refused(503, 3);
        timer.pass(2_999);
        assertThat(sockets.lines).hasSize(1);
        timer.pass(501);
        assertThat(sockets.lines).hasSize(2);
    }

    @Test
    void silenceIsTheEndOfAConnectionAndAPingIsNoSilence() {
        Line line = connected();
        timer.pass(49_000);
        line.client.heard();
        timer.pass(49_000);
        assertThat(line.cut).isFalse();
        timer.pass(1_001);
        assertThat(line.cut).isTrue();
        again();
    }

    @Test
    void anEndThatNobodyTellsOfIsNoticedWhenNothingFollowsAFrame() {
        Line line = connected();
        line.there = false;
        timer.pass(4_999);
        assertThat(line.pings).isZero();
        timer.pass(1);
        assertThat(line.pings).isOne();
        timer.pass(4_999);
        assertThat(line.cut).isFalse();
        timer.pass(1);
        assertThat(line.cut).isTrue();
        again();
    }

    @Test
    void whoAnswersIsAskedOnceForEachLull() {
        Line line = connected();
        timer.pass(40_000);
        assertThat(line.pings).isOne();
        line.event(11);
        timer.pass(4_000);
        line.event(12);
        timer.pass(4_999);
        assertThat(line.pings).isOne();
        timer.pass(1);
        assertThat(line.pings).isEqualTo(2);
        // Behind a frame that comes while the answer is awaited, too.
        timer.pass(1_000);
        line.event(13);
        line.there = false;
        timer.pass(9_999);
        assertThat(line.cut).isFalse();
        timer.pass(1);
        assertThat(line.cut).isTrue();
    }

    @Test
    void aHandshakeWithoutAnAnswerIsGivenUp() {
        client.connect();
        timer.pass(9_999);
        assertThat(sockets.last().cut).isFalse();
        timer.pass(1);
        assertThat(sockets.last().cut).isTrue();
        timer.pass(500);
        assertThat(sockets.lines).hasSize(2);
    }

    @Test
    void anExpiredTokenIsReplacedBeforeTheNextConnection() {
        tokens.addAll(List.of("t1", "t2", "t3"));
        make(CarillonClient.at("http://front:8080").tokens(tokens::remove));
        Line line = connected();
        assertThat(line.token).isEqualTo("t1");
        line.says("{'type':'token_expiring','expires_in':30}");
        assertThat(line.last("refresh").path("token").asString()).isEqualTo("t2");
        line.client.closed(1006);
        // The fresh one is the one to use.
        line = again();
        assertThat(line.token).isEqualTo("t2");
        line.client.closed(4401);
        assertThat(again().token).isEqualTo("t3");
    }

    @Test
    void aTokenThatCannotBeReplacedIsTheEndWhenItExpires() {
        connected().client.closed(4401);
        assertThat(client.whenClosed().join().code()).isEqualTo("unauthorized");
    }

    @Test
    void anIdentityThatIsNotTakenIsTheEnd() {
        tokens.addAll(List.of("t1", "t2", "t3"));
        make(CarillonClient.at("http://front:8080").tokens(tokens::remove));
        CompletableFuture<Void> ready = client.connect();
        for (int i = 1; i <= 3; i++) {
            if (i > 1) untilItTriesAgain();
            assertThat(sockets.last().token).isEqualTo("t" + i);
            sockets.last().client.refused(401, 0);
        }
        timer.pass(600_000);
        assertThat(sockets.lines).hasSize(3);
        assertThat(code(ready)).isEqualTo("unauthorized");
    }

    @Test
    void aSupplierThatFailsIsAskedAgain() {
        var asked = new AtomicInteger();
        make(CarillonClient.at("http://front:8080").tokens(() -> {
            if (asked.incrementAndGet() == 1) throw new IllegalStateException("the directory is away");
            return "t";
        }));
        client.connect();
        assertThat(sockets.lines).isEmpty();
        timer.pass(500);
        assertThat(sockets.last().token).isEqualTo("t");
    }

    @Test
    void messagesWaitLeaveInOrderAndAreSentAgainUnderTheSameIdUntilAnswered() {
        List<CompletableFuture<Sent>> futures = new ArrayList<>();
        for (int i = 1; i <= 3; i++) futures.add(client.send(Message.toUser("u2", "chat", i)));
        Line first = connected();
        first.answers("chat", "sent", ",'id':'x','epoch':'b','offset':1");
        assertThat(futures.get(0)).isCompleted();
        // The second is on its way, the third waits for it.
        assertThat(first.sent("chat")).hasSize(2);
        first.client.closed(1006);

        Line second = again();
        assertThat(second.sent("chat")).as("before it is ready").isEmpty();
        second.answers("resume", "resumed", ",'channels':{}");
        assertThat(second.sent("chat")).hasSize(1);
        JsonNode repeated = second.last("chat");
        assertThat(repeated.path("content").asInt()).isEqualTo(2);
        assertThat(repeated.path("id")).isEqualTo(first.last("chat").path("id"));
        second.answers("chat", "sent", ",'id':'x','epoch':'b','offset':2");
        assertThat(second.last("chat").path("content").asInt()).isEqualTo(3);
        second.answers("chat", "error", ",'code':'not_allowed','error':'no'");
        assertThat(code(futures.get(2))).isEqualTo("not_allowed");
        assertThat(client.queued()).isZero();
    }

    @Test
    void aMessageWhoseAnswerWasLostIsNotTakenForSomebodyElses() {
        Line line = connected();
        client.send(Message.toUser("u2", "chat", 1));
        String id = line.last("chat").path("id").asString();
        line.client.closed(1006);
        line = again();
        line.says("{'channel':'user:me','offset':1,'epoch':'e','id':'" + id
                + "','type':'chat','from':'me','to':'u2','content':1}");
        line.says("{'channel':'user:me','offset':2,'epoch':'e','id':'other','type':'chat','from':'me','content':2}");
        line.answers("resume", "resumed", ",'channels':{'user:me':{'recovered':true,'epoch':'e','offset':2}}");
        line.answers("chat", "sent", ",'id':'" + id + "','epoch':'b','offset':1,'self':{'epoch':'e','offset':1}");
        awaitGot("2");
    }

    @Test
    void whatIsRefusedForTheMomentIsSentAgainAndKeepsItsPlace() {
        client.send(Message.toUser("u2", "chat", 1));
        client.send(Message.toUser("u2", "chat", 2));
        Line line = connected();
        line.answers("chat", "error", ",'code':'rate_limited','error':'slow down'");
        assertThat(line.sent("chat")).hasSize(1);
        timer.pass(1_000);
        assertThat(line.sent("chat")).hasSize(2);
        assertThat(line.last("chat").path("content").asInt()).isEqualTo(1);
        assertThat(line.last("chat").path("id"))
                .isEqualTo(line.sent("chat").getFirst().path("id"));
    }

    @Test
    void theQueueIsBoundedAndSoIsAMessage() {
        make(settings().maxQueued(2).maxMessage(200));
        CompletableFuture<Sent> first = client.send(Message.toUser("u2", "chat", 1));
        client.send(Message.toUser("u2", "chat", 2));
        assertThat(code(client.send(Message.toUser("u2", "chat", 3)))).isEqualTo("queue_full");
        assertThat(code(client.send(Message.toUser("u2", "chat", "x".repeat(200)))))
                .isEqualTo("too_large");
        assertThat(first).isNotDone();
        client.close();
        assertThat(code(first)).isEqualTo("closed");
    }

    @Test
    void aMessageThatIsTooLargeForTheServerDoesNotEndConnectionAfterConnection() {
        CompletableFuture<Sent> large = client.send(Message.toUser("u2", "chat", 1));
        connected().client.closed(1009);
        assertThat(code(large)).isEqualTo("too_large");
    }

    @Test
    void whatWasSentTooLongAgoIsInDoubt() {
        CompletableFuture<Sent> never = client.send(Message.toUser("u2", "chat", 1));
        timer.pass(3_600_000);
        assertThat(never).as("not sent once").isNotDone();
        Line line = connected();
        line.client.closed(1006);
        timer.pass(Duration.ofMinutes(4).toMillis() - 1);
        assertThat(never).isNotDone();
        timer.pass(1);
        assertThat(code(never)).isEqualTo("in_doubt");
    }

    @Test
    void whatIsNotKeptDoesNotWait() {
        assertThat(code(client.send(Message.toUser("u2", "typing", null)))).isEqualTo("not_connected");
        Line line = connected();
        CompletableFuture<Sent> typing = client.send(Message.toUser("u2", "typing", null));
        assertThat(line.last("typing").path("durable").asBoolean(true)).isFalse();
        line.client.closed(1006);
        assertThat(code(typing)).isEqualTo("connection_lost");
        line = again();
        assertThat(line.sent("typing")).isEmpty();
    }

    @Test
    void badIdsAndTypesAreRefusedWhereTheyAreMade() {
        assertThatThrownBy(() -> Message.toUser("no good", "chat", 1)).hasMessageContaining("user id must be");
        assertThatThrownBy(() -> Message.toRoom("r", "", 1)).hasMessageContaining("a type is");
        assertThatThrownBy(() -> client.join("a b")).hasMessageContaining("room id must be");
        assertThatThrownBy(() -> CarillonClient.at("ws://x")).hasMessageContaining("http://host:port");
    }

    @Test
    void anEventIsAcknowledgedWhenItsHandlerHasRunAndNotWhenItFailed() {
        var runs = new AtomicInteger();
        client.on("invoice", event -> {
            if (runs.incrementAndGet() == 1) throw new IllegalStateException("the database is away");
        });
        Line line = connected();
        String invoice =
                "{'channel':'user:me','offset':1,'epoch':'e','id':'inv','type':'invoice','content':1,'ack':true}";
        line.says(invoice);
        await("the handler", () -> runs.get() == 1);
        await("it to be owed again", () -> {
            line.says(invoice);
            return runs.get() == 2;
        });
        await("the acknowledgement", () -> !line.sent("ack").isEmpty());
        assertThat(line.last("ack").path("id").asString()).isEqualTo("inv");
        int acks = line.sent("ack").size();
        line.says(invoice);
        assertThat(line.sent("ack")).as("the server did not hear it").hasSize(acks + 1);
        assertThat(runs).hasValue(2);
    }

    @Test
    void anEventNobodyHandlesIsNotAcknowledged() {
        Line line = connected();
        line.says("{'channel':'user:me','offset':1,'epoch':'e','id':'a','type':'unknown','ack':true}");
        line.event(2);
        awaitGot("2");
        assertThat(line.sent("ack")).isEmpty();
    }

    @Test
    void anErrorOfAHandlerIsItsOwn() {
        client.on("chat", event -> {
            if (event.content().asString().equals("1")) throw new AssertionError("as asked");
        });
        Line line = connected();
        line.event(1);
        line.event(2);
        awaitGot("1", "2");
    }

    @Test
    void aTokenThatNoHeaderMayHaveIsTheEnd() {
        sockets.refuses = new IllegalArgumentException("invalid header value: t0");
        CompletableFuture<Void> ready = client.connect();
        assertThat(code(ready)).isEqualTo("bad_request");
        assertThat(((RefusedException) ready.exceptionNow()).getMessage()).doesNotContain("t0");
        assertThat(client.state()).isEqualTo(State.CLOSED);
    }

    @Test
    void aHandlerMayWaitForItsOwnClient() {
        var answered = new CompletableFuture<Sent>();
        client = settings().build(timer, random, task -> Thread.ofVirtual().start(task), sockets, streams);
        client.on(
                "chat",
                event -> answered.complete(
                        client.send(Message.toUser("u2", "reply", 1)).join()));
        Line line = connected();
        line.event(1);
        await("the reply", () -> !line.sent("reply").isEmpty());
        line.answers("reply", "sent", ",'id':'x','epoch':'b','offset':1");
        assertThat(answered.join().id()).isEqualTo("x");
    }

    @Test
    void aSlowHandlerStopsTheReadingAndNotTheMemory() {
        var gate = new CountDownLatch(1);
        client.on("chat", event -> gate.await());
        Line line = connected();
        int before = line.asked();
        // As a server that sends what it is asked for, and one it was not.
        int sent = 0;
        while (line.asked() - before == sent && sent < 5_000) line.event(++sent);
        assertThat(sent).isBetween(1_000, 1_002);
        timer.pass(45_000);
        int stopped = line.asked();
        gate.countDown();
        await("reading to go on", () -> line.asked() == stopped + 1);
        assertThat(line.cut).isFalse();
    }

    @Test
    void questionsAreAnsweredAskedAgainAndGivenUp() {
        Line line = connected();
        CompletableFuture<Members> who = client.presence("r");
        CompletableFuture<HistoryPage> page = client.history("room:r", 4, 10);
        CompletableFuture<Received> pong =
                client.request(JsonMapper.shared().createObjectNode().put("type", "ping"));
        line.answers("presence", "presence", ",'room':'r','count':2,'users':['a','b']");
        assertThat(who.join()).isEqualTo(new Members("r", 2, List.of("a", "b")));
        line.answers("ping", "pong", ",'timestamp':7");
        assertThat(pong.join().timestamp()).isEqualTo(7);
        line.client.closed(1006);
        timer.pass(500);
        Line second = sockets.last().welcomes(0, 0);
        second.answers("resume", "resumed", ",'channels':{}");
        assertThat(second.last("history").path("after").asLong()).isEqualTo(4);
        second.answers(
                "history",
                "history",
                ",'channel':'room:r','epoch':'e','offset':9,'events':[{'type':'chat','content':5}]");
        assertThat(page.join().events().getFirst().content().asInt()).isEqualTo(5);
        CompletableFuture<Members> late = client.presence("r");
        timer.pass(10_000);
        assertThat(code(late)).isEqualTo("timeout");
    }

    @Test
    void aRoomThatIsRefusedIsNotAskedForAgainAndOneThatCannotBeHadNowIs() {
        CompletableFuture<Integer> secret = client.join("private-x");
        client.connect();
        Line line = sockets.last().welcomes(0, 0);
        line.answers("join", "error", ",'code':'not_allowed','error':'no'");
        assertThat(code(secret)).isEqualTo("not_allowed");
        CompletableFuture<Integer> room = client.join("r");
        line.answers("join", "error", ",'code':'unavailable','error':'later'");
        timer.pass(1_000);
        assertThat(line.sent("join")).hasSize(3);
        line.answers("join", "joined", ",'room':'r','members':1,'epoch':'e','offset':0");
        assertThat(room).isCompleted();
        client.leave("r");
        line.client.closed(1006);
        line = again();
        assertThat(line.sent("join")).isEmpty();
        assertThat(line.last("resume").path("channels").has("room:r")).isFalse();
    }

    @Test
    void whereNothingUpgradesAnEventStreamServes() {
        make(CarillonClient.at("http://front:8080")
                .token("h." + java.util.Base64.getUrlEncoder().encodeToString("{\"sub\":\"me\"}".getBytes()) + ".s"));
        CompletableFuture<Sent> waiting = client.send(Message.toUser("u2", "chat", 1));
        client.join("r");
        CompletableFuture<Void> ready = client.connect();
        sockets.last().client.refused(426, 0);
        Line stream = streams.last();
        assertThat(stream.address)
                .hasToString("http://front:8080/api/ws/events?channels=broadcast%2Cuser%3Ame%2Croom%3Ar");
        stream.opens();
        assertThat(ready).isNotDone();
        stream.client.mark("p1");
        assertThat(ready).isCompleted();
        stream.event(1);
        stream.client.mark("p2");
        awaitGot("1");
        assertThat(code(client.presence("r"))).isEqualTo("no_websocket");
        assertThat(waiting).isNotDone();
        stream.client.closed(1006);
        timer.pass(500);
        // A WebSocket first; and where it still cannot be had, on from where the stream was.
        sockets.last().client.refused(426, 0);
        assertThat(streams.last().lastEventId).isEqualTo("p2");
        streams.last().opens().client.mark("p2");
        streams.last().event(1);
        streams.last().event(2);
        awaitGot("1", "2");
        streams.last().client.closed(4401 + 102);
        assertThat(client.state()).isEqualTo(State.CLOSED);
    }

    @Test
    void aRoomWishedWhileAStreamOpensIsNamedByTheNext() {
        client.connect();
        sockets.last().client.refused(404, 0);
        assertThat(streams.last().address.toString()).doesNotContain("room");
        CompletableFuture<Integer> members = client.join("r");
        assertThat(streams.last().cut).isTrue();
        sockets.last().client.refused(404, 0);
        assertThat(streams.last().address.toString()).contains("room%3Ar");
        streams.last().opens().client.mark("p1");
        assertThat(members).isCompletedWithValue(0);
        assertThat(streams.lines).hasSize(2);
    }

    @Test
    void whoIsTakenOutOfARoomBeforeBeingInItIsTold() {
        CompletableFuture<Integer> members = client.join("r");
        connected().says("{'type':'left','room':'r'}");
        assertThat(code(members)).isEqualTo("left");
    }

    @Test
    void betweenAStreamAndAWebSocketWhatCannotBeProvenIsAGap() {
        client.connect();
        sockets.last().client.refused(404, 0);
        streams.last().opens().client.mark("p1");
        streams.last().event(1);
        streams.last().client.closed(1006);
        timer.pass(500);
        Line line = sockets.last().welcomes(1, 5);
        assertThat(line.last("resume").path("channels").propertyNames()).containsExactly("user:me");
        line.answers("resume", "resumed", ",'channels':{'user:me':{'recovered':true,'epoch':'e','offset':1}}");
        awaitGot("1", "gap broadcast");
        line.client.closed(1006);
        timer.pass(500);
        sockets.last().client.refused(404, 0);
        assertThat(streams.last().lastEventId).isNull();
        streams.last().opens().client.mark("p9");
        awaitGot("1", "gap broadcast", "gap user:me", "gap broadcast");
    }

    @Test
    void anOutageIsNoReasonForAStream() {
        client.connect();
        for (int status : new int[] {502, 503, 429}) {
            sockets.last().client.refused(status, 0);
            untilItTriesAgain();
        }
        sockets.last().client.failed(new java.net.ConnectException());
        untilItTriesAgain();
        assertThat(streams.lines).isEmpty();
        assertThat(sockets.lines).hasSize(5);
    }

    @Test
    void theTapSeesWhatTheClientHides() {
        var seen = new ArrayList<String>();
        make(settings().tap(noting(seen, "chat")));
        Line line = connected();
        line.event(1);
        line.event(1);
        line.client.closed(4408);
        timer.pass(500);
        sockets.last().client.refused(503, 0);
        assertThat(seen).containsExactly("opened", "other", "chat", "chat", "closed 4408", "refused 503");
        awaitGot("1");
    }
}
