package io.carillon.node.backplane;

import io.carillon.model.channel.ChannelName;

/**
 * Receives what the backplane brings. Called on its reader threads: implementations hand on and return. For one channel
 * the calls come one after the other; for different channels they may come at once (Redis Cluster has a reader for each
 * primary).
 */
public interface BackplaneListener {
    /** From here on, everything published on the channel arrives. Called again after each re-subscription. */
    void subscribed(ChannelName channel);

    /** The subscription was lost without being asked for; the backplane is renewing it. */
    void lost(ChannelName channel);

    /**
     * As {@link #lost}, where the node gave the connection up and not Redis: a primary that is frozen or cut off may have
     * taken events after that, and answered their publishers, which nobody will know of once another is primary.
     */
    default void abandoned(ChannelName channel) {
        lost(channel);
    }

    /** A message of a subscribed channel. The bytes are the receiver's own. */
    void message(ChannelName channel, byte[] message);

    /** A control message for this node. */
    void control(byte[] message);

    /**
     * The link came up (true) or broke (false). Each channel is told of by itself: those of a primary that is still
     * there flow on.
     */
    void linked(boolean up);
}
