package io.carillon.client;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.carillon.client.ScriptedServer.Line;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** What is particular to conversations, with time and the server in the test's hands. */
class ConversationClientTest extends Scripted {
    private ConversationClient client = make(settings());

    private static ConversationClient.Builder settings() {
        return ConversationClient.at("http://front:8080", 123).token("t0");
    }

    private ConversationClient make(ConversationClient.Builder settings) {
        client = settings.build(timer, random, Runnable::run, sockets, http);
        return client.onMessage(message -> got.add(message.content()))
                .onGap(gap -> got.add("gap " + gap.after() + " to " + gap.before()));
    }

    @AfterEach
    void close() {
        client.close();
    }

    private static void message(Line line, long id) {
        line.says("{'type':'new_message','data':{'id':" + id + ",'conversation_id':123,'content':'" + id
                + "','sender_is_agent':false,'created_at':'now'}}");
    }

    private Line connected(long... kept) {
        client.connect();
        Line line = sockets.last().opens();
        line.says("{'type':'pong'}");
        http.get().page(false, kept);
        return line;
    }

    @Test
    void theAddressesNameTheConversation() {
        Line line = connected();
        assertThat(line.address).hasToString("ws://front:8080/ws?conversation_id=123");
        assertThat(line.sent("ping")).hasSize(1);
        assertThat(http.get().path()).isEqualTo("/messages?conversation_id=123&after_id=0&limit=100");
        make(ConversationClient.at("http://front:8080/", -1)
                .path("/helpdesk/ws")
                .namespace("helpdesk"));
        line = connected();
        assertThat(line.address).hasToString("ws://front:8080/helpdesk/ws?conversation_id=18446744073709551615");
        assertThat(line.token).isNull();
        assertThat(http.get().path())
                .isEqualTo("/messages?conversation_id=18446744073709551615&after_id=0&limit=100&namespace=helpdesk");
        client.send("x");
        assertThat(http.post().call.body()).contains("\"conversation_id\":18446744073709551615,");
    }

    @Test
    void aHoleIsReadBeforeWhatIsBehindIt() {
        Line line = connected(1);
        message(line, 2);
        message(line, 5);
        message(line, 6);
        assertThat(http.get().path()).contains("after_id=2");
        http.get().page(false, 3, 4, 5);
        message(line, 7);
        awaitGot("1", "2", "3", "4", "5", "6", "7");
    }

    @Test
    void aHoleInWhatWaitedIsReadToo() {
        client.connect();
        Line line = sockets.last().opens();
        line.says("{'type':'pong'}");
        message(line, 5);
        http.get().page(false, 1, 2);
        // 3 and 4 came after the look, and not by themselves.
        assertThat(http.get().path()).contains("after_id=2");
        http.get().page(false, 3, 4);
        awaitGot("1", "2", "3", "4", "5");
    }

    @Test
    void aLookThatBeganBeforeAMessageProvesNothingOfWhatIsMissingBeforeIt() {
        Line line = connected(1, 2);
        line.says("{'type':'resync','data':{'channel':'room:123','epoch':'f','offset':8}}");
        message(line, 5);
        http.get().page(false);
        http.get().page(false, 3, 4, 5);
        awaitGot("1", "2", "3", "4", "5");
    }

    @Test
    void whatIsNoLongerKeptIsAGap() {
        Line line = connected(1);
        message(line, 5);
        http.get().page(false);
        awaitGot("1", "gap 1 to 5", "5");
        line.client.closed(1006);
        line = again().opens();
        line.says("{'type':'pong'}");
        http.get().page(true, 9, 10);
        http.get().page(false, 11);
        message(line, 12);
        awaitGot("1", "gap 1 to 5", "5", "gap 5 to 9", "9", "10", "11", "12");
    }

    @Test
    void whoKnowsNothingYetMissesNothing() {
        Line line = connected();
        message(line, 6);
        http.get().page(false, 5, 6);
        message(line, 7);
        awaitGot("5", "6", "7");
    }

    @Test
    void whoGoesOnFromAMessageIsToldOfAGapBehindIt() {
        make(settings().afterId(3));
        connected(5, 6);
        awaitGot("gap 3 to 5", "5", "6");
    }

    @Test
    void messagesArePostedInOrderUnderTheSameKeyUntilAnswered() {
        CompletableFuture<ConversationMessage> first = client.send("你好");
        CompletableFuture<ConversationMessage> second = client.sendAsAgent("b");
        CompletableFuture<ConversationMessage> third = client.send("c", false, "mine");
        Line line = connected();
        assertThat(http.posts()).hasSize(1);
        ScriptedCalls.Asked post = http.post();
        assertThat(post.path()).isEqualTo("/messages");
        assertThat(post.token()).isEqualTo("Bearer t0");
        assertThat(post.body().toString())
                .isEqualTo("{\"conversation_id\":123,\"content\":\"你好\",\"sender_is_agent\":false}");
        String key = post.key();
        assertThat(key).isNotBlank();
        post.fails();
        timer.pass(1_000);
        assertThat(http.post().key()).isEqualTo(key);
        http.post().answers(503, 3, "{'error':'later'}");
        timer.pass(2_999);
        assertThat(http.posts()).hasSize(2);
        timer.pass(2_000);
        assertThat(http.post().key()).isEqualTo(key);
        // The connection has nothing to do with the answer.
        line.client.closed(1006);
        http.post()
                .answers(
                        200,
                        "{'id':4,'conversation_id':123,'content':'你好','sender_is_agent':false,'created_at':'now'}");
        assertThat(first).isCompletedWithValue(new ConversationMessage(4, 123, "你好", false, "now"));
        assertThat(http.posts()).as("without a connection").hasSize(3);
        again().opens();
        assertThat(http.post().body().path("sender_is_agent").asBoolean()).isTrue();
        http.post().answers(403, "{'error':'be an agent'}");
        assertThat(code(second)).isEqualTo("http_403");
        assertThat(second.exceptionNow()).hasMessage("be an agent");
        assertThat(http.post().key()).isEqualTo("mine");
        http.post().answers(201, "{'id':5}");
        assertThat(third).isCompletedWithValueMatching(sent -> sent.id() == 5);
        assertThat(client.queued()).isZero();
    }

    @Test
    void whatWasToldToWaitWaitsOverReconnectsAndWhatCouldNotBeReachedDoesNot() {
        client.send("a");
        Line line = connected();
        http.post().answers(429, 30, "{'error':'later'}");
        line.client.closed(1006);
        line = again().opens();
        assertThat(http.posts()).hasSize(1);
        line.says("{'type':'pong'}");
        http.get().page(false);
        long told = timer.now();
        untilAsked();
        assertThat(timer.now() - told).isBetween(29_000L, 31_000L);
        for (int i = 0; i < 6; i++) {
            http.post().fails();
            line.client.heard();
            untilAsked();
        }
        http.post().fails();
        timer.pass(10_000);
        int posts = http.posts().size();
        line.client.closed(1006);
        again().opens();
        assertThat(http.posts()).hasSize(posts + 1);
        assertThat(http.posts().stream().map(ScriptedCalls.Asked::key).distinct())
                .hasSize(1);
    }

    @ParameterizedTest
    @ValueSource(ints = {400, 403, 409, 413, 422})
    void theseAnswersAreFinal(int status) {
        connected();
        CompletableFuture<ConversationMessage> sent = client.send("a");
        http.post().answers(status, "{'error':'no'}");
        assertThat(code(sent)).isEqualTo("http_" + status);
    }

    @Test
    void withoutAWebSocketItPolls() {
        client.connect();
        sockets.last().client.refused(404, 0);
        http.get().page(false, 1);
        timer.pass(3_000);
        http.get().page(true, 2, 3);
        http.get().page(false, 4);
        assertThat(http.gets()).as("conversations count nobody").hasSize(3);
        timer.pass(3_000);
        http.get().page(false, 6);
        awaitGot("1", "2", "3", "4", "gap 4 to 6", "6");
    }

    @Test
    void keysAreCheckedWhereTheyAreMade() {
        for (String key : List.of("", "ä", "a b", "x".repeat(256))) {
            assertThatThrownBy(() -> client.send("a", false, key)).isInstanceOf(IllegalArgumentException.class);
        }
    }
}
