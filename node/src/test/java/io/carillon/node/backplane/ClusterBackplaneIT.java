package io.carillon.node.backplane;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.carillon.model.channel.ChannelName;
import io.carillon.model.redis.Keys;
import io.carillon.model.redis.Script;
import io.carillon.model.redis.Slots;
import io.carillon.node.backplane.Backplane.Retention;
import io.carillon.node.testing.Poll;
import io.carillon.node.testing.RedisCluster;
import io.carillon.node.testing.RedisServer;
import io.lettuce.core.KillArgs;
import java.time.Duration;
import java.time.InstantSource;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletionStage;
import java.util.stream.IntStream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.RegisterExtension;

/** The contract on a real Redis Cluster, slots that move and a primary that dies. */
class ClusterBackplaneIT extends BackplaneContract {
    private static final Keys KEYS = new Keys("carillon", 8);
    private static final Retention MANY = new Retention(10_000, 600);

    @RegisterExtension
    static final RedisCluster redis = new RedisCluster();

    private final List<RedisConnections> connections = new ArrayList<>();

    @Override
    Backplane node(String boot) {
        var made = new RedisConnections(new RedisSettings(
                new Deployment.Cluster(redis.seeds()), KEYS, boot, Duration.ofMillis(50), 50_000, null, null));
        connections.add(made);
        return new RedisBackplane(made, InstantSource.system());
    }

    @AfterEach
    void closeConnections() {
        connections.forEach(RedisConnections::close);
    }

    @Override
    void breakLinks() {
        for (RedisServer server : redis.servers()) server.commands().clientKill(KillArgs.Builder.typePubsub());
    }

    @Override
    void takeDown() {
        redis.servers().forEach(RedisServer::stop);
    }

    @Override
    void restore() {
        redis.servers().forEach(RedisServer::start);
        redis.awaitWhole();
    }

    /** The primaries are lost one after the other: the link may come and go more than once meanwhile. */
    @Override
    void brokeAndCameBack(Recorder recorder) {
        assertThat(recorder.links).startsWith(true, false).endsWith(true);
        for (int i = 0; i < recorder.links.size(); i++) {
            assertThat(recorder.links.get(i)).isEqualTo(i % 2 == 0);
        }
    }

    /** A user whose channel lies on this server now. */
    private ChannelName userOn(int server) {
        while (true) {
            ChannelName user = user();
            if (redis.ownerOf(KEYS.channel(user)) == server) return user;
        }
    }

    @Test
    void slotsAreCountedAsRedisCountsThem() {
        for (String key : List.of("", "a", "{", "{}", "{}x", "x{y}z", "x{y}{z}", "{{y}}", "carillon:push:user:{ü}")) {
            assertThat((long) Slots.of(key)).isEqualTo(redis.commands(0).clusterKeyslot(key));
        }
    }

    @Test
    void aSlotThatMovesUnderLoadLosesNoEvent() {
        Recorder recorder = new Recorder();
        Backplane node = started(fresh("a"), recorder);
        Backplane publisher = started(fresh("b"), new Recorder());
        ChannelName channel = userOn(1);
        subscribe(node, recorder, channel);
        var appended = new ArrayList<CompletionStage<Backplane.Appended>>();
        appendMany(publisher, channel, 100, appended);
        // There is something to move.
        get(appended.getFirst());
        redis.move(KEYS.channel(channel), 2, () -> appendMany(publisher, channel, 100, appended));
        appendMany(publisher, channel, 100, appended);
        for (var one : appended) get(one);
        Poll.until("it is told as lost and subscribed at the new owner", SOON, () -> {
            return recorder.times(recorder.lost, channel) == 1 && recorder.times(recorder.subscribed, channel) == 2;
        });
        var history = get(publisher.history(channel, 0, 1_000));
        assertThat(history.events()).hasSize(300);
        assertThat(get(publisher.append(channel, event("after"), "after", MANY)).receivers())
                .isEqualTo(1);
        assertThat(get(publisher.publish(channel, event("plain")))).isEqualTo(1);
        Poll.until("both arrive", SOON, () -> types(recorder, channel).containsAll(List.of("after", "plain")));
        assertThat(recorder.links).containsExactly(true);
        redis.move(KEYS.channel(channel), 1, () -> {});
        Poll.until("it is subscribed where it was", SOON, () -> recorder.times(recorder.subscribed, channel) == 3);
        assertThat(get(publisher.publish(channel, event("plain")))).isEqualTo(1);
    }

    private static void appendMany(
            Backplane node, ChannelName channel, int count, List<CompletionStage<Backplane.Appended>> into) {
        for (int i = 0; i < count; i++) into.add(node.append(channel, event("t"), fresh("e"), MANY));
    }

    @Test
    void theDeathOfAPrimaryIsTheTroubleOfItsChannelsAlone() {
        redis.awaitWhole();
        Recorder recorder = new Recorder();
        Backplane node = started(fresh("a"), recorder);
        int dying = redis.commands(0).info("replication").contains("role:master") ? 0 : 3;
        ChannelName hit = userOn(dying);
        ChannelName safe = userOn(1);
        subscribe(node, recorder, hit);
        subscribe(node, recorder, safe);
        Poll.until("all three deliver", SOON, () -> connections.getLast().allOpen());
        var first = get(node.append(hit, event("t"), "1", KEEP));
        redis.servers().get(dying).stop();
        try {
            Poll.until("the loss is told", SOON, () -> recorder.times(recorder.lost, hit) == 1);
            assertThat(node.connected()).isTrue();
            assertThat(get(node.append(safe, event("t"), "1", KEEP)).receivers())
                    .isEqualTo(1);
            Poll.until(
                    "the replica took over",
                    Duration.ofSeconds(60),
                    () -> recorder.times(recorder.subscribed, hit) == 2);
            var second = get(node.append(hit, event("t"), "2", KEEP));
            assertThat(second.receivers()).isEqualTo(1);
            assertThat(second.position().offset()).isEqualTo(2);
            assertThat(second.position().epoch()).isNotEqualTo(first.position().epoch());
            assertThat(recorder.times(recorder.lost, safe)).isZero();
            assertThat(recorder.links).containsExactly(true);
        } finally {
            redis.servers().get(dying).start();
            redis.awaitWhole();
        }
    }

    @Test
    void everyPrimaryKnowsTheFunctionAndTheConfigurationTellsTheMode() {
        Backplane node = started(fresh("a"), new Recorder());
        Poll.until("all are open", SOON, () -> connections.getLast().allOpen());
        for (int i = 0; i < redis.servers().size(); i++) {
            if (!redis.commands(i).info("replication").contains("role:master")) continue;
            ChannelName user = userOn(i);
            String key = KEYS.channel(user);
            List<Object> reply = redis.at(key)
                    .fcall(
                            "carillon_publish",
                            io.lettuce.core.ScriptOutputType.MULTI,
                            new String[] {key, key + ":history", key + ":ids"},
                            "{\"type\":\"t\"}",
                            "o-1");
            assertThat(reply.getFirst()).isEqualTo(1L);
            assertThat(get(node.read(user, null, 1)).top().offset()).isEqualTo(1);
        }
        assertThat(redis.at(KEYS.config()).hgetall(KEYS.config()))
                .containsEntry("mode", "cluster")
                .containsEntry("partitions", "8")
                .containsEntry("publish", Script.PUBLISH.sha1(Script.Mode.SHARDED));
    }

    @Test
    void partsLieInTheSlotsOfTheirUsers() {
        for (int partitions : new int[] {1, 8, 64, 1024}) {
            var keys = new Keys("c", partitions);
            for (String user : IntStream.range(0, 200).mapToObj(i -> "u" + i).toList()) {
                int channel = Slots.of(keys.channel(ChannelName.user(space, user)));
                int presence = Slots.of(keys.userSessions(space, user));
                assertThat(presence * (long) partitions / Slots.COUNT)
                        .isEqualTo(channel * (long) partitions / Slots.COUNT);
                assertThat(Slots.of(keys.onlineOf(space, user))).isEqualTo(presence);
                assertThat(Slots.of(keys.grantedRooms(space, user))).isEqualTo(presence);
            }
        }
    }

    @Test
    void aClusterWithoutShardedPubSubIsRefused() {
        // 6.2 counts its bus port from the port; so this one is a cluster that nobody else will ever join.
        try (var old = RedisServer.bundled().with("--cluster-enabled", "yes").open()) {
            old.commands().clusterAddSlots(IntStream.range(0, Slots.COUNT).toArray());
            var refused = new RedisConnections(
                    RedisSettings.of(new Deployment.Cluster(List.of(old.uri())), KEYS, fresh("a")));
            connections.add(refused);
            refused.start();
            assertThatThrownBy(() -> refused.awaitAgreement(SOON))
                    .isInstanceOf(Disagreement.class)
                    .hasMessageContaining("needs Redis 7.0 or later")
                    .hasMessageContaining("6.2");
        }
        var wrong = new RedisConnections(RedisSettings.of(redis.seeds().getFirst(), Keys.DEFAULT, fresh("a")));
        connections.add(wrong);
        wrong.start();
        assertThatThrownBy(() -> wrong.awaitAgreement(SOON))
                .isInstanceOf(Disagreement.class)
                .hasMessageContaining("spring.data.redis.cluster.nodes");
    }
}
