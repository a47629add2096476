package io.carillon.node.line;

import static io.carillon.node.line.Desks.incoming;
import static io.carillon.node.line.Desks.message;
import static io.carillon.node.line.Desks.stats;
import static io.carillon.node.line.Desks.sync;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.carillon.node.testing.Client;
import io.carillon.node.testing.Nodes;
import io.carillon.node.testing.Poll;
import io.carillon.node.testing.RedisServer;
import io.lettuce.core.api.sync.RedisCommands;
import io.micrometer.core.instrument.MeterRegistry;
import java.net.http.WebSocketHandshakeException;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.RegisterExtension;
import tools.jackson.databind.JsonNode;

/** Every row of the line application, over three real nodes and a real Redis. Each test has a group of its own. */
class LineIT {
    @RegisterExtension
    static final RedisServer redis = RedisServer.own();

    private static final AtomicInteger NEXT = new AtomicInteger();

    private static Nodes nodes;
    private static Desks desks;
    private static RedisCommands<String, String> cli;

    private final long group = NEXT.incrementAndGet() * 10L;
    private final String name = "CODE-" + group;

    @BeforeAll
    static void start() {
        nodes = new Nodes(
                redis.url(),
                3,
                Map.of(
                        "carillon.endpoints.hasty.path", "/hasty",
                        "carillon.endpoints.hasty.dialect", "line-windows",
                        "carillon.endpoints.hasty.namespace", "line",
                        "carillon.endpoints.hasty.silence", "1500ms",
                        "carillon.endpoints.hasty.ping", "300ms",
                        "carillon.endpoints.hasty.must-speak", "true",
                        "carillon.endpoints.branch-windows.path", "/branch/windows",
                        "carillon.endpoints.branch-windows.dialect", "line-windows"));
        desks = new Desks(nodes);
        cli = redis.commands();
    }

    @AfterAll
    static void stop() {
        if (nodes != null) nodes.close();
    }

    private static List<String> types(List<JsonNode> frames) {
        return frames.stream().map(frame -> frame.path("type").asString("")).toList();
    }

    private static List<String> fields(JsonNode object) {
        return List.copyOf(object.propertyNames());
    }

    private static int refusal(String path) {
        try (Client unexpected = Client.connect(nodes.url(0) + path)) {
            throw new AssertionError(path + " was let in: " + unexpected);
        } catch (Exception e) {
            assertThat(e.getCause()).isInstanceOf(WebSocketHandshakeException.class);
            return ((WebSocketHandshakeException) e.getCause()).getResponse().statusCode();
        }
    }

    private static double refusedCodes() {
        return nodes.bean(0, MeterRegistry.class)
                .counter("carillon.auth.failures", "reason", "code")
                .count();
    }

    // ---- who comes in

    @Test
    void aCodeLetsAWindowsClientIn() throws Exception {
        desks.code(name, group);
        try (Client client = Client.connect(nodes.url(1) + "/ws/windows?activation_code=" + name)) {
            assertThat(client.poll(Duration.ofSeconds(5)).toString())
                    .isEqualTo("{\"type\":\"auth_success\",\"data\":{\"group_id\":" + group + ",\"activation_code\":\""
                            + name + "\",\"message\":\"认证成功，请同步Line账号列表\"}}");
        }
    }

    @Test
    void withoutAGoodCodeNobodyIsLetIn() {
        double before = refusedCodes();
        assertThat(refusal("/ws/windows")).isEqualTo(400);
        assertThat(refusal("/ws/windows?activation_code=")).isEqualTo(400);
        assertThat(refusal("/ws/windows?activation_code=a%20b%20c")).isEqualTo(400);
        assertThat(refusal("/ws/windows?activation_code=NOBODYS")).isEqualTo(401);
        assertThat(refusal("/ws/windows?token=" + Desks.token("1", group))).isEqualTo(400);
        assertThat(refusedCodes()).isEqualTo(before + 1);
    }

    @Test
    void aTokenThatNamesAGroupLetsADashboardIn() throws Exception {
        String token = Desks.token("7", group);
        try (Client client = Client.connect(nodes.url(1) + "/ws/dashboard?token=" + token);
                Client named = Client.connect(
                        nodes.url(2) + "/ws/dashboard", "Authorization", "Bearer " + Desks.token("ada", group))) {
            assertThat(client.poll(Duration.ofSeconds(5)).toString())
                    .isEqualTo("{\"type\":\"connected\",\"data\":{\"user_id\":7,\"group_id\":" + group
                            + ",\"message\":\"WebSocket连接成功\"}}");
            assertThat(named.next("connected").path("data").path("user_id").asString())
                    .isEqualTo("ada");
        }
    }

    @Test
    void aDashboardWithoutIdentityOrGroupIsNotLetIn() {
        long exp = Instant.now().getEpochSecond() + 600;
        assertThat(refusal("/ws/dashboard")).isEqualTo(401);
        assertThat(refusal("/ws/dashboard?token=x.y.z")).isEqualTo(401);
        assertThat(refusal("/ws/dashboard?token=" + Nodes.token("1", exp, ""))).isEqualTo(403);
        assertThat(refusal("/ws/dashboard?token=" + Nodes.token("1", exp, "\"group_id\":0")))
                .isEqualTo(403);
        assertThat(refusal("/ws/dashboard?user_id=1")).isEqualTo(403);
        assertThat(refusal("/ws/dashboard?token=" + Desks.token("windows:" + name, group)))
                .isEqualTo(403);
        assertThat(refusal("/ws/dashboard?activation_code=" + name)).isEqualTo(401);
    }

    @Test
    void aFreshTokenProlongsADashboardOfTheSameGroupOnly() throws Exception {
        try (Client same = desks.dashboard(0, group);
                Client other = desks.dashboard(0, group)) {
            long exp = Instant.now().getEpochSecond() + 1200;
            String token = Nodes.token("1", exp, "\"group_id\":\"" + group + "\"");
            assertThat(same.send("{\"type\":\"refresh\",\"token\":\"" + token + "\"}")
                            .next("refreshed")
                            .path("data")
                            .path("exp")
                            .asLong())
                    .isEqualTo(exp);
            other.send("{\"type\":\"refresh\",\"token\":\"" + Desks.token("1", group + 1) + "\"}");
            assertThat(other.closeCode()).isEqualTo(4501);
        }
    }

    // ---- what is sent and answered

    @Test
    void heartbeatsAreAnswered() throws Exception {
        desks.code(name, group);
        try (Client windows = desks.windows(0, name);
                Client dashboard = desks.dashboard(1, group)) {
            long before = System.currentTimeMillis();
            JsonNode ack = windows.send(
                            "{\"type\":\"heartbeat\",\"activation_code\":\"" + name + "\",\"timestamp\":1234567890}")
                    .next("heartbeat_ack");
            assertThat(fields(ack)).containsExactly("type", "activation_code", "timestamp", "data");
            assertThat(ack.path("activation_code").asString()).isEqualTo(name);
            assertThat(ack.path("timestamp").asLong()).isBetween(before, System.currentTimeMillis());
            assertThat(ack.path("data").toString()).isEqualTo("{\"status\":\"ok\",\"message\":\"心跳正常\"}");
            assertThat(dashboard
                            .send("{\"type\":\"heartbeat\",\"timestamp\":1}")
                            .next("heartbeat_ack")
                            .path("data")
                            .path("message")
                            .asString())
                    .isEqualTo("心跳正常");
        }
    }

    @Test
    void aSyncIsAnsweredAndChangesTheGroupsNumbers() throws Exception {
        desks.code(name, group);
        try (Client dashboard = desks.dashboard(1, group);
                Client windows = desks.windows(0, name)) {
            windows.send(message(
                    "sync_line_accounts",
                    name,
                    null,
                    "[{\"line_id\":\"a1\",\"display_name\":\"客服一\",\"online_status\":\"online\"},"
                            + "{\"line_id\":\"a2\",\"online_status\":\"offline\"},{\"line_id\":\"a3\"}]"));
            assertThat(windows.next("sync_result").path("data").toString())
                    .isEqualTo("{\"success\":true,\"created_count\":3,\"updated_count\":0,\"accounts\":["
                            + "{\"line_id\":\"a1\",\"display_name\":\"客服一\",\"online_status\":\"online\"},"
                            + "{\"line_id\":\"a2\",\"display_name\":\"\",\"online_status\":\"offline\"},"
                            + "{\"line_id\":\"a3\",\"display_name\":\"\",\"online_status\":\"offline\"}]}");
            JsonNode stats = stats(dashboard, "total_accounts", 3);
            assertThat(fields(stats))
                    .containsExactlyInAnyOrder(
                            "activation_code",
                            "total_accounts",
                            "online_accounts",
                            "total_incoming",
                            "today_incoming",
                            "duplicate_incoming",
                            "today_duplicate",
                            "timestamp");
            assertThat(stats.path("online_accounts").asLong()).isEqualTo(1);
            assertThat(stats.path("activation_code").asString()).isEqualTo(name);
            assertThat(stats.path("timestamp").asLong())
                    .isBetween(System.currentTimeMillis() - 60_000, System.currentTimeMillis());
            // Known ones count as updated, and what was left out stays.
            windows.send(message("sync_line_accounts", name, null, "[{\"line_id\":\"a1\"},{\"line_id\":\"a4\"}]"));
            JsonNode again = windows.next("sync_result").path("data");
            assertThat(again.path("created_count").asLong()).isEqualTo(1);
            assertThat(again.path("updated_count").asLong()).isEqualTo(1);
            assertThat(again.path("accounts").get(0).toString())
                    .isEqualTo("{\"line_id\":\"a1\",\"display_name\":\"客服一\",\"online_status\":\"online\"}");
            assertThat(stats(dashboard, "total_accounts", 4)
                            .path("online_accounts")
                            .asLong())
                    .isEqualTo(1);
            windows.send(message("sync_line_accounts", name, null, "[{\"line_id\":\"a1\",\"display_name\":\"客服二\"}]"));
            assertThat(windows.next("sync_result")
                            .path("data")
                            .path("accounts")
                            .get(0)
                            .toString())
                    .isEqualTo("{\"line_id\":\"a1\",\"display_name\":\"客服二\",\"online_status\":\"online\"}");
        }
    }

    @Test
    void anIncomingCustomerIsAnsweredShownAndCounted() throws Exception {
        desks.code(name, group);
        try (Client near = desks.dashboard(0, group);
                Client far = desks.dashboard(2, group);
                Client windows = desks.windows(0, name)) {
            sync(windows, name, "a1");
            for (Client dashboard : List.of(near, far)) stats(dashboard, "total_accounts", 1);
            assertThat(windows.send(incoming(name, null, "a1", "x9"))
                            .next("incoming_received")
                            .path("data")
                            .toString())
                    .isEqualTo("{\"line_account_id\":\"a1\",\"incoming_line_id\":\"x9\",\"status\":\"processed\","
                            + "\"duplicate\":false}");
            for (Client dashboard : List.of(near, far)) {
                List<JsonNode> frames = dashboard.upTo("group_stats_update");
                assertThat(types(frames)).containsExactly("incoming", "account_stats_update", "group_stats_update");
                JsonNode shown = frames.get(0).path("data");
                assertThat(shown.path("line_account_id").asString()).isEqualTo("a1");
                assertThat(shown.path("incoming_line_id").asString()).isEqualTo("x9");
                assertThat(shown.path("display_name").asString()).isEqualTo("小明");
                assertThat(shown.path("group_id").asLong()).isEqualTo(group);
                JsonNode account = frames.get(1).path("data");
                assertThat(fields(account))
                        .containsExactlyInAnyOrder(
                                "line_id",
                                "total_incoming",
                                "today_incoming",
                                "duplicate_incoming",
                                "today_duplicate",
                                "timestamp");
                assertThat(account.path("line_id").asString()).isEqualTo("a1");
                assertThat(account.path("total_incoming").asLong()).isEqualTo(1);
                assertThat(frames.get(2).path("data").path("today_incoming").asLong())
                        .isEqualTo(1);
            }
            // Seen before in the group, by whatever account: a duplicate, counted as both. a2 is new and offline.
            assertThat(windows.send(incoming(name, null, "a2", "x9"))
                            .next("incoming_received")
                            .path("data")
                            .path("duplicate")
                            .asBoolean())
                    .isTrue();
            assertThat(far.next("incoming").path("data").path("duplicate").asBoolean())
                    .isTrue();
            JsonNode account = far.next("account_stats_update").path("data");
            assertThat(account.path("line_id").asString()).isEqualTo("a2");
            assertThat(account.path("duplicate_incoming").asLong()).isEqualTo(1);
            JsonNode stats = stats(far, "total_incoming", 2);
            assertThat(stats.path("duplicate_incoming").asLong()).isEqualTo(1);
            assertThat(stats.path("today_duplicate").asLong()).isEqualTo(1);
            assertThat(stats.path("total_accounts").asLong()).isEqualTo(2);
            assertThat(stats.path("online_accounts").asLong()).isEqualTo(1);
        }
    }

    @Test
    void aCustomerIsAnsweredWithItsNumberAndShown() throws Exception {
        desks.code(name, group);
        try (Client dashboard = desks.dashboard(1, group);
                Client windows = desks.windows(0, name)) {
            String data = "{\"customer_id\":\"c1\",\"tags\":[\"vip\"],\"spent\":1.50}";
            assertThat(windows.send(message("customer_sync", name, null, data))
                            .next("customer_sync_received")
                            .path("data")
                            .toString())
                    .isEqualTo("{\"customer_id\":\"c1\",\"customer_db_id\":1,\"status\":\"processed\"}");
            JsonNode shown = dashboard.next("customer_sync").path("data");
            assertThat(shown.path("tags").toString()).isEqualTo("[\"vip\"]");
            assertThat(shown.path("customer_db_id").asLong()).isEqualTo(1);
            windows.send(message("customer_sync", name, null, "{\"customer_id\":77}"));
            assertThat(windows.next("customer_sync_received").path("data").toString())
                    .isEqualTo("{\"customer_id\":77,\"customer_db_id\":2,\"status\":\"processed\"}");
            windows.send(message("customer_sync", name, null, data));
            assertThat(windows.next("customer_sync_received")
                            .path("data")
                            .path("customer_db_id")
                            .asLong())
                    .isEqualTo(1);
        }
    }

    @Test
    void aFollowUpIsAnsweredWithItsNumberAndShown() throws Exception {
        desks.code(name, group);
        try (Client dashboard = desks.dashboard(2, group);
                Client windows = desks.windows(0, name)) {
            String data = "{\"customer_id\":\"c1\",\"content\":\"已回访\",\"follow_up_id\":99}";
            assertThat(windows.send(message("follow_up_sync", name, null, data))
                            .next("follow_up_sync_received")
                            .path("data")
                            .toString())
                    .isEqualTo("{\"customer_id\":\"c1\",\"follow_up_id\":1,\"status\":\"processed\"}");
            JsonNode shown = dashboard.next("follow_up_sync").path("data");
            assertThat(shown.path("content").asString()).isEqualTo("已回访");
            assertThat(shown.path("follow_up_id").asLong()).as("the server's").isEqualTo(1);
            windows.send(message("follow_up_sync", name, null, data));
            assertThat(windows.next("follow_up_sync_received")
                            .path("data")
                            .path("follow_up_id")
                            .asLong())
                    .isEqualTo(2);
        }
    }

    @Test
    void aChangeOfStatusIsAnsweredAndShown() throws Exception {
        desks.code(name, group);
        try (Client dashboard = desks.dashboard(1, group);
                Client windows = desks.windows(0, name)) {
            String data = "{\"line_account_id\":\"a1\",\"online_status\":\"online\"}";
            assertThat(windows.send(message("account_status_change", name, null, data))
                            .next("account_status_updated")
                            .path("data")
                            .toString())
                    .isEqualTo("{\"line_account_id\":\"a1\",\"online_status\":\"online\",\"status\":\"updated\"}");
            JsonNode shown = dashboard.next("account_status_change").path("data");
            assertThat(fields(shown)).containsExactly("line_account_id", "online_status", "group_id", "timestamp");
            assertThat(shown.path("group_id").asLong()).isEqualTo(group);
            JsonNode stats = stats(dashboard, "online_accounts", 1);
            assertThat(stats.path("total_accounts").asLong()).isEqualTo(1);
            windows.send(message("account_status_change", name, null, data.replace("\"online\"", "\"offline\"")));
            assertThat(dashboard
                            .next("account_status_change")
                            .path("data")
                            .path("online_status")
                            .asString())
                    .isEqualTo("offline");
            stats(dashboard, "online_accounts", 0);
        }
    }

    @Test
    void theSameIdIsAnsweredWordForWordAndCountedOnce() throws Exception {
        desks.code(name, group);
        String other = desks.code(name + "-b", group);
        try (Client dashboard = desks.dashboard(2, group);
                Client windows = desks.windows(0, name);
                Client elsewhere = desks.windows(1, other)) {
            JsonNode first = windows.send(incoming(name, "m1", "a1", "x1")).next("incoming_received");
            JsonNode again = elsewhere.send(incoming(other, "m1", "a9", "x9")).next("incoming_received");
            assertThat(again).isEqualTo(first);
            windows.send(message("follow_up_sync", name, "m1", "{\"customer_id\":\"c1\"}"));
            assertThat(windows.next("follow_up_sync_received")
                            .path("data")
                            .path("follow_up_id")
                            .asLong())
                    .isEqualTo(1);
            windows.send(incoming(name, "m2", "a1", "x2")).next("incoming_received");
            assertThat(types(dashboard.upTo("follow_up_sync"))).containsOnlyOnce("incoming");
            JsonNode stats = stats(dashboard, "total_incoming", 2);
            assertThat(stats.path("duplicate_incoming").asLong()).isZero();
            assertThat(stats.path("total_accounts").asLong()).isEqualTo(1);
        }
    }

    // ---- what is refused

    @Test
    void aCodeThatIsNotTheSessionsIsAnErrorAndTheSessionLivesOn() throws Exception {
        desks.code(name, group);
        String other = desks.code(name + "-b", group + 1);
        try (Client stranger = desks.dashboard(1, group + 1);
                Client windows = desks.windows(0, name)) {
            for (String wrong : List.of(
                    incoming(other, "m1", "a1", "x1"),
                    "{\"type\":\"heartbeat\",\"activation_code\":\"" + other + "\"}",
                    "{\"type\":\"heartbeat\"}",
                    "{\"type\":\"incoming\",\"data\":{\"line_account_id\":\"a\",\"incoming_line_id\":\"x\"}}")) {
                JsonNode error = windows.send(wrong).next("error");
                assertThat(error.path("error").asString()).contains("activation_code");
            }
            for (String wrong : List.of(
                    "nonsense",
                    "[]",
                    "{\"type\":\"dance\"}",
                    message("incoming", name, null, "[]"),
                    message("account_status_change", name, null, "{\"line_account_id\":\"a1\"}"),
                    message("sync_line_accounts", name, null, "{\"line_id\":\"a1\"}"),
                    "{\"type\":\"refresh\",\"token\":\"x\"}")) {
                assertThat(windows.send(wrong).next("error").path("error").asString())
                        .isNotEmpty();
            }
            assertThat(windows.send(message("incoming", name, "m7", "{}"))
                            .next("error")
                            .path("id")
                            .asString())
                    .isEqualTo("m7");
            windows.send(incoming(name, "m1", "a1", "x1")).next("incoming_received");
            assertThat(types(stranger.send("{\"type\":\"heartbeat\"}").upTo("heartbeat_ack")))
                    .containsExactly("heartbeat_ack");
            assertThat(cli.keys("carillon:line:group:{group-" + (group + 1) + "}:numbers"))
                    .isEmpty();
        }
    }

    @Test
    void aDashboardMaySendHeartbeatsOnly() throws Exception {
        desks.code(name, group);
        try (Client dashboard = desks.dashboard(0, group)) {
            for (String type : List.of(
                    "sync_line_accounts", "incoming", "customer_sync", "follow_up_sync", "account_status_change")) {
                assertThat(dashboard
                                .send(message(type, name, null, "{}"))
                                .next("error")
                                .path("error")
                                .asString())
                        .contains("heartbeat");
            }
            dashboard.send("{\"type\":\"heartbeat\"}").next("heartbeat_ack");
        }
    }

    // ---- who is there

    private void offline(Client dashboard, String... accounts) throws Exception {
        var gone = new ArrayList<String>();
        while (gone.size() < accounts.length) {
            JsonNode data = dashboard.next("account_status_change").path("data");
            assertThat(data.path("online_status").asString()).isEqualTo("offline");
            assertThat(data.path("group_id").asLong()).isEqualTo(group);
            gone.add(data.path("line_account_id").asString());
        }
        assertThat(gone).containsExactlyInAnyOrder(accounts);
        stats(dashboard, "online_accounts", 0);
    }

    @Test
    void aClosedWindowsClientsAccountsGoOffline() throws Exception {
        desks.code(name, group);
        try (Client dashboard = desks.dashboard(1, group);
                Client windows = desks.windows(0, name)) {
            sync(windows, name, "a1", "a2");
            stats(dashboard, "online_accounts", 2);
            windows.leave();
            offline(dashboard, "a1", "a2");
        }
    }

    @Test
    void aClientThatIsGoneBeforePresenceKnewItLeavesNothingOnline() throws Exception {
        desks.code(name, group);
        try (Client dashboard = desks.dashboard(1, group)) {
            for (int i = 0; i < 10; i++) {
                Client windows = desks.windows(i % 3, name);
                sync(windows, name, "a1");
                windows.leave();
            }
            Poll.until(
                    "the account is offline",
                    Duration.ofSeconds(10),
                    () -> cli.hlen("carillon:line:group:{group-" + group + "}:online"),
                    online -> online == 0);
            stats(dashboard, "online_accounts", 0);
        }
    }

    @Test
    void anotherSessionOfTheCodeKeepsTheAccountsOnline() throws Exception {
        desks.code(name, group);
        String other = desks.code(name + "-b", group);
        try (Client dashboard = desks.dashboard(1, group);
                Client first = desks.windows(0, name);
                Client second = desks.windows(2, name);
                Client colleague = desks.windows(1, other)) {
            sync(first, name, "a1");
            sync(colleague, other, "b1");
            stats(dashboard, "online_accounts", 2);
            first.leave();
            second.send(incoming(name, null, "a1", "x1")).next("incoming_received");
            List<JsonNode> frames = dashboard.upTo("incoming");
            assertThat(types(frames)).doesNotContain("account_status_change");
            second.leave();
            JsonNode data = dashboard.next("account_status_change").path("data");
            assertThat(data.path("line_account_id").asString()).isEqualTo("a1");
            assertThat(stats(dashboard, "online_accounts", 1)
                            .path("activation_code")
                            .asString())
                    .isEqualTo(name);
        }
    }

    @Test
    void aWindowsClientThatOnlyAnswersPingsIsClosedWith4408AndItsAccountsGoOffline() throws Exception {
        desks.code(name, group);
        try (Client dashboard = desks.dashboard(1, group);
                Client windows = Client.connect(nodes.url(0) + "/hasty?activation_code=" + name)) {
            windows.next("auth_success");
            long spoke = System.nanoTime();
            sync(windows, name, "a1");
            stats(dashboard, "online_accounts", 1);
            assertThat(windows.closeCode()).isEqualTo(4408);
            // The 1.5 s count from the tick of the loop before its last word, and a loop ticks once a second.
            assertThat(Duration.ofNanos(System.nanoTime() - spoke)).isGreaterThan(Duration.ofMillis(900));
            offline(dashboard, "a1");
        }
    }

    @Test
    void aNodeThatStopsTurnsNobodyOfflineWhoComesBackElsewhere() throws Exception {
        desks.code(name, group);
        nodes.add();
        int last = 3;
        try (Client dashboard = desks.dashboard(1, group);
                Client leaving = desks.windows(last, name)) {
            sync(leaving, name, "a1");
            stats(dashboard, "online_accounts", 1);
            try (Client back = desks.windows(0, name)) {
                nodes.stop(last);
                assertThat(leaving.closeCode()).isEqualTo(1012);
                back.send(incoming(name, null, "a1", "x1")).next("incoming_received");
                assertThat(types(dashboard.upTo("incoming"))).doesNotContain("account_status_change");
                assertThat(stats(dashboard, "total_incoming", 1)
                                .path("online_accounts")
                                .asLong())
                        .isEqualTo(1);
            }
            offline(dashboard, "a1");
        }
    }

    @Test
    void whatHappenedWhileNobodyWatchedIsPutRightWhenSomebodyDoes() throws Exception {
        // As it is when the last node of the group died with everything on it.
        String stem = "carillon:line:group:{group-" + group + "}:";
        cli.hset(stem + "accounts", "a1", "");
        cli.hset(stem + "online", "a1", name);
        try (Client dashboard = desks.dashboard(1, group)) {
            offline(dashboard, "a1");
        }
    }

    // ---- operators

    @Test
    void aCodeThatIsTakenAwayClosesItsSessionsOnEveryNode() throws Exception {
        desks.code(name, group);
        String other = desks.code(name + "-b", group);
        try (Client a = desks.windows(0, name);
                Client b = desks.windows(1, name);
                Client colleague = desks.windows(1, other);
                Client dashboard = desks.dashboard(2, group)) {
            sync(a, name, "a1");
            assertThat(nodes.call("DELETE", "/api/line/activation-codes/" + name, null)
                            .statusCode())
                    .isEqualTo(204);
            assertThat(a.closeCode()).isEqualTo(4503);
            assertThat(b.closeCode()).isEqualTo(4503);
            offline(dashboard, "a1");
            assertThat(refusal("/ws/windows?activation_code=" + name)).isEqualTo(401);
            sync(colleague, other, "b1");
        }
    }

    @Test
    void aCodeThatMovesClosesItsSessionsAndItsNextOneIsTheOtherGroups() throws Exception {
        desks.code(name, group);
        try (Client before = desks.windows(0, name);
                Client old = desks.dashboard(1, group);
                Client now = desks.dashboard(2, group + 1)) {
            sync(before, name, "a1");
            stats(old, "online_accounts", 1);
            desks.code(name, group);
            sync(before, name, "a1");
            desks.code(name, group + 1);
            assertThat(before.closeCode()).isEqualTo(4503);
            offline(old, "a1");
            try (Client after = Client.connect(nodes.url(0) + "/ws/windows?activation_code=" + name)) {
                assertThat(after.next("auth_success")
                                .path("data")
                                .path("group_id")
                                .asLong())
                        .isEqualTo(group + 1);
                sync(after, name, "a1");
                stats(now, "online_accounts", 1);
            }
        }
    }

    @Test
    void aSessionThatOpensWhileItsCodeIsTakenAwayDoesNotStay() throws Exception {
        for (int i = 0; i < 20; i++) {
            String code = desks.code(name + "-" + i, group);
            var removal = Thread.ofVirtual().start(() -> {
                try {
                    nodes.call("DELETE", "/api/line/activation-codes/" + code, null);
                } catch (Exception e) {
                    throw new IllegalStateException(e);
                }
            });
            Client client;
            try {
                client = Client.connect(nodes.url(i % 3) + "/ws/windows?activation_code=" + code);
            } catch (Exception refused) {
                removal.join();
                continue;
            }
            removal.join();
            assertThat(client.closeCode()).isEqualTo(4503);
        }
    }

    // ---- numbers on their way

    @Test
    void aDashboardIsSentNumbersFiveTimesASecondAtMostAndAlwaysTheLast() throws Exception {
        desks.code(name, group);
        int messages = 300;
        try (Client dashboard = desks.dashboard(1, group);
                Client windows = desks.windows(0, name)) {
            long begun = System.nanoTime();
            for (int i = 0; i < messages; i++) windows.send(incoming(name, null, "a" + i % 2, "x" + i));
            var updates = new ArrayList<JsonNode>();
            var ofAccounts = new ArrayList<JsonNode>();
            while (updates.isEmpty() || updates.getLast().path("total_incoming").asLong() < messages) {
                for (JsonNode frame : dashboard.upTo("group_stats_update")) {
                    JsonNode data = frame.path("data");
                    if (frame.path("type").asString().equals("group_stats_update")) updates.add(data);
                    if (frame.path("type").asString().equals("account_stats_update")) ofAccounts.add(data);
                }
            }
            double seconds = (System.nanoTime() - begun) / 1e9;
            assertThat(updates.size()).isLessThanOrEqualTo((int) Math.ceil(seconds * 5) + 1);
            assertThat(ofAccounts.stream()
                            .filter(data -> data.path("total_incoming").asLong() == messages / 2)
                            .map(data -> data.path("line_id").asString()))
                    .containsExactlyInAnyOrder("a0", "a1");
            assertThat(updates)
                    .extracting(data -> data.path("total_incoming").asLong())
                    .isSorted();
        }
    }

    @Test
    void todayStartsAgainAtMidnightOnOpenDashboards() throws Exception {
        // Midnight is made to come soon after the start; where the start took longer, there is more time the next time.
        for (long left = 12; ; left *= 2) {
            long midnight = Instant.now().getEpochSecond() + left;
            if (seesTodayEnd(midnight)) return;
            assertThat(left).as("a start takes minutes").isLessThan(100);
        }
    }

    private boolean seesTodayEnd(long midnight) throws Exception {
        long offset = (86_400 - midnight % 86_400) % 86_400;
        if (offset > 43_200) offset -= 86_400;
        long size = Math.abs(offset);
        String zone = "%s%02d:%02d:%02d".formatted(offset < 0 ? "-" : "+", size / 3600, size / 60 % 60, size % 60);
        try (var own = RedisServer.running();
                var here = new Nodes(own.url(), 1, Map.of("carillon.line.zone", zone))) {
            var mine = new Desks(here);
            mine.code(name, group);
            try (Client dashboard = mine.dashboard(0, group);
                    Client windows = mine.windows(0, name)) {
                windows.send(incoming(name, null, "a1", "x1")).next("incoming_received");
                windows.send(incoming(name, null, "a1", "x1")).next("incoming_received");
                if (Instant.now().getEpochSecond() >= midnight) return false;
                JsonNode before = stats(dashboard, "today_incoming", 2);
                assertThat(before.path("today_duplicate").asLong()).isEqualTo(1);
                Poll.until(
                        "midnight", Duration.ofMinutes(2), () -> Instant.now().getEpochSecond() >= midnight - 1);
                JsonNode after = stats(dashboard, "today_incoming", 0);
                assertThat(Instant.now().getEpochSecond()).isGreaterThanOrEqualTo(midnight);
                assertThat(after.path("today_duplicate").asLong()).isZero();
                assertThat(after.path("total_incoming").asLong()).isEqualTo(2);
                assertThat(after.path("duplicate_incoming").asLong()).isEqualTo(1);
                windows.send(incoming(name, null, "a1", "x2"));
                JsonNode account = dashboard.next("account_stats_update").path("data");
                assertThat(account.path("total_incoming").asLong()).isEqualTo(3);
                assertThat(account.path("today_incoming").asLong()).isEqualTo(1);
                return true;
            }
        }
    }

    // ---- groups among themselves

    @Test
    void aGroupNeverSeesAnotherGroupsFrames() throws Exception {
        var random = new Random(20260131);
        int groups = 4;
        var codes = new ArrayList<String>();
        var windows = new ArrayList<Client>();
        var dashboards = new ArrayList<Client>();
        try {
            for (int g = 0; g < groups; g++) {
                for (String suffix : List.of("-x", "-y")) {
                    String code = desks.code(name + "g" + g + suffix, group + g);
                    codes.add(code);
                    windows.add(desks.windows(random.nextInt(3), code));
                }
                for (int i = 0; i < 2; i++) dashboards.add(desks.dashboard(random.nextInt(3), group + g));
            }
            // An operator's slip: a dashboard's user is put into another group's room.
            nodes.call("PUT", "/api/ws/rooms/group-" + (group + 1) + "/members/1?namespace=line", null);
            for (int i = 0; i < 400; i++) {
                int who = random.nextInt(windows.size());
                int of = random.nextInt(10) == 0 ? random.nextInt(windows.size()) : who;
                String canary = "g" + who / 2 + "-" + random.nextInt(5);
                String data = switch (random.nextInt(5)) {
                    case 0 ->
                        message(
                                "sync_line_accounts",
                                codes.get(of),
                                null,
                                "[{\"line_id\":\"" + canary + "\",\"online_status\":\"online\"}]");
                    case 1 -> message("customer_sync", codes.get(of), null, "{\"customer_id\":\"" + canary + "\"}");
                    case 2 ->
                        message(
                                "follow_up_sync",
                                codes.get(of),
                                null,
                                "{\"customer_id\":\"" + canary + "\",\"content\":\"x\"}");
                    case 3 ->
                        message(
                                "account_status_change",
                                codes.get(of),
                                null,
                                "{\"line_account_id\":\"" + canary + "\",\"online_status\":\"online\"}");
                    default ->
                        incoming(codes.get(of), random.nextBoolean() ? "m" + random.nextInt(9) : null, canary, canary);
                };
                windows.get(who).send(data);
                if (random.nextInt(60) == 0) {
                    windows.get(who).leave();
                    windows.set(who, desks.windows(random.nextInt(3), codes.get(who)));
                }
            }
            for (int who = 0; who < windows.size(); who++) {
                String end = "g" + who / 2 + "-end" + who;
                windows.get(who)
                        .send(message("follow_up_sync", codes.get(who), null, "{\"customer_id\":\"" + end + "\"}"));
                List<JsonNode> answers = windows.get(who).upTo("follow_up_sync_received");
                while (!answers.getLast().toString().contains(end)) {
                    var more = new ArrayList<>(answers);
                    more.addAll(windows.get(who).upTo("follow_up_sync_received"));
                    answers = more;
                }
                String mine = "g" + who / 2 + "-";
                assertThat(answers).allSatisfy(frame -> {
                    assertThat(frame.path("type").asString())
                            .matches("sync_result|error|.*_received|account_status_updated");
                    assertThat(frame.toString().replace(mine, "")).doesNotContainPattern("g\\d-");
                });
            }
            for (int d = 0; d < dashboards.size(); d++) {
                int g = d / 2;
                String last = "g" + g + "-end" + (2 * g + 1);
                var seen = new ArrayList<JsonNode>();
                do seen.addAll(dashboards.get(d).upTo("follow_up_sync"));
                while (!seen.getLast().toString().contains(last));
                assertThat(seen).hasSizeGreaterThan(20).allSatisfy(frame -> {
                    assertThat(frame.toString().replace("g" + g + "-", "")).doesNotContainPattern("\"g\\d-");
                    JsonNode of = frame.path("data").path("group_id");
                    if (!of.isMissingNode()) assertThat(of.asLong()).isEqualTo(group + g);
                    assertThat(frame.path("data").path("activation_code").asString(codes.get(2 * g)))
                            .isIn(codes.get(2 * g), codes.get(2 * g + 1));
                });
            }
        } finally {
            windows.forEach(Client::close);
            dashboards.forEach(Client::close);
        }
    }

    @Test
    void theSameFormatInAnotherNamespaceIsAnotherApplication() throws Exception {
        desks.code(name, group);
        assertThat(refusal("/branch/windows?activation_code=" + name)).isEqualTo(401);
        nodes.call(
                "PUT",
                "/api/line/activation-codes/" + name + "?namespace=branch-windows",
                "{\"group_id\":" + group + "}");
        try (Client dashboard = desks.dashboard(1, group);
                Client here = desks.windows(0, name);
                Client branch = Client.connect(nodes.url(0) + "/branch/windows?activation_code=" + name)) {
            branch.next("auth_success");
            branch.send(incoming(name, "m1", "a1", "x1")).next("incoming_received");
            assertThat(here.send(incoming(name, "m1", "a1", "x1"))
                            .next("incoming_received")
                            .path("data")
                            .path("duplicate")
                            .asBoolean())
                    .isFalse();
            assertThat(stats(dashboard, "total_incoming", 1)
                            .path("activation_code")
                            .asString())
                    .isEqualTo(name);
            branch.leave();
            here.send(incoming(name, null, "a1", "x2")).next("incoming_received");
            stats(dashboard, "total_incoming", 2);
        }
        assertThat(cli.hget("carillon:branch-windows:group:{group-" + group + "}:numbers", "group"))
                .startsWith("1 0 ");
    }

    // ---- Redis

    @Test
    void withoutRedisClientsAreToldAndAfterwardsEverythingGoesOn() throws Exception {
        try (var own = RedisServer.own().persistent().open();
                var here = new Nodes(own.url(), 2, Map.of())) {
            var mine = new Desks(here);
            mine.code(name, group);
            try (Client dashboard = mine.dashboard(1, group);
                    Client windows = mine.windows(0, name)) {
                sync(windows, name, "a1");
                windows.send(incoming(name, "m1", "a1", "x1")).next("incoming_received");
                stats(dashboard, "total_incoming", 1);
                own.stop();
                windows.next("degraded");
                JsonNode error = windows.send(incoming(name, "m2", "a1", "x2")).next("error");
                assertThat(error.path("code").asString()).isEqualTo("unavailable");
                assertThat(error.path("id").asString()).isEqualTo("m2");
                windows.send("{\"type\":\"heartbeat\",\"activation_code\":\"" + name + "\"}")
                        .next("heartbeat_ack");
                assertThatThrownBy(() -> mine.windows(0, name)).cause().isInstanceOf(WebSocketHandshakeException.class);
                own.start();
                windows.next("restored");
                dashboard.next("restored");
                stats(dashboard, "total_incoming", 1);
                windows.send(incoming(name, "m1", "a1", "x1")).next("incoming_received");
                windows.send(incoming(name, "m2", "a1", "x2")).next("incoming_received");
                JsonNode stats = stats(dashboard, "total_incoming", 2);
                assertThat(stats.path("duplicate_incoming").asLong()).isZero();
                Poll.until(
                        "the account is online",
                        Duration.ofSeconds(20),
                        () -> own.commands().hlen("carillon:line:group:{group-" + group + "}:online"),
                        online -> online == 1);
                windows.leave();
                offline(dashboard, "a1");
            }
        }
    }
}
