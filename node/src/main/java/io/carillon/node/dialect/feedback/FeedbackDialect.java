package io.carillon.node.dialect.feedback;

import io.carillon.model.channel.Ids;
import io.carillon.model.event.Event;
import io.carillon.model.event.EventCodec;
import io.carillon.model.event.InvalidEventException;
import io.carillon.model.event.InvalidEventException.Code;
import io.carillon.model.event.JsonBytes;
import io.carillon.model.event.Payload;
import io.carillon.node.dialect.Command;
import io.carillon.node.dialect.Dialect;
import io.carillon.node.dialect.Notice;
import java.time.Instant;
import java.time.InstantSource;
import java.time.ZoneOffset;
import java.time.format.DateTimeFormatter;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Set;
import org.jspecify.annotations.Nullable;
import tools.jackson.core.JacksonException;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;

/**
 * The dialect of feedback desks. A frame is
 * {@code {"event":…,"timestamp":"2026-01-01T00:00:00.000Z","sender":{"id":1,"type":1,"name":"Ada"},"receiver":{…},"data":…,"id":"…"}};
 * sender, receiver and id where there are any, then what the sender added. A person's id is a JSON number, exact to 64
 * bits. Safe from any thread; holds nothing but the clock by which notices are stamped.
 *
 * <p>The receiver's name, as whoever sent the event knows it, travels in the event's own field {@value #RECEIVER_NAME}.
 */
public final class FeedbackDialect implements Dialect {
    /** The room that all sessions of a namespace are in: its joins and departures are {@code connect} and {@code disconnect}. */
    public static final String EVERYONE = "everyone";

    /** Field of an event with its receiver's display name. */
    public static final String RECEIVER_NAME = "to_name";

    private static final JsonMapper JSON = JsonMapper.shared();
    private static final DateTimeFormatter TIME =
            DateTimeFormatter.ofPattern("uuuu-MM-dd'T'HH:mm:ss.SSS'Z'").withZone(ZoneOffset.UTC);

    private static final Set<String> TO_ONE = Set.of("message", "typing", "read");
    private static final Set<String> TO_MANY = Set.of("new_feedback", "status_change", "feedback_delete");

    /** What the server says of itself, which no publisher may. */
    private static final Set<String> OWN = Set.of(
            "connect",
            "disconnect",
            "error",
            "pong",
            "refreshed",
            "drain",
            "token_expiring",
            "degraded",
            "restored",
            "resync");

    /** Fields of a frame, and those of an event: what a client says in them counts in the frame's form only. */
    private static final Set<String> KNOWN = Set.of(
            "token",
            "event",
            "timestamp",
            "sender",
            "receiver",
            "data",
            "id",
            "type",
            "from",
            "from_name",
            "from_kind",
            "to",
            RECEIVER_NAME,
            "room",
            "session",
            "content",
            "durable",
            "channel",
            "offset",
            "epoch",
            "ack",
            "exclude");

    private static final int MAX_NAME = 128;
    private static final int MAX_TOKEN = 4096;
    private static final Payload NOTHING = Payload.ofJson("{}");

    private final InstantSource clock;

    public FeedbackDialect(InstantSource clock) {
        this.clock = clock;
    }

    @Override
    public String name() {
        return "feedback";
    }

    /** Whether an event of the type is said by the server alone. */
    public static boolean own(String type) {
        return OWN.contains(type);
    }

    /** Whether an event of the type goes to its one receiver and nobody else. */
    public static boolean toOne(String type) {
        return TO_ONE.contains(type);
    }

    /** Whether the type decides which of all people get an event. */
    public static boolean toMany(String type) {
        return TO_MANY.contains(type);
    }

    @Override
    public Command decode(byte[] text) {
        String id = null;
        try {
            Map<String, Payload> fields = EventCodec.readFields(text);
            id = id(fields.get("id"));
            return command(fields, id);
        } catch (InvalidEventException e) {
            return new Command.Invalid(e.code().text(), e.sentence(), id);
        }
    }

    private static Command command(Map<String, Payload> fields, @Nullable String id) throws InvalidEventException {
        String type = string(fields.get("event"), "event", 64);
        if (type == null) throw bad("event is missing");
        switch (type) {
            case "ping":
                return new Command.Ping(id);
            case "refresh":
                String token = string(fields.get("token"), "token", MAX_TOKEN);
                if (token == null || token.isEmpty()) throw bad("refresh needs a \"token\"");
                return new Command.Refresh(token, id);
            case "ack":
                if (id == null) throw bad("ack needs the \"id\" of the event");
                return new Command.Ack(id, id);
            default:
                break;
        }
        if (!toOne(type) && !toMany(type)) {
            throw new InvalidEventException(
                    Code.UNKNOWN_TYPE,
                    "a client sends message, typing, read, new_feedback, status_change, feedback_delete, ping, refresh or ack");
        }
        Map<String, Payload> receiver = receiver(fields.get("receiver"));
        if (receiver == null && toOne(type)) {
            throw bad(type + " needs a \"receiver\", such as {\"id\":2,\"type\":2}");
        }
        Payload data = fields.get("data");
        if (type.equals("read")) checkRead(data);
        var extra = new LinkedHashMap<String, Payload>();
        String to = null;
        if (receiver != null) {
            to = person(receiver).user();
            String called = string(receiver.get("name"), "receiver.name", MAX_NAME);
            if (called != null) extra.put(RECEIVER_NAME, json(called));
        }
        fields.forEach((name, value) -> {
            if (!KNOWN.contains(name)) extra.put(name, value);
        });
        Event event =
                new Event.Builder(type).id(id).to(to).content(data).extra(extra).build();
        return new Command.Publish(event, id);
    }

    private static @Nullable Map<String, Payload> receiver(@Nullable Payload value) throws InvalidEventException {
        if (value == null || node(value).isNull()) return null;
        if (!node(value).isObject()) throw bad("receiver must be an object with \"id\" and \"type\"");
        return EventCodec.readFields(value.bytes());
    }

    private static Person person(Map<String, Payload> receiver) throws InvalidEventException {
        String type = digits(receiver.get("type"));
        String digits = digits(receiver.get("id"));
        Long id = digits == null ? null : Person.id(digits);
        if (id == null)
            throw new InvalidEventException(Code.BAD_ID, "receiver.id must be an unsigned number of 64 bits");
        if (type == null || Person.type(type) == 0) {
            throw bad("receiver.type must be 1 (user), 2 (merchant) or 3 (admin)");
        }
        return new Person(Person.type(type), id);
    }

    private static void checkRead(@Nullable Payload data) throws InvalidEventException {
        JsonNode ids = data == null ? null : node(data).get("message_ids");
        if (ids == null || !ids.isArray() || ids.isEmpty()) {
            throw bad("read needs \"data\" with \"message_ids\", the ids of what was read");
        }
        for (JsonNode id : ids) {
            if (!id.isString() && !id.isIntegralNumber()) throw bad("message_ids must be strings or numbers");
        }
    }

    /** What may be said as a number or, by clients whose numbers are not exact, as text. */
    private static @Nullable String digits(@Nullable Payload value) throws InvalidEventException {
        if (value == null) return null;
        JsonNode node = node(value);
        return node.isString() || node.isIntegralNumber() ? node.asString() : null;
    }

    private static @Nullable String id(@Nullable Payload value) throws InvalidEventException {
        if (value == null || node(value).isNull()) return null;
        String id = digits(value);
        if (id == null || !Ids.valid(id)) {
            throw new InvalidEventException(
                    Code.BAD_ID, "id must be 1 to 128 characters of A-Z a-z 0-9 . _ : @ ~ + = -");
        }
        return id;
    }

    private static @Nullable String string(@Nullable Payload value, String field, int limit)
            throws InvalidEventException {
        if (value == null || node(value).isNull()) return null;
        JsonNode node = node(value);
        if (!node.isString()) throw bad(field + " must be a string");
        if (node.stringValue().length() > limit) {
            throw new InvalidEventException(Code.TOO_LARGE, field + " may have " + limit + " characters at most");
        }
        return node.stringValue();
    }

    private static JsonNode node(Payload value) throws InvalidEventException {
        try {
            return JSON.readTree(value.bytes());
        } catch (JacksonException e) {
            throw bad("a field could not be read");
        }
    }

    private static Payload json(String text) {
        return Payload.ofJson(new JsonBytes(text.length() + 16).value(text).toBytes());
    }

    private static InvalidEventException bad(String sentence) {
        return new InvalidEventException(Code.BAD_FRAME, sentence);
    }

    @Override
    public byte @Nullable [] encode(Event event) {
        if (event.type().equals("presence_join") || event.type().equals("presence_leave")) return presence(event);
        if (own(event.type())) return null;
        JsonBytes out = frame(
                event.type(),
                event.timestamp(),
                event.content() == null ? 0 : event.content().size());
        String from = event.from();
        Person sender = from == null ? null : Person.of(from);
        if (sender != null) {
            String called = event.fromName();
            person(out.raw(",\"sender\":"), sender, json(called == null ? sender.name() : called));
        }
        Person receiver = receiver(event);
        if (receiver != null) {
            person(out.raw(",\"receiver\":"), receiver, event.extra().get(RECEIVER_NAME));
        }
        out.raw(",\"data\":").value(event.content() == null ? NOTHING : event.content());
        if (event.id() != null) out.raw(",\"id\":").value(event.id());
        if (event.ack()) out.raw(",\"ack\":true");
        event.extra().forEach((name, value) -> {
            if (!KNOWN.contains(name)) out.raw(',').value(name).raw(':').value(value);
        });
        return out.raw('}').toBytes();
    }

    /** Of a service's event that does not name its receiver, the channel does. */
    private static @Nullable Person receiver(Event event) {
        String channel = event.channel();
        if (event.to() != null) return Person.of(event.to());
        return channel != null && channel.startsWith("user:") ? Person.of(channel.substring(5)) : null;
    }

    /** Somebody came or went, with his first or last session; null in a room that operators made. */
    private static byte @Nullable [] presence(Event event) {
        Payload user = event.extra().get("user");
        if (!EVERYONE.equals(event.room()) || user == null) return null;
        Person person;
        try {
            person = Person.of(node(user).asString(""));
        } catch (InvalidEventException e) {
            return null;
        }
        if (person == null) return null;
        Payload called = event.extra().get("name");
        JsonBytes out = frame(event.type().equals("presence_join") ? "connect" : "disconnect", event.timestamp(), 0);
        person(out.raw(",\"sender\":"), person, called == null ? json(person.name()) : called);
        return out.raw(",\"data\":{}}").toBytes();
    }

    private static JsonBytes frame(String event, long timestamp, int more) {
        return new JsonBytes(256 + more)
                .raw("{\"event\":")
                .value(event)
                .raw(",\"timestamp\":\"")
                .raw(TIME.format(Instant.ofEpochMilli(timestamp)))
                .raw('"');
    }

    private static void person(JsonBytes out, Person person, @Nullable Payload name) {
        out.raw("{\"id\":").raw(person.number()).raw(",\"type\":").value(person.type());
        if (name != null) out.raw(",\"name\":").value(name);
        out.raw('}');
    }

    @Override
    public byte @Nullable [] encode(Notice notice) {
        return switch (notice) {
            case Notice.Failure failure ->
                said(
                        "error",
                        failure.ref(),
                        new JsonBytes(128)
                                .raw("{\"code\":")
                                .value(failure.code())
                                .raw(",\"error\":")
                                .value(failure.sentence())
                                .raw('}'));
            case Notice.Pong pong -> {
                JsonBytes out = new JsonBytes(64).raw("{\"event\":\"pong\"");
                if (pong.ref() != null) out.raw(",\"id\":").value(pong.ref());
                yield out.raw('}').toBytes();
            }
            case Notice.Refreshed refreshed ->
                said(
                        "refreshed",
                        refreshed.ref(),
                        new JsonBytes(32)
                                .raw("{\"exp\":")
                                .value(refreshed.expiresAtSeconds())
                                .raw('}'));
            case Notice.Drain drain ->
                said(
                        "drain",
                        null,
                        new JsonBytes(48)
                                .raw("{\"reconnect_within_ms\":")
                                .value(drain.reconnectWithinMillis())
                                .raw('}'));
            case Notice.TokenExpiring expiring ->
                said(
                        "token_expiring",
                        null,
                        new JsonBytes(32)
                                .raw("{\"expires_in\":")
                                .value(expiring.expiresInSeconds())
                                .raw('}'));
            case Notice.Degraded degraded -> said("degraded", null, new JsonBytes(16).value(NOTHING));
            case Notice.Restored restored -> said("restored", null, new JsonBytes(16).value(NOTHING));
            case Notice.Resync resync ->
                said(
                        "resync",
                        null,
                        new JsonBytes(128)
                                .raw("{\"channel\":")
                                .value(resync.channel())
                                .raw(",\"epoch\":")
                                .value(resync.position().epoch())
                                .raw(",\"offset\":")
                                .value(resync.position().offset())
                                .raw('}'));
            case Notice.Answer answer ->
                said(answer.type(), answer.ref(), new JsonBytes(answer.data().size()).value(answer.data()));
            // A client is told by the event itself; it asks for no rooms, positions or histories.
            case Notice.Welcome welcome -> null;
            case Notice.Sent sent -> null;
            case Notice.Joined joined -> null;
            case Notice.Left left -> null;
            case Notice.RoomMembers members -> null;
            case Notice.Resumed resumed -> null;
            case Notice.HistoryPage page -> null;
        };
    }

    private byte[] said(String event, @Nullable String ref, JsonBytes data) {
        JsonBytes out =
                frame(event, clock.millis(), data.size()).raw(",\"data\":").raw(data.toBytes());
        if (ref != null) out.raw(",\"id\":").value(ref);
        return out.raw('}').toBytes();
    }
}
