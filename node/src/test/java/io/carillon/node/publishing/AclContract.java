package io.carillon.node.publishing;

import static org.assertj.core.api.Assertions.assertThat;

import io.carillon.node.testing.Client;
import io.carillon.node.testing.Nodes;
import io.carillon.node.testing.RedisServer;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** The users of {@code infra/redis/acl}: applied to a real server, each does its work, and nothing else. */
abstract class AclContract {
    private static final String EVENT = "{\"type\":\"t\"}";
    private static final String[] COMMON = {
        "KEYS *",
        "FLUSHALL",
        "CONFIG GET *",
        "ACL LIST",
        "EVAL return(1) 0",
        "SCRIPT LOAD return(1)",
        "SHUTDOWN NOSAVE",
        "REPLICAOF NO ONE",
        "CLIENT LIST",
        "MONITOR",
        "SCAN 0",
        "DEL carillon:config",
        "HSET carillon:config mode x",
        "GET other:key",
        "PUBLISH other:topic x",
        "PUBLISH carillon:node:{abcdefgh} {}"
    };

    abstract RedisServer redis();

    /** The files for this server. */
    abstract List<String> files();

    boolean seven() {
        return !files().contains("redis-6.2.acl");
    }

    private List<String> users() throws IOException {
        var users = new ArrayList<String>();
        for (String file : files()) {
            Files.readAllLines(Path.of("..", "infra", "redis", "acl", file)).stream()
                    .filter(line -> line.startsWith("user "))
                    .map(line -> line.substring(5).replace("@PASSWORD@", "change-me-node"))
                    .forEach(users::add);
        }
        return users;
    }

    @BeforeEach
    void apply() throws Exception {
        try (Resp admin = connect()) {
            for (String user : users()) {
                var words = new ArrayList<>(List.of("ACL", "SETUSER"));
                words.addAll(List.of(user.split(" ")));
                assertThat(admin.call(words.toArray(String[]::new))).as(user).isEqualTo("OK");
            }
        }
    }

    @Test
    void aServiceThatOnlyTypesMayPublishToUsersAndRoomsAlone() throws Exception {
        try (Resp user = as("svc-typing")) {
            allowed(user, "PUBLISH carillon:push:user:{u1} " + EVENT, "PUBLISH carillon:push:room:{7} " + EVENT);
            if (seven()) allowed(user, "SPUBLISH carillon:push:user:{u1} " + EVENT);
            denied(user, COMMON);
            denied(
                    user,
                    "PUBLISH carillon:push:broadcast:{push} " + EVENT,
                    "PUBLISH carillon:chat:user:{u1} " + EVENT,
                    "XADD carillon:ingress:{orders} * channel push:user:u1 event " + EVENT,
                    "GET carillon:push:user:{u1}",
                    "HGET carillon:config mode",
                    "SUBSCRIBE carillon:push:user:{u1}",
                    "PUBSUB CHANNELS");
        }
    }

    @Test
    void aServiceWithAStreamMayAddToItAndNothingElse() throws Exception {
        try (Resp user = as("svc-orders")) {
            allowed(user, "XADD carillon:ingress:{orders} * channel push:user:u1 event " + EVENT);
            denied(user, COMMON);
            denied(
                    user,
                    "XADD carillon:ingress:{payments} * channel push:user:u1 event " + EVENT,
                    "XADD carillon:dead-letters * source x",
                    "XRANGE carillon:ingress:{orders} - +",
                    "XDEL carillon:ingress:{orders} 1-1",
                    "XTRIM carillon:ingress:{orders} MAXLEN 0",
                    "XGROUP DESTROY carillon:ingress:{orders} carillon",
                    "SET carillon:ingress:{orders}:owner me",
                    "PUBLISH carillon:push:user:{u1} " + EVENT,
                    "HGET carillon:config publish");
        }
    }

    @Test
    void aTrustedServiceMayPublishDurablyToUsersAndRoomsAndReadNothingOfOthers() throws Exception {
        String hash;
        try (var nodes = new Nodes(redis().url(), 1, Map.of());
                Resp admin = connect()) {
            assertThat(nodes.ready(0)).isTrue();
            hash = admin.call("HGET", "carillon:config", "publish");
            assertThat(hash).hasSize(40);
        }
        try (Resp user = as("svc-core")) {
            assertThat(call(user, "EVALSHA " + hash + " 1 carillon:push:user:{acl} " + EVENT + " e1"))
                    .matches("1 \\S+ \\d+ 0 0 0");
            assertThat(call(user, "EVALSHA " + hash + " 1 carillon:push:user:{acl} " + EVENT + " e1"))
                    .matches("1 \\S+ \\d+ 1 0 0");
            allowed(user, "EVALSHA " + hash + " 1 carillon:push:room:{acl} " + EVENT);
            if (seven()) {
                allowed(user, "HGET carillon:config publish");
                assertThat(call(user, "FCALL carillon_publish 1 carillon:push:user:{acl} " + EVENT + " e2"))
                        .matches("2 \\S+ 0 0");
            }
            denied(user, COMMON);
            denied(
                    user,
                    "EVALSHA " + hash + " 1 carillon:push:broadcast:{push} " + EVENT,
                    "EVALSHA " + hash + " 1 carillon:chat:user:{acl} " + EVENT,
                    "FUNCTION LOAD x",
                    "XADD carillon:ingress:{orders} * channel push:user:u1 event " + EVENT,
                    "LRANGE carillon:push:user:{acl}:history 0 -1",
                    "SMEMBERS carillon:push:presence:online",
                    "SUBSCRIBE carillon:push:user:{acl}");
        }
    }

    @Test
    void whoOnlyLooksChangesNothing() throws Exception {
        try (Resp user = as("ops-ro")) {
            allowed(
                    user,
                    "SCARD carillon:push:presence:online",
                    "HGETALL carillon:stats",
                    "HGETALL carillon:config",
                    "XREVRANGE carillon:dead-letters + - COUNT 10",
                    "XLEN carillon:ingress:{orders}",
                    "LRANGE carillon:push:user:{u1}:history 0 -1",
                    "GET carillon:push:user:{u1}",
                    "GET carillon:ingress:{orders}:owner",
                    "XREAD COUNT 10 STREAMS carillon:push:presence:log 0");
            denied(user, COMMON);
            denied(
                    user,
                    "SADD carillon:push:presence:online x",
                    "SET carillon:push:user:{u1} x",
                    "XADD carillon:ingress:{orders} * a b",
                    "XDEL carillon:dead-letters 1-1",
                    "XACK carillon:ingress:{orders} carillon 1-1",
                    "PUBLISH carillon:push:user:{u1} " + EVENT,
                    "SUBSCRIBE carillon:push:user:{u1}",
                    "EVALSHA x 0");
        }
    }

    @Test
    void aNodeDoesAllOfItsWorkWithItsOwnUser() throws Exception {
        String url = redis().url().replace("redis://", "redis://carillon-node:change-me-node@");
        try (var nodes = new Nodes(url, 1, Map.of("carillon.ingress.services", "acl"));
                Client client = Client.welcomed(nodes.url(0), "worker");
                Resp admin = connect()) {
            client.send("{\"type\":\"join\",\"room\":\"r\"}");
            assertThat(client.next("joined").path("members").asInt()).isEqualTo(1);
            admin.call("XADD", "carillon:ingress:{acl}", "*", "channel", "push:user:worker", "event", EVENT);
            assertThat(client.next("t").path("offset").asLong()).isPositive();
            admin.call("PUBLISH", "carillon:push:user:{worker}", "{\"type\":");
            io.carillon.node.testing.Poll.until(
                    "the dead letter is kept",
                    java.time.Duration.ofSeconds(10),
                    () -> nodes.get("/api/ws/dead-letters").path("dead_letters").size() > 0);
            assertThat(nodes.get("/api/ws/status").path("online_count").asInt()).isEqualTo(1);
            nodes.call("PUT", "/api/line/activation-codes/ACL-1", "{\"group_id\":1}");
            try (Client desk = Client.connect(nodes.url(0) + "/ws/windows?activation_code=ACL-1")) {
                for (String data : List.of(
                        "\"incoming\",\"data\":{\"line_account_id\":\"a\",\"incoming_line_id\":\"x\"}",
                        "\"customer_sync\",\"data\":{\"customer_id\":\"c\"}")) {
                    desk.send("{\"activation_code\":\"ACL-1\",\"id\":\"1\",\"type\":" + data + "}");
                }
                desk.next("customer_sync_received");
            }
            assertThat(admin.call("ACL", "LOG", "COUNT", "5")).doesNotContain("carillon-node");
        }
        try (Resp user = as("carillon-node")) {
            denied(
                    user,
                    "KEYS *",
                    "FLUSHALL",
                    "CONFIG GET *",
                    "ACL LIST",
                    "SHUTDOWN NOSAVE",
                    "REPLICAOF NO ONE",
                    "MONITOR");
            denied(user, "GET other:key", "SET other:key x", "PUBLISH other:topic x");
        }
    }

    private Resp connect() throws IOException {
        return new Resp(redis().uri().getHost(), redis().uri().getPort());
    }

    private Resp as(String name) throws IOException {
        Resp connection = connect();
        String password = "change-me-" + name.substring(name.indexOf('-') + 1);
        if (name.equals("ops-ro")) password = "change-me-ops";
        assertThat(connection.call("AUTH", name, password)).isEqualTo("OK");
        return connection;
    }

    private static String call(Resp connection, String command) throws IOException {
        return connection.call(command.split(" "));
    }

    private static void allowed(Resp connection, String... commands) throws IOException {
        for (String command : commands) {
            assertThat(call(connection, command))
                    .as(command)
                    .doesNotStartWith("NOPERM")
                    .doesNotStartWith("ERR");
        }
    }

    /** On 6.2 a script tells in its own words that a command of it was refused. */
    private static void denied(Resp connection, String... commands) throws IOException {
        for (String command : commands) {
            assertThat(call(connection, command))
                    .as(command)
                    .matches("(?s)NOPERM.*|ERR.*(can't run this command|can't access|No permissions|NOPERM).*"
                            + "|ERR unknown command.*");
        }
    }
}
