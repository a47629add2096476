package io.carillon.node.presence;

import io.carillon.model.channel.Namespace;
import java.util.Set;
import java.util.concurrent.CompletionStage;
import org.jspecify.annotations.Nullable;

/**
 * This node's part of the cluster's presence. It remembers what it was told, so that everything is put into Redis again
 * when Redis lost it or the node was taken for dead. Calls are safe from any thread and never block.
 */
public interface Presence {
    /** The node's incarnation, {@code <boot>.<n>}: a new one after each time it was taken for dead. */
    String node();

    /**
     * A session opened: its user is online from the moment the stage completes. Without Redis the stage fails with
     * {@code BackplaneException} at once; the session is remembered all the same and registered when Redis returns,
     * unless it is {@link #closed}.
     *
     * @return rooms the user was put into through the HTTP API, for the session to join
     */
    CompletionStage<Set<String>> opened(Online session);

    /** The session closed; it also leaves the rooms it is still in. */
    void closed(String session);

    /**
     * The user has a session of this node in the room. Called for each session; counted here. Without Redis as
     * {@link #opened}.
     *
     * @param name the user's display name, kept with the room while he is in it; null for none
     * @param announce whether the user's arrival is announced to the room, if this makes him arrive
     * @return users in the room now, over all nodes
     */
    CompletionStage<Long> joined(
            Namespace namespace, String room, String session, String user, @Nullable String name, boolean announce);

    /** The same for a user without a name. */
    default CompletionStage<Long> joined(
            Namespace namespace, String room, String session, String user, boolean announce) {
        return joined(namespace, room, session, user, null, announce);
    }

    /**
     * The session left the room, or closed while in it. The user's departure, with his last session on any node, is
     * announced if his arrival was; {@code announce} false keeps it quiet.
     */
    void left(Namespace namespace, String room, String session, String user, boolean announce);

    /** Whether Redis has this node's lease and takes what it writes: only then should sessions be sent here. */
    boolean open();

    /** The link to Redis came up or broke; saves up to a beat of waiting, nothing depends on being told. */
    void linked(boolean up);

    /** Sessions of the user over all nodes. */
    CompletionStage<Long> sessionsOf(Namespace namespace, String user);

    /**
     * A session as presence sees it.
     *
     * @param since when it opened, milliseconds since the epoch
     */
    record Online(
            Namespace namespace,
            String session,
            String user,
            @Nullable String kind,
            Set<String> groups,
            String address,
            String endpoint,
            long since) {}
}
