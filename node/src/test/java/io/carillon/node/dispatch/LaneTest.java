package io.carillon.node.dispatch;

import static org.assertj.core.api.Assertions.assertThat;

import io.carillon.model.channel.ChannelName;
import io.carillon.model.channel.Namespace;
import io.carillon.model.channel.Position;
import io.carillon.node.dialect.Dialect;
import io.carillon.node.dialect.push.PushDialect;
import io.carillon.node.identity.Principal;
import io.carillon.node.session.CloseCode;
import io.carillon.node.session.Endpoint;
import io.carillon.node.session.EndpointSettings;
import io.carillon.node.session.OutboxSettings;
import io.carillon.node.session.OverLimit;
import io.carillon.node.session.Session;
import io.carillon.node.session.StalledSocket;
import io.micrometer.core.instrument.simple.SimpleMeterRegistry;
import io.netty.buffer.ByteBuf;
import io.netty.buffer.Unpooled;
import io.netty.channel.DefaultEventLoop;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.CountDownLatch;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

class LaneTest {
    private static final ChannelName CHANNEL = ChannelName.broadcast(Namespace.PUSH);
    private static final ChannelName OTHER = ChannelName.room(Namespace.PUSH, "r");
    private static final Position START = new Position("e", 0);
    private static final Endpoint ENDPOINT = new Endpoint(
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
            Set.of(),
            Map.of(),
            EndpointSettings.History.DEFAULT,
            Duration.ofSeconds(60),
            Duration.ofSeconds(25),
            false);

    private final DefaultEventLoop loop = new DefaultEventLoop();
    private final Dialect dialect = new PushDialect();
    private final SimpleMeterRegistry registry = new SimpleMeterRegistry();
    private final Lane lane = new Lane(0, loop, 1000, new DispatchMetrics(registry));
    private final List<StalledSocket> sockets = new ArrayList<>();

    @AfterEach
    void stop() {
        loop.shutdownGracefully(0, 1, java.util.concurrent.TimeUnit.SECONDS).syncUninterruptibly();
    }

    private Session session(String id, String user, long highWater, ChannelName... channels) {
        var socket = new StalledSocket(loop, highWater);
        sockets.add(socket);
        var session = new Session(
                id,
                ENDPOINT,
                new Principal(user, null, null, Set.of(), Long.MAX_VALUE, Map.of()),
                socket,
                new OutboxSettings(1000, 10, Duration.ofSeconds(10)),
                0);
        session.open();
        session.outbox().release();
        onLoop(() -> {
            for (ChannelName channel : channels) lane.add(channel, dialect, session, START);
        });
        return session;
    }

    /** Runs on the loop and waits, as for everything that was scheduled before. */
    private void onLoop(Runnable task) {
        loop.submit(task).syncUninterruptibly();
        loop.submit(() -> {}).syncUninterruptibly();
    }

    private static ByteBuf frame(String text) {
        return Unpooled.copiedBuffer(text, StandardCharsets.UTF_8);
    }

    private void deliver(ChannelName channel, String text, String only, String exclude, String notUser) {
        lane.deliver(new Delivery(channel, dialect, frame(text), null, only, exclude, notUser, null));
    }

    private List<String> written(int socket) {
        return sockets.get(socket).written().stream()
                .map(bytes -> new String(bytes, StandardCharsets.UTF_8))
                .toList();
    }

    @Test
    void whatCameInDuringASweepLeavesAsOneWriteForEachSession() throws InterruptedException {
        session("a", "u1", 1000, CHANNEL);
        session("b", "u2", 1000, CHANNEL);
        var go = new CountDownLatch(1);
        loop.execute(() -> await(go));
        for (int i = 0; i < 5; i++) deliver(CHANNEL, "<" + i + ">", null, null, null);
        go.countDown();
        onLoop(() -> {});
        assertThat(written(0)).containsExactly("<0><1><2><3><4>");
        assertThat(written(1)).containsExactly("<0><1><2><3><4>");
        assertThat(sockets.getFirst().flushes()).isEqualTo(1);
        assertThat(registry.counter("carillon.deliveries").count()).isEqualTo(10);
    }

    private static void await(CountDownLatch latch) {
        try {
            latch.await();
        } catch (InterruptedException e) {
            throw new IllegalStateException(e);
        }
    }

    @Test
    void anEventForOneSessionKeepsItsPlaceAmongTheOthers() {
        session("a", "u1", 1000, CHANNEL);
        session("b", "u1", 1000, CHANNEL);
        session("c", "u2", 1000, CHANNEL);
        var go = new CountDownLatch(1);
        loop.execute(() -> await(go));
        deliver(CHANNEL, "1", null, null, null);
        deliver(CHANNEL, "2", "a", null, null);
        deliver(CHANNEL, "3", null, "a", null);
        deliver(CHANNEL, "4", null, null, "u1");
        deliver(CHANNEL, "5", null, null, null);
        go.countDown();
        onLoop(() -> {});
        assertThat(String.join("", written(0))).isEqualTo("125");
        assertThat(String.join("", written(1))).isEqualTo("135");
        assertThat(String.join("", written(2))).isEqualTo("1345");
    }

    @Test
    void aSlowClientIsClosedAndTheOthersStillReceive() {
        session("slow", "u1", 10, CHANNEL);
        session("quick", "u2", Long.MAX_VALUE, CHANNEL);
        for (int i = 0; i < 30; i++) {
            deliver(CHANNEL, "0123456789", null, null, null);
            onLoop(() -> {});
        }
        assertThat(sockets.get(0).closes()).isNotEmpty().containsOnly(CloseCode.TOO_SLOW);
        assertThat(String.join("", written(1))).hasSize(300);
    }

    @Test
    void aSessionThatLeftGetsNothing() {
        Session gone = session("a", "u1", 1000, CHANNEL, OTHER);
        session("b", "u2", 1000, CHANNEL, OTHER);
        onLoop(() -> assertThat(lane.remove(OTHER, dialect, gone)).isTrue());
        deliver(OTHER, "x", null, null, null);
        deliver(CHANNEL, "y", null, null, null);
        onLoop(() -> {});
        assertThat(written(0)).containsExactly("y");
        assertThat(String.join("", written(1))).contains("x", "y");
        onLoop(() -> assertThat(lane.remove(OTHER, dialect, gone)).isFalse());
    }

    @Test
    void whoComesToAChannelGetsNothingFromBefore() {
        session("a", "u1", 1000, CHANNEL);
        Session late = session("b", "u2", 1000);
        var go = new CountDownLatch(1);
        loop.execute(() -> await(go));
        deliver(CHANNEL, "1", null, null, null);
        lane.run(() -> lane.add(CHANNEL, dialect, late, START));
        deliver(CHANNEL, "2", null, null, null);
        go.countDown();
        onLoop(() -> {});
        assertThat(String.join("", written(0))).isEqualTo("12");
        assertThat(String.join("", written(1))).isEqualTo("2");
    }

    @Test
    void whatComesWhileOlderEventsAreSentWaitsBehindThem() {
        Session resuming = session("a", "u1", 1000, CHANNEL);
        session("b", "u2", 1000, CHANNEL);
        onLoop(() -> assertThat(lane.hold(lane.find(CHANNEL, dialect), resuming, new Hold(10, 1000)))
                .isTrue());
        onLoop(() -> assertThat(lane.hold(lane.find(CHANNEL, dialect), resuming, new Hold(10, 1000)))
                .isFalse());
        deliver(CHANNEL, "4", null, null, null);
        deliver(CHANNEL, "5", null, "a", null);
        deliver(CHANNEL, "6", null, null, null);
        onLoop(() -> {});
        assertThat(String.join("", written(0))).isEmpty();
        assertThat(String.join("", written(1))).isEqualTo("456");
        onLoop(() -> {
            lane.send(resuming, frame("3"), 1);
            lane.release(lane.find(CHANNEL, dialect), resuming, new Position("e", 3));
        });
        deliver(CHANNEL, "7", null, null, null);
        onLoop(() -> {});
        assertThat(String.join("", written(0))).isEqualTo("3467");
    }

    @Test
    void whatCameInTheSweepThatEndsAHoldComesOnce() {
        Session resuming = session("a", "u1", 1000, CHANNEL);
        session("b", "u2", 1000, CHANNEL);
        onLoop(() -> lane.hold(lane.find(CHANNEL, dialect), resuming, new Hold(10, 1000)));
        var go = new CountDownLatch(1);
        loop.execute(() -> await(go));
        deliver(CHANNEL, "4", null, null, null);
        lane.run(() -> lane.release(lane.find(CHANNEL, dialect), resuming, new Position("e", 3)));
        deliver(CHANNEL, "5", null, null, null);
        go.countDown();
        onLoop(() -> {});
        onLoop(() -> {});
        assertThat(String.join("", written(0))).isEqualTo("45");
        assertThat(String.join("", written(1))).isEqualTo("45");
    }

    @Test
    void whoLeavesWhileHeldLeavesNothingBehind() {
        Session resuming = session("a", "u1", 1000, CHANNEL);
        onLoop(() -> lane.hold(lane.find(CHANNEL, dialect), resuming, new Hold(10, 1000)));
        ByteBuf frame = frame("x");
        lane.deliver(new Delivery(CHANNEL, dialect, frame, null, null, null, null, null));
        onLoop(() -> {});
        assertThat(frame.refCnt()).isEqualTo(1);
        onLoop(() -> assertThat(lane.remove(CHANNEL, dialect, resuming)).isTrue());
        assertThat(frame.refCnt()).isZero();
        onLoop(() -> assertThat(lane.find(CHANNEL, dialect)).isNull());
    }

    @Test
    void framesForNobodyAreReleased() {
        ByteBuf frame = frame("x");
        lane.deliver(new Delivery(OTHER, dialect, frame, null, null, null, null, null));
        onLoop(() -> {});
        assertThat(frame.refCnt()).isZero();
        assertThat(lane.full(true)).isFalse();
    }

    @Test
    void theLaneSaysWhenItIsFull() {
        var go = new CountDownLatch(1);
        loop.execute(() -> await(go));
        for (int i = 0; i < 51; i++) deliver(CHANNEL, "0123456789", null, null, null);
        assertThat(lane.full(false)).as("events that are not kept go first").isTrue();
        assertThat(lane.full(true)).isFalse();
        for (int i = 0; i < 50; i++) deliver(CHANNEL, "0123456789", null, null, null);
        assertThat(lane.full(true)).isTrue();
        go.countDown();
        onLoop(() -> {});
        assertThat(lane.full(true)).isFalse();
    }

    @Test
    void aFailingTaskDoesNotStopTheLane() {
        session("a", "u1", 1000, CHANNEL);
        lane.run(() -> {
            throw new IllegalStateException("on purpose");
        });
        deliver(CHANNEL, "x", null, null, null);
        onLoop(() -> {});
        assertThat(written(0)).containsExactly("x");
    }
}
