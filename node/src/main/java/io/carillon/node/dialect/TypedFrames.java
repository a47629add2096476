package io.carillon.node.dialect;

import static java.nio.charset.StandardCharsets.UTF_8;

import io.carillon.model.channel.Position;
import io.carillon.model.event.Event;
import io.carillon.model.event.InvalidEventException;
import io.carillon.model.event.InvalidEventException.Code;
import io.carillon.model.event.Payload;
import org.jspecify.annotations.Nullable;
import tools.jackson.core.JacksonException;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;
import tools.jackson.databind.node.ObjectNode;
import tools.jackson.databind.util.RawValue;

/** Frames of the form {@code {"type":…,"data":{…}}}, which several dialects have in common. */
public final class TypedFrames {
    private static final JsonMapper JSON = JsonMapper.shared();
    private static final int MAX_TOKEN = 4096;

    private TypedFrames() {}

    /** An event's frame: its content is the data. */
    public static byte[] of(Event event) {
        return of(event.type(), event.content());
    }

    /** @param data JSON; null for none */
    public static byte[] of(String type, @Nullable Payload data) {
        ObjectNode frame = JSON.createObjectNode().put("type", type);
        if (data != null) frame.putRawValue("data", raw(data));
        return JSON.writeValueAsBytes(frame);
    }

    /** JSON as it is. */
    public static RawValue raw(Payload json) {
        return new RawValue(new String(json.bytes(), UTF_8));
    }

    /** What the node tells of itself, and the answer to a refresh; null for every other notice. */
    public static byte @Nullable [] notice(Notice notice) {
        ObjectNode frame = JSON.createObjectNode();
        switch (notice) {
            case Notice.Drain drain -> data(frame, "drain").put("reconnect_within_ms", drain.reconnectWithinMillis());
            case Notice.TokenExpiring expiring ->
                data(frame, "token_expiring").put("expires_in", expiring.expiresInSeconds());
            case Notice.Refreshed refreshed -> data(frame, "refreshed").put("exp", refreshed.expiresAtSeconds());
            case Notice.Degraded degraded -> data(frame, "degraded");
            case Notice.Restored restored -> data(frame, "restored");
            case Notice.Resync resync -> {
                Position at = resync.position();
                data(frame, "resync")
                        .put("channel", resync.channel())
                        .put("epoch", at.epoch())
                        .put("offset", at.offset());
            }
            default -> {
                return null;
            }
        }
        return JSON.writeValueAsBytes(frame);
    }

    private static ObjectNode data(ObjectNode frame, String type) {
        return frame.put("type", type).putObject("data");
    }

    /** The fresh token of a {@code refresh}. */
    public static Command refresh(Event event) throws InvalidEventException {
        String token = text(event.extra().get("token"));
        if (token == null || token.isEmpty() || token.length() > MAX_TOKEN) {
            throw new InvalidEventException(Code.BAD_FRAME, "refresh needs a \"token\"");
        }
        return new Command.Refresh(token, null);
    }

    /** A JSON string; null when it is something else or not there. */
    public static @Nullable String text(@Nullable Payload json) {
        if (json == null) return null;
        try {
            JsonNode node = JSON.readTree(json.bytes());
            return node.isString() ? node.stringValue() : null;
        } catch (JacksonException e) {
            return null;
        }
    }
}
