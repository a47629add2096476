package io.carillon.client;

import io.carillon.model.channel.Position;
import org.jspecify.annotations.Nullable;
import tools.jackson.databind.JsonNode;

/**
 * An event as a client gets it, or a notice of the server's: its frame, and the fields of it that have a meaning to the
 * cluster. Not to be changed.
 */
public record Received(JsonNode frame) {
    /** What happened. */
    public String type() {
        return frame.path("type").asString("");
    }

    /** The event's id; null where a plain publisher gave none. */
    public @Nullable String id() {
        return text("id");
    }

    /** Id of the sending user; null for a service. */
    public @Nullable String from() {
        return text("from");
    }

    /** Id of the receiving user; null for a room or everyone. */
    public @Nullable String to() {
        return text("to");
    }

    /** The room; null for a user or everyone. */
    public @Nullable String room() {
        return text("room");
    }

    /** The payload; a missing node where there is none. */
    public JsonNode content() {
        return frame.path("content");
    }

    /** Milliseconds since the epoch, UTC, when the cluster accepted it; 0 where it is a notice. */
    public long timestamp() {
        return frame.path("timestamp").asLong(0);
    }

    /** The channel whose history keeps it; null for what is not kept. */
    public @Nullable String channel() {
        return text("channel");
    }

    /** Its place in the channel's history; null for what is not kept. */
    public @Nullable Position position() {
        return channel() == null ? null : position(frame);
    }

    /** Whether it comes again until a session of the user acknowledges it, which the client does by itself. */
    public boolean ack() {
        return frame.path("ack").asBoolean(false);
    }

    private @Nullable String text(String field) {
        JsonNode value = frame.path(field);
        return value.isString() ? value.asString() : null;
    }

    /** The position a frame, or a part of one, names; null where it names none. */
    static @Nullable Position position(JsonNode node) {
        JsonNode epoch = node.path("epoch");
        JsonNode offset = node.path("offset");
        if (!epoch.isString() || !offset.isIntegralNumber() || !offset.canConvertToLong() || offset.asLong() < 0) {
            return null;
        }
        String text = epoch.asString();
        return Position.validEpoch(text) ? new Position(text, offset.asLong()) : null;
    }
}
