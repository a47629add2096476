package io.carillon.node.edge;

import io.carillon.model.channel.Namespace;
import java.util.concurrent.CompletionStage;

/** How many sessions a user has over all nodes. */
@FunctionalInterface
public interface UserSessions {
    /** Called on an event loop: must not block. Where the stage fails, only this node's sessions are counted. */
    CompletionStage<Long> sessionsOf(Namespace namespace, String user);
}
