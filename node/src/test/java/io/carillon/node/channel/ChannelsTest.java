package io.carillon.node.channel;

import static org.assertj.core.api.Assertions.assertThat;

import io.carillon.model.channel.ChannelName;
import io.carillon.model.channel.Namespace;
import io.carillon.model.channel.Position;
import io.carillon.model.event.Event;
import io.carillon.node.backplane.Backplane;
import io.carillon.node.backplane.BackplaneException;
import io.carillon.node.backplane.BackplaneListener;
import io.micrometer.core.instrument.simple.SimpleMeterRegistry;
import io.netty.channel.DefaultEventLoop;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.time.InstantSource;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

class ChannelsTest {
    private static final ChannelName CHANNEL = ChannelName.room(Namespace.PUSH, "r");

    private final DefaultEventLoop loop = new DefaultEventLoop();
    private final Scripted backplane = new Scripted();
    private final Recorder recorder = new Recorder();
    private final SimpleMeterRegistry registry = new SimpleMeterRegistry();
    private final Channels channels = new Channels(
            backplane,
            List.of(loop),
            new ChannelSettings(Duration.ZERO, Duration.ofMillis(1), 10, 100, 1_000_000),
            new ChannelMetrics(registry),
            InstantSource.system());
    private final List<Position> attached = new ArrayList<>();

    @BeforeEach
    void start() {
        channels.start(recorder);
    }

    @AfterEach
    void stop() {
        loop.shutdownGracefully(0, 1, TimeUnit.SECONDS).syncUninterruptibly();
    }

    /** Waits until everything handed to the loop so far is done, and what that handed on. */
    private void settle() {
        for (int i = 0; i < 3; i++) loop.submit(() -> {}).syncUninterruptibly();
    }

    private void attach() {
        channels.attach(CHANNEL, 0, attached::add);
        settle();
    }

    /** Attached at offset {@code top} of epoch e. */
    private void live(long top) {
        attach();
        channels.subscribed(CHANNEL);
        settle();
        backplane.answer(true, new Position("e", top));
        settle();
        assertThat(attached).containsExactly(new Position("e", top));
    }

    private static byte[] durable(String epoch, long offset) {
        return ("{\"channel\":\"room:r\",\"offset\":" + offset + ",\"epoch\":\"" + epoch
                        + "\",\"timestamp\":1,\"id\":\"i" + offset + "\",\"type\":\"t" + offset + "\"}")
                .getBytes(StandardCharsets.UTF_8);
    }

    private void arrives(byte[] message) {
        channels.message(CHANNEL, message);
        settle();
    }

    @Test
    void anAttachmentIsCalledOnceTheChannelFlowsAndItsPositionIsKnown() {
        attach();
        assertThat(backplane.subscribed).containsExactly(CHANNEL);
        assertThat(attached).isEmpty();
        channels.subscribed(CHANNEL);
        settle();
        assertThat(attached).isEmpty();
        backplane.answer(true, new Position("e", 7));
        settle();
        assertThat(attached).containsExactly(new Position("e", 7));
    }

    @Test
    void whatCameWhileThePositionWasReadFollowsIt() {
        attach();
        channels.subscribed(CHANNEL);
        settle();
        arrives(durable("e", 7));
        arrives(durable("e", 8));
        backplane.answer(true, new Position("e", 7));
        settle();
        assertThat(recorder.types).containsExactly("t8");
    }

    @Test
    void eventsInOrderPassAndRepeatedOnesDoNot() {
        live(1);
        arrives(durable("e", 2));
        arrives(durable("e", 3));
        arrives(durable("e", 2));
        arrives(durable("e", 3));
        arrives(durable("e", 4));
        assertThat(recorder.types).containsExactly("t2", "t3", "t4");
        assertThat(backplane.reads).isEmpty();
    }

    @Test
    void aPrimaryThatWasGivenUpMayHaveTakenMoreThanWasSeen() {
        live(1);
        channels.lost(CHANNEL);
        channels.subscribed(CHANNEL);
        settle();
        int held = backplane.held;
        backplane.answer(true, new Position("e", 1));
        settle();
        channels.abandoned(CHANNEL);
        channels.subscribed(CHANNEL);
        settle();
        assertThat(backplane.held).isEqualTo(held);
        backplane.answer(false, new Position("f", 1));
        settle();
        assertThat(recorder.resyncs).containsExactly(new Position("f", 1));
        // Seen to: from here on positions are held as before.
        channels.lost(CHANNEL);
        channels.subscribed(CHANNEL);
        settle();
        assertThat(backplane.held).isEqualTo(held + 1);
        backplane.answer(true, new Position("f", 1));
    }

    @Test
    void theFirstEventOfAnUnusedChannelFollowsItsEmptyPosition() {
        attach();
        channels.subscribed(CHANNEL);
        settle();
        backplane.answer(true, new Position("~abc~1", 0));
        settle();
        arrives(durable("fresh", 1));
        arrives(durable("fresh", 2));
        assertThat(recorder.types).containsExactly("t1", "t2");
    }

    @Test
    void anUnusedChannelIsHeldUnderTheNameOfThePrimaryItWasSeenEmptyAtLast() {
        attach();
        channels.subscribed(CHANNEL);
        settle();
        backplane.answer(true, new Position("~abc~1", 0));
        settle();
        channels.lost(CHANNEL);
        channels.subscribed(CHANNEL);
        settle();
        backplane.answer(true, new Position("~def~9", 0));
        settle();
        channels.abandoned(CHANNEL);
        channels.subscribed(CHANNEL);
        settle();
        assertThat(backplane.after).isEqualTo(new Position("~def~9", 0));
        backplane.answer(true, new Position("~def~9", 0));
        settle();
        assertThat(recorder.resyncs).isEmpty();
        arrives(durable("fresh", 1));
        assertThat(recorder.types).containsExactly("t1");
    }

    @Test
    void aGapIsFilledFromTheHistoryBeforeTheNextEvent() {
        live(1);
        arrives(durable("e", 4));
        assertThat(recorder.types).isEmpty();
        backplane.answer(true, new Position("e", 4), durable("e", 2), durable("e", 3), durable("e", 4));
        settle();
        arrives(durable("e", 5));
        assertThat(recorder.types).containsExactly("t2", "t3", "t4", "t5");
        assertThat(registry.counter("carillon.channel.gaps").count()).isEqualTo(1);
    }

    @Test
    void aLongGapIsFilledPageByPage() {
        live(1);
        arrives(durable("e", 6));
        backplane.more(new Position("e", 6), durable("e", 2), durable("e", 3));
        settle();
        backplane.answer(true, new Position("e", 6), durable("e", 4), durable("e", 5), durable("e", 6));
        settle();
        assertThat(recorder.types).containsExactly("t2", "t3", "t4", "t5", "t6");
    }

    @Test
    void anUnprovablePositionIsAnnouncedAndTheChannelGoesOn() {
        live(5);
        channels.linked(false);
        settle();
        channels.subscribed(CHANNEL);
        settle();
        backplane.answer(false, new Position("f", 2));
        settle();
        arrives(durable("f", 3));
        assertThat(recorder.resyncs).containsExactly(new Position("f", 2));
        assertThat(recorder.types).containsExactly("t3");
    }

    @Test
    void whatWasMissedWhileTheLinkWasDownIsRead() {
        live(1);
        channels.linked(false);
        settle();
        arrives(durable("e", 9));
        channels.subscribed(CHANNEL);
        settle();
        backplane.answer(true, new Position("e", 3), durable("e", 2), durable("e", 3));
        settle();
        assertThat(recorder.types).startsWith("t2", "t3");
        assertThat(recorder.links).containsExactly(false);
    }

    @Test
    void aNewEpochOverTheSameDataIsNoGap() {
        live(2);
        channels.linked(false);
        settle();
        channels.subscribed(CHANNEL);
        settle();
        backplane.answer(true, new Position("f", 2));
        settle();
        arrives(durable("f", 3));
        assertThat(recorder.types).containsExactly("t3");
        assertThat(recorder.resyncs).isEmpty();
    }

    @Test
    void aFailedReadIsRepeated() {
        attach();
        channels.subscribed(CHANNEL);
        settle();
        backplane.fail();
        backplane.awaitRead();
        backplane.answer(true, new Position("e", 1));
        settle();
        assertThat(attached).containsExactly(new Position("e", 1));
    }

    @Test
    void anEventTheListenerCannotTakeComesAgainFromTheHistory() {
        live(1);
        recorder.full = true;
        arrives(durable("e", 2));
        recorder.full = false;
        backplane.awaitRead();
        backplane.answer(true, new Position("e", 2), durable("e", 2));
        settle();
        arrives(durable("e", 3));
        assertThat(recorder.types).containsExactly("t2", "t3");
    }

    @Test
    void ephemeralEventsPassAsTheyCome() {
        live(1);
        arrives("{\"type\":\"typing\"}".getBytes(StandardCharsets.UTF_8));
        assertThat(recorder.types).containsExactly("typing");
    }

    @Test
    void whatIsNoEventIsCountedPutAsideAndHarmless() {
        live(1);
        arrives("nonsense".getBytes(StandardCharsets.UTF_8));
        arrives(durable("e", 2));
        assertThat(recorder.types).containsExactly("t2");
        assertThat(backplane.deadLetters).isEqualTo(1);
        assertThat(registry.counter("carillon.backplane.invalid", "code", "bad_json")
                        .count())
                .isEqualTo(1);
    }

    @Test
    void aBrokenEventKeepsItsPlaceInTheHistory() {
        live(1);
        arrives(new String(durable("e", 2), StandardCharsets.UTF_8)
                .replace("\"type\":\"t2\"", "\"type\":17")
                .getBytes(StandardCharsets.UTF_8));
        arrives(durable("e", 3));
        assertThat(recorder.types).containsExactly("t3");
        assertThat(backplane.deadLetters).isEqualTo(1);
        assertThat(backplane.reads).isEmpty();
    }

    @Test
    void aPlaceThatTheHistoryDoesNotHaveIsNotBelieved() {
        live(1);
        arrives(durable("forged", 999));
        arrives(durable("e", 2));
        backplane.answer(true, new Position("e", 2), durable("e", 2));
        backplane.awaitRead();
        backplane.answer(true, new Position("e", 2));
        settle();
        arrives(durable("e", 3));
        assertThat(recorder.types).containsExactly("t2", "t3");
        assertThat(recorder.resyncs).isEmpty();
        assertThat(backplane.reads).isEmpty();
        assertThat(backplane.deadLetters).isEqualTo(1);
    }

    @Test
    void aGuessedPlaceIsFoundOutByTheEventThatHasIt() {
        live(1);
        arrives(new String(durable("e", 2), StandardCharsets.UTF_8)
                .replace("\"id\":\"i2\"", "\"id\":\"guess\"")
                .getBytes(StandardCharsets.UTF_8));
        assertThat(recorder.resyncs).isEmpty();
        arrives(durable("e", 2));
        assertThat(recorder.resyncs).containsExactly(new Position("e", 2));
        assertThat(backplane.deadLetters).isEqualTo(1);
        // What comes twice by itself is no contradiction.
        arrives(durable("e", 3));
        arrives(durable("e", 3));
        assertThat(recorder.types).containsExactly("t2", "t3");
        assertThat(recorder.resyncs).hasSize(1);
    }

    @Test
    void anEventThatOvertookTheReadIsFoundByTheNext() {
        live(1);
        arrives(durable("e", 3));
        arrives(durable("e", 5));
        // Answered between the third event and the fourth.
        backplane.answer(true, new Position("e", 3), durable("e", 2), durable("e", 3));
        backplane.awaitRead();
        backplane.answer(true, new Position("e", 5), durable("e", 4), durable("e", 5));
        settle();
        assertThat(recorder.types).containsExactly("t2", "t3", "t4", "t5");
        assertThat(recorder.resyncs).isEmpty();
        assertThat(backplane.deadLetters).isZero();
    }

    @Test
    void theLastSessionEndsTheSubscription() {
        live(1);
        channels.attach(CHANNEL, 0, attached::add);
        settle();
        channels.detach(CHANNEL, 0);
        settle();
        assertThat(backplane.unsubscribed).isEmpty();
        channels.detach(CHANNEL, 0);
        settle();
        assertThat(backplane.unsubscribed).containsExactly(CHANNEL);
        assertThat(channels.count()).isZero();
    }

    /** A listener that notes what it got. */
    private static final class Recorder implements ChannelListener {
        private final List<String> types = new ArrayList<>();
        private final List<Position> resyncs = new ArrayList<>();
        private final List<Boolean> links = new ArrayList<>();
        private volatile boolean full;

        @Override
        public boolean event(Channel channel, Event event) {
            if (full) return false;
            types.add(event.type());
            return true;
        }

        @Override
        public void resync(Channel channel, Position position) {
            resyncs.add(position);
        }

        @Override
        public void linked(boolean up) {
            links.add(up);
        }

        @Override
        public void control(byte[] message) {}
    }

    /** A backplane whose answers the test writes. */
    private static final class Scripted implements Backplane {
        private final List<ChannelName> subscribed = new ArrayList<>();
        private final List<ChannelName> unsubscribed = new ArrayList<>();
        private final Deque<CompletableFuture<HistoryRead>> reads = new ArrayDeque<>();
        private int deadLetters;

        private synchronized CompletableFuture<HistoryRead> next() {
            return reads.removeFirst();
        }

        void answer(boolean continuous, Position top, byte[]... events) {
            next().complete(new HistoryRead(continuous, top, List.of(events), false));
        }

        void more(Position top, byte[]... events) {
            next().complete(new HistoryRead(true, top, List.of(events), true));
        }

        void fail() {
            next().completeExceptionally(new BackplaneException("on purpose"));
        }

        synchronized void awaitRead() {
            while (reads.isEmpty()) {
                try {
                    wait(5_000);
                } catch (InterruptedException e) {
                    throw new IllegalStateException(e);
                }
            }
        }

        /** Reads that accept a position from before a change of primary. */
        int held;

        /** The position the newest read asked for. */
        Position after;

        @Override
        public CompletionStage<HistoryRead> readHeld(ChannelName channel, Position after, int limit) {
            held++;
            return read(channel, after, limit);
        }

        @Override
        public synchronized CompletionStage<HistoryRead> read(ChannelName channel, Position after, int limit) {
            var read = new CompletableFuture<HistoryRead>();
            this.after = after;
            reads.add(read);
            notifyAll();
            return read;
        }

        @Override
        public CompletionStage<HistoryRead> history(ChannelName channel, long after, int limit) {
            throw new UnsupportedOperationException("channels do not ask for it");
        }

        @Override
        public void start(BackplaneListener listener) {}

        @Override
        public void stop() {}

        @Override
        public void subscribe(ChannelName channel) {
            subscribed.add(channel);
        }

        @Override
        public void unsubscribe(ChannelName channel) {
            unsubscribed.add(channel);
        }

        @Override
        public CompletionStage<Appended> append(ChannelName c, byte[] event, String id, Retention retention) {
            throw new UnsupportedOperationException("channels do not publish");
        }

        @Override
        public CompletionStage<Long> publish(ChannelName channel, byte[] event) {
            throw new UnsupportedOperationException("channels do not publish");
        }

        @Override
        public CompletionStage<Long> publishToNode(String boot, byte[] message) {
            throw new UnsupportedOperationException("channels do not publish");
        }

        @Override
        public void deadLetter(String source, String reason, byte[] message) {
            deadLetters++;
        }

        @Override
        public boolean connected() {
            return true;
        }
    }
}
