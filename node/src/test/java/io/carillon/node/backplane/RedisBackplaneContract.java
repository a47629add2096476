package io.carillon.node.backplane;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.carillon.model.channel.ChannelName;
import io.carillon.model.redis.Keys;
import io.carillon.model.redis.Script;
import io.carillon.node.testing.Poll;
import io.carillon.node.testing.RedisServer;
import java.time.Duration;
import java.time.InstantSource;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

/** The contract on a real Redis, and what only a real one can do to us. */
abstract class RedisBackplaneContract extends BackplaneContract {
    /** Its alone: it is stopped, frozen and started again. */
    abstract RedisServer redis();

    private final List<RedisConnections> connections = new ArrayList<>();

    @Override
    Backplane node(String boot) {
        var made = new RedisConnections(new RedisSettings(
                new Deployment.Standalone(redis().uri()),
                Keys.DEFAULT,
                boot,
                Duration.ofMillis(50),
                50_000,
                null,
                null));
        connections.add(made);
        return new RedisBackplane(made, InstantSource.system());
    }

    @AfterEach
    void closeConnections() {
        connections.forEach(RedisConnections::close);
    }

    @Override
    void breakLinks() {
        redis().commands().clientKill(io.lettuce.core.KillArgs.Builder.typePubsub());
    }

    @Override
    void takeDown() {
        redis().stop();
    }

    @Override
    void restore() {
        redis().start();
    }

    @Test
    void theLossOfCommandConnectionsIsMendedWithoutLosingSubscriptions() {
        Recorder recorder = new Recorder();
        Backplane node = started(fresh("a"), recorder);
        ChannelName channel = user();
        subscribe(node, recorder, channel);
        redis().commands()
                .clientKill(io.lettuce.core.KillArgs.Builder.typeNormal().skipme());
        Poll.until("commands are taken again", SOON, () -> {
            get(node.append(channel, event("t"), "same", KEEP));
            get(node.read(channel, null, 1));
            get(node.publishToNode("x", bytes("{}")));
            return true;
        });
        await(recorder, channel, 1);
        assertThat(recorder.links).containsExactly(true);
        assertThat(recorder.times(recorder.lost, channel)).isZero();
    }

    @Test
    void scriptsThatTheServerForgotAreSentAgainInOrder() {
        Recorder recorder = new Recorder();
        Backplane node = started(fresh("a"), recorder);
        ChannelName channel = user();
        subscribe(node, recorder, channel);
        List<CompletionStage<Backplane.Appended>> appended = new ArrayList<>();
        for (int round = 0; round < 5; round++) {
            redis().commands().scriptFlush();
            for (int i = 0; i < 200; i++) {
                appended.add(node.append(channel, event("t"), round + "-" + i, new Backplane.Retention(2_000, 60)));
                if (i == 100) appended.forEach(BackplaneContract::get);
            }
        }
        for (int i = 0; i < appended.size(); i++) {
            assertThat(get(appended.get(i)).position().offset()).isEqualTo(i + 1);
        }
        assertThat(get(node.read(channel, null, 1)).continuous()).isTrue();
        await(recorder, channel, 1_000);
    }

    @Test
    void aFrozenRedisIsNoticedAndEveryCallFailsInTime() {
        Recorder recorder = new Recorder();
        Backplane node = started(fresh("a"), recorder);
        ChannelName channel = user();
        subscribe(node, recorder, channel);
        redis().freeze();
        try {
            long start = System.nanoTime();
            assertThat(failure(node.append(channel, event("t"), "i", KEEP))).isInstanceOf(BackplaneException.class);
            assertThat(Duration.ofNanos(System.nanoTime() - start)).isLessThan(Duration.ofMillis(2_500));
            Poll.until("the link is seen as down", Duration.ofSeconds(8), () -> !node.connected());
            Poll.until("calls fail at once", Duration.ofSeconds(8), () -> {
                long at = System.nanoTime();
                assertThat(failure(node.publish(channel, event("t")))).isInstanceOf(BackplaneException.class);
                return System.nanoTime() - at < TimeUnit.MILLISECONDS.toNanos(100);
            });
        } finally {
            redis().thaw();
        }
        Poll.until("the link is up again", Duration.ofSeconds(20), node::connected);
        Poll.until("subscribed again", SOON, () -> recorder.times(recorder.subscribed, channel) == 2);
        get(node.append(channel, event("t"), "i", KEEP));
        assertThat(recorder.links).containsExactly(true, false, true);
    }

    @Test
    void anEmptyRestartStartsNewEpochsAndNoOldPositionIsBelieved() {
        Recorder recorder = new Recorder();
        Backplane node = started(fresh("a"), recorder);
        ChannelName channel = user();
        ChannelName unused = user();
        var first = get(node.append(channel, event("t"), "1", KEEP));
        var empty = get(node.read(unused, null, 1)).top();
        redis().stop();
        redis().start();
        Poll.until("the link is up again", Duration.ofSeconds(40), () -> recorder.links.size() == 3);
        assertThat(get(node.read(channel, first.position(), 1)).continuous()).isFalse();
        assertThat(get(node.read(unused, empty, 1)).continuous()).isFalse();
        var second = get(node.append(channel, event("t"), "1", KEEP));
        assertThat(second.position().epoch()).isNotEqualTo(first.position().epoch());
        assertThat(second.position().offset()).isEqualTo(1);
        assertThat(second.duplicate()).isFalse();
    }

    @Test
    void aDeadLetterIsKeptWithItsSourceAndReason() {
        Backplane node = started(fresh("a"), new Recorder());
        String source = fresh("source");
        byte[] message = new byte[20_000];
        java.util.Arrays.fill(message, (byte) 'x');
        node.deadLetter(source, "too bad", message);
        Poll.until(
                "it is kept",
                SOON,
                () -> redis()
                        .commands()
                        .xrevrange(
                                Keys.DEFAULT.deadLetters(),
                                io.lettuce.core.Range.unbounded(),
                                io.lettuce.core.Limit.from(10))
                        .stream()
                        .anyMatch(entry -> source.equals(entry.getBody().get("source"))
                                && "too bad".equals(entry.getBody().get("reason"))
                                && Long.parseLong(entry.getBody().get("time")) > 1_700_000_000_000L
                                && entry.getBody().get("message").length() == 8_192));
    }

    @Test
    void scriptsRunThroughTheScriptRunnerAndTheirErrorsAreTold() {
        var runner = new RedisConnections(RedisSettings.of(redis().uri(), Keys.DEFAULT, fresh("a")));
        connections.add(runner);
        assertThat(failure(runner.run(Script.NODE, "carillon:nodes:lease", List.of("leave", "x"))))
                .isInstanceOf(BackplaneException.class);
        runner.start();
        Poll.until("it is connected", SOON, runner::allOpen);
        String key = "carillon:" + fresh("t") + ":lease";
        List<Object> reply = get(runner.run(Script.NODE, key, List.of("join", "n.0", "10000", "{}", "")));
        assertThat(reply.getFirst()).isEqualTo(1L);
        assertThat(failure(runner.run(Script.NODE, key, List.of("dance", "n.0"))))
                .isInstanceOf(BackplaneException.class)
                .hasMessageContaining("CARILLONOP");
        redis().commands().del(key, key.replace("lease", "info"));
    }

    @Test
    void theClusterIsDescribedAndAStrangerIsNotUsed() {
        started(fresh("a"), new Recorder());
        var config = redis().commands().hgetall(Keys.DEFAULT.config());
        assertThat(config)
                .containsEntry("mode", "standalone")
                .containsEntry("contract", "1")
                .containsEntry("partitions", "1")
                .containsEntry("publish", Script.PUBLISH.sha1(Script.Mode.PLAIN))
                .containsEntry("read", Script.READ.sha1(Script.Mode.PLAIN));
        Keys strange = new Keys("strange");
        redis().commands().hset(strange.config(), "contract", "999");
        var stranger = new RedisConnections(RedisSettings.of(redis().uri(), strange, fresh("a")));
        connections.add(stranger);
        stranger.start();
        Poll.until(
                "the others are open",
                SOON,
                () -> stranger.shards().getFirst().commands().stream()
                                .filter(CommandLink::open)
                                .count()
                        == 3);
        assertThat(stranger.allOpen()).isFalse();
        assertThatThrownBy(() -> stranger.awaitAgreement(SOON))
                .isInstanceOf(Disagreement.class)
                .hasMessageContaining("the version of the contract is 1 for this node and 999 for the cluster")
                .hasMessageContaining("strange:config");
        redis().commands().del(strange.config());
        Poll.until("it is taken once they agree", SOON, stranger::allOpen);
    }

    @Test
    void settingsThatDisagreeAreNamedWithTheirValues() {
        Keys strange = new Keys("partitioned");
        redis().commands().hset(strange.config(), "partitions", "32");
        var stranger = new RedisConnections(RedisSettings.of(redis().uri(), strange, fresh("a")));
        connections.add(stranger);
        stranger.start();
        assertThatThrownBy(() -> stranger.awaitAgreement(SOON))
                .isInstanceOf(Disagreement.class)
                .hasMessageContaining("carillon.presence.partitions is 1 for this node and 32 for the cluster");
        redis().commands().del(strange.config());
    }

    @Test
    void twoClustersShareOneRedisAndNothingCrosses() {
        Recorder here = new Recorder();
        Recorder there = new Recorder();
        String boot = fresh("a");
        Backplane one = started(boot, here);
        var others = new RedisConnections(RedisSettings.of(redis().uri(), new Keys("other"), boot));
        connections.add(others);
        Backplane two = adopt(new RedisBackplane(others, InstantSource.system()), there);
        ChannelName channel = user();
        subscribe(one, here, channel);
        subscribe(two, there, channel);
        assertThat(get(one.append(channel, event("here"), "1", KEEP)).receivers())
                .isEqualTo(1);
        assertThat(get(two.append(channel, event("there"), "1", KEEP)).duplicate())
                .isFalse();
        assertThat(get(two.publishToNode(boot, bytes("{}")))).isEqualTo(1);
        await(here, channel, 1);
        await(there, channel, 1);
        assertThat(types(here, channel)).containsExactly("here");
        assertThat(types(there, channel)).containsExactly("there");
        assertThat(types(get(two.history(channel, 0, 10)))).containsExactly("there");
        Poll.until("the control message comes", SOON, () -> there.control.size() == 1);
        assertThat(here.control).isEmpty();
    }

    @Test
    void aConnectionOfOnesOwnLeadsToThePrimaryWithTheScriptsLoaded() {
        started(fresh("a"), new Recorder());
        CommandLink own = connections.getFirst().own("reader", "carillon:ingress:{x}");
        own.start();
        Poll.until("it is open", SOON, own::open);
        List<Boolean> known = get(own.command(redis -> redis.scriptExists(Script.PUBLISH.sha1(Script.Mode.PLAIN))));
        assertThat(known).containsExactly(true);
        byte[] name = get(own.command(redis -> redis.clientGetname()));
        assertThat(name).asString(java.nio.charset.StandardCharsets.UTF_8).endsWith("-reader");
        var unused = own.stop();
    }

    @Test
    void aSubscriberThatRedisCutsOffForItsFullBufferIsSubscribedAgain() {
        Recorder recorder = new Recorder();
        Backplane node = started(fresh("a"), recorder);
        ChannelName channel = user();
        subscribe(node, recorder, channel);
        redis().commands().configSet("client-output-buffer-limit", "pubsub 200kb 100kb 1");
        try {
            // Larger than what the kernel takes at once: the limit is passed while the reader is busy.
            String large = "{\"type\":\"t\",\"content\":\"" + "x".repeat(16_000_000) + "\"}";
            redis().commands().publish(Keys.DEFAULT.channel(channel), large);
            Poll.until("it is subscribed again", SOON, () -> recorder.times(recorder.subscribed, channel) == 2);
            assertThat(recorder.times(recorder.lost, channel)).isEqualTo(1);
            get(node.append(channel, event("after"), "1", KEEP));
            Poll.until("it flows again", SOON, () -> types(recorder, channel).contains("after"));
        } finally {
            redis().commands().configSet("client-output-buffer-limit", "pubsub 256mb 64mb 60");
        }
    }

    @Test
    void servicesMayPublishByFunctionWhereRedisHasThem() {
        Recorder recorder = new Recorder();
        Backplane node = started(fresh("a"), recorder);
        ChannelName channel = user();
        subscribe(node, recorder, channel);
        if (redis().version().startsWith("6.")) {
            assertThat(node.connected()).isTrue();
            return;
        }
        List<Object> reply = redis().commands()
                .fcall(
                        "carillon_publish",
                        io.lettuce.core.ScriptOutputType.MULTI,
                        new String[] {Keys.DEFAULT.channel(channel)},
                        "{\"type\":\"order_status\",\"content\":{}}",
                        "o-1");
        assertThat(reply).hasSize(4);
        assertThat(reply.get(0)).isEqualTo(1L);
        assertThat(reply.get(2)).isEqualTo(0L);
        assertThat(reply.get(3)).isEqualTo(1L);
        await(recorder, channel, 1);
        assertThat(types(recorder, channel)).containsExactly("order_status");
        for (String[] arguments : new String[][] {
            {"{\"type\":\"a b\"}", "o-2"}, {"{broken", "o-2", "trusted", "1"}, {"{\"type\":\"t\"}", "o 2"}
        }) {
            assertThatThrownBy(() -> redis().commands()
                            .fcall(
                                    "carillon_publish",
                                    io.lettuce.core.ScriptOutputType.MULTI,
                                    new String[] {Keys.DEFAULT.channel(channel)},
                                    arguments))
                    .hasMessageStartingWith("CARILLON");
        }
        assertThat(get(node.read(channel, null, 1)).top().offset()).isEqualTo(1);
    }

    @Test
    void functionsThatTheServerForgotAreLoadedAgain() {
        Backplane node = started(fresh("a"), new Recorder());
        assertThat(node.connected()).isTrue();
        if (redis().version().startsWith("6.")) return;
        assertThat(redis().commands().functionList("carillon")).hasSize(1);
        redis().commands().functionFlush(io.lettuce.core.FlushMode.SYNC);
        Poll.until(
                "the functions are there again",
                Duration.ofSeconds(20),
                () -> redis().commands().functionList("carillon").size() == 1);
    }
}
