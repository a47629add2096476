package io.carillon.node.api;

import io.carillon.model.channel.Ids;
import io.carillon.model.event.Event;
import io.carillon.model.event.EventCodec;
import io.carillon.model.event.InvalidEventException;
import io.carillon.model.event.Payload;
import io.carillon.node.dialect.push.PushDialect;
import java.io.ByteArrayOutputStream;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;
import tools.jackson.core.JacksonException;
import tools.jackson.core.JsonParser;
import tools.jackson.core.JsonToken;
import tools.jackson.core.ObjectReadContext;
import tools.jackson.core.json.JsonFactory;
import tools.jackson.databind.json.JsonMapper;

/**
 * The body of a publishing call: an event, and what only such a body may say.
 *
 * @param event the event without its receiver
 * @param namespace the namespace the body names; null when it names none
 * @param to receivers, each once, in their order; null when the body has no {@code to}
 * @param many whether {@code to} was an array
 */
record PublishRequest(
        Event event, @Nullable String namespace, @Nullable List<String> to, boolean many) {
    /** Most receivers of one call. */
    static final int MAX_RECEIVERS = 1000;

    private static final JsonFactory JSON = new JsonFactory();
    private static final JsonMapper VALUES = JsonMapper.shared();

    /**
     * Reads a body by the rules of every event.
     *
     * @throws InvalidEventException when it breaks them
     * @throws ApiException when it breaks one of its own
     */
    static PublishRequest read(byte[] body) throws InvalidEventException {
        Receivers receivers = Receivers.find(body);
        Event event = EventCodec.read(receivers == null ? body : receivers.without(body));
        checkType(event);
        List<String> to = event.to() == null ? null : List.of(event.to());
        if (receivers != null) to = receivers.checked();
        String namespace = namespace(event.extra().get("namespace"));
        Map<String, Payload> extra = new LinkedHashMap<>(event.extra());
        extra.remove("namespace");
        return new PublishRequest(event.with().to(null).extra(extra).build(), namespace, to, receivers != null);
    }

    /** @throws ApiException when the type is not one a service may use */
    static void checkType(Event event) {
        if (PushDialect.RESERVED.contains(event.type())) {
            throw ApiException.badRequest("the type is reserved for the cluster itself: use another one");
        }
    }

    private static @Nullable String namespace(@Nullable Payload value) {
        if (value == null) return null;
        var node = VALUES.readTree(value.bytes());
        if (node.isNull()) return null;
        if (!node.isString()) throw ApiException.badRequest("namespace must be a string");
        return node.stringValue();
    }

    /** An array in the place of {@code to}, which an event cannot have, and where in the body it stands. */
    private record Receivers(List<String> users, boolean wellFormed, int start, int end) {

        /** Finds the array among the body's fields; null when there is none, or when the body is no JSON object. */
        static @Nullable Receivers find(byte[] body) {
            try (JsonParser parser = JSON.createParser(ObjectReadContext.empty(), body)) {
                if (parser.nextToken() != JsonToken.START_OBJECT) return null;
                for (String name = parser.nextName(); name != null; name = parser.nextName()) {
                    JsonToken token = parser.nextToken();
                    if (name.equals("to") && token == JsonToken.START_ARRAY) return read(parser);
                    parser.skipChildren();
                }
                return null;
            } catch (JacksonException e) {
                return null; // The event's own reader says what is wrong.
            }
        }

        private static Receivers read(JsonParser parser) {
            int start = (int) parser.currentTokenLocation().getByteOffset();
            var users = new ArrayList<String>();
            boolean wellFormed = true;
            for (JsonToken token = parser.nextToken(); token != JsonToken.END_ARRAY; token = parser.nextToken()) {
                if (token == JsonToken.VALUE_STRING && users.size() <= MAX_RECEIVERS) users.add(parser.getString());
                else if (token != JsonToken.VALUE_STRING) wellFormed = false;
                parser.skipChildren();
            }
            return new Receivers(
                    users, wellFormed, start, (int) parser.currentLocation().getByteOffset());
        }

        byte[] without(byte[] body) {
            var rest = new ByteArrayOutputStream(body.length);
            rest.write(body, 0, start);
            rest.writeBytes("null".getBytes(StandardCharsets.US_ASCII));
            rest.write(body, end, body.length - end);
            return rest.toByteArray();
        }

        List<String> checked() {
            if (!wellFormed || users.isEmpty() || users.size() > MAX_RECEIVERS) {
                throw ApiException.badRequest("to must be a user id, or an array of 1 to 1000 user ids");
            }
            for (String user : users) Ids.check(user, "user");
            return List.copyOf(new LinkedHashSet<>(users));
        }
    }
}
