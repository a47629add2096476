package io.carillon.node.backplane;

import static org.assertj.core.api.Assertions.assertThat;

import io.carillon.model.channel.ChannelName;
import io.carillon.model.channel.Namespace;
import io.carillon.model.channel.Position;
import io.carillon.model.event.Event;
import io.carillon.model.event.EventCodec;
import io.carillon.model.event.Payload;
import io.carillon.node.backplane.Backplane.Appended;
import io.carillon.node.backplane.Backplane.HistoryRead;
import io.carillon.node.backplane.Backplane.Retention;
import io.carillon.node.testing.Poll;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.stream.IntStream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.RepeatedTest;
import org.junit.jupiter.api.Test;

/** Every promise of {@link Backplane}, for every adapter. */
abstract class BackplaneContract {
    static final Retention KEEP = new Retention(100, 60);
    static final Duration SOON = Duration.ofSeconds(20);
    private static final AtomicInteger NAMES = new AtomicInteger();

    final Namespace space = new Namespace("push");
    private final List<Backplane> nodes = new ArrayList<>();

    /** A node's backplane, not started, on the fabric that all of one test share. */
    abstract Backplane node(String boot);

    /** Breaks the links of all nodes; they come back by themselves. */
    abstract void breakLinks();

    /** Takes the fabric away until {@link #restore}. */
    abstract void takeDown();

    abstract void restore();

    /** What the listener was told of the link, where it broke once. */
    void brokeAndCameBack(Recorder recorder) {
        assertThat(recorder.links).containsExactly(true, false, true);
    }

    @AfterEach
    void stopNodes() {
        nodes.forEach(Backplane::stop);
    }

    Backplane started(String boot, BackplaneListener listener) {
        return adopt(node(boot), listener);
    }

    Backplane adopt(Backplane node, BackplaneListener listener) {
        nodes.add(node);
        node.start(listener);
        Poll.until("the link is up", SOON, node::connected);
        return node;
    }

    /** A name that no other test uses. */
    static String fresh(String what) {
        return what + "-" + Long.toHexString(System.nanoTime()) + "-" + NAMES.incrementAndGet();
    }

    ChannelName user() {
        return ChannelName.user(space, fresh("u"));
    }

    @Test
    void aMessageReachesEveryNodeThatWantsTheChannelAndNoOther() {
        Recorder here = new Recorder();
        Recorder there = new Recorder();
        Recorder elsewhere = new Recorder();
        Backplane a = started(fresh("a"), here);
        Backplane b = started(fresh("b"), there);
        started(fresh("c"), elsewhere);
        ChannelName channel = user();
        subscribe(a, here, channel);
        subscribe(b, there, channel);
        assertThat(get(b.publish(channel, event("hello")))).isEqualTo(2);
        await(here, channel, 1);
        await(there, channel, 1);
        assertThat(here.messages(channel)).containsExactly(text(event("hello")));
        assertThat(elsewhere.messages).isEmpty();
    }

    @Test
    void allKindsOfChannelsAreCarried() {
        Recorder recorder = new Recorder();
        Backplane node = started(fresh("a"), recorder);
        Namespace other = new Namespace("chat");
        String id = fresh("same");
        List<ChannelName> channels = List.of(
                ChannelName.user(space, id),
                ChannelName.room(space, id),
                ChannelName.user(other, id),
                ChannelName.user(space, "A-Za-z0-9._:@~+=-" + id),
                ChannelName.broadcast(new Namespace("b" + Integer.toHexString(NAMES.incrementAndGet()))));
        for (ChannelName channel : channels) subscribe(node, recorder, channel);
        for (ChannelName channel : channels)
            assertThat(get(node.publish(channel, event(channel.label())))).isEqualTo(1);
        for (ChannelName channel : channels) {
            await(recorder, channel, 1);
            assertThat(recorder.messages(channel)).containsExactly(text(event(channel.label())));
        }
    }

    @Test
    void messagesOfOnePublisherArriveInOrderDurableOrNot() {
        Recorder recorder = new Recorder();
        Backplane node = started(fresh("a"), recorder);
        List<ChannelName> channels = IntStream.range(0, 5).mapToObj(i -> user()).toList();
        for (ChannelName channel : channels) subscribe(node, recorder, channel);
        List<CompletionStage<?>> stages = new ArrayList<>();
        for (int i = 0; i < 120; i++) {
            for (ChannelName channel : channels) {
                stages.add(
                        i % 3 == 0
                                ? node.publish(channel, event("n" + i))
                                : node.append(channel, event("n" + i), "i" + i, KEEP));
            }
        }
        stages.forEach(BackplaneContract::get);
        for (ChannelName channel : channels) {
            await(recorder, channel, 120);
            assertThat(types(recorder, channel))
                    .containsExactlyElementsOf(
                            IntStream.range(0, 120).mapToObj(i -> "n" + i).toList());
        }
    }

    @Test
    void anAppendedEventIsStampedPublishedAndKept() throws Exception {
        Recorder recorder = new Recorder();
        Backplane node = started(fresh("a"), recorder);
        ChannelName channel = user();
        subscribe(node, recorder, channel);
        Event given = Event.of("t", Payload.ofJson("{\"é\" : 1}"))
                .with()
                .id("i1")
                .from("u9", "Ada", null)
                .build();
        Appended appended = get(node.append(channel, EventCodec.write(given), "i1", KEEP));
        assertThat(appended.duplicate()).isFalse();
        assertThat(appended.receivers()).isEqualTo(1);
        assertThat(appended.position().offset()).isEqualTo(1);
        await(recorder, channel, 1);
        Event got = EventCodec.readStamped(recorder.messages(channel).getFirst().getBytes(StandardCharsets.UTF_8));
        assertThat(got.position()).isEqualTo(appended.position());
        assertThat(got.channel()).isEqualTo(channel.label());
        assertThat(got.timestamp()).isPositive();
        assertThat(got.with().position(null).channel(null).timestamp(0).build()).isEqualTo(given);
        HistoryRead history =
                get(node.read(channel, new Position(appended.position().epoch(), 0), 10));
        assertThat(history.continuous()).isTrue();
        assertThat(history.events()).hasSize(1);
        assertThat(text(history.events().getFirst()))
                .isEqualTo(recorder.messages(channel).getFirst());
    }

    @Test
    void theSameIdIsOneEvent() {
        Recorder recorder = new Recorder();
        Backplane node = started(fresh("a"), recorder);
        ChannelName channel = user();
        subscribe(node, recorder, channel);
        Appended first = get(node.append(channel, event("a"), "same", KEEP));
        Appended between = get(node.append(channel, event("b"), "other", KEEP));
        Appended again = get(node.append(channel, event("c"), "same", KEEP));
        assertThat(again.duplicate()).isTrue();
        assertThat(again.receivers()).isZero();
        assertThat(again.position()).isEqualTo(first.position());
        assertThat(between.position().offset()).isEqualTo(2);
        assertThat(get(node.read(channel, null, 10)).top()).isEqualTo(between.position());
        await(recorder, channel, 2);
        assertThat(types(recorder, channel)).containsExactly("a", "b");
    }

    @Test
    void concurrentAppendsGetOffsetsWithoutGapOrRepetition() throws Exception {
        Recorder recorder = new Recorder();
        Backplane a = started(fresh("a"), recorder);
        Backplane b = started(fresh("b"), new Recorder());
        ChannelName channel = user();
        subscribe(a, recorder, channel);
        var done = new CountDownLatch(2);
        for (Backplane node : List.of(a, b)) {
            Thread.ofVirtual().start(() -> {
                for (int i = 0; i < 200; i++) {
                    get(node.append(channel, event("t"), (node == a ? "a" : "b") + i, new Retention(1_000, 60)));
                }
                done.countDown();
            });
        }
        assertThat(done.await(30, TimeUnit.SECONDS)).isTrue();
        await(recorder, channel, 400);
        List<Long> offsets = new ArrayList<>();
        for (String message : recorder.messages(channel)) {
            offsets.add(EventCodec.positionOf(message.getBytes(StandardCharsets.UTF_8))
                    .offset());
        }
        assertThat(offsets)
                .containsExactlyElementsOf(
                        IntStream.rangeClosed(1, 400).mapToObj(i -> (long) i).toList());
    }

    @Test
    void whatFollowsAPositionIsReadInPages() {
        Backplane node = started(fresh("a"), new Recorder());
        ChannelName channel = user();
        List<Appended> appended = IntStream.rangeClosed(1, 10)
                .mapToObj(i -> get(node.append(channel, event("n" + i), "i" + i, KEEP)))
                .toList();
        HistoryRead first = get(node.read(channel, appended.get(2).position(), 4));
        assertThat(first.continuous()).isTrue();
        assertThat(first.more()).isTrue();
        assertThat(first.top()).isEqualTo(appended.getLast().position());
        assertThat(types(first)).containsExactly("n4", "n5", "n6", "n7");
        HistoryRead rest =
                get(node.read(channel, EventCodec.positionOf(first.events().getLast()), 4));
        assertThat(types(rest)).containsExactly("n8", "n9", "n10");
        assertThat(rest.more()).isFalse();
        HistoryRead none = get(node.read(channel, rest.top(), 4));
        assertThat(none.continuous()).isTrue();
        assertThat(none.events()).isEmpty();
    }

    @Test
    void thePositionOfAChannelNeverUsedIsGoodToReadFrom() {
        Backplane node = started(fresh("a"), new Recorder());
        ChannelName channel = user();
        HistoryRead empty = get(node.read(channel, null, 10));
        assertThat(empty.continuous()).isTrue();
        assertThat(empty.top().offset()).isZero();
        assertThat(empty.events()).isEmpty();
        assertThat(get(node.read(channel, empty.top(), 10)).continuous()).isTrue();
        get(node.append(channel, event("a"), "1", KEEP));
        get(node.append(channel, event("b"), "2", KEEP));
        HistoryRead after = get(node.read(channel, empty.top(), 10));
        assertThat(after.continuous()).isTrue();
        assertThat(types(after)).containsExactly("a", "b");
        assertThat(after.top().offset()).isEqualTo(2);
    }

    @Test
    void aPositionThatCannotBeProvenIsToldSo() {
        Backplane node = started(fresh("a"), new Recorder());
        ChannelName channel = user();
        Retention few = new Retention(5, 60);
        String epoch =
                get(node.append(channel, event("n"), "0", few)).position().epoch();
        for (int i = 1; i < 10; i++) get(node.append(channel, event("n"), "" + i, few));
        for (Position bad : List.of(
                new Position(epoch, 4), // the history starts behind it
                new Position(epoch, 0),
                new Position(epoch, 11), // ahead of the top
                new Position("other", 9),
                new Position("~" + epoch + "~1", 0))) {
            HistoryRead read = get(node.read(channel, bad, 10));
            assertThat(read.continuous()).as("%s", bad).isFalse();
            assertThat(read.events()).isEmpty();
            assertThat(read.top()).isEqualTo(new Position(epoch, 10));
        }
        HistoryRead last = get(node.read(channel, new Position(epoch, 5), 10));
        assertThat(last.continuous()).isTrue();
        assertThat(last.events()).hasSize(5);
    }

    @Test
    void aControlMessageReachesItsNodeOnly() {
        Recorder here = new Recorder();
        Recorder there = new Recorder();
        String boot = fresh("a");
        started(boot, here);
        Backplane b = started(fresh("b"), there);
        reaches(b, boot);
        reaches(b, "nobody");
        assertThat(get(b.publishToNode(boot, bytes("{\"kick\":1}")))).isEqualTo(1);
        assertThat(get(b.publishToNode("nobody", bytes("{}")))).isZero();
        Poll.until("the control message comes", SOON, () -> !here.control.isEmpty());
        assertThat(here.control).containsExactly("{\"kick\":1}");
        assertThat(there.control).isEmpty();
    }

    /** Waits for the primary that holds what is tagged like this: a node of a Cluster is up with most of them. */
    private static void reaches(Backplane node, String tag) {
        ChannelName beside = ChannelName.user(Namespace.PUSH, tag);
        Poll.until(
                "the primary of " + tag + " answers",
                SOON,
                () -> node.read(beside, null, 1)
                        .toCompletableFuture()
                        .handle((top, failure) -> failure == null)
                        .join());
    }

    @Test
    void nothingMoreComesAfterUnsubscribing() {
        Recorder recorder = new Recorder();
        Backplane node = started(fresh("a"), recorder);
        ChannelName channel = user();
        subscribe(node, recorder, channel);
        node.unsubscribe(channel);
        node.unsubscribe(channel);
        Poll.until("nobody receives it", SOON, () -> get(node.publish(channel, event("t"))) == 0);
        int before = recorder.messages(channel).size();
        ChannelName marker = user();
        subscribe(node, recorder, marker);
        get(node.publish(channel, event("late")));
        get(node.publish(marker, event("mark")));
        await(recorder, marker, 1);
        assertThat(recorder.messages(channel)).hasSize(before);
    }

    @Test
    void subscribingTwiceIsSubscribingOnceAndAgainAfterUnsubscribingItIsToldAgain() {
        Recorder recorder = new Recorder();
        Backplane node = started(fresh("a"), recorder);
        ChannelName channel = user();
        node.subscribe(channel);
        node.subscribe(channel);
        Poll.until("subscribed", SOON, () -> recorder.times(recorder.subscribed, channel) == 1);
        for (int i = 2; i < 30; i++) {
            int expected = i;
            node.unsubscribe(channel);
            node.subscribe(channel);
            Poll.until("told again", SOON, () -> recorder.times(recorder.subscribed, channel) == expected);
            assertThat(get(node.publish(channel, event("t")))).isEqualTo(1);
            await(recorder, channel, i - 1);
        }
    }

    @RepeatedTest(5)
    void changingOnesMindOftenEndsAsTheLastWish() {
        Recorder recorder = new Recorder();
        Backplane node = started(fresh("a"), recorder);
        List<ChannelName> channels =
                IntStream.range(0, 200).mapToObj(i -> user()).toList();
        for (int round = 0; round < 20; round++) {
            for (int i = 0; i < channels.size(); i++) {
                if ((i * 31 + round * 17) % 3 == 0) node.unsubscribe(channels.get(i));
                else node.subscribe(channels.get(i));
            }
        }
        for (int i = 0; i < channels.size(); i++) {
            if (i % 2 == 0) node.subscribe(channels.get(i));
            else node.unsubscribe(channels.get(i));
        }
        for (int i = 0; i < channels.size(); i++) {
            ChannelName channel = channels.get(i);
            boolean wanted = i % 2 == 0;
            Poll.until("as last wished", SOON, () -> {
                boolean received = get(node.publish(channel, event("x"))) == 1;
                return wanted ? received && !recorder.messages(channel).isEmpty() : !received;
            });
        }
        for (int i = 0; i < channels.size(); i++) {
            assertThat(get(node.publish(channels.get(i), event("x")))).isEqualTo(i % 2 == 0 ? 1 : 0);
        }
    }

    @Test
    void whenSubscribedIsToldEverythingPublishedFromThenOnArrives() {
        Recorder recorder = new Recorder();
        Backplane node = node(fresh("a"));
        nodes.add(node);
        Backplane other = started(fresh("b"), new Recorder());
        List<Integer> missed = new ArrayList<>();
        AtomicInteger expected = new AtomicInteger();
        node.start(new ForwardingListener(recorder) {
            @Override
            public void subscribed(ChannelName channel) {
                super.subscribed(channel);
                expected.incrementAndGet();
                var unused = other.publish(channel, event("after")).thenAccept(receivers -> {
                    if (receivers != 1) missed.add(1);
                });
            }
        });
        List<ChannelName> channels =
                IntStream.range(0, 500).mapToObj(i -> user()).toList();
        channels.forEach(node::subscribe);
        for (ChannelName channel : channels) await(recorder, channel, 1);
        assertThat(expected.get()).isEqualTo(500);
        assertThat(missed).isEmpty();
    }

    @Test
    void channelsStayWantedOverALossOfTheLink() {
        Recorder recorder = new Recorder();
        Backplane node = started(fresh("a"), recorder);
        List<ChannelName> channels =
                IntStream.range(0, 10_000).mapToObj(i -> user()).toList();
        channels.forEach(node::subscribe);
        Poll.until("all are subscribed", SOON, () -> recorder.subscribed.size() == channels.size());
        ChannelName dropped = channels.getFirst();
        node.unsubscribe(dropped);
        Poll.until("nobody receives it", SOON, () -> get(node.publish(dropped, event("t"))) == 0);
        breakLinks();
        Poll.until(
                "each is told as lost and as subscribed again",
                Duration.ofSeconds(40),
                () -> channels.stream()
                        .skip(1)
                        .allMatch(c ->
                                recorder.times(recorder.subscribed, c) == 2 && recorder.times(recorder.lost, c) == 1));
        assertThat(recorder.times(recorder.lost, dropped)).isZero();
        assertThat(recorder.times(recorder.subscribed, dropped)).isEqualTo(1);
        brokeAndCameBack(recorder);
        for (ChannelName channel : List.of(channels.get(1), channels.getLast(), channels.get(5_000))) {
            assertThat(get(node.publish(channel, event("t")))).isEqualTo(1);
            await(recorder, channel, 1);
        }
        assertThat(recorder.trouble.get()).isNull();
    }

    @Test
    void whileTheLinkIsDownEveryCallFailsAndComesBackByItself() {
        Recorder recorder = new Recorder();
        Backplane node = started(fresh("a"), recorder);
        ChannelName channel = user();
        subscribe(node, recorder, channel);
        takeDown();
        ChannelName meanwhile = user();
        try {
            Poll.until("the loss is noticed", SOON, () -> !node.connected());
            node.subscribe(meanwhile);
            long start = System.nanoTime();
            for (CompletionStage<?> stage : List.of(
                    node.publish(channel, event("t")),
                    node.append(channel, event("t"), "i", KEEP),
                    node.read(channel, null, 1),
                    node.readHeld(channel, null, 1),
                    node.publishToNode("b", bytes("{}")))) {
                assertThat(failure(stage)).isInstanceOf(BackplaneException.class);
            }
            node.deadLetter("test", "no reason", bytes("{}"));
            assertThat(Duration.ofNanos(System.nanoTime() - start)).isLessThan(Duration.ofSeconds(3));
        } finally {
            restore();
        }
        Poll.until("the link is up again", Duration.ofSeconds(40), node::connected);
        Poll.until("subscribed again", SOON, () -> recorder.times(recorder.subscribed, channel) == 2);
        Poll.until("subscribed at last", SOON, () -> recorder.times(recorder.subscribed, meanwhile) == 1);
        assertThat(get(node.publish(channel, event("back")))).isEqualTo(1);
        await(recorder, channel, 1);
        assertThat(types(recorder, channel)).containsExactly("back");
        brokeAndCameBack(recorder);
    }

    @Test
    void afterStopTheListenerIsNotCalled() {
        Recorder recorder = new Recorder();
        Backplane node = started(fresh("a"), recorder);
        Backplane other = started(fresh("b"), new Recorder());
        ChannelName channel = user();
        subscribe(node, recorder, channel);
        node.stop();
        int links = recorder.links.size();
        assertThat(node.connected()).isFalse();
        Poll.until("nobody receives it", SOON, () -> get(other.publish(channel, event("t"))) == 0);
        assertThat(recorder.messages(channel)).isEmpty();
        assertThat(recorder.links).hasSize(links);
    }

    // ---- helpers

    void subscribe(Backplane node, Recorder recorder, ChannelName channel) {
        int before = recorder.times(recorder.subscribed, channel);
        node.subscribe(channel);
        Poll.until("subscribed to " + channel, SOON, () -> recorder.times(recorder.subscribed, channel) > before);
    }

    static void await(Recorder recorder, ChannelName channel, int count) {
        Poll.until(
                count + " messages of " + channel,
                SOON,
                () -> recorder.messages(channel).size() >= count);
    }

    static <T> T get(CompletionStage<T> stage) {
        return stage.toCompletableFuture().orTimeout(10, TimeUnit.SECONDS).join();
    }

    static Throwable failure(CompletionStage<?> stage) {
        return stage.handle((value, failure) -> failure == null ? new AssertionError("it was done") : failure)
                .toCompletableFuture()
                .orTimeout(10, TimeUnit.SECONDS)
                .join();
    }

    static byte[] event(String type) {
        return EventCodec.write(Event.of(type, null));
    }

    static List<String> types(Recorder recorder, ChannelName channel) {
        return recorder.messages(channel).stream()
                .map(m -> type(m.getBytes(StandardCharsets.UTF_8)))
                .toList();
    }

    static List<String> types(HistoryRead read) {
        return read.events().stream().map(BackplaneContract::type).toList();
    }

    private static String type(byte[] message) {
        try {
            return EventCodec.readStamped(message).type();
        } catch (io.carillon.model.event.InvalidEventException e) {
            throw new AssertionError(e);
        }
    }

    static byte[] bytes(String text) {
        return text.getBytes(StandardCharsets.UTF_8);
    }

    static String text(byte[] bytes) {
        return new String(bytes, StandardCharsets.UTF_8);
    }

    /** Hands everything on. */
    private static class ForwardingListener implements BackplaneListener {
        private final BackplaneListener to;

        ForwardingListener(BackplaneListener to) {
            this.to = to;
        }

        @Override
        public void subscribed(ChannelName channel) {
            to.subscribed(channel);
        }

        @Override
        public void lost(ChannelName channel) {
            to.lost(channel);
        }

        @Override
        public void message(ChannelName channel, byte[] message) {
            to.message(channel, message);
        }

        @Override
        public void control(byte[] message) {
            to.control(message);
        }

        @Override
        public void linked(boolean up) {
            to.linked(up);
        }
    }
}
