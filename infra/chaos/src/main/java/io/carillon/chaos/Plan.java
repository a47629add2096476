package io.carillon.chaos;

import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Locale;
import java.util.Random;

/**
 * The schedule of a run: what breaks when, and for how long. A pure function of seed, minutes and profile.
 *
 * @param seconds length of the run, quiet end included
 * @param steps the faults, in their order
 */
record Plan(Profile profile, long seed, double seconds, List<Step> steps) {
    /** How Redis is run. */
    enum Profile {
        STANDALONE,
        SENTINEL,
        CLUSTER;

        static Profile named(String name) {
            try {
                return valueOf(name.toUpperCase(Locale.ROOT));
            } catch (IllegalArgumentException e) {
                throw new IllegalArgumentException("--profile is standalone, sentinel or cluster, not " + name, e);
            }
        }
    }

    /** What may break. */
    enum Fault {
        NODE_KILL("a node is killed (SIGKILL) and started again", 2, 4, 16, false),
        NODE_FREEZE("a node stands still for less than its lease (SIGSTOP)", 3, 5, 0, false),
        NODE_FREEZE_LONG("a node stands still for longer than its lease (SIGSTOP)", 15, 16, 2, false),
        NODE_DRAIN("a node is stopped (SIGTERM), drains, and is started again", 0, 1, 24, false),
        ROLLING_RESTART("every node in turn drains and starts again", 0, 1, 75, false),
        PUBSUB_KILL("Redis drops every subscriber (CLIENT KILL TYPE pubsub)", 0, 0, 2, false),
        NORMAL_KILL("Redis drops every other connection (CLIENT KILL TYPE normal)", 0, 0, 2, false),
        BUFFER_OVERRUN("a frozen node's subscription overruns its output buffer in Redis", 3, 5, 2, false),
        REDIS_KILL("Redis is killed and started with what its log has", 2, 8, 3, true),
        REDIS_EMPTY("Redis is killed and started empty", 2, 6, 3, true),
        REDIS_FREEZE("Redis stands still (SIGSTOP)", 5, 10, 2, false),
        REDIS_FLUSH("Redis loses all data (FLUSHALL)", 0, 0, 2, true),
        SCRIPT_FLUSH("Redis forgets every script (SCRIPT FLUSH)", 0, 0, 1, false),
        FUNCTION_FLUSH("Redis forgets every function (FUNCTION FLUSH)", 0, 0, 15, false),
        PARTITION_STALL("nothing gets through between a node and Redis, connections stay", 5, 14, 3, false),
        PARTITION_RESET("a node's connections to Redis are reset, and new ones too", 3, 6, 3, false),
        NGINX_RELOAD("nginx reloads its configuration", 0, 0, 1, false),
        POISON("junk is published: no JSON, wrong JSON, too large, forged offsets", 0, 0, 1, false),
        SLOW_READERS("some clients stop reading", 12, 14, 1, false),
        PRIMARY_KILL("the primary is killed, a replica takes over, it comes back as a replica", 8, 10, 4, true),
        PRIMARY_FREEZE("the primary stands still, a replica takes over, it returns", 10, 12, 4, true),
        FAILOVER("a failover is asked for", 4, 5, 2, true);

        private final String sentence;
        private final int shortest;
        private final int longest;
        private final int healing;
        private final boolean loses;

        Fault(String sentence, int shortest, int longest, int healing, boolean loses) {
            this.sentence = sentence;
            this.shortest = shortest;
            this.longest = longest;
            this.healing = healing;
            this.loses = loses;
        }

        String sentence() {
            return sentence;
        }

        String word() {
            return name().toLowerCase(Locale.ROOT);
        }

        /** Whether acknowledged events may be gone, which then has to be declared. */
        boolean loses() {
            return loses;
        }

        private boolean in(Profile profile, double minutes) {
            return switch (this) {
                case ROLLING_RESTART -> minutes >= 6;
                case REDIS_KILL, REDIS_EMPTY, REDIS_FREEZE, PARTITION_STALL, PARTITION_RESET, BUFFER_OVERRUN ->
                    profile == Profile.STANDALONE;
                case PRIMARY_KILL, PRIMARY_FREEZE, FAILOVER -> profile != Profile.STANDALONE;
                // Cluster knows no FLUSHALL over all shards.
                case REDIS_FLUSH -> profile == Profile.STANDALONE;
                default -> true;
            };
        }
    }

    /**
     * One fault.
     *
     * @param at when it strikes, seconds
     * @param node which node, where one is meant, from 0
     * @param hold how long it is kept up, seconds
     */
    record Step(double at, Fault fault, int node, double hold) {}

    static Plan of(long seed, double minutes, Profile profile, int nodes, List<Fault> only) {
        var random = new Random(seed * 31 + profile.ordinal());
        double seconds = minutes * 60;
        boolean brief = minutes < 5;
        double quiet = brief ? 20 : Math.min(60, Math.max(30, seconds * 0.08));
        double between = brief ? 11 : 18;
        List<Fault> kinds = new ArrayList<>();
        for (Fault fault : Fault.values()) {
            if (only.isEmpty() ? fault.in(profile, minutes) : only.contains(fault)) kinds.add(fault);
        }
        List<Step> steps = new ArrayList<>();
        List<Fault> round = new ArrayList<>();
        double at = brief ? 8 : 15;
        for (int misses = 0; misses < kinds.size(); ) {
            // Every kind once before any comes again.
            if (round.isEmpty()) {
                round.addAll(kinds);
                Collections.shuffle(round, random);
            }
            Fault fault = round.removeLast();
            int node = random.nextInt(nodes);
            double hold = fault.shortest + random.nextInt(fault.longest - fault.shortest + 1);
            double done = at + hold + fault.healing;
            double next = done + between + random.nextInt(brief ? 2 : 6);
            if (done > seconds - quiet) {
                misses++;
                continue;
            }
            misses = 0;
            steps.add(new Step(at, fault, node, hold));
            at = next;
        }
        return new Plan(profile, seed, seconds, List.copyOf(steps));
    }

    /** As a table for people. */
    String table() {
        var text = new StringBuilder(String.format(
                Locale.ROOT,
                "seed %d, %.1f minutes, %s: %d faults%n",
                seed,
                seconds / 60,
                profile.name().toLowerCase(Locale.ROOT),
                steps.size()));
        for (Step step : steps) {
            text.append(String.format(
                    Locale.ROOT,
                    "%7.1f s  %-17s node %d  %4.0f s  %s%n",
                    step.at(),
                    step.fault().word(),
                    step.node() + 1,
                    step.hold(),
                    step.fault().sentence()));
        }
        return text.toString();
    }
}
