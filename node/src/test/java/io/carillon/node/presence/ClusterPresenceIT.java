package io.carillon.node.presence;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;

import io.carillon.model.channel.Namespace;
import io.carillon.model.redis.Keys;
import io.carillon.node.backplane.BackplaneListener;
import io.carillon.node.backplane.Deployment;
import io.carillon.node.backplane.RedisBackplane;
import io.carillon.node.backplane.RedisConnections;
import io.carillon.node.backplane.RedisSettings;
import io.carillon.node.presence.Presence.Online;
import io.carillon.node.testing.Poll;
import io.carillon.node.testing.RedisCluster;
import io.lettuce.core.Range;
import io.micrometer.core.instrument.simple.SimpleMeterRegistry;
import java.time.Duration;
import java.time.InstantSource;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.RegisterExtension;
import org.springframework.data.redis.connection.RedisClusterConfiguration;
import org.springframework.data.redis.connection.lettuce.LettuceConnectionFactory;
import org.springframework.data.redis.core.StringRedisTemplate;

/** Presence in parts, over three primaries. */
class ClusterPresenceIT {
    private static final Namespace PUSH = Namespace.PUSH;
    private static final Duration SOON = Duration.ofSeconds(30);
    private static final AtomicInteger BOOTS = new AtomicInteger();

    @RegisterExtension
    static final RedisCluster redis = new RedisCluster();

    /** A node as far as presence goes, with the connections of a real one. */
    private static final class Node implements AutoCloseable {
        final String boot = "%08x".formatted(BOOTS.incrementAndGet() * 0x9E3779B1);
        final RedisConnections connections;
        final RedisBackplane backplane;
        final RedisPresence presence;

        Node(Keys keys, PresenceSettings settings) {
            connections = new RedisConnections(RedisSettings.of(new Deployment.Cluster(redis.seeds()), keys, boot));
            backplane = new RedisBackplane(connections, InstantSource.system());
            presence = new RedisPresence(
                    boot,
                    keys,
                    connections,
                    settings,
                    () -> NodeDescription.of(boot, "127.0.0.1", 8080, "test", "up", 1, Map.of()),
                    new PresenceMetrics(new SimpleMeterRegistry()));
            backplane.start(new Deaf());
            Poll.until("the link is up", SOON, backplane::connected);
            presence.start();
            Poll.until("a lease", SOON, presence::open);
        }

        Set<String> open(String session, String user, String kind, Set<String> groups) throws Exception {
            return presence.opened(new Online(
                            PUSH, boot + '-' + session, user, kind, groups, "192.0.2.1", "push", 1_700_000_000_000L))
                    .toCompletableFuture()
                    .get(10, TimeUnit.SECONDS);
        }

        long join(String room, String session, String user) throws Exception {
            return presence.joined(PUSH, room, boot + '-' + session, user, true)
                    .toCompletableFuture()
                    .get(10, TimeUnit.SECONDS);
        }

        void kill() {
            presence.abandon();
            backplane.stop();
            connections.close();
        }

        @Override
        public void close() {
            kill();
        }
    }

    private static final class Deaf implements BackplaneListener {
        @Override
        public void subscribed(io.carillon.model.channel.ChannelName channel) {}

        @Override
        public void lost(io.carillon.model.channel.ChannelName channel) {}

        @Override
        public void message(io.carillon.model.channel.ChannelName channel, byte[] message) {}

        @Override
        public void control(byte[] message) {}

        @Override
        public void linked(boolean up) {}
    }

    private static long online(Keys keys) {
        long sum = 0;
        for (int part = 0; part < keys.parts(); part++) {
            String key = keys.online(PUSH, part);
            sum += redis.at(key).scard(key);
        }
        return sum;
    }

    @Test
    void usersAreCountedExactlyAndThoseOfAKilledNodeGoWithinSeconds() throws Exception {
        var keys = new Keys("kill", 4);
        var settings = RedisPresenceIT.fast();
        try (var a = new Node(keys, settings);
                var b = new Node(keys, settings);
                var c = new Node(keys, settings)) {
            for (int i = 0; i < 40; i++) {
                a.open("a" + i, "u" + i, "agent", Set.of("g1"));
                b.open("b" + i, "u" + (i + 20), null, Set.of());
            }
            assertThat(a.join("hall", "a1", "u1")).isEqualTo(1);
            assertThat(b.join("hall", "b1", "u21")).isEqualTo(2);
            assertThat(a.join("hall", "a2", "u2")).isEqualTo(3);
            assertThat(online(keys)).isEqualTo(60);
            // Long enough for its neighbours to believe what they see.
            Poll.until("the neighbours are steady", SOON, () -> {
                return b.presence.steadyFor().compareTo(settings.steady()) > 0
                        && c.presence.steadyFor().compareTo(settings.steady()) > 0;
            });
            a.kill();
            Duration gone = Poll.until("its users are offline", Duration.ofSeconds(20), () -> online(keys) == 40);
            System.out.println("users of a killed node offline in Cluster after " + gone.toMillis() + " ms, lease "
                    + settings.lease().toMillis() + " ms");
            String hall = keys.members(PUSH, "hall");
            Poll.until(
                    "and out of the room",
                    SOON,
                    () -> redis.at(hall).hkeys(hall).equals(List.of("u21")));
            int joins = 0;
            int leaves = 0;
            for (int part = 0; part < keys.parts(); part++) {
                String log = keys.presenceLog(PUSH, part);
                for (var entry : redis.at(log).xrange(log, Range.unbounded())) {
                    if (entry.getBody().get("event").equals("join")) joins++;
                    else leaves++;
                }
            }
            assertThat(joins).isEqualTo(60);
            assertThat(leaves).isEqualTo(20);
        }
    }

    @Test
    void queriesAddThePartsUpAndPagesPassThroughAllOfThem() throws Exception {
        var keys = new Keys("pages", 16);
        var factory = new LettuceConnectionFactory(new RedisClusterConfiguration(
                redis.seeds().stream().map(uri -> "127.0.0.1:" + uri.getPort()).toList()));
        factory.afterPropertiesSet();
        factory.start();
        try (var node = new Node(keys, RedisPresenceIT.fast())) {
            var queries = new PresenceQueries(new StringRedisTemplate(factory), keys);
            Set<String> users = new HashSet<>();
            for (int i = 0; i < 75; i++) {
                node.open("s" + i, "u" + i, i % 3 == 0 ? "agent" : null, i % 5 == 0 ? Set.of("g") : Set.of());
                users.add("u" + i);
            }
            assertThat(queries.online(PUSH)).isEqualTo(75);
            assertThat(queries.onlineOfKind(PUSH, "agent")).isEqualTo(25);
            assertThat(queries.onlineOfGroup(PUSH, "g")).isEqualTo(15);
            assertThat(queries.isOnline(PUSH, "u7")).isTrue();
            assertThat(queries.isOnline(PUSH, "nobody")).isFalse();
            assertThat(queries.onlineOf(PUSH, List.of("u1", "nobody", "u2"))).containsExactlyInAnyOrder("u1", "u2");
            assertThat(queries.sessions(PUSH, "u3")).hasSize(1);
            assertThat(queries.nodes()).hasSize(1);
            Poll.until("the totals are written", SOON, () -> queries.connections(PUSH) == 75);
            String stats = keys.stats();
            assertThat(redis.at(stats).hget(stats, "push.online")).isEqualTo("75");
            for (int limit : new int[] {1, 7, 75, 1000}) {
                List<String> seen = new ArrayList<>();
                String cursor = null;
                do {
                    var page = queries.onlineUsers(PUSH, cursor, limit);
                    assertThat(page.users().size()).isLessThanOrEqualTo(limit);
                    seen.addAll(page.users());
                    cursor = page.cursor();
                } while (cursor != null);
                assertThat(seen).hasSize(75).containsExactlyInAnyOrderElementsOf(users);
            }
            for (String cursor : List.of("x", "16.", "99.abc", "1.!", "1")) {
                assertThatIllegalArgumentException().isThrownBy(() -> queries.onlineUsers(PUSH, cursor, 10));
            }
        } finally {
            factory.destroy();
        }
    }
}
