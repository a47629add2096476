package io.carillon.node.app;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.carillon.model.channel.ChannelName;
import io.carillon.model.channel.Namespace;
import io.carillon.model.event.Payload;
import io.carillon.model.redis.Boot;
import io.carillon.model.redis.Keys;
import io.carillon.node.app.LineGroups.Outcome;
import io.carillon.node.backplane.RedisConnections;
import io.carillon.node.backplane.RedisSettings;
import io.carillon.node.dispatch.DispatchSettings;
import io.carillon.node.session.EndpointSettings;
import io.carillon.node.testing.RedisServer;
import io.lettuce.core.api.sync.RedisCommands;
import io.micrometer.core.instrument.simple.SimpleMeterRegistry;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.time.Instant;
import java.time.InstantSource;
import java.time.ZoneId;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicLong;
import java.util.stream.IntStream;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.RegisterExtension;
import org.springframework.util.unit.DataSize;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;

/** The numbers of groups on a real Redis, with a clock of the test's own. */
class LineGroupsIT {
    @RegisterExtension
    static final RedisServer redis = RedisServer.own();

    private static final Namespace LINE = new Namespace("line");
    private static final AtomicLong GROUPS = new AtomicLong();
    private static final JsonMapper JSON = JsonMapper.shared();

    private static RedisConnections connections;
    private static RedisCommands<String, String> cli;

    private final long group = GROUPS.incrementAndGet();
    private final ChannelName room = LineGroups.room(LINE, group);
    private final String stem = "carillon:line:group:{group-" + group + "}:";
    private final Hand clock = new Hand();
    private final LineGroups groups = groups(1000, 1000, 1000, DataSize.ofMegabytes(8));

    /** A clock that is set by hand. */
    private static final class Hand implements InstantSource {
        volatile Instant now = Instant.parse("2026-01-31T04:00:00Z"); // noon in Shanghai

        @Override
        public Instant instant() {
            return now;
        }
    }

    @BeforeAll
    static void connect() {
        connections = new RedisConnections(
                RedisSettings.of(redis.uri(), Keys.DEFAULT, Boot.random().id()));
        connections.start();
        connections.awaitAgreement(Duration.ofSeconds(10));
        cli = redis.commands();
    }

    @AfterAll
    static void disconnect() {
        connections.close();
    }

    private LineGroups groups(int accounts, int incoming, int customers, DataSize answers) {
        return groups(accounts, incoming, customers, answers, clock);
    }

    private static LineGroups groups(int accounts, int incoming, int customers, DataSize answers, InstantSource clock) {
        return new LineGroups(
                connections,
                Keys.DEFAULT,
                new LineSettings(
                        ZoneId.of("Asia/Shanghai"), 10, accounts, incoming, customers, answers, Duration.ofDays(365)),
                new DispatchSettings(1, 0, 1, 1, 256, 1024, 2048, Duration.ofSeconds(300)),
                new EndpointSettings(Map.of()),
                clock,
                new SimpleMeterRegistry());
    }

    private CompletableFuture<Outcome> send(LineGroups to, String type, String id, String data) throws Exception {
        return to.handle(room, type, "CODE-1", id, LineReports.arguments(type, Payload.ofJson(data)))
                .toCompletableFuture();
    }

    private CompletableFuture<Outcome> incoming(LineGroups to, String id, String account, String incoming)
            throws Exception {
        return send(
                to,
                "incoming",
                id,
                "{\"line_account_id\":\"" + account + "\",\"incoming_line_id\":\"" + incoming + "\"}");
    }

    private static String text(Outcome outcome) {
        return new String(((Outcome.Answered) outcome).data().bytes(), StandardCharsets.UTF_8);
    }

    private static JsonNode answer(CompletableFuture<Outcome> sent) throws Exception {
        return JSON.readTree(text(sent.get(10, TimeUnit.SECONDS)));
    }

    private boolean duplicate(LineGroups to, String incoming) throws Exception {
        return answer(incoming(to, null, "a1", incoming)).path("duplicate").asBoolean();
    }

    private JsonNode stats() throws Exception {
        return JSON.readTree(groups.stats(room)
                .toCompletableFuture()
                .get(10, TimeUnit.SECONDS)
                .bytes());
    }

    private void hasCounted(long total, long duplicates, long today, long todaysDuplicates) throws Exception {
        JsonNode stats = stats();
        assertThat(List.of(
                        stats.path("total_incoming").asLong(),
                        stats.path("duplicate_incoming").asLong(),
                        stats.path("today_incoming").asLong(),
                        stats.path("today_duplicate").asLong()))
                .containsExactly(total, duplicates, today, todaysDuplicates);
    }

    @Test
    void everyMessageCountsOnceHoweverOftenAndFromWhereItComes() throws Exception {
        var others = List.of(groups, groups(1000, 1000, 1000, DataSize.ofMegabytes(8)));
        int messages = 600;
        var order = new ArrayList<Integer>();
        for (int i = 0; i < messages; i++) {
            for (int times = 0; times < 3; times++) order.add(i);
        }
        Collections.shuffle(order, new Random(7));
        var sent = new ArrayList<CompletableFuture<Outcome>>();
        // 450 different callers, the last 150 again callers of before.
        for (int i : order) sent.add(incoming(others.get(i % 2), "m" + i, "a" + i % 5, "x" + i % 450));
        var answers = new ArrayList<String>(Collections.nCopies(messages, null));
        for (int at = 0; at < sent.size(); at++) {
            String text = text(sent.get(at).get(20, TimeUnit.SECONDS));
            int message = order.get(at);
            if (answers.get(message) == null) answers.set(message, text);
            assertThat(text).as("word for word").isEqualTo(answers.get(message));
        }
        hasCounted(messages, 150, messages, 150);
        assertThat(answers.stream().filter(text -> text.contains("\"duplicate\":true")))
                .hasSize(150);
        assertThat(cli.llen("carillon:line:room:{group-" + group + "}:history"))
                .as("events")
                .isEqualTo(messages);
        long sum = 0;
        for (int i = 0; i < 5; i++)
            sum += Long.parseLong(cli.hget(stem + "numbers", "a:a" + i).split(" ")[0]);
        assertThat(sum).isEqualTo(messages);
    }

    @Test
    void theSameIdIsAnotherMessageForAnotherTypeAndGroup() throws Exception {
        answer(incoming(groups, "m1", "a1", "x1"));
        assertThat(answer(send(groups, "customer_sync", "m1", "{\"customer_id\":\"c1\"}"))
                        .path("customer_db_id")
                        .asLong())
                .isEqualTo(1);
        ChannelName other = LineGroups.room(LINE, GROUPS.incrementAndGet());
        var data = LineReports.arguments(
                "incoming", Payload.ofJson("{\"line_account_id\":\"b\",\"incoming_line_id\":\"x1\"}"));
        assertThat(text(groups.handle(other, "incoming", "CODE-2", "m1", data)
                        .toCompletableFuture()
                        .get(10, TimeUnit.SECONDS)))
                .isEqualTo(
                        "{\"line_account_id\":\"b\",\"incoming_line_id\":\"x1\",\"status\":\"processed\",\"duplicate\":false}");
        hasCounted(1, 0, 1, 0);
    }

    @Test
    void todayEndsAtMidnightOfTheZone() throws Exception {
        clock.now = Instant.parse("2026-01-31T15:59:59.999Z");
        duplicate(groups, "x1");
        duplicate(groups, "x1");
        hasCounted(2, 1, 2, 1);
        clock.now = Instant.parse("2026-01-31T16:00:00Z");
        hasCounted(2, 1, 0, 0);
        assertThat(duplicate(groups, "x1")).as("seen yesterday").isTrue();
        hasCounted(3, 2, 1, 1);
        assertThat(cli.hget(stem + "numbers", "a:a1")).as("the account's").matches("3 2 \\d+ 1 1");
    }

    @Test
    void aNodeWhoseClockIsLateCountsForTodayAndOneThatIsYearsAheadDoesNoLastingHarm() throws Exception {
        var late = new Hand();
        LineGroups behind = groups(1000, 1000, 1000, DataSize.ofMegabytes(8), late);
        late.now = Instant.parse("2026-01-31T15:59:59Z");
        clock.now = Instant.parse("2026-01-31T16:00:01Z");
        duplicate(groups, "x1");
        duplicate(behind, "x2");
        duplicate(groups, "x3");
        hasCounted(3, 0, 3, 0);
        late.now = Instant.parse("2031-01-01T00:00:00Z");
        duplicate(behind, "x4");
        duplicate(groups, "x5");
        hasCounted(5, 0, 1, 0);
    }

    @Test
    void theIncomingIdThatHasNotComeForLongestIsForgottenFirst() throws Exception {
        LineGroups few = groups(1000, 3, 1000, DataSize.ofMegabytes(8));
        // Different milliseconds, by which Redis tells which came last.
        for (String id : List.of("a", "b", "c", "a", "d")) {
            duplicate(few, id);
            long now = System.nanoTime();
            while (System.nanoTime() - now < 2_000_000) Thread.onSpinWait();
        }
        assertThat(cli.zrange(stem + "incoming", 0, -1)).containsExactly("c", "a", "d");
        assertThat(duplicate(few, "a")).isTrue();
        assertThat(duplicate(few, "b")).isFalse();
    }

    @Test
    void answersAreKeptWithinTheirMemoryAndADay() throws Exception {
        LineGroups small = groups(1000, 1000, 1000, DataSize.ofKilobytes(4));
        for (int i = 0; i < 50; i++) answer(incoming(small, "m" + i, "a1", "x" + i));
        long kept = cli.zcard(stem + "answered");
        assertThat(kept).isBetween(5L, 20L);
        assertThat(cli.hlen(stem + "answers")).isEqualTo(kept + 1);
        long bytes = cli.hgetall(stem + "answers").entrySet().stream()
                .filter(entry -> !entry.getKey().isEmpty())
                .mapToLong(
                        entry -> entry.getValue().length() + 2 * entry.getKey().length() + 200)
                .sum();
        assertThat(Long.parseLong(cli.hget(stem + "answers", "")))
                .isEqualTo(bytes)
                .isLessThanOrEqualTo(4096);
        answer(incoming(small, "m49", "a1", "x49"));
        hasCounted(50, 0, 50, 0);
        answer(incoming(small, "m0", "a1", "x0"));
        hasCounted(51, 1, 51, 1);
        // A day later the same id is a message of its own.
        cli.zadd(stem + "answered", System.currentTimeMillis() - 86_400_001.0, "incoming m49");
        answer(incoming(small, "m49", "a1", "x49"));
        hasCounted(52, 2, 52, 2);
        assertThat(cli.ttl(stem + "answers")).isBetween(86_000L, 86_400L);
    }

    @Test
    void anAccountTooManyIsRefusedWithAllThatCameWithIt() throws Exception {
        LineGroups two = groups(2, 1000, 1000, DataSize.ofMegabytes(8));
        answer(send(two, "sync_line_accounts", "s1", "[{\"line_id\":\"a\",\"online_status\":\"online\"}]"));
        var before = Map.copyOf(cli.hgetall(stem + "numbers"));
        for (var refused : List.of(
                send(two, "sync_line_accounts", "s2", "[{\"line_id\":\"b\"},{\"line_id\":\"c\"}]"),
                send(
                        two,
                        "sync_line_accounts",
                        "s3",
                        "[{\"line_id\":\"d\"},{\"line_id\":\"e\"},{\"line_id\":\"d\"}]"))) {
            assertThat(refused.get(10, TimeUnit.SECONDS)).isEqualTo(new Outcome.TooMany("accounts"));
        }
        assertThat(cli.hkeys(stem + "accounts")).containsExactly("a");
        assertThat(cli.hgetall(stem + "numbers")).isEqualTo(before);
        // One that comes twice is one.
        assertThat(text(send(two, "sync_line_accounts", "s2", "[{\"line_id\":\"b\"},{\"line_id\":\"b\"}]")
                        .get(10, TimeUnit.SECONDS)))
                .startsWith("{\"success\":true,\"created_count\":1,\"updated_count\":1,");
        assertThat(incoming(two, null, "c", "x").get(10, TimeUnit.SECONDS)).isEqualTo(new Outcome.TooMany("accounts"));
        assertThat(send(two, "account_status_change", null, "{\"line_account_id\":\"c\",\"online_status\":\"online\"}")
                        .get(10, TimeUnit.SECONDS))
                .isEqualTo(new Outcome.TooMany("accounts"));
        hasCounted(0, 0, 0, 0);
        answer(incoming(two, null, "b", "x"));
    }

    @Test
    void aCustomerKeepsItsNumberUntilTooManyCameAfterIt() throws Exception {
        LineGroups few = groups(1000, 1000, 2, DataSize.ofMegabytes(8));
        for (String[] one :
                new String[][] {{"c1", "1"}, {"c2", "2"}, {"c1", "1"}, {"c3", "3"}, {"c2", "2"}, {"c1", "4"}}) {
            assertThat(answer(send(few, "customer_sync", null, "{\"customer_id\":\"" + one[0] + "\"}"))
                            .path("customer_db_id")
                            .asString())
                    .as(one[0])
                    .isEqualTo(one[1]);
        }
        assertThat(cli.zcard(stem + "customers")).isEqualTo(2);
    }

    /** Changes of status that dashboards were told of. */
    private List<String> changes() {
        return cli.lrange("carillon:line:room:{group-" + group + "}:history", 0, -1).stream()
                .filter(event -> event.contains("\"type\":\"account_status_change\""))
                .toList();
    }

    // ---- who is there

    private void present(String code, boolean is) {
        String members = "carillon:line:members:{group-" + group + "}:users";
        if (is) cli.hset(members, "windows:" + code, "1");
        else cli.hdel(members, "windows:" + code);
    }

    /** Everything asked before this has been done. */
    private void online(String... accounts) throws Exception {
        stats();
        assertThat(cli.hkeys(stem + "online")).containsExactlyInAnyOrder(accounts);
    }

    private void sync(String code, String... accounts) throws Exception {
        var arguments = new ArrayList<String>();
        for (String account : accounts) arguments.addAll(List.of(account, "", "online"));
        groups.handle(room, "sync_line_accounts", code, null, arguments)
                .toCompletableFuture()
                .get(10, TimeUnit.SECONDS);
    }

    @Test
    void accountsOfACodeWithoutSessionsGoOfflineOnceAndNoOthers() throws Exception {
        present("CODE-1", true);
        present("CODE-2", true);
        sync("CODE-1", "a1", "a2");
        sync("CODE-2", "b1");
        groups.gone(room, "CODE-1");
        groups.settle(room);
        online("a1", "a2", "b1");
        present("CODE-1", false);
        groups.gone(room, "CODE-2");
        online("a1", "a2", "b1");
        groups.gone(room, "CODE-1");
        groups.gone(room, "CODE-1");
        online("b1");
        assertThat(changes()).hasSize(2).allMatch(event -> event.contains("\"offline\""));
        // The numbers come once, with the last.
        assertThat(changes().get(0)).doesNotContain("group_stats");
        assertThat(changes().get(1)).contains("\"online_accounts\":1,");
        present("CODE-2", false);
        groups.settle(room);
        online();
        assertThat(changes()).hasSize(3);
    }

    @Test
    void whoWasOnlyTakenForGoneGetsItsAccountsBackAsTheyWere() throws Exception {
        present("CODE-1", true);
        sync("CODE-1", "a1", "a2");
        present("CODE-1", false);
        groups.gone(room, "CODE-1");
        answer(send(
                groups, "account_status_change", null, "{\"line_account_id\":\"a2\",\"online_status\":\"offline\"}"));
        groups.back(room, "CODE-1");
        online();
        present("CODE-1", true);
        groups.back(room, "CODE-2");
        online();
        groups.back(room, "CODE-1");
        groups.back(room, "CODE-1");
        online("a1");
    }

    @Test
    void aNewSessionStartsWithWhatItReportsAndNotWithWhatAnEarlierOneLost() throws Exception {
        present("CODE-1", true);
        sync("CODE-1", "a1", "a2");
        present("CODE-1", false);
        groups.gone(room, "CODE-1");
        groups.opens(room, "CODE-1");
        sync("CODE-1", "a1");
        present("CODE-1", true);
        groups.back(room, "CODE-1");
        online("a1");
    }

    @Test
    void whatNobodySawEndIsEndedByTheNextSessionOfTheCode() throws Exception {
        groups.opens(room, "CODE-1");
        sync("CODE-1", "a1");
        // A second session a moment later: presence may not know of the first one yet.
        groups.opens(room, "CODE-1");
        online("a1");
        cli.zadd(stem + "codes", System.currentTimeMillis() - 10_001.0, "CODE-1");
        groups.opens(room, "CODE-1");
        online();
    }

    @Test
    void everythingAGroupHasIsBoundedInTime() throws Exception {
        groups.opens(room, "CODE-1");
        sync("CODE-1", "a1", "a2");
        answer(incoming(groups, "m1", "a1", "x1"));
        answer(send(groups, "customer_sync", null, "{\"customer_id\":\"c1\"}"));
        groups.gone(room, "CODE-1");
        sync("CODE-1", "a1");
        stats();
        var keys = cli.keys("carillon:line:*{group-" + group + "}*");
        assertThat(keys).hasSize(9 + 2);
        for (String key : keys) assertThat(cli.ttl(key)).as(key).isPositive();
    }

    @Test
    void idsMayHoldAnythingThatIsText() throws Exception {
        String odd = "}{:*? \\u00e9\\ud83d\\ude00\\\"\\\\/";
        JsonNode sent = answer(incoming(groups, null, odd, odd));
        assertThat(sent.path("line_account_id").asString()).isEqualTo("}{:*? é😀\"\\/");
        JsonNode synced = answer(send(
                groups,
                "sync_line_accounts",
                null,
                "[{\"line_id\":\"" + odd + "\",\"display_name\":\"" + odd + "\",\"online_status\":\"online\"}]"));
        assertThat(synced.path("updated_count").asInt()).isEqualTo(1);
        assertThat(synced.path("accounts").get(0).path("display_name").asString())
                .isEqualTo("}{:*? é😀\"\\/");
        assertThat(synced.path("accounts").get(0).path("line_id").asString()).isEqualTo("}{:*? é😀\"\\/");
    }

    @Test
    void dataThatLacksSomethingIsRefusedWithWhatIsRight() {
        for (String[] wrong : new String[][] {
            {"sync_line_accounts", "{}", "array"},
            {"sync_line_accounts", "[1]", "array"},
            {"sync_line_accounts", "[{\"line_id\":\"\"}]", "line_id"},
            {"sync_line_accounts", "[{\"line_id\":\"a\",\"online_status\":\"away\"}]", "online or offline"},
            {"sync_line_accounts", "[{\"line_id\":\"a\",\"display_name\":7}]", "display_name"},
            {"incoming", "[]", "\"line_account_id\" and \"incoming_line_id\""},
            {"incoming", "{\"line_account_id\":\"a\"}", "incoming_line_id"},
            {"incoming", "{\"line_account_id\":\"a\\u0000\",\"incoming_line_id\":\"x\"}", "line_account_id"},
            {"incoming", "{\"line_account_id\":1.5,\"incoming_line_id\":\"x\"}", "line_account_id"},
            {"customer_sync", "{\"customer_id\":null}", "customer_id"},
            {"customer_sync", "null", "customer_id"},
            {"follow_up_sync", "{\"content\":\"x\"}", "customer_id"},
            {"account_status_change", "{\"line_account_id\":\"a\"}", "online_status"},
            {"account_status_change", "{\"line_account_id\":\"a\",\"online_status\":true}", "online or offline"},
            {"customer_sync", "{\"customer_id\":\"" + "c".repeat(129) + "\"}", "128"}
        }) {
            assertThatThrownBy(() -> LineReports.arguments(wrong[0], Payload.ofJson(wrong[1])))
                    .as(wrong[1])
                    .isInstanceOf(LineReports.Malformed.class)
                    .hasMessageContaining(wrong[2]);
        }
    }

    @Test
    void aGroupsIdIsAWholeNumberThatEveryReaderTakesForTheSame() {
        for (Object right : new Object[] {1, 7L, "7", 9_007_199_254_740_991L, "9007199254740991"}) {
            assertThat(LineReports.group(right)).as("%s", right).isEqualTo(Long.parseLong(right.toString()));
        }
        for (Object wrong : new Object[] {
            null,
            0,
            -1,
            1.0,
            "0",
            "01",
            "-1",
            "1 ",
            "x",
            "",
            true,
            List.of(1),
            9_007_199_254_740_992L,
            "9007199254740992",
            new java.math.BigInteger("18446744073709551617")
        }) {
            assertThat(LineReports.group(wrong)).as("%s", wrong).isZero();
        }
    }

    @Test
    void messagesBySizeStayFast() throws Exception {
        String accounts = IntStream.range(0, 1000)
                .mapToObj(i -> "{\"line_id\":\"a" + i + "\",\"online_status\":\"online\"}")
                .reduce((a, b) -> a + "," + b)
                .orElseThrow();
        assertThat(answer(send(groups, "sync_line_accounts", null, "[" + accounts + "]"))
                        .path("accounts")
                        .size())
                .isEqualTo(1000);
        groups.gone(room, "CODE-1");
        online();
    }
}
