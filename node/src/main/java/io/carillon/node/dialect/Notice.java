package io.carillon.node.dialect;

import io.carillon.model.channel.Position;
import io.carillon.model.event.Event;
import io.carillon.model.event.Payload;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/** What the server itself tells a client, whatever the dialect. */
public sealed interface Notice {
    /** First of all: who the session is, and where its channels stand. */
    record Welcome(String session, String user, String node, long heartbeatMillis, Map<String, Position> channels)
            implements Notice {}

    /**
     * The event is in Redis.
     *
     * @param position place on the target channel; null when not durable
     * @param self place of the copy on the sender's own channel; null when there is none
     */
    record Sent(
            String ref,
            String id,
            @Nullable Position position,
            @Nullable Position self) implements Notice {}

    /** Something the client asked for was refused or failed. */
    record Failure(@Nullable String ref, String code, String sentence) implements Notice {}

    record Joined(@Nullable String ref, String room, long members, Position position) implements Notice {}

    record Left(@Nullable String ref, String room) implements Notice {}

    record RoomMembers(@Nullable String ref, String room, long count, List<String> users) implements Notice {}

    /** What came of a resume, by label of the channel. */
    record Resumed(@Nullable String ref, Map<String, Outcome> channels) implements Notice {
        /**
         * @param recovered whether everything missed was sent before this
         * @param position where to go on from; null when the channel is not the session's to have
         * @param code why it was refused; null otherwise
         */
        public record Outcome(
                boolean recovered,
                @Nullable Position position,
                @Nullable String code) {}
    }

    /**
     * Events kept of a channel, in order.
     *
     * @param events as this dialect shows them
     * @param position the channel's last
     */
    record HistoryPage(@Nullable String ref, String channel, List<Event> events, Position position) implements Notice {}

    /**
     * What an application answers or says of itself.
     *
     * @param ref the client's own mark for the answer; null when there is none
     * @param data JSON
     */
    record Answer(String type, @Nullable String ref, Payload data) implements Notice {}

    record Pong(@Nullable String ref, long timestamp) implements Notice {}

    record Refreshed(@Nullable String ref, long expiresAtSeconds) implements Notice {}

    /** The node goes; reconnect at a random moment within the window. */
    record Drain(long reconnectWithinMillis) implements Notice {}

    record TokenExpiring(long expiresInSeconds) implements Notice {}

    /** The node lost Redis: what is sent now fails. */
    record Degraded() implements Notice {}

    /** The node has Redis again. */
    record Restored() implements Notice {}

    /** Continuity of the channel cannot be proven; go on from here. */
    record Resync(String channel, Position position) implements Notice {}
}
