package io.carillon.node.dialect.push;

import static java.nio.charset.StandardCharsets.UTF_8;

import io.carillon.model.channel.Position;
import io.carillon.model.event.Event;
import io.carillon.model.event.EventCodec;
import io.carillon.model.event.InvalidEventException;
import io.carillon.model.event.Payload;
import io.carillon.node.dialect.Command;
import io.carillon.node.dialect.Dialect;
import io.carillon.node.dialect.Notice;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Set;
import org.jspecify.annotations.Nullable;
import tools.jackson.core.JacksonException;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;
import tools.jackson.databind.node.ArrayNode;
import tools.jackson.databind.node.ObjectNode;
import tools.jackson.databind.util.RawValue;

/**
 * The native dialect: a frame is the event itself without {@code exclude}, {@code session} and {@code durable}; what
 * the server says is an object with a reserved {@code type}. Pure and safe from any thread.
 */
public final class PushDialect implements Dialect {
    /** Types with a meaning of their own, which no publisher may use. */
    public static final Set<String> RESERVED = Set.of(
            "join",
            "leave",
            "ping",
            "pong",
            "ack",
            "resume",
            "resumed",
            "history",
            "presence",
            "refresh",
            "refreshed",
            "welcome",
            "sent",
            "error",
            "joined",
            "left",
            "presence_join",
            "presence_leave",
            "drain",
            "token_expiring",
            "degraded",
            "restored",
            "resync");

    private static final int MAX_CHANNELS = 200;
    private static final int MAX_HISTORY = 1000;
    private static final JsonMapper JSON = JsonMapper.shared();

    @Override
    public String name() {
        return "push";
    }

    @Override
    public Command decode(byte[] text) {
        Event event;
        try {
            event = EventCodec.readClient(text);
        } catch (InvalidEventException e) {
            return new Command.Invalid(e.code().text(), e.sentence(), null);
        }
        String ref;
        try {
            ref = text(event, "ref", 128);
        } catch (InvalidEventException e) {
            return new Command.Invalid(e.code().text(), e.sentence(), null);
        }
        try {
            return command(event, text, ref);
        } catch (InvalidEventException e) {
            return new Command.Invalid(e.code().text(), e.sentence(), ref);
        }
    }

    private static Command command(Event event, byte[] text, @Nullable String ref) throws InvalidEventException {
        switch (event.type()) {
            case "ping":
                return new Command.Ping(ref);
            case "join":
                return new Command.Join(room(event), ref);
            case "leave":
                return new Command.Leave(room(event), ref);
            case "presence":
                return new Command.Members(room(event), ref);
            case "refresh":
                String token = text(event, "token", 4096);
                if (token == null || token.isEmpty()) throw bad("refresh needs a \"token\"");
                return new Command.Refresh(token, ref);
            case "ack":
                if (event.id() == null) throw bad("ack needs the \"id\" of the event");
                return new Command.Ack(event.id(), ref);
            case "resume":
                return new Command.Resume(positions(event), ref);
            case "history":
                return history(event, text, ref);
            default:
                break;
        }
        if (RESERVED.contains(event.type())) {
            throw new InvalidEventException(
                    InvalidEventException.Code.UNKNOWN_TYPE, "this type is reserved and not one a client sends");
        }
        if (event.to() != null && event.room() != null) {
            throw bad("name either a user in \"to\" or a \"room\", not both");
        }
        return new Command.Publish(published(event), ref);
    }

    /** What a client may set of an event: everything else is the cluster's. */
    private static Event published(Event event) {
        Map<String, Payload> extra = event.extra();
        if (extra.containsKey("ref")) {
            extra = new LinkedHashMap<>(extra);
            extra.remove("ref");
        }
        return new Event.Builder(event.type())
                .id(event.id())
                .to(event.to())
                .room(event.room())
                .content(event.content())
                .durable(event.durable())
                .extra(extra)
                .build();
    }

    private static Map<String, Position> positions(Event event) throws InvalidEventException {
        JsonNode channels = node(event, "channels");
        if (channels == null || !channels.isObject() || channels.isEmpty() || channels.size() > MAX_CHANNELS) {
            throw bad(
                    "resume needs \"channels\", an object of 1 to " + MAX_CHANNELS + " channels with their positions");
        }
        var positions = new LinkedHashMap<String, Position>();
        for (Map.Entry<String, JsonNode> channel : channels.properties()) {
            JsonNode epoch = channel.getValue().path("epoch");
            JsonNode offset = channel.getValue().path("offset");
            if (!epoch.isString() || !offset.canConvertToLong() || !offset.isIntegralNumber()) {
                throw bad("a position is {\"epoch\":\"…\",\"offset\":0}");
            }
            try {
                positions.put(channel.getKey(), new Position(epoch.asString(), offset.asLong()));
            } catch (IllegalArgumentException e) {
                throw bad("a position is {\"epoch\":\"…\",\"offset\":0}");
            }
        }
        return positions;
    }

    private static Command history(Event event, byte[] text, @Nullable String ref) throws InvalidEventException {
        // The name is a stamp of the cluster in an event, so the reader of events leaves it out.
        JsonNode channel = JSON.readTree(text).path("channel");
        JsonNode after = node(event, "after");
        JsonNode limit = node(event, "limit");
        if (!channel.isString()) throw bad("history needs a \"channel\"");
        if (after != null && (!after.isIntegralNumber() || !after.canConvertToLong() || after.asLong() < 0)) {
            throw bad("\"after\" is an offset");
        }
        if (limit != null && (!limit.isIntegralNumber() || limit.asLong() < 1 || limit.asLong() > MAX_HISTORY)) {
            throw bad("\"limit\" is 1 to " + MAX_HISTORY);
        }
        return new Command.History(
                channel.asString(), after == null ? null : after.asLong(), limit == null ? 100 : limit.asInt(), ref);
    }

    private static @Nullable JsonNode node(Event event, String field) throws InvalidEventException {
        Payload value = event.extra().get(field);
        if (value == null) return null;
        try {
            JsonNode node = JSON.readTree(value.bytes());
            return node.isNull() ? null : node;
        } catch (JacksonException e) {
            throw bad("\"" + field + "\" could not be read");
        }
    }

    private static String room(Event event) throws InvalidEventException {
        String room = event.room();
        if (room == null) throw bad(event.type() + " needs a \"room\"");
        return room;
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
        if (!node.isString() && !node.isIntegralNumber()) throw bad("\"" + field + "\" must be a string");
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
    public byte[] encode(Event event) {
        // The channel is named where it gives the position its meaning.
        boolean unplaced = event.position() == null && event.channel() != null;
        return EventCodec.writeFrame(unplaced ? event.with().channel(null).build() : event);
    }

    @Override
    public byte[] encode(Notice notice) {
        ObjectNode frame = JSON.createObjectNode();
        switch (notice) {
            case Notice.Welcome welcome -> {
                frame.put("type", "welcome")
                        .put("session", welcome.session())
                        .put("user", welcome.user())
                        .put("node", welcome.node())
                        .put("heartbeat", welcome.heartbeatMillis());
                ObjectNode channels = frame.putObject("channels");
                welcome.channels().forEach((label, position) -> put(channels.putObject(label), position));
            }
            case Notice.Sent sent -> {
                frame.put("type", "sent").put("ref", sent.ref()).put("id", sent.id());
                if (sent.position() != null) put(frame, sent.position());
                if (sent.self() != null) put(frame.putObject("self"), sent.self());
            }
            case Notice.Failure failure ->
                answer(frame, "error", failure.ref())
                        .put("code", failure.code())
                        .put("error", failure.sentence());
            case Notice.Joined joined -> {
                answer(frame, "joined", joined.ref()).put("room", joined.room()).put("members", joined.members());
                put(frame, joined.position());
            }
            case Notice.Left left -> answer(frame, "left", left.ref()).put("room", left.room());
            case Notice.RoomMembers members -> {
                answer(frame, "presence", members.ref())
                        .put("room", members.room())
                        .put("count", members.count());
                members.users().forEach(frame.putArray("users")::add);
            }
            case Notice.Resumed resumed -> {
                ObjectNode channels = answer(frame, "resumed", resumed.ref()).putObject("channels");
                resumed.channels().forEach((label, outcome) -> {
                    ObjectNode channel = channels.putObject(label).put("recovered", outcome.recovered());
                    if (outcome.position() != null) put(channel, outcome.position());
                    if (outcome.code() != null) channel.put("code", outcome.code());
                });
            }
            case Notice.HistoryPage page -> {
                answer(frame, "history", page.ref()).put("channel", page.channel());
                ArrayNode events = frame.putArray("events");
                page.events().forEach(event -> events.addRawValue(new RawValue(new String(encode(event), UTF_8))));
                put(frame, page.position());
            }
            case Notice.Answer said ->
                answer(frame, said.type(), said.ref())
                        .putRawValue("data", new RawValue(new String(said.data().bytes(), UTF_8)));
            case Notice.Pong pong -> answer(frame, "pong", pong.ref()).put("timestamp", pong.timestamp());
            case Notice.Refreshed refreshed ->
                answer(frame, "refreshed", refreshed.ref()).put("exp", refreshed.expiresAtSeconds());
            case Notice.Drain drain ->
                frame.put("type", "drain").put("reconnect_within_ms", drain.reconnectWithinMillis());
            case Notice.TokenExpiring expiring ->
                frame.put("type", "token_expiring").put("expires_in", expiring.expiresInSeconds());
            case Notice.Degraded degraded -> frame.put("type", "degraded");
            case Notice.Restored restored -> frame.put("type", "restored");
            case Notice.Resync resync -> {
                frame.put("type", "resync").put("channel", resync.channel());
                put(frame, resync.position());
            }
        }
        return JSON.writeValueAsBytes(frame);
    }

    private static ObjectNode answer(ObjectNode frame, String type, @Nullable String ref) {
        frame.put("type", type);
        if (ref != null) frame.put("ref", ref);
        return frame;
    }

    private static void put(ObjectNode frame, Position position) {
        frame.put("epoch", position.epoch()).put("offset", position.offset());
    }
}
