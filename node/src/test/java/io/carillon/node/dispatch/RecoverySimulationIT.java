package io.carillon.node.dispatch;

import static org.assertj.core.api.Assertions.assertThat;

import io.carillon.model.channel.ChannelName;
import io.carillon.model.channel.Namespace;
import io.carillon.model.channel.Position;
import io.carillon.model.redis.Boot;
import io.carillon.model.redis.Keys;
import io.carillon.model.redis.Script;
import io.carillon.node.backplane.Backplane.HistoryRead;
import io.carillon.node.backplane.Deployment;
import io.carillon.node.backplane.RedisBackplane;
import io.carillon.node.backplane.RedisConnections;
import io.carillon.node.backplane.RedisSettings;
import io.carillon.node.dispatch.Recovery.Page;
import io.carillon.node.testing.Poll;
import io.carillon.node.testing.RedisServer;
import io.lettuce.core.ScriptOutputType;
import io.lettuce.core.api.sync.RedisCommands;
import java.time.Duration;
import java.time.InstantSource;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.concurrent.atomic.AtomicLong;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.RegisterExtension;

/**
 * Publishes, trims, expiries, changes of primary with and without a lost tail, and nodes that come and go, in a seeded
 * order, against the real scripts; after each step clients come back with positions they once had. A position must be
 * recovered exactly when its epoch is the present one and every event behind it is still there, and then with exactly
 * these events.
 */
class RecoverySimulationIT {
    private static final int STEPS = 400;
    private static final int KEPT = 12;

    @RegisterExtension
    static final RedisServer redis = RedisServer.own();

    private static RedisConnections connections;
    private static RedisBackplane backplane;
    private static RedisCommands<String, String> cli;

    @BeforeAll
    static void start() {
        connections = new RedisConnections(RedisSettings.of(
                new Deployment.Standalone(redis.uri()),
                Keys.DEFAULT,
                Boot.random().id()));
        connections.start();
        backplane = new RedisBackplane(connections, InstantSource.system());
        cli = redis.commands();
        Poll.until("commands are taken", Duration.ofSeconds(10), () -> {
            backplane
                    .read(ChannelName.broadcast(Namespace.PUSH), null, 1)
                    .toCompletableFuture()
                    .get();
            return true;
        });
    }

    @AfterAll
    static void stop() {
        if (connections != null) connections.close();
    }

    /** What the channel should be. */
    private static final class Model {
        private final List<String> kept = new ArrayList<>();
        private String epoch = "";
        private long top;
        private boolean used;

        /** Every event there ever was. */
        private final Map<Position, String> all = new HashMap<>();

        /** What was published between the two, if they are of one epoch. */
        private List<String> truth(Position from, Position live) {
            var types = new ArrayList<String>();
            for (long offset = from.offset() + 1; offset <= live.offset(); offset++) {
                types.add(all.get(new Position(live.epoch(), offset)));
            }
            return types;
        }
    }

    @Test
    void aPositionIsRecoveredExactlyWhenItsEventsAreThere() {
        long seed = Long.getLong("carillon.seed", System.nanoTime());
        try {
            run(new Random(seed), ChannelName.room(Namespace.PUSH, "sim-" + seed));
            run(new Random(seed), ChannelName.user(Namespace.PUSH, "sim-" + seed));
        } catch (AssertionError e) {
            throw new AssertionError("-Dcarillon.seed=" + seed, e);
        }
    }

    private static void run(Random random, ChannelName channel) {
        String key = Keys.DEFAULT.channel(channel);
        var clock = new AtomicLong();
        var model = new Model();
        var had = new ArrayList<Position>();
        Recovery node = node(clock);
        int recovered = 0;
        int lost = 0;
        for (int step = 0; step < STEPS; step++) {
            switch (random.nextInt(20)) {
                case 0 -> { // the history's time has passed
                    clock.addAndGet(Duration.ofMinutes(6).toNanos());
                    node.expire();
                    cli.del(key + ":history", key + ":ids");
                    model.kept.clear();
                }
                case 1 -> { // another primary, with everything
                    takeOver(key, false);
                    model.epoch = "";
                }
                case 2 -> { // another primary, which lacks the newest events
                    if (model.used && !model.kept.isEmpty()) {
                        takeOver(key, true);
                        model.kept.removeLast();
                        model.top--;
                        model.epoch = "";
                    }
                }
                case 3 -> { // nobody used the channel for days, and positions of an unused one are too old
                    if (random.nextInt(5) == 0) {
                        had.removeIf(position -> position.epoch().startsWith("~"));
                        node = node(clock);
                        cli.del(key, key + ":history", key + ":ids");
                        model.kept.clear();
                        model.used = false;
                        model.top = 0;
                        model.epoch = "";
                    }
                }
                case 4 -> node = node(clock); // another node, that knows nothing yet
                case 5 -> { // a quiet time, after which a node has forgotten what it read
                    clock.addAndGet(Duration.ofMinutes(1).toNanos());
                    node.expire();
                }
                default -> publish(key, model, "s" + step);
            }
            // Somebody connects: the node reads where the channel stands.
            Position live = top(channel);
            if (!model.epoch.isEmpty() && model.used) {
                assertThat(live).isEqualTo(new Position(model.epoch, model.top));
            }
            if (model.used) model.epoch = live.epoch();
            assertThat(live.offset()).isEqualTo(model.top);
            had.add(live);
            // And somebody comes back: most were away for a moment, some for long.
            int recent = random.nextBoolean() ? Math.min(had.size(), KEPT) : had.size();
            Position from = had.get(had.size() - 1 - random.nextInt(recent));
            List<String> got = resume(node, channel, from, live);
            List<String> due = due(model, from, live);
            // What Redis has trimmed a node may still have: then it is what truly was.
            boolean more = due == null && got != null;
            assertThat(got)
                    .as("step %s: from %s to %s", step, from, live)
                    .isEqualTo(more ? model.truth(from, live) : due);
            if (got == null) lost++;
            else recovered++;
        }
        // Both happened, often.
        assertThat(recovered).isGreaterThan(STEPS / 20);
        assertThat(lost).isGreaterThan(STEPS / 20);
    }

    private static Recovery node(AtomicLong clock) {
        return new Recovery(backplane, 1 << 20, Duration.ofSeconds(5).toNanos(), clock::get);
    }

    private static void publish(String key, Model model, String type) {
        List<Object> reply = cli.eval(
                Script.PUBLISH.source(Script.Mode.PLAIN),
                ScriptOutputType.MULTI,
                new String[] {key},
                "{\"type\":\"" + type + "\"}",
                type,
                "max",
                Integer.toString(KEPT));
        model.used = true;
        model.top = (Long) reply.getFirst();
        model.epoch = (String) reply.get(1);
        model.all.put(new Position(model.epoch, model.top), type);
        model.kept.add(type);
        if (model.kept.size() > KEPT) model.kept.removeFirst();
    }

    /** Another primary has the channel, with its newest event or without it. */
    private static void takeOver(String key, boolean lostTail) {
        String meta = cli.get(key);
        if (meta != null && lostTail) {
            String[] parts = meta.split(" ");
            parts[1] = Long.toString(Long.parseLong(parts[1]) - 1);
            cli.rpop(key + ":history");
            cli.zremrangebyrank(key + ":ids", -1, -1);
            cli.setex(key, 172_800, String.join(" ", parts));
        }
        // A replica that is promoted gives itself a new id, by which the scripts know; port 1 has nothing to copy from.
        cli.replicaof("127.0.0.1", 1);
        cli.replicaofNoOne();
    }

    /** The name of the primary in the epochs of channels not used yet. */
    private static String primary() {
        String id = cli.info("replication")
                .lines()
                .filter(line -> line.startsWith("master_replid:"))
                .findFirst()
                .orElseThrow();
        return id.substring(id.indexOf(':') + 1).substring(0, 10);
    }

    private static Position top(ChannelName channel) {
        HistoryRead read =
                backplane.read(channel, null, 1).toCompletableFuture().join();
        return read.top();
    }

    /** What Redis can prove and should be sent, by type; null when it cannot be recovered. */
    private static List<String> due(Model model, Position from, Position live) {
        if (from.epoch().equals(live.epoch())) {
            if (from.offset() > live.offset()) return null;
            long missed = live.offset() - from.offset();
            if (missed > model.kept.size()) return null;
            return List.copyOf(model.kept.subList((int) (model.kept.size() - missed), model.kept.size()));
        }
        // A position from before the channel's first event is good for all of it, while the primary is the one that
        // gave it.
        boolean root = from.epoch().startsWith("~" + primary() + "~") && from.offset() == 0;
        return root && model.kept.size() == model.top ? List.copyOf(model.kept) : null;
    }

    /** As a session does it; null when it is not recovered. */
    private static List<String> resume(Recovery node, ChannelName channel, Position from, Position live) {
        if (from.equals(live)) return List.of();
        var types = new ArrayList<String>();
        Position reached = from;
        for (int page = 0; page < 100; page++) {
            Page answer =
                    node.since(channel, reached, live).toCompletableFuture().join();
            if (!answer.proven()) return null;
            boolean moved = false;
            for (Missed item : answer.items()) {
                if (item.position().offset() <= reached.offset()
                        || item.position().offset() > live.offset()) continue;
                if (item.event() != null) types.add(item.event().type());
                reached = item.position();
                moved = true;
            }
            if (live.offset() == 0
                    || reached.offset() >= live.offset() && reached.epoch().equals(live.epoch())) return types;
            if (!moved) return null;
        }
        throw new AssertionError("the history does not end");
    }
}
