package io.carillon.node.line;

import static org.assertj.core.api.Assertions.assertThat;

import io.carillon.node.testing.Client;
import io.carillon.node.testing.Nodes;
import java.time.Instant;
import tools.jackson.databind.JsonNode;

/** Codes, Windows clients and dashboards of the line application on nodes of a test. */
final class Desks {
    private final Nodes nodes;

    Desks(Nodes nodes) {
        this.nodes = nodes;
    }

    /** Gives the group the code. */
    String code(String code, long group) throws Exception {
        var answer = nodes.call("PUT", "/api/line/activation-codes/" + code, "{\"group_id\":" + group + "}");
        assertThat(answer.statusCode()).as(answer.body()).isIn(200, 201);
        return code;
    }

    /** A client with the code that was let in. */
    Client windows(int node, String code) throws Exception {
        Client client = Client.connect(nodes.url(node) + "/ws/windows?activation_code=" + code);
        client.next("auth_success");
        return client;
    }

    static String token(String user, long group) {
        return Nodes.token(user, Instant.now().getEpochSecond() + 600, "\"group_id\":" + group);
    }

    /** A dashboard of the group that was let in. */
    Client dashboard(int node, long group) throws Exception {
        Client client = Client.connect(nodes.url(node) + "/ws/dashboard?token=" + token("1", group));
        client.next("connected");
        return client;
    }

    /** A message of a Windows client; no id where it is null. */
    static String message(String type, String code, String id, String data) {
        return "{\"type\":\"" + type + "\",\"activation_code\":\"" + code + "\""
                + (id == null ? "" : ",\"id\":\"" + id + "\"") + ",\"data\":" + data + "}";
    }

    static String incoming(String code, String id, String account, String incoming) {
        return message(
                "incoming",
                code,
                id,
                "{\"line_account_id\":\"" + account + "\",\"incoming_line_id\":\"" + incoming
                        + "\",\"display_name\":\"小明\"}");
    }

    /** Reports these accounts online, and waits for the answer. */
    static JsonNode sync(Client client, String code, String... accounts) throws Exception {
        var data = new StringBuilder();
        for (String account : accounts) {
            data.append(data.isEmpty() ? "[" : ",")
                    .append("{\"line_id\":\"")
                    .append(account)
                    .append("\",\"display_name\":\"客服\",\"online_status\":\"online\"}");
        }
        return client.send(message("sync_line_accounts", code, null, data + "]"))
                .next("sync_result")
                .path("data");
    }

    /** The next numbers of a group in which the field has the value. */
    static JsonNode stats(Client dashboard, String field, long value) throws Exception {
        while (true) {
            JsonNode data = dashboard.next("group_stats_update").path("data");
            if (data.path(field).asLong(-1) == value) return data;
        }
    }
}
