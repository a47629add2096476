package io.carillon.node.edge;

import java.time.Duration;

/** Is told of a drain, once each, off the event loops. */
public interface DrainListener {
    /** The node takes no new sessions from now on: whoever sends it some is to stop. Must not wait. */
    void begun();

    /**
     * The sessions are to be told, before the first of them is closed: frames handed to sockets before it returns leave
     * before the close frame.
     *
     * @param window time over which the closes are spread, and over which clients are to spread their return
     */
    void announce(Duration window);
}
