package io.carillon.node.session;

import io.carillon.model.channel.Namespace;
import java.time.Duration;
import java.util.Map;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/**
 * One configured address clients connect to.
 *
 * @param name its name in settings, logs and metrics
 * @param path exact path of the handshake request
 * @param dialect name of the dialect spoken there
 * @param namespace the application it belongs to
 * @param maxMessage largest message accepted, bytes; exactly this many is allowed
 * @param messagesPerSecond messages a session may send in a second on average; 0 = no limit
 * @param burst messages a session may send at once
 * @param origins foreign origins accepted, as {@code scheme://host[:port]}; the front door's own is always accepted
 * @param queryToken whether {@code ?token=} is accepted
 * @param sessionsPerUser most sessions of one user, over all nodes; 0 = no limit
 * @param overLimit what becomes of a session over that
 * @param clientBroadcast whether clients may publish to everyone
 * @param presenceEvents whether a room's joins and departures are announced to it
 * @param ephemeralTypes event types that are never durable nor echoed to the sender
 * @param senders who may send what: for an event type, the kinds of users that may; a type that is not named anyone may
 * @param history how much is kept of the channels of its namespace; null fields for the defaults
 * @param silence a session that sends nothing for this long is closed with 4408
 * @param ping how often the server pings a session
 * @param mustSpeak whether only whole messages break the silence; otherwise any frame does, pongs too
 */
public record Endpoint(
        String name,
        String path,
        String dialect,
        Namespace namespace,
        int maxMessage,
        int messagesPerSecond,
        int burst,
        Set<String> origins,
        boolean queryToken,
        int sessionsPerUser,
        OverLimit overLimit,
        boolean clientBroadcast,
        boolean presenceEvents,
        Set<String> ephemeralTypes,
        Map<String, Set<String>> senders,
        EndpointSettings.History history,
        Duration silence,
        Duration ping,
        boolean mustSpeak) {
    /** The one address of all event streams. */
    public static final String STREAMS = "/api/ws/events";

    /** Whether a user of the kind may send events of the type. @param kind null for a user without one */
    public boolean maySend(@Nullable String kind, String type) {
        Set<String> kinds = senders.get(type);
        return kinds == null || kind != null && kinds.contains(kind);
    }

    /** Whether its sessions are event streams. */
    public boolean streams() {
        return path.equals(STREAMS);
    }

    /** The event streams of this endpoint's application, by the same rules. */
    Endpoint stream() {
        return new Endpoint(
                name + "-events",
                STREAMS,
                dialect + "-events",
                namespace,
                maxMessage,
                messagesPerSecond,
                burst,
                origins,
                queryToken,
                sessionsPerUser,
                overLimit,
                false,
                presenceEvents,
                ephemeralTypes,
                senders,
                history,
                silence,
                ping,
                mustSpeak);
    }
}
