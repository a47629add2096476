package io.carillon.node.presence;

import static org.assertj.core.api.Assertions.assertThat;

import io.carillon.model.channel.Namespace;
import io.carillon.model.redis.Keys;
import io.carillon.node.testing.Poll;
import io.carillon.node.testing.RedisServer;
import io.lettuce.core.KillArgs;
import io.lettuce.core.Range;
import io.lettuce.core.RedisClient;
import io.lettuce.core.RedisURI;
import io.lettuce.core.api.sync.RedisCommands;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.Set;
import java.util.TreeMap;
import java.util.TreeSet;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/**
 * Four nodes, random sessions and rooms, and between them kills, freezes past the lease, cut links, lost data. However it
 * went, Redis must end up with exactly what the nodes hold.
 */
class PresenceSimulationIT {
    private static final Namespace PUSH = Namespace.PUSH;
    private static final int ROUNDS = 60;

    /** What a node was told, the truth Redis must come to. */
    private static final class Truth {
        final TestNode node;
        final Map<String, String> users = new HashMap<>();
        final Map<String, Set<String>> rooms = new HashMap<>();
        int thawIn;
        /** Its name when Redis last lost its data. */
        String lost = "";

        Truth(TestNode node) {
            this.node = node;
        }
    }

    private final List<Truth> truths = new ArrayList<>();
    private int sessions;

    @ParameterizedTest
    @ValueSource(longs = {20261120, 42, 7})
    void redisEndsUpWithExactlyWhatTheNodesHold(long seed) {
        System.out.println("presence simulation, seed " + seed);
        var random = new Random(seed);
        var keys = new Keys("sim");
        try (var redis = RedisServer.running()) {
            var client = RedisClient.create(RedisURI.create(redis.url()));
            var all = new ArrayList<TestNode>();
            try (var connection = client.connect()) {
                var cli = connection.sync();
                for (int i = 0; i < 4; i++) all.add(start(redis, keys));
                for (int round = 0; round < ROUNDS; round++) {
                    for (int step = 0; step < 30; step++) step(random);
                    switch (random.nextInt(12)) {
                        case 0 -> {
                            Truth victim = truths.remove(random.nextInt(truths.size()));
                            noticed(victim);
                            victim.node.kill();
                            all.add(start(redis, keys));
                        }
                        case 1, 2 -> freeze(random, 15 + random.nextInt(10));
                        case 3 -> freeze(random, 1);
                        case 4 -> cli.clientKill(KillArgs.Builder.typeNormal().skipme());
                        case 5 -> cli.clientKill(KillArgs.Builder.typePubsub());
                        case 6 -> {
                            if (random.nextInt(3) == 0) {
                                truths.forEach(truth -> truth.lost = truth.node.presence.node());
                                cli.flushall();
                            }
                        }
                        case 7 -> cli.scriptFlush();
                        default -> {}
                    }
                    pass(random.nextInt(120));
                    for (Truth truth : truths) {
                        if (truth.thawIn > 0 && --truth.thawIn == 0) truth.node.scripts.thaw();
                    }
                }
                truths.forEach(truth -> truth.node.scripts.thaw());
                var online = new TreeSet<String>();
                var rooms = new TreeMap<String, Map<String, Integer>>();
                for (Truth truth : truths) {
                    online.addAll(truth.users.values());
                    truth.rooms.forEach((room, in) -> in.stream()
                            .map(truth.users::get)
                            .distinct()
                            .forEach(user -> rooms.computeIfAbsent(room, r -> new TreeMap<>())
                                    .merge(user, 1, Integer::sum)));
                }
                Poll.until(
                        () -> "seed " + seed + ": " + difference(cli, keys, online, rooms),
                        Duration.ofSeconds(15),
                        () -> difference(cli, keys, online, rooms).isEmpty()
                                && cli.exists(keys.prefix() + ":nodes:reap") == 0);
                assertThat(cli.scard(keys.online(PUSH))).isEqualTo(online.size());
                assertThat(byLog(cli, keys)).isEqualTo(online);
            } finally {
                all.forEach(TestNode::close);
                client.shutdown(Duration.ZERO, Duration.ZERO);
            }
        }
    }

    /**
     * A room entered in the very moment in which Redis loses its data is known to its node alone, until the node's next
     * beat; killed before that, it leaves a member behind (ADR 6). So it is killed after it.
     */
    private static void noticed(Truth victim) {
        if (victim.thawIn > 0) return;
        Poll.until(
                "the loss to be noticed",
                Duration.ofSeconds(10),
                () -> !victim.node.presence.node().equals(victim.lost));
    }

    private TestNode start(RedisServer redis, Keys keys) {
        var node = new TestNode(redis, keys, RedisPresenceIT.fast());
        truths.add(new Truth(node));
        return node.start();
    }

    private void freeze(Random random, int rounds) {
        Truth victim = truths.get(random.nextInt(truths.size()));
        if (victim.thawIn > 0) return;
        victim.thawIn = rounds;
        victim.node.scripts.freeze();
    }

    private void pass(int millis) {
        long until = System.nanoTime() + millis * 1_000_000L;
        Poll.until("time passes", Duration.ofSeconds(5), () -> System.nanoTime() >= until);
    }

    private void step(Random random) {
        Truth truth = truths.get(random.nextInt(truths.size()));
        int dice = random.nextInt(10);
        if (dice < 4 || truth.users.isEmpty()) {
            String session = "s" + ++sessions;
            String user = "u" + random.nextInt(60);
            truth.users.put(session, user);
            var unused = truth.node.open(PUSH, session, user, "k" + random.nextInt(2), Set.of());
            return;
        }
        var open = new ArrayList<>(new TreeSet<>(truth.users.keySet()));
        String session = open.get(random.nextInt(open.size()));
        String user = truth.users.get(session);
        String room = "r" + random.nextInt(4);
        String full = truth.node.boot + '-' + session;
        if (dice < 7) {
            truth.node.close(session);
            truth.users.remove(session);
            truth.rooms.values().forEach(in -> in.remove(session));
        } else if (dice < 9) {
            truth.rooms.computeIfAbsent(room, r -> new HashSet<>()).add(session);
            var unused = truth.node.presence.joined(PUSH, room, full, user, true);
        } else if (truth.rooms.computeIfAbsent(room, r -> new HashSet<>()).remove(session)) {
            truth.node.presence.left(PUSH, room, full, user, true);
        }
    }

    private String difference(
            RedisCommands<String, String> cli, Keys keys, Set<String> online, Map<String, Map<String, Integer>> rooms) {
        var out = new StringBuilder();
        var there = new TreeSet<>(cli.smembers(keys.online(PUSH)));
        if (!there.equals(online))
            out.append("online ").append(there).append(" not ").append(online);
        long held = truths.stream()
                .mapToLong(truth -> cli.scard(keys.nodeSessions(PUSH, 0, truth.node.presence.node())))
                .sum();
        long open = truths.stream().mapToLong(truth -> truth.users.size()).sum();
        if (held != open) out.append(" sessions ").append(held).append(" not ").append(open);
        long written = 0;
        for (String user : online) written += cli.hlen(keys.userSessions(PUSH, user));
        if (written != open)
            out.append(" sessions of users ").append(written).append(" not ").append(open);
        for (int i = 0; i < 4; i++) {
            var in = new TreeMap<String, Integer>();
            cli.hgetall(keys.members(PUSH, "r" + i)).forEach((user, count) -> in.put(user, Integer.parseInt(count)));
            var right = rooms.getOrDefault("r" + i, Map.of());
            if (!in.equals(right))
                out.append(" r")
                        .append(i)
                        .append(' ')
                        .append(in)
                        .append(" not ")
                        .append(right);
        }
        return out.toString();
    }

    private Set<String> byLog(RedisCommands<String, String> cli, Keys keys) {
        var online = new TreeSet<String>();
        for (var entry : cli.xrange(keys.presenceLog(PUSH, 0), Range.unbounded())) {
            String user = entry.getBody().get("user");
            if (entry.getBody().get("event").equals("join")) {
                assertThat(online.add(user)).as("second join of %s", user).isTrue();
            } else {
                assertThat(online.remove(user))
                        .as("leave of %s, who was away", user)
                        .isTrue();
            }
        }
        return online;
    }
}
