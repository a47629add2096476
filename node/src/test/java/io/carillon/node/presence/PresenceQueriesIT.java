package io.carillon.node.presence;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;

import io.carillon.model.channel.Namespace;
import io.carillon.model.redis.Keys;
import io.carillon.node.testing.Poll;
import io.carillon.node.testing.RedisServer;
import io.lettuce.core.RedisURI;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Random;
import java.util.Set;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.springframework.data.redis.connection.lettuce.LettuceConnectionFactory;
import org.springframework.data.redis.core.StringRedisTemplate;

class PresenceQueriesIT {
    private static final Namespace PUSH = Namespace.PUSH;
    private static final Keys KEYS = Keys.DEFAULT;
    private static RedisServer redis;
    private static LettuceConnectionFactory factory;
    private static StringRedisTemplate template;
    private static PresenceQueries queries;

    @BeforeAll
    static void start() {
        redis = RedisServer.running();
        factory = new LettuceConnectionFactory(
                "127.0.0.1", RedisURI.create(redis.url()).getPort());
        factory.afterPropertiesSet();
        factory.start();
        template = new StringRedisTemplate(factory);
        queries = new PresenceQueries(template, KEYS);
    }

    @AfterAll
    static void stop() {
        factory.destroy();
        redis.close();
    }

    @Test
    void answersMatchWhatTheNodesHold() throws Exception {
        var settings = RedisPresenceIT.fast();
        try (var a = new TestNode(redis, KEYS, settings).start();
                var b = new TestNode(redis, KEYS, settings).start()) {
            a.open(PUSH, "1", "u1", "agent 7|x", Set.of("g,1", "g2"))
                    .toCompletableFuture()
                    .get(10, TimeUnit.SECONDS);
            b.open(PUSH, "2", "u1").toCompletableFuture().get(10, TimeUnit.SECONDS);
            b.open(PUSH, "3", "u2", "agent 7|x", Set.of("g2"))
                    .toCompletableFuture()
                    .get(10, TimeUnit.SECONDS);
            b.presence
                    .joined(PUSH, "hall", b.boot + "-3", "u2", false)
                    .toCompletableFuture()
                    .get(10, TimeUnit.SECONDS);
            assertThat(queries.online(PUSH)).isEqualTo(2);
            assertThat(queries.connections(PUSH)).isEqualTo(3);
            assertThat(queries.connections(new Namespace("chat"))).isZero();
            assertThat(queries.isOnline(PUSH, "u1")).isTrue();
            assertThat(queries.isOnline(PUSH, "u3")).isFalse();
            assertThat(queries.onlineOf(PUSH, List.of("u3", "u2", "u1", "u2"))).containsExactlyInAnyOrder("u1", "u2");
            assertThat(queries.onlineOfKind(PUSH, "agent 7|x")).isEqualTo(2);
            assertThat(queries.onlineOfGroup(PUSH, "g2")).isEqualTo(2);
            assertThat(queries.onlineOfGroup(PUSH, "g,1")).isEqualTo(1);
            assertThat(queries.sessions(PUSH, "u1"))
                    .containsExactlyInAnyOrder(
                            new PresenceQueries.UserSession(
                                    a.boot + "-1",
                                    a.presence.node(),
                                    "192.0.2.1",
                                    "push",
                                    1_700_000_000_000L,
                                    "agent 7|x",
                                    Set.of("g,1", "g2")),
                            new PresenceQueries.UserSession(
                                    b.boot + "-2",
                                    b.presence.node(),
                                    "192.0.2.1",
                                    "push",
                                    1_700_000_000_000L,
                                    null,
                                    Set.of()));
            assertThat(queries.sessions(PUSH, "u3")).isEmpty();
            assertThat(queries.roomCount(PUSH, "hall")).isEqualTo(1);
            assertThat(queries.inRoom(PUSH, "hall", "u2")).isTrue();
            assertThat(queries.roomMembers(PUSH, "hall", null, 10).users()).containsExactly("u2");
            Poll.until(
                    "beats carry the counts",
                    Duration.ofSeconds(5),
                    () -> queries.nodes().stream()
                            .anyMatch(node -> node.sessions().getOrDefault("push", 0L) == 2));
            assertThat(queries.nodes())
                    .hasSize(2)
                    .allMatch(node -> node.state().equals("up")
                            && node.port() == 8080
                            && node.rates().get("events") == 1.5);
            Poll.until(
                    "steady",
                    Duration.ofSeconds(5),
                    () -> b.presence.steadyFor().toMillis() > 600);
            a.kill();
            Poll.until(
                    "the dead node is off the list",
                    Duration.ofSeconds(4),
                    () -> queries.nodes().size() == 1);
            b.presence.stop();
            assertThat(queries.nodes()).isEmpty();
        }
    }

    @ParameterizedTest
    @CsvSource({"10,3", "10,1000", "900,7", "5000,1000", "5000,333", "1500,1"})
    void pagesTogetherAreTheWholeSet(int users, int limit) {
        var space = new Namespace("p" + users + "-" + limit);
        var all = new HashSet<String>();
        for (int i = 0; i < users; i++) all.add("user-" + i);
        template.opsForSet().add(KEYS.online(space), all.toArray(String[]::new));
        var hall = new java.util.HashMap<String, String>();
        all.forEach(user -> hall.put(user, "1"));
        template.opsForHash().putAll(KEYS.members(space, "hall"), hall);
        var seen = new ArrayList<String>();
        var members = new ArrayList<String>();
        String cursor = null;
        do {
            var page = queries.onlineUsers(space, cursor, limit);
            assertThat(page.users()).hasSizeLessThanOrEqualTo(limit);
            seen.addAll(page.users());
            cursor = page.cursor();
        } while (cursor != null);
        do {
            var page = queries.roomMembers(space, "hall", cursor, limit);
            assertThat(page.users()).hasSizeLessThanOrEqualTo(limit);
            members.addAll(page.users());
            cursor = page.cursor();
        } while (cursor != null);
        assertThat(seen).containsExactlyInAnyOrderElementsOf(all);
        assertThat(members).containsExactlyInAnyOrderElementsOf(all);
    }

    @ParameterizedTest
    @CsvSource({"800,20", "3000,50", "20000,900"})
    void nobodyWhoStayedIsMissedWhileOthersComeAndGo(int users, int limit) {
        var space = new Namespace("m" + users);
        var random = new Random(users);
        String key = KEYS.online(space);
        var stayed = new HashSet<String>();
        for (int i = 0; i < users; i++) {
            template.opsForSet().add(key, "u" + i);
            if (i % 10 == 0) stayed.add("u" + i);
        }
        var seen = new HashSet<String>();
        String cursor = null;
        int page = 0;
        do {
            var got = queries.onlineUsers(space, cursor, limit);
            assertThat(got.users()).hasSizeLessThanOrEqualTo(limit).doesNotHaveDuplicates();
            seen.addAll(got.users());
            cursor = got.cursor();
            // First it shrinks to a tenth, then it grows past what it was.
            var change = new ArrayList<String>();
            for (int i = 0; i < users / 8; i++) {
                String user = "u" + random.nextInt(users);
                if (page < 12 && !stayed.contains(user)) change.add(user);
                if (page >= 12) change.add("new" + random.nextInt(users * 2));
            }
            if (!change.isEmpty() && page < 12) template.opsForSet().remove(key, change.toArray());
            else if (!change.isEmpty()) template.opsForSet().add(key, change.toArray(String[]::new));
        } while (cursor != null && ++page < 100_000);
        assertThat(seen).containsAll(stayed);
    }

    @Test
    void foreignCursorsAndLimitsAreRefusedWithAReason() {
        for (String cursor : List.of("?", "", "YSA", "cyB4", "YSAq", "AAAA")) {
            assertThatIllegalArgumentException()
                    .as(cursor)
                    .isThrownBy(() -> queries.onlineUsers(PUSH, cursor, 10))
                    .withMessageContaining("cursor");
        }
        for (int limit : new int[] {0, -1, 1001}) {
            assertThatIllegalArgumentException()
                    .isThrownBy(() -> queries.roomMembers(PUSH, "hall", null, limit))
                    .withMessage("limit must be between 1 and 1000");
        }
    }
}
