package io.carillon.node.client;

import static org.assertj.core.api.Assertions.assertThat;

import io.carillon.client.CarillonClient.State;
import io.carillon.client.ChatClient;
import io.carillon.client.ChatMessage;
import io.carillon.client.ChatSent;
import io.carillon.client.ConversationClient;
import io.carillon.client.ConversationMessage;
import io.carillon.client.FrameListener;
import io.carillon.client.MessageGap;
import io.carillon.client.OnlineUsers;
import io.carillon.client.RefusedException;
import io.carillon.node.testing.Http;
import io.carillon.node.testing.Nodes;
import io.carillon.node.testing.Poll;
import io.carillon.node.testing.RedisServer;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.Collection;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.function.Supplier;
import java.util.stream.IntStream;
import java.util.stream.LongStream;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.RegisterExtension;
import tools.jackson.databind.JsonNode;

/**
 * The Java clients of chats and conversations against real nodes and a real Redis. Tests share the chat, one after another,
 * and no user or conversation.
 */
class FeedClientsIT {
    @RegisterExtension
    static final RedisServer redis = RedisServer.own();

    private static final Duration SOON = Duration.ofSeconds(30);
    private static final AtomicInteger NEXT = new AtomicInteger();

    private static Nodes nodes;
    private static int count = 2;

    private final int test = NEXT.incrementAndGet();
    private final ConcurrentLinkedQueue<String> wire = new ConcurrentLinkedQueue<>();
    private final ConcurrentLinkedQueue<Integer> codes = new ConcurrentLinkedQueue<>();
    private final List<AutoCloseable> clients = new ArrayList<>();
    private Front front;

    @BeforeAll
    static void start() {
        nodes = new Nodes(redis.url(), 2, Map.of("carillon.conversation.messages", "100"));
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
        for (AutoCloseable client : clients) client.close();
        front.close();
    }

    /** One more node, for the test to close. */
    private static int another() {
        nodes.add();
        return count++;
    }

    // ---- members, visitors, agents

    private static String token(String user, long seconds, String claims) {
        return Nodes.token(user, Instant.now().getEpochSecond() + seconds, claims);
    }

    private Supplier<String> member(String name) {
        return () -> token(name + test, 600, "\"name\":\"" + name + "\"");
    }

    private final FrameListener tap = new FrameListener() {
        @Override
        public void frame(String text) {
            wire.add(text);
        }

        @Override
        public void closed(int code) {
            codes.add(code);
        }
    };

    private static void ready(CompletableFuture<Void> connecting) throws Exception {
        connecting.get(20, TimeUnit.SECONDS);
    }

    /** The id of the last message of the chat. */
    private long last() throws Exception {
        long last = 0;
        while (true) {
            JsonNode page = Http.get(
                            nodes.url(0) + "/api/chat/messages/new?limit=1000&after_id=" + last,
                            "Authorization",
                            "Bearer " + member("reader").get())
                    .json();
            if (page.path("messages").isEmpty()) return last;
            last = page.path("messages")
                    .valueStream()
                    .toList()
                    .getLast()
                    .path("id")
                    .asLong();
        }
    }

    private ChatClient chat(ChatClient.Builder settings, Collection<ChatMessage> got) throws Exception {
        ChatClient client = settings.afterId(last()).build().onMessage(got::add);
        clients.add(client);
        return client;
    }

    private ChatClient chat(String url, String name, Collection<ChatMessage> got) throws Exception {
        return chat(ChatClient.at(url).tokens(member(name)), got);
    }

    private ConversationClient conversation(String url, String claims, Collection<ConversationMessage> got) {
        ConversationClient client = ConversationClient.at(url, test)
                .tokens(() -> token("u" + test, 600, claims))
                .tap(tap)
                .build()
                .onMessage(got::add);
        clients.add(client);
        return client;
    }

    private ConversationClient visitor(String url, Collection<ConversationMessage> got) {
        return conversation(url, "\"conversation_id\":" + test, got);
    }

    private ConversationClient agent(String url, Collection<ConversationMessage> got) {
        return conversation(url, "\"kind\":\"agent\"", got);
    }

    /** All of m1 … mN have come, each once, in order, and by growing ids. */
    private static void awaitMessages(int count, Collection<ChatMessage> got) {
        List<String> wanted =
                IntStream.rangeClosed(1, count).mapToObj(i -> "m" + i).toList();
        try {
            Poll.until("all messages", SOON, () -> got.size() >= count);
        } finally {
            assertThat(got).extracting(ChatMessage::content).containsExactlyElementsOf(wanted);
        }
        assertThat(got).extracting(ChatMessage::id).isSorted().doesNotHaveDuplicates();
    }

    private static void awaitIds(long first, long last, Collection<ConversationMessage> got) {
        try {
            Poll.until("all messages", SOON, () -> got.size() >= last - first + 1);
        } finally {
            assertThat(got)
                    .extracting(ConversationMessage::id)
                    .containsExactlyElementsOf(
                            LongStream.rangeClosed(first, last).boxed().toList());
        }
    }

    // ---- chat

    @Test
    void aChatOverTwoNodesLosesAndRepeatsNothingWhenOneOfThemIsClosed() throws Exception {
        int closing = another();
        front.to(nodes.url(closing));
        var adas = new ConcurrentLinkedQueue<ChatMessage>();
        var bens = new ConcurrentLinkedQueue<ChatMessage>();
        ChatClient ada = chat(ChatClient.at(front.url()).tokens(member("Ada")).tap(tap), adas);
        ChatClient ben = chat(nodes.url(1), "Ben", bens);
        ready(ada.connect());
        ready(ben.connect());
        front.to(nodes.url(0));
        var sent = new ArrayList<CompletableFuture<ChatSent>>();
        // More than a user's burst: the last ones may be refused at first.
        for (int i = 1; i <= 10; i++) sent.add(ada.send("m" + i));
        sent.getLast().get(20, TimeUnit.SECONDS);
        Thread stop = Thread.ofVirtual().start(() -> nodes.stop(closing));
        for (int i = 11; i <= 40; i++) sent.add(ada.send("m" + i));
        stop.join();
        for (int i = 41; i <= 45; i++) sent.add(ada.send("m" + i));
        for (CompletableFuture<ChatSent> one : sent) one.get(30, TimeUnit.SECONDS);
        sent.add(ben.send("m46"));
        awaitMessages(46, adas);
        awaitMessages(46, bens);
        assertThat(adas).containsExactlyElementsOf(bens);
        assertThat(adas)
                .extracting(ChatMessage::id)
                .containsExactlyElementsOf(
                        sent.stream().map(one -> one.join().id()).toList());
        assertThat(adas.peek().username()).isEqualTo("Ada");
        assertThat(codes).containsExactly(1012);
        assertThat(wire).anyMatch(frame -> frame.contains("\"drain\""));
        assertThat(ada.queued()).isZero();
    }

    @Test
    void whatIsSentAcrossCutConnectionsIsThereOnce() throws Exception {
        var adas = new ConcurrentLinkedQueue<ChatMessage>();
        var bens = new ConcurrentLinkedQueue<ChatMessage>();
        ChatClient ada = chat(front.url(), "Ada", adas);
        ChatClient ben = chat(nodes.url(1), "Ben", bens);
        ready(ada.connect());
        ready(ben.connect());
        var sent = new ArrayList<CompletableFuture<ChatSent>>();
        sent.add(ada.send("m1"));
        for (int round = 0; round < 3; round++) {
            sent.getLast().get(20, TimeUnit.SECONDS);
            // The node takes it, and the sender does not learn of it.
            front.mute();
            int number = sent.size() + 1;
            sent.add(ada.send("m" + number));
            Poll.until("the other to have it", SOON, () -> bens.size() == number);
            sent.add(ada.send("m" + (number + 1)));
            front.toNone();
            front.cut();
            sent.add(ada.send("m" + (number + 2)));
            front.to(nodes.url((round + 1) % 2));
        }
        for (CompletableFuture<ChatSent> one : sent) one.get(30, TimeUnit.SECONDS);
        awaitMessages(10, adas);
        awaitMessages(10, bens);
    }

    @Test
    void withoutWebSocketsItPollsAndPostsAtAnyNodeUntilTheyCanBeHad() throws Exception {
        front.webSockets(false);
        var adas = new ConcurrentLinkedQueue<ChatMessage>();
        var bens = new ConcurrentLinkedQueue<ChatMessage>();
        ChatClient ada = chat(
                ChatClient.at(front.url())
                        .tokens(member("Ada"))
                        .tap(tap)
                        .pollInterval(Duration.ofMillis(100))
                        .webSocketRetry(Duration.ofSeconds(1)),
                adas);
        ChatClient ben = chat(nodes.url(1), "Ben", bens);
        ready(ada.connect());
        ready(ben.connect());
        ada.send("m1").get(20, TimeUnit.SECONDS);
        ben.send("m2").get(20, TimeUnit.SECONDS);
        awaitMessages(2, adas);
        front.to(nodes.url(1));
        front.cut();
        ben.send("m3").get(20, TimeUnit.SECONDS);
        ada.send("m4").get(20, TimeUnit.SECONDS);
        awaitMessages(4, adas);
        Poll.until("who has a WebSocket to be counted", SOON, () -> ada.online() == 1);
        assertThat(wire).as("frames").isEmpty();

        front.webSockets(true);
        Poll.until("a WebSocket", SOON, () -> !wire.isEmpty() && ada.state() == State.READY);
        ben.send("m5").get(20, TimeUnit.SECONDS);
        ada.send("m6").get(20, TimeUnit.SECONDS);
        awaitMessages(6, adas);
        awaitMessages(6, bens);
        assertThat(wire).anyMatch(frame -> frame.contains("\"m5\""));
        assertThat(wire).anyMatch(frame -> frame.contains("\"ack\""));
    }

    @Test
    void membersAreCountedAndNamedAndATokenIsReplacedInTime() throws Exception {
        var asked = new AtomicInteger();
        var counts = new ConcurrentLinkedQueue<Long>();
        ChatClient ada = chat(
                ChatClient.at(nodes.url(0))
                        .tokens(() -> token("Ada" + test, asked.incrementAndGet() == 1 ? 3 : 600, "\"name\":\"A & B\""))
                        .tap(tap),
                new ArrayList<>());
        ada.onOnline(counts::add);
        ready(ada.connect());
        Poll.until("the answer", SOON, () -> wire.stream().anyMatch(frame -> frame.contains("\"refreshed\"")));
        var bens = new ConcurrentLinkedQueue<ChatMessage>();
        ChatClient ben = chat(nodes.url(1), "Ben", bens);
        ready(ben.connect());
        Poll.until("both to be counted", SOON, () -> ada.online() == 2);
        var named = new OnlineUsers(
                2, List.of(new OnlineUsers.User("Ada" + test, "A &amp; B"), new OnlineUsers.User("Ben" + test, "Ben")));
        // Members of the test before may have to go first.
        Poll.until("both to be named", SOON, () -> ada.onlineUsers().get(20, TimeUnit.SECONDS), named::equals);
        ada.send("m1", "mine").get(20, TimeUnit.SECONDS);
        ChatSent first = ada.send("<b>", "other").get(20, TimeUnit.SECONDS);
        assertThat(ada.send("again", "other").get(20, TimeUnit.SECONDS)).isEqualTo(first);
        Poll.until("both", SOON, () -> bens.size() == 2);
        assertThat(bens).extracting(ChatMessage::content).containsExactly("m1", "&lt;b&gt;");
        var told = List.copyOf(counts);
        for (int i = 1; i < told.size(); i++) assertThat(told.get(i)).isNotEqualTo(told.get(i - 1));
        assertThat(codes).isEmpty();
        assertThat(asked).hasValue(2);
        assertThat(nodes.call("DELETE", "/api/ws/users/Ada" + test + "?namespace=chat", null)
                        .statusCode())
                .isEqualTo(204);
        assertThat(ada.whenClosed().get(20, TimeUnit.SECONDS).code()).isEqualTo("closed_4503");
    }

    @Test
    void whoIsNobodyStaysOut() throws Exception {
        ChatClient nobody = ChatClient.at(nodes.url(0)).build();
        clients.add(nobody);
        CompletableFuture<Void> ready = nobody.connect();
        assertThat(nobody.whenClosed().get(20, TimeUnit.SECONDS).code()).isEqualTo("unauthorized");
        assertThat(ready).isCompletedExceptionally();
    }

    // ---- conversations

    @Test
    void aVisitorAndAnAgentOverTwoNodesAndThroughLostAnswers() throws Exception {
        var visitors = new ConcurrentLinkedQueue<ConversationMessage>();
        var agents = new ConcurrentLinkedQueue<ConversationMessage>();
        ConversationClient visitor = visitor(front.url(), visitors);
        ConversationClient agent = agent(nodes.url(1), agents);
        ready(visitor.connect());
        ready(agent.connect());
        var sent = new ArrayList<CompletableFuture<ConversationMessage>>();
        sent.add(visitor.send("你好"));
        for (int round = 0; round < 3; round++) {
            sent.getLast().get(20, TimeUnit.SECONDS);
            front.mute();
            int number = sent.size() + 1;
            sent.add(visitor.send("m" + number));
            Poll.until("the agent to have it", SOON, () -> agents.size() == number);
            sent.add(visitor.send("m" + (number + 1)));
            front.toNone();
            front.cut();
            front.to(nodes.url((round + 1) % 2));
        }
        for (CompletableFuture<ConversationMessage> one : sent) one.get(30, TimeUnit.SECONDS);
        sent.add(agent.sendAsAgent("good day"));
        assertThat(sent.getLast().get(20, TimeUnit.SECONDS).byAgent()).isTrue();
        awaitIds(1, 8, visitors);
        awaitIds(1, 8, agents);
        assertThat(visitors).containsExactlyElementsOf(agents);
        assertThat(visitors)
                .containsExactlyElementsOf(
                        sent.stream().map(CompletableFuture::join).toList());

        ConversationMessage first = visitor.send("once", false, "key-1").get(20, TimeUnit.SECONDS);
        assertThat(visitor.send("once", false, "key-1").get(20, TimeUnit.SECONDS))
                .isEqualTo(first);
        assertThat(refusal(visitor.send("another", false, "key-1"))).isEqualTo("http_422");
        assertThat(refusal(visitor.sendAsAgent("I am an agent"))).isEqualTo("http_403");
        assertThat(refusal(visitor.send(""))).isEqualTo("http_400");
        assertThat(agent.send("last").get(20, TimeUnit.SECONDS).id()).isEqualTo(10);
        awaitIds(1, 10, agents);
    }

    private static String refusal(CompletableFuture<?> future) {
        Poll.until("the refusal", SOON, future::isDone);
        return ((RefusedException) future.exceptionNow()).code();
    }

    @Test
    void aClosedNodeCostsAConversationNothing() throws Exception {
        int closing = another();
        front.to(nodes.url(closing));
        var visitors = new ConcurrentLinkedQueue<ConversationMessage>();
        var agents = new ConcurrentLinkedQueue<ConversationMessage>();
        ConversationClient visitor = visitor(front.url(), visitors);
        ConversationClient agent = agent(nodes.url(1), agents);
        ready(visitor.connect());
        ready(agent.connect());
        front.to(nodes.url(0));
        Thread stop = Thread.ofVirtual().start(() -> nodes.stop(closing));
        var sent = new ArrayList<CompletableFuture<ConversationMessage>>();
        for (int i = 0; i < 30; i++) {
            sent.add(visitor.send("v"));
            sent.add(agent.sendAsAgent("a"));
        }
        stop.join();
        for (CompletableFuture<ConversationMessage> one : sent) one.get(30, TimeUnit.SECONDS);
        awaitIds(1, 60, visitors);
        awaitIds(1, 60, agents);
    }

    @Test
    void whatIsNoLongerKeptIsAGap() throws Exception {
        var visitors = new ConcurrentLinkedQueue<ConversationMessage>();
        var gaps = new ConcurrentLinkedQueue<MessageGap>();
        ConversationClient visitor = visitor(front.url(), visitors).onGap(gaps::add);
        ConversationClient agent = agent(nodes.url(1), new ConcurrentLinkedQueue<>());
        ready(visitor.connect());
        ready(agent.connect());
        agent.send("1").get(20, TimeUnit.SECONDS);
        awaitIds(1, 1, visitors);
        front.toNone();
        front.cut();
        CompletableFuture<ConversationMessage> last = agent.send("2");
        for (int i = 3; i <= 300; i++) last = agent.send(String.valueOf(i));
        last.get(30, TimeUnit.SECONDS);
        front.to(nodes.url(1));
        Poll.until("the last", SOON, () -> visitor.lastId() == 300 && !gaps.isEmpty());
        agent.send("301").get(20, TimeUnit.SECONDS);
        MessageGap gap = gaps.peek();
        assertThat(gaps).hasSize(1);
        assertThat(gap.after()).isEqualTo(1);
        assertThat(gap.before()).isBetween(3L, 201L);
        visitors.poll();
        awaitIds(gap.before(), 301, visitors);
    }
}
