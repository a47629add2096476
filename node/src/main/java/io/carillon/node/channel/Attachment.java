package io.carillon.node.channel;

import io.carillon.model.channel.Position;

/** Waits for a channel to flow. */
public interface Attachment {
    /**
     * The channel flows: every later event of it follows this position. Called once, on the channel's worker loop,
     * between two events.
     */
    void attached(Position position);
}
