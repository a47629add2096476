package io.carillon.chaos;

import io.carillon.loadgen.Tokens;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicLong;

/**
 * Who is there: the namespaces, their users and channels, who subscribes and what is published. Both namespaces use the
 * same ids on purpose; only a mark in the content tells their events apart.
 *
 * @param clients subscribers over all namespaces
 * @param rate events published a second over all namespaces
 */
record World(Deployment deployment, Moment clock, long seed, int clients, double rate, Tokens tokens, Totals totals) {
    /** One application: its endpoint and the mark in its content. */
    record Tenant(String namespace, String path, String canary) {}

    /** What happened so far; for the progress lines. */
    record Totals(AtomicLong connected, AtomicLong published, AtomicLong delivered, AtomicBoolean over) {
        Totals() {
            this(new AtomicLong(), new AtomicLong(), new AtomicLong(), new AtomicBoolean());
        }
    }

    static final List<Tenant> TENANTS =
            List.of(new Tenant("push", "/api/ws/connect", "amber"), new Tenant("second", "/api/ws/second", "birch"));

    static final int ROOMS = 6;
    static final int TARGETS = 8;

    /** Settings every node needs for this world. */
    static List<String> settings() {
        return List.of(
                "carillon.endpoints.second.path=/api/ws/second",
                "carillon.endpoints.second.dialect=push",
                "carillon.endpoints.second.namespace=second",
                "carillon.endpoints.push.client-broadcast=true",
                "carillon.endpoints.second.client-broadcast=true",
                "carillon.edge.sessions-per-address=0");
    }

    int perTenant() {
        return Math.max(TARGETS, clients / TENANTS.size());
    }

    /** Some users have two sessions. */
    String user(int client) {
        return "u" + client % Math.max(TARGETS, perTenant() * 2 / 3);
    }

    List<String> rooms(int client) {
        return List.of("r" + client % ROOMS);
    }

    /** Every channel that is published on. */
    static List<String> channels() {
        List<String> channels = new ArrayList<>();
        channels.add("broadcast");
        for (int i = 0; i < ROOMS; i++) channels.add("room:r" + i);
        for (int i = 0; i < TARGETS; i++) channels.add("user:u" + i);
        return channels;
    }

    /** The topic of a channel, and the key of its meta. */
    static String topic(Tenant tenant, String channel) {
        int colon = channel.indexOf(':');
        String kind = colon < 0 ? channel : channel.substring(0, colon);
        String id = colon < 0 ? tenant.namespace() : channel.substring(colon + 1);
        return "carillon:" + tenant.namespace() + ':' + kind + ":{" + id + '}';
    }

    /** A channel to publish on; a broadcast reaches everybody, so it is rare. */
    static String channel(Random random) {
        double at = random.nextDouble();
        if (at < 0.12) return "broadcast";
        if (at < 0.56) return "room:r" + random.nextInt(ROOMS);
        return "user:u" + random.nextInt(TARGETS);
    }

    String token(String user) {
        synchronized (tokens) {
            return tokens.of(user, 7200);
        }
    }
}
