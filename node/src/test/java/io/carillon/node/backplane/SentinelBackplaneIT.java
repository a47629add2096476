package io.carillon.node.backplane;

import static org.assertj.core.api.Assertions.assertThat;

import io.carillon.model.channel.ChannelName;
import io.carillon.model.event.EventCodec;
import io.carillon.model.redis.Keys;
import io.carillon.node.testing.Poll;
import io.carillon.node.testing.RedisSentinels;
import io.carillon.node.testing.RedisServer;
import io.lettuce.core.KillArgs;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.time.InstantSource;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.RegisterExtension;

/** The contract on a primary that Sentinels name, and what happens when they name another. */
class SentinelBackplaneIT extends BackplaneContract {
    private static final Duration FAILOVER = Duration.ofSeconds(60);

    @RegisterExtension
    static final RedisSentinels redis = new RedisSentinels();

    private final List<RedisConnections> connections = new ArrayList<>();
    private RedisServer wasPrimary;
    private RedisServer wasReplica;

    @Override
    Backplane node(String boot) {
        var deployment = new Deployment.Sentinel(RedisSentinels.NAME, redis.sentinels(), redis.access());
        var made = new RedisConnections(
                new RedisSettings(deployment, Keys.DEFAULT, boot, Duration.ofMillis(50), 50_000, null, null));
        connections.add(made);
        return new RedisBackplane(made, InstantSource.system());
    }

    @AfterEach
    void closeConnections() {
        connections.forEach(RedisConnections::close);
    }

    @Override
    void breakLinks() {
        redis.primary().commands().clientKill(KillArgs.Builder.typePubsub());
    }

    @Override
    void takeDown() {
        wasPrimary = redis.primary();
        wasReplica = redis.replica();
        wasReplica.stop();
        wasPrimary.stop();
    }

    @Override
    void restore() {
        wasPrimary.start();
        wasReplica.start();
    }

    @Test
    void aKilledPrimaryIsReplacedAndNothingAcknowledgedIsLostInSilence() {
        redis.awaitReplica();
        RedisServer dead = redis.primary();
        failedOver(dead::stop, () -> dead.start());
    }

    @Test
    void aFrozenPrimaryThatReturnsIsLeft() {
        redis.awaitReplica();
        RedisServer frozen = redis.primary();
        failedOver(frozen::freeze, () -> {
            frozen.thaw();
            // It believes itself primary until the Sentinels tell it otherwise.
            Poll.until(
                    "it is a replica",
                    FAILOVER,
                    () -> frozen.commands().info("replication").contains("role:slave"));
        });
    }

    @Test
    void aPlannedFailoverLosesNothing() {
        redis.awaitReplica();
        Recorder recorder = new Recorder();
        Backplane node = started(fresh("a"), recorder);
        ChannelName channel = user();
        subscribe(node, recorder, channel);
        RedisServer before = redis.primary();
        Map<String, Backplane.Appended> acknowledged = new LinkedHashMap<>();
        appendSome(node, channel, acknowledged, 100);
        redis.sentinel().failover(RedisSentinels.NAME);
        Poll.until("another is primary", FAILOVER, () -> redis.primary() != before);
        appendUntilTaken(node, channel, acknowledged, 100);
        assertThat(history(node, channel)).containsAll(acknowledged.keySet());
        Poll.until("it is subscribed there", FAILOVER, () -> {
            String last = fresh("last");
            return get(node.append(channel, event(last), last, KEEP)).receivers() == 1;
        });
    }

    /** Appends before and after; while the primary is away every call fails, and what was acknowledged is accounted for. */
    private void failedOver(Runnable fault, Runnable repair) {
        Recorder recorder = new Recorder();
        Backplane node = started(fresh("a"), recorder);
        ChannelName channel = user();
        subscribe(node, recorder, channel);
        RedisServer before = redis.primary();
        Map<String, Backplane.Appended> early = new LinkedHashMap<>();
        appendSome(node, channel, early, 50);
        var position = early.values().stream().toList().getLast().position();
        fault.run();
        Map<String, Backplane.Appended> late = new LinkedHashMap<>();
        try {
            Poll.until("another is primary", FAILOVER, () -> redis.primary() != before);
            appendUntilTaken(node, channel, late, 50);
            var read = get(node.readHeld(channel, position, 100));
            // Either the whole history goes on, or the lost tail is told.
            if (read.continuous()) assertThat(history(node, channel)).containsAll(early.keySet());
            assertThat(history(node, channel)).containsAll(late.keySet());
            assertThat(late.values().iterator().next().position().epoch()).isNotEqualTo(position.epoch());
        } finally {
            repair.run();
        }
        appendUntilTaken(node, channel, late, 20);
        assertThat(history(node, channel)).containsAll(late.keySet());
        Poll.until("it is subscribed at the new primary", FAILOVER, () -> {
            String last = fresh("last");
            return get(node.append(channel, event(last), last, KEEP)).receivers() == 1;
        });
        assertThat(recorder.times(recorder.lost, channel)).isPositive();
        assertThat(recorder.trouble.get()).isNull();
    }

    private void appendSome(Backplane node, ChannelName channel, Map<String, Backplane.Appended> into, int count) {
        for (int i = 0; i < count; i++) {
            String id = fresh("e");
            into.put(id, get(node.append(channel, event("t"), id, new Backplane.Retention(1_000, 600))));
        }
    }

    /** As a publisher does: the same event with the same id until it is taken. */
    private void appendUntilTaken(
            Backplane node, ChannelName channel, Map<String, Backplane.Appended> into, int count) {
        for (int i = 0; i < count; i++) {
            String id = fresh("e");
            into.put(
                    id,
                    Poll.until(
                            "it is taken",
                            FAILOVER,
                            () -> get(node.append(channel, event("t"), id, new Backplane.Retention(1_000, 600))),
                            done -> true));
        }
    }

    private static List<String> history(Backplane node, ChannelName channel) {
        List<String> ids = new ArrayList<>();
        for (byte[] event : get(node.history(channel, 0, 1_000)).events()) {
            try {
                ids.add(EventCodec.readStamped(event).id());
            } catch (io.carillon.model.event.InvalidEventException e) {
                throw new AssertionError(new String(event, StandardCharsets.UTF_8), e);
            }
        }
        return ids;
    }
}
