package io.carillon.node.channel;

import io.carillon.model.channel.Position;
import io.carillon.model.event.Event;

/** Receives the events of channels in order. Called on the channel's worker loop; implementations hand on and return. */
public interface ChannelListener {
    /**
     * The next event of the channel. Events without a position come as they arrive, at most once; those with one come
     * in order, each once.
     *
     * @return false when it cannot be taken now: a durable event is then read from the history again later, another is
     *     dropped
     */
    boolean event(Channel channel, Event event);

    /** What came before cannot be proven complete; the channel goes on from here. */
    void resync(Channel channel, Position position);

    /** The backplane came up (true) or broke (false). Called on any thread. */
    void linked(boolean up);

    /** A control message for this node. Called on the backplane's reader thread. */
    void control(byte[] message);
}
