package io.carillon.node.dispatch;

import io.carillon.model.channel.Namespace;
import java.util.concurrent.CompletionStage;

/** What an operator does to a user's sessions, on whatever nodes they are. Safe from any thread; never blocks. */
public interface ClusterControl {
    /** Closes all of the user's sessions with 4503. Completes when every node was told. */
    CompletionStage<Void> kick(Namespace namespace, String user);

    /** All of the user's sessions join or leave the room. Completes when every node was told. */
    CompletionStage<Void> moveUser(Namespace namespace, String user, String room, boolean join);
}
