package io.carillon.node.app;

import io.carillon.model.event.Payload;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import org.jspecify.annotations.Nullable;
import tools.jackson.core.JacksonException;
import tools.jackson.databind.DeserializationFeature;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;
import tools.jackson.databind.node.ObjectNode;

/** Reads the data of Windows clients' messages into arguments of {@code line.lua}. Pure. */
final class LineReports {
    private static final int MAX_ID = 128;
    private static final int MAX_NAME = 256;

    /** Fields of what dashboards see that are the server's. */
    private static final Set<String> OURS = Set.of("group_id", "duplicate", "customer_db_id", "follow_up_id");

    private static final JsonMapper JSON = JsonMapper.builder()
            .enable(DeserializationFeature.USE_BIG_DECIMAL_FOR_FLOATS)
            .build();

    private LineReports() {}

    /** Data that says not what its type needs; the sentence is for the client. */
    static final class Malformed extends Exception {
        private static final long serialVersionUID = 1;

        Malformed(String sentence) {
            super(sentence, null, false, false);
        }
    }

    /**
     * The arguments for a message of the type, which the dialect let through.
     *
     * @throws Malformed when the data breaks a rule
     */
    static List<String> arguments(String type, @Nullable Payload payload) throws Malformed {
        JsonNode data;
        try {
            data = JSON.readTree(payload == null ? new byte[] {'n', 'u', 'l', 'l'} : payload.bytes());
        } catch (JacksonException e) {
            throw new Malformed("\"data\" could not be read");
        }
        return switch (type) {
            case "sync_line_accounts" -> accounts(data);
            case "incoming" -> {
                ObjectNode object = object(data, type, "line_account_id", "incoming_line_id");
                String account = id(object, "line_account_id");
                String incoming = id(object, "incoming_line_id");
                yield List.of(account, incoming, shown(object), start(object, "line_account_id", "incoming_line_id"));
            }
            case "customer_sync" -> {
                ObjectNode object = object(data, type, "customer_id");
                yield List.of(id(object, "customer_id"), shown(object), start(object, "customer_id"));
            }
            case "follow_up_sync" -> {
                ObjectNode object = object(data, type, "customer_id");
                id(object, "customer_id");
                yield List.of(shown(object), start(object, "customer_id"));
            }
            case "account_status_change" -> {
                ObjectNode object = object(data, type, "line_account_id", "online_status");
                String status = status(object);
                if (status.isEmpty()) throw new Malformed("\"online_status\" is missing: online or offline");
                yield List.of(id(object, "line_account_id"), status, start(object, "line_account_id"));
            }
            default -> throw new IllegalArgumentException("the dialect has no such type");
        };
    }

    private static List<String> accounts(JsonNode data) throws Malformed {
        String right = "\"data\" of sync_line_accounts is an array of {\"line_id\":…,\"display_name\":…,"
                + "\"online_status\":\"online\" or \"offline\"}";
        if (!data.isArray()) throw new Malformed(right);
        var all = new ArrayList<String>(3 * data.size());
        for (JsonNode one : data) {
            if (!(one instanceof ObjectNode account)) throw new Malformed(right);
            all.add(id(account, "line_id"));
            all.add(name(account));
            all.add(status(account));
        }
        return all;
    }

    private static ObjectNode object(JsonNode data, String type, String... fields) throws Malformed {
        if (data instanceof ObjectNode object) return object;
        throw new Malformed("\"data\" of " + type + " is an object with \"" + String.join("\" and \"", fields) + "\"");
    }

    /** An id, which clients may write as text or as a whole number. */
    private static String id(ObjectNode data, String field) throws Malformed {
        JsonNode node = data.path(field);
        String id = node.isString() || node.isIntegralNumber() ? node.asString() : "";
        if (id.isEmpty() || id.length() > MAX_ID || id.chars().anyMatch(Character::isISOControl)) {
            throw new Malformed("\"" + field + "\" must be 1 to " + MAX_ID + " characters");
        }
        return id;
    }

    private static String name(ObjectNode account) throws Malformed {
        JsonNode node = account.path("display_name");
        if (node.isMissingNode() || node.isNull()) return "";
        if (!node.isString() || node.asString().length() > MAX_NAME) {
            throw new Malformed("\"display_name\" must be a text of at most " + MAX_NAME + " characters");
        }
        return node.asString();
    }

    /** The status said; empty when none was. */
    private static String status(ObjectNode data) throws Malformed {
        JsonNode node = data.path("online_status");
        if (node.isMissingNode() || node.isNull()) return "";
        String status = node.asString("");
        if (!status.equals("online") && !status.equals("offline")) {
            throw new Malformed("\"online_status\" must be online or offline");
        }
        return status;
    }

    /** What dashboards see of the data; the server's own fields go before it. */
    private static String shown(ObjectNode data) {
        ObjectNode shown = data.deepCopy();
        shown.remove(OURS);
        return shown.toString();
    }

    /** The start of the answer: these fields as the client wrote them, without the closing brace. */
    private static String start(ObjectNode data, String... fields) {
        ObjectNode start = JSON.createObjectNode();
        for (String field : fields) start.set(field, data.path(field));
        String text = start.toString();
        return text.substring(0, text.length() - 1);
    }

    /** A group's id in a claim, a number or a text; 0 when it is none. */
    static long group(@Nullable Object claim) {
        long group = 0;
        if (claim instanceof Long || claim instanceof Integer) group = ((Number) claim).longValue();
        else if (claim instanceof String text && text.matches("[1-9][0-9]{0,15}")) group = Long.parseLong(text);
        return group > 0 && group <= ActivationCodes.MOST_GROUP ? group : 0;
    }
}
