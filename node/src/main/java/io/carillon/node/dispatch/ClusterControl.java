package io.carillon.node.dispatch;

import io.carillon.model.channel.Namespace;
import java.util.concurrent.CompletionStage;

/** What an operator does to a user's sessions, on whatever nodes they are, and to nodes. Safe from any thread; never blocks. */
public interface ClusterControl {
    /** Closes all of the user's sessions with 4503. Completes when every node was told. */
    CompletionStage<Void> kick(Namespace namespace, String user);

    /** All of the user's sessions join or leave the room. Completes when every node was told. */
    CompletionStage<Void> moveUser(Namespace namespace, String user, String room, boolean join);

    /**
     * The node empties itself and ends; asked again it goes on with that.
     *
     * @param boot the name of its process
     * @return whether it was told: a node that has just died hears nothing
     */
    CompletionStage<Boolean> drain(String boot);
}
