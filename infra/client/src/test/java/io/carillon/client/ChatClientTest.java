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
import java.util.stream.LongStream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;
import tools.jackson.databind.JsonNode;

/** The chat client's rules, with time and the server in the test's hands. */
class ChatClientTest extends Scripted {
    private ChatClient client = make(settings());

    private static ChatClient.Builder settings() {
        return ChatClient.at("http://front:8080").token("t0");
    }

    private ChatClient make(ChatClient.Builder settings) {
        client = settings.build(timer, random, Runnable::run, sockets, http);
        return client.onMessage(message -> got.add(message.content()));
    }

    @AfterEach
    void close() {
        client.close();
    }

    private static void message(Line line, long id) {
        line.says("{'type':'message','data':{'id':" + id + ",'user_id':'u','username':'U','content':'" + id
                + "','created_at':'now'}}");
    }

    /** Opens, flows, and has nothing kept behind what the client knows. */
    private Line flowing(Line line) {
        line.opens().says("{'type':'heartbeat_ack'}");
        http.get().page(false);
        return line;
    }

    private Line connected() {
        client.connect();
        return flowing(sockets.last());
    }

    private Line polling() {
        client.connect();
        sockets.last().client.refused(426, 0);
        http.gets().getFirst().page(false);
        return sockets.last();
    }

    private static void acks(Line line, long id) {
        line.says("{'type':'ack','client_id':'"
                + line.last("message").path("client_id").asString() + "','data':{'id':" + id + "}}");
    }

    // ---- what comes

    @Test
    void whatIsKeptComesFirstPageByPageAndWhatComesByItselfWaitsBehindIt() {
        make(settings().afterId(7).pageSize(3));
        CompletableFuture<Void> ready = client.connect();
        Line line = sockets.last().opens();
        assertThat(line.address).hasToString("ws://front:8080/api/chat/ws");
        assertThat(line.token).isEqualTo("t0");
        assertThat(line.sent("heartbeat")).hasSize(1);
        message(line, 12);
        assertThat(http.all).as("before all comes by itself").isEmpty();
        line.says("{'type':'heartbeat_ack'}");
        assertThat(http.get().path()).isEqualTo("/api/chat/messages/new?after_id=7&limit=3");
        assertThat(http.get().token()).isEqualTo("Bearer t0");
        message(line, 13);
        http.get().page(true, 8, 9, 10);
        assertThat(http.get().path()).contains("after_id=10");
        assertThat(ready).isNotDone();
        http.get().page(false, 11, 12);
        assertThat(ready).isCompleted();
        assertThat(client.state()).isEqualTo(State.READY);
        message(line, 14);
        message(line, 14);
        message(line, 9);
        awaitGot("8", "9", "10", "11", "12", "13", "14");
        assertThat(client.lastId()).isEqualTo(14);
    }

    @Test
    void whatIsSaidWhileASessionOpensIsNotMissed() {
        client.connect();
        Line line = sockets.last().opens();
        // The answer takes its time: a first look. 2 is said before the session is told of anything, 3 after.
        timer.pass(1_000);
        http.get().page(false, 1);
        message(line, 3);
        line.says("{'type':'heartbeat_ack'}");
        assertThat(http.get().path()).contains("after_id=1");
        http.get().page(false, 2, 3);
        awaitGot("1", "2", "3");
    }

    @Test
    void aLookThatIsUnderWayWhenAllBeginsToFlowIsTakenAgain() {
        client.connect();
        Line line = sockets.last().opens();
        timer.pass(1_000);
        ScriptedCalls.Asked early = http.get();
        line.says("{'type':'heartbeat_ack'}");
        early.page(false, 1);
        assertThat(client.state()).isEqualTo(State.CONNECTING);
        assertThat(http.gets()).hasSize(2);
        http.get().page(false, 1, 2);
        assertThat(client.state()).isEqualTo(State.READY);
        awaitGot("1", "2");
    }

    @Test
    void overReconnectsEachComesOnceAndInOrder() {
        Line line = connected();
        message(line, 1);
        line.client.closed(1006);
        line = again().opens();
        message(line, 4);
        line.says("{'type':'heartbeat_ack'}");
        assertThat(http.get().path()).contains("after_id=1");
        http.get().page(false, 2, 3);
        message(line, 5);
        awaitGot("1", "2", "3", "4", "5");
    }

    @Test
    void aReadingThatFailsIsTriedAgainWhileAllWaits() {
        client.connect();
        Line line = sockets.last().opens();
        line.says("{'type':'heartbeat_ack'}");
        http.get().answers(503, 2, "{'error':'no'}");
        message(line, 2);
        timer.pass(3_498);
        assertThat(http.gets()).hasSize(1);
        timer.pass(1);
        http.get().fails();
        timer.pass(1_500);
        assertThat(client.state()).isEqualTo(State.CONNECTING);
        http.get().page(false, 1);
        awaitGot("1", "2");
    }

    @Test
    void anAnswerThatDoesNotComeIsNotWaitedFor() {
        client.connect();
        sockets.last().opens().says("{'type':'heartbeat_ack'}");
        timer.pass(10_000);
        assertThat(http.get().future).isCancelled();
        timer.pass(1_500);
        http.get().page(false, 1);
        awaitGot("1");
    }

    @Test
    void aResyncIsALook() {
        Line line = connected();
        message(line, 1);
        line.says("{'type':'resync','data':{'channel':'broadcast','epoch':'f','offset':8}}");
        message(line, 3);
        assertThat(http.get().path()).contains("after_id=1");
        http.get().page(false, 2);
        awaitGot("1", "2", "3");
    }

    @Test
    void whatWaitsIsBounded() {
        client.connect();
        Line line = sockets.last().opens();
        for (int i = 1; i <= Feed.MOST_HELD; i++) message(line, i);
        assertThat(line.cut).isFalse();
        message(line, Feed.MOST_HELD + 1);
        assertThat(line.cut).isTrue();
        flowing(again());
    }

    @Test
    void aSlowHandlerStopsTheReadingOfPagesAndOfTheSocket() {
        var entered = new CountDownLatch(1);
        var gate = new CountDownLatch(1);
        client.onMessage(message -> {
            entered.countDown();
            try {
                gate.await();
            } catch (InterruptedException e) {
                throw new IllegalStateException(e);
            }
        });
        client.connect();
        Line line = sockets.last().opens();
        line.says("{'type':'heartbeat_ack'}");
        http.get().page(true, LongStream.rangeClosed(1, 100).toArray());
        // From here on nothing is taken until the gate opens.
        await("the slow handler", () -> entered.getCount() == 0);
        int asked = 1;
        while (http.gets().size() > asked && asked < 50) {
            long first = 100 * asked++ + 1;
            http.get().page(true, LongStream.range(first, first + 100).toArray());
        }
        // Two handlers, of which the first has had one message: 1,198 calls wait, 998 waited before the last page.
        assertThat(asked).isEqualTo(6);
        int read = line.asked();
        line.says("{'type':'degraded','data':{}}");
        assertThat(line.asked()).isEqualTo(read);
        timer.pass(45_000);
        gate.countDown();
        int stopped = asked;
        await("the next page", () -> http.gets().size() > stopped);
        await("the socket", () -> line.asked() > read);
        assertThat(line.cut).isFalse();
    }

    @Test
    void howManyAreOnlineIsToldWhenItChanges() {
        client.onOnline(count -> got.add("online " + count));
        Line line = connected();
        line.says("{'type':'online_count','data':{'count':3}}");
        line.says("{'type':'online_count','data':{'count':3}}");
        line.says("{'type':'online_count','data':{'count':4}}");
        awaitGot("online 3", "online 4");
        assertThat(client.online()).isEqualTo(4);
        CompletableFuture<OnlineUsers> users = client.onlineUsers();
        assertThat(http.get().path()).isEqualTo("/api/chat/online-users");
        http.get().answers(200, "{'count':1,'users':[{'id':'u','name':'U'}]}");
        assertThat(users).isCompletedWithValue(new OnlineUsers(1, List.of(new OnlineUsers.User("u", "U"))));
        CompletableFuture<OnlineUsers> none = client.onlineUsers();
        http.get().answers(503, "{'error':'no'}");
        assertThat(code(none)).isEqualTo("http_503");
    }

    @Test
    void noticesAreToldAndWhatIsNoJsonIsDropped() {
        client.onNotice(notice -> got.add(notice.type()));
        Line line = connected();
        line.says("{'type':'degraded','data':{}}");
        line.says("nonsense");
        line.says("{'type':'message','data':{'content':'no id'}}");
        line.says("{'type':'error','code':'unknown_type','error':'no'}");
        message(line, 1);
        awaitGot("degraded", "error", "1");
    }

    // ---- what is sent

    @Test
    void messagesWaitLeaveOneAtATimeAndAgainUnderTheSameMarkUntilAnswered() {
        List<CompletableFuture<ChatSent>> futures = new ArrayList<>();
        for (int i = 1; i <= 3; i++) futures.add(client.send("m" + i));
        Line first = connected();
        assertThat(first.sent("message")).hasSize(1);
        acks(first, 1);
        assertThat(futures.get(0)).isCompletedWithValueMatching(sent -> sent.id() == 1);
        assertThat(first.sent("message")).hasSize(2);
        first.client.closed(1006);

        Line second = again().opens();
        assertThat(second.sent("message")).hasSize(1);
        JsonNode repeated = second.last("message");
        assertThat(repeated.path("content").asString()).isEqualTo("m2");
        assertThat(repeated.path("client_id")).isEqualTo(first.last("message").path("client_id"));
        acks(second, 2);
        assertThat(futures.get(1))
                .isCompletedWithValue(new ChatSent(2, repeated.path("client_id").asString()));
        assertThat(second.last("message").path("content").asString()).isEqualTo("m3");
        second.says("{'type':'error','code':'bad_frame','error':'no','client_id':'"
                + second.last("message").path("client_id").asString() + "'}");
        assertThat(code(futures.get(2))).isEqualTo("bad_frame");
        assertThat(client.queued()).isZero();
    }

    @Test
    void whatIsRefusedForTheMomentIsSentAgainLaterAndKeepsItsPlace() {
        Line line = connected();
        CompletableFuture<ChatSent> first = client.send("m1");
        client.send("m2");
        assertThat(line.sent("message")).as("one at a time").hasSize(1);
        for (String passing : List.of("rate_limited", "unavailable", "busy")) {
            int before = line.sent("message").size();
            line.says("{'type':'error','code':'" + passing + "','error':'no'}");
            assertThat(line.sent("message")).as("at once").hasSize(before);
            timer.pass(2_000);
            assertThat(line.sent("message")).hasSize(before + 1);
            assertThat(line.last("message").path("content").asString()).isEqualTo("m1");
        }
        assertThat(line.sent("message").stream()
                        .map(one -> one.path("client_id"))
                        .distinct())
                .hasSize(1);
        acks(line, 1);
        assertThat(first).isCompleted();
        assertThat(line.last("message").path("content").asString()).isEqualTo("m2");
    }

    @Test
    void anErrorOfAnotherMessageIsNotThisOnes() {
        Line line = connected();
        CompletableFuture<ChatSent> first = client.send("m1");
        line.says("{'type':'error','code':'bad_frame','error':'no','client_id':'another'}");
        assertThat(first).isNotDone();
        line.says("{'type':'error','code':'bad_frame','error':'no'}");
        assertThat(code(first)).isEqualTo("bad_frame");
    }

    @Test
    void anAnswerThatIsLateIsAnAnswerAndOneThatNeverComesIsAskedForAgain() {
        Line line = connected();
        CompletableFuture<ChatSent> first = client.send("m1", "mine");
        timer.pass(10_000);
        assertThat(line.sent("message")).hasSize(1);
        timer.pass(600);
        assertThat(line.sent("message")).hasSize(2);
        timer.pass(10_000);
        acks(line, 5);
        assertThat(first).isCompletedWithValue(new ChatSent(5, "mine"));
        timer.pass(30_000);
        assertThat(line.sent("message")).hasSize(2);
    }

    @Test
    void whatWasSentTooLongAgoIsInDoubt() {
        make(settings().resendWithin(Duration.ofMinutes(1)));
        Line line = connected();
        CompletableFuture<ChatSent> first = client.send("m1");
        CompletableFuture<ChatSent> second = client.send("m2");
        line.client.closed(1006);
        timer.pass(500);
        sockets.last().client.refused(503, 70);
        again().opens();
        assertThat(code(first)).isEqualTo("in_doubt");
        assertThat(sockets.last().last("message").path("content").asString()).isEqualTo("m2");
        assertThat(second).isNotDone();
    }

    @Test
    void theQueueIsBoundedAndSoIsAMessage() {
        make(settings().maxQueued(2));
        CompletableFuture<ChatSent> first = client.send("a");
        client.send("b");
        assertThat(code(client.send("c"))).isEqualTo("queue_full");
        assertThat(code(client.send("ä".repeat(2_100)))).isEqualTo("too_large");
        assertThatThrownBy(() -> client.send("a", "")).isInstanceOf(IllegalArgumentException.class);
        assertThat(client.queued()).isEqualTo(2);
        client.close();
        assertThat(code(first)).isEqualTo("closed");
        assertThat(code(client.send("d"))).isEqualTo("closed");
        assertThat(code(client.onlineUsers())).isEqualTo("closed");
    }

    @Test
    void aMessageThatIsTooLargeForTheServerDoesNotEndConnectionAfterConnection() {
        Line line = connected();
        CompletableFuture<ChatSent> large = client.send("a");
        client.send("b");
        line.client.closed(1009);
        assertThat(code(large)).isEqualTo("too_large");
        assertThat(again().opens().last("message").path("content").asString()).isEqualTo("b");
    }

    // ---- without WebSocket

    @Test
    void whereNothingUpgradesItPollsAndPostsUntilAWebSocketTakesOver() {
        client.onOnline(count -> got.add("online " + count));
        CompletableFuture<ChatSent> sent = client.send("hi", "c1");
        CompletableFuture<Void> ready = client.connect();
        sockets.last().client.refused(426, 0);
        assertThat(ready).isNotDone();
        assertThat(http.get().path()).isEqualTo("/api/chat/messages/new?after_id=0&limit=100");
        http.get().page(false, 1);
        assertThat(ready).isCompleted();
        assertThat(http.get().path()).isEqualTo("/api/chat/online-users");
        http.get().answers(200, "{'count':2,'users':[]}");
        ScriptedCalls.Asked post = http.post();
        assertThat(post.path()).isEqualTo("/api/chat/messages");
        assertThat(post.body().path("client_id").asString()).isEqualTo("c1");
        post.answers(201, "{'id':2}");
        assertThat(sent).isCompletedWithValue(new ChatSent(2, "c1"));
        timer.pass(3_000);
        assertThat(http.get().path()).contains("after_id=1");
        http.get().page(false, 2);
        http.get().answers(200, "{'count':2,'users':[]}");
        awaitGot("1", "online 2", "2");

        // Half a minute to one and a half.
        assertThat(sockets.lines).hasSize(1);
        CompletableFuture<ChatSent> between = client.send("between", "c2");
        http.quiet = true;
        Line line = again();
        assertThat(client.state()).isEqualTo(State.READY);
        http.quiet = false;
        if (!http.post().future.isDone()) http.post().fails();
        int gets = http.gets().size();
        line.opens();
        assertThat(client.state()).isEqualTo(State.CONNECTING);
        timer.pass(900);
        assertThat(http.gets()).as("no more polling").hasSize(gets);
        line.says("{'type':'heartbeat_ack'}");
        http.get().page(false, 3);
        assertThat(client.state()).isEqualTo(State.READY);
        message(line, 4);
        awaitGot("1", "online 2", "2", "3", "4");
        // What was posted in vain is the first thing to be sent.
        assertThat(line.last("message").path("client_id").asString()).isEqualTo("c2");
        acks(line, 5);
        assertThat(between).isCompleted();
        int posts = http.posts().size();
        client.send("by WebSocket");
        assertThat(http.posts()).hasSize(posts);
        line.client.closed(1006);
        again();
    }

    @Test
    void aWebSocketThatIsTriedInVainChangesNothing() {
        polling();
        http.quiet = true;
        for (int i = 2; i < 5; i++) {
            Line line = again();
            assertThat(sockets.lines).hasSize(i);
            switch (i) {
                case 2 -> line.client.refused(503, 0);
                case 3 -> line.client.failed(new java.io.IOException("cut"));
                default -> {
                    timer.pass(10_000);
                    assertThat(line.cut).isTrue();
                }
            }
            assertThat(client.state()).isEqualTo(State.READY);
        }
        int gets = http.gets().size();
        timer.pass(3_000);
        assertThat(http.gets().size()).isGreaterThan(gets);
    }

    @Test
    void outagesOfWebSocketsAreBridgedByPollingAndSoOnInTurns() {
        client.connect();
        sockets.last().client.refused(503, 0);
        again().client.failed(new java.io.IOException("cut"));
        again().client.refused(502, 0);
        assertThat(http.all).isEmpty();
        // No answer over HTTP either: a WebSocket again.
        untilAsked().fails();
        assertThat(sockets.lines).hasSize(3);
        again().client.refused(503, 0);
        untilAsked().page(false, 1);
        assertThat(sockets.lines).hasSize(4);
        assertThat(client.state()).isEqualTo(State.READY);
        awaitGot("1");
    }

    @Test
    void pollingThatFailsIsAConnectionThatEnds() {
        polling();
        timer.pass(3_000);
        http.get().answers(429, 5, "{'error':'slow'}");
        assertThat(client.state()).isEqualTo(State.WAITING);
        int before = http.gets().size();
        timer.pass(5_000);
        assertThat(sockets.lines).hasSize(1);
        assertThat(http.gets()).hasSize(before);
        again();
    }

    @Test
    void whereThereIsNothingToPollThereIsOnlyAWebSocket() {
        client.connect();
        for (int i = 0; i < 3; i++) {
            if (i > 0) again();
            sockets.last().client.refused(503, 0);
        }
        untilAsked().answers(404, "{'error':'no'}");
        for (int i = 0; i < 4; i++) again().client.refused(503, 0);
        assertThat(http.gets()).hasSize(1);
        again().client.refused(404, 0);
        assertThat(reason(client.whenClosed())).isEqualTo("refused");
    }

    @Test
    void pollingCanBeLeftOut() {
        make(settings().pollInterval(null));
        client.connect();
        sockets.last().client.refused(404, 0);
        assertThat(reason(client.whenClosed())).isEqualTo("refused");
        assertThat(http.all).isEmpty();
    }

    // ---- connections

    @ParameterizedTest
    @ValueSource(ints = {1000, 1001, 1006, 1011, 1012, 1013, 4000, 4408, 4429, 4430, 4431, 4499})
    void theseCodesMeanComeBack(int code) {
        connected().client.closed(code);
        assertThat(client.state()).isEqualTo(State.WAITING);
        flowing(again());
        assertThat(client.state()).isEqualTo(State.READY);
    }

    @ParameterizedTest
    @ValueSource(ints = {4500, 4501, 4503, 4504, 4510, 4999})
    void theseCodesMeanStayAway(int code) {
        Line line = connected();
        CompletableFuture<ChatSent> waiting = client.send("a");
        line.client.closed(code);
        timer.pass(600_000);
        assertThat(sockets.lines).hasSize(1);
        assertThat(reason(client.whenClosed())).isEqualTo("closed_" + code);
        assertThat(code(waiting)).isEqualTo("closed_" + code);
    }

    @ParameterizedTest
    @CsvSource({"0.25, 2000", "0.999999, 7999"})
    void aDrainedNodesClientsComeBackSpreadOverItsWindow(double chance, long after) {
        share = chance;
        Line line = connected();
        line.says("{'type':'drain','data':{'reconnect_within_ms':8000}}");
        line.client.closed(1012);
        timer.pass(after - 1);
        assertThat(sockets.lines).hasSize(1);
        timer.pass(1);
        assertThat(sockets.lines).hasSize(2);
    }

    @Test
    void silenceIsAskedAboutAndThenTheEnd() {
        Line line = connected();
        timer.pass(30_000);
        assertThat(line.sent("heartbeat")).hasSize(2);
        line.says("{'type':'heartbeat_ack'}");
        timer.pass(30_000);
        assertThat(line.sent("heartbeat")).hasSize(3);
        timer.pass(24_999);
        assertThat(line.cut).isFalse();
        timer.pass(1);
        assertThat(line.cut).isTrue();
        again();
    }

    @Test
    void aTokenIsRenewedInTimeAndAfterARefusal() {
        var tokens = new ArrayDeque<>(List.of("t1", "t2", "t3", "t4", "t5"));
        make(ChatClient.at("http://front:8080").tokens(tokens::remove));
        Line line = connected();
        line.says("{'type':'token_expiring','data':{'expires_in':30}}");
        assertThat(line.last("refresh").path("token").asString()).isEqualTo("t2");
        line.client.closed(4401);
        line = again();
        assertThat(line.token).isEqualTo("t3");
        line.client.refused(401, 0);
        line = again();
        assertThat(line.token).isEqualTo("t4");
        line.opens().says("{'type':'heartbeat_ack'}");
        // What does for a socket may not do for a call a moment later.
        http.get().answers(401, "{'error':'no'}");
        assertThat(line.cut).isTrue();
        line = again();
        assertThat(line.token).isEqualTo("t5");
        flowing(line);
        assertThat(http.get().token()).isEqualTo("Bearer t5");
    }

    @Test
    void whilePollingATokenIsRenewedToo() {
        var tokens = new ArrayDeque<>(List.of("t1", "t2", "t3"));
        make(ChatClient.at("http://front:8080").tokens(tokens::remove));
        polling();
        CompletableFuture<ChatSent> sent = client.send("a");
        assertThat(http.post().token()).isEqualTo("Bearer t1");
        http.post().answers(401, "{'error':'no'}");
        timer.pass(1_000);
        assertThat(http.post().token()).isEqualTo("Bearer t2");
        http.post().answers(201, "{'id':1}");
        assertThat(sent).isCompleted();
        timer.pass(3_000);
        http.get().answers(401, "{'error':'no'}");
        again();
        assertThat(sockets.last().token).isEqualTo("t3");
    }

    @Test
    void aTokenThatIsNotTakenAndCannotBeReplacedIsTheEnd() {
        polling();
        CompletableFuture<ChatSent> sent = client.send("a");
        http.post().answers(401, "{'error':'no'}");
        assertThat(code(sent)).isEqualTo("http_401");
        timer.pass(3_000);
        http.get().answers(401, "{'error':'no'}");
        assertThat(reason(client.whenClosed())).isEqualTo("unauthorized");
    }

    @Test
    void theTapSeesWhatTheClientHides() {
        var seen = new ArrayList<String>();
        make(settings().tap(noting(seen, "message")));
        Line line = connected();
        message(line, 1);
        message(line, 1);
        line.client.closed(4408);
        again().client.refused(426, 0);
        http.get().page(false);
        again().opens();
        assertThat(seen)
                .containsExactly(
                        "opened",
                        "other",
                        "message",
                        "message",
                        "closed 4408",
                        "refused 426",
                        "opened",
                        "closed 1006",
                        "opened");
        awaitGot("1");
    }
}
