package io.carillon.node.edge;

import java.time.Duration;

/** Is told that a drain begins, to announce it to the sessions before the first of them is closed. */
@FunctionalInterface
public interface DrainListener {
    /**
     * Called once for each drain, off the event loops; frames handed to sockets before it returns leave before the close
     * frame.
     *
     * @param window time over which the closes are spread, and over which clients are to spread their return
     */
    void draining(Duration window);
}
