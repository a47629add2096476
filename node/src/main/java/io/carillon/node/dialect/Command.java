package io.carillon.node.dialect;

import io.carillon.model.channel.Position;
import io.carillon.model.event.Event;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/** What a client asks for, whatever the dialect. {@code ref} is the client's own mark for the answer; null when it wants none. */
public sealed interface Command {
    @Nullable
    String ref();

    /** Publish the event to its {@code to}, its {@code room}, or everyone. It carries only what a client may set. */
    record Publish(Event event, @Nullable String ref) implements Command {}

    /** This session joins the room. */
    record Join(String room, @Nullable String ref) implements Command {}

    /** This session leaves the room. */
    record Leave(String room, @Nullable String ref) implements Command {}

    /** Who is in the room? */
    record Members(String room, @Nullable String ref) implements Command {}

    /** The user has dealt with an event that asked for it. */
    record Ack(String id, @Nullable String ref) implements Command {}

    /** The application's own heartbeat. */
    record Ping(@Nullable String ref) implements Command {}

    /** A fresh token for the session. */
    record Refresh(String token, @Nullable String ref) implements Command {
        @Override
        public String toString() {
            return "Refresh[…]";
        }
    }

    /**
     * What was missed of these channels since the positions.
     *
     * @param channels by label, as {@code user:u1}
     */
    record Resume(Map<String, Position> channels, @Nullable String ref) implements Command {}

    /**
     * Events kept of a channel.
     *
     * @param channel its label
     * @param after offset of the event before the first; null for the start of what is kept
     * @param limit most events
     */
    record History(
            String channel,
            @Nullable Long after,
            int limit,
            @Nullable String ref) implements Command {}

    /** Nothing that can be done: an error goes back. */
    record Invalid(String code, String sentence, @Nullable String ref) implements Command {}
}
