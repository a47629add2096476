package io.carillon.node.dialect.line;

import io.carillon.model.event.Event;
import io.carillon.model.event.EventCodec;
import io.carillon.model.event.InvalidEventException;
import io.carillon.model.event.JsonBytes;
import io.carillon.model.event.Payload;
import io.carillon.node.dialect.Command;
import io.carillon.node.dialect.Dialect;
import io.carillon.node.dialect.Notice;
import java.util.Set;
import java.util.TreeSet;
import org.jspecify.annotations.Nullable;
import tools.jackson.core.JacksonException;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;

/**
 * What both formats have in common. A client's message is {@code {"type":…,"activation_code":…,"data":…,"id":…}}; its
 * {@code id} is the mark of its answer, and so is the activation code of a heartbeat. Pure and safe from any thread.
 */
abstract sealed class LineFrames implements Dialect permits DashboardDialect, WindowsDialect {
    /** Numbers alone on their way between nodes: clients see all numbers batched, as notices. */
    public static final String STATS = "line_stats";

    /** Longest text accepted for an activation code, longer than any is. */
    private static final int MAX_CODE = 64;

    private static final Set<String> UNSEEN = Set.of(STATS, "presence_join", "presence_leave");
    private static final JsonMapper JSON = JsonMapper.shared();

    private final Set<String> types;

    /** @param types what clients may send besides {@code heartbeat} and {@code refresh} */
    LineFrames(Set<String> types) {
        this.types = types;
    }

    @Override
    public Command decode(byte[] text) {
        Event event;
        try {
            event = EventCodec.readClient(text);
        } catch (InvalidEventException e) {
            return new Command.Invalid(e.code().text(), e.sentence(), null);
        }
        String ref = event.id();
        try {
            String code = text(event, "activation_code", MAX_CODE);
            return switch (event.type()) {
                case "heartbeat" -> new Command.Ping(code);
                case "refresh" -> refresh(event, ref);
                default -> types.contains(event.type()) ? message(event, code, ref) : unknown(ref);
            };
        } catch (InvalidEventException e) {
            return new Command.Invalid(e.code().text(), e.sentence(), ref);
        }
    }

    /** A message with its data; the room is the activation code it names, which the application checks. */
    private static Command message(Event event, @Nullable String code, @Nullable String ref)
            throws InvalidEventException {
        Payload data = event.extra().get("data");
        if (data == null) throw bad(event.type() + " needs \"data\"");
        if (code == null || code.isEmpty()) throw bad(event.type() + " needs the \"activation_code\" of the session");
        return new Command.Publish(
                new Event.Builder(event.type())
                        .id(event.id())
                        .room(code)
                        .content(data)
                        .build(),
                ref);
    }

    private static Command refresh(Event event, @Nullable String ref) throws InvalidEventException {
        String token = text(event, "token", 4096);
        if (token == null || token.isEmpty()) throw bad("refresh needs a \"token\"");
        return new Command.Refresh(token, ref);
    }

    private Command unknown(@Nullable String ref) {
        var all = new TreeSet<>(types);
        all.add("heartbeat");
        all.add("refresh");
        return new Command.Invalid("unknown_type", "a client may send here: " + String.join(", ", all), ref);
    }

    private static @Nullable String text(Event event, String field, int limit) throws InvalidEventException {
        Payload value = event.extra().get(field);
        if (value == null) return null;
        JsonNode node;
        try {
            node = JSON.readTree(value.bytes());
        } catch (JacksonException e) {
            throw bad("\"" + field + "\" must be a string");
        }
        if (node.isNull()) return null;
        if (!node.isString()) throw bad("\"" + field + "\" must be a string");
        String text = node.asString();
        if (text.length() > limit) {
            throw new InvalidEventException(
                    InvalidEventException.Code.TOO_LARGE,
                    "\"" + field + "\" may have " + limit + " characters at most");
        }
        return text;
    }

    private static InvalidEventException bad(String sentence) {
        return new InvalidEventException(InvalidEventException.Code.BAD_FRAME, sentence);
    }

    @Override
    public byte @Nullable [] encode(Event event) {
        if (UNSEEN.contains(event.type())) return null;
        JsonBytes out = new JsonBytes(
                64 + (event.content() == null ? 4 : event.content().size()));
        out.raw("{\"type\":").value(event.type()).raw(",\"data\":");
        if (event.content() == null) out.raw("null");
        else out.value(event.content());
        return out.raw('}').toBytes();
    }

    @Override
    public byte @Nullable [] encode(Notice notice) {
        var out = new JsonBytes(160);
        switch (notice) {
            case Notice.Answer said -> start(out, said.type(), said.ref()).value(said.data());
            case Notice.Pong pong -> {
                out.raw("{\"type\":\"heartbeat_ack\"");
                if (pong.ref() != null) out.raw(",\"activation_code\":").value(pong.ref());
                out.raw(",\"timestamp\":").value(pong.timestamp());
                out.raw(",\"data\":{\"status\":\"ok\",\"message\":")
                        .value("心跳正常")
                        .raw('}');
            }
            case Notice.Failure failure -> {
                out.raw("{\"type\":\"error\"");
                if (failure.ref() != null) out.raw(",\"id\":").value(failure.ref());
                out.raw(",\"code\":").value(failure.code()).raw(",\"error\":").value(failure.sentence());
            }
            case Notice.Refreshed refreshed ->
                start(out, "refreshed", refreshed.ref())
                        .raw("{\"exp\":")
                        .value(refreshed.expiresAtSeconds())
                        .raw('}');
            case Notice.Drain drain ->
                start(out, "drain", null)
                        .raw("{\"reconnect_within_ms\":")
                        .value(drain.reconnectWithinMillis())
                        .raw('}');
            case Notice.TokenExpiring expiring ->
                start(out, "token_expiring", null)
                        .raw("{\"expires_in\":")
                        .value(expiring.expiresInSeconds())
                        .raw('}');
            case Notice.Degraded degraded -> start(out, "degraded", null).raw("{}");
            case Notice.Restored restored -> start(out, "restored", null).raw("{}");
            case Notice.Resync resync ->
                start(out, "resync", null)
                        .raw("{\"channel\":")
                        .value(resync.channel())
                        .raw(",\"epoch\":")
                        .value(resync.position().epoch())
                        .raw(",\"offset\":")
                        .value(resync.position().offset())
                        .raw('}');
            // Rooms, positions and what was published are no concern of these clients.
            case Notice.Welcome _,
                    Notice.Sent _,
                    Notice.Joined _,
                    Notice.Left _,
                    Notice.RoomMembers _,
                    Notice.Resumed _,
                    Notice.HistoryPage _ -> {
                return null;
            }
        }
        return out.raw('}').toBytes();
    }

    private static JsonBytes start(JsonBytes out, String type, @Nullable String ref) {
        out.raw("{\"type\":").value(type);
        if (ref != null) out.raw(",\"id\":").value(ref);
        return out.raw(",\"data\":");
    }
}
