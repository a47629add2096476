package io.carillon.node.presence;

import io.carillon.model.channel.Namespace;

/** How the node stands with Redis, as the books see it. Touched by the presence thread only, {@link #incarnation} apart. */
interface Standing {
    /** The incarnation under which things are written now. */
    String incarnation();

    /** Whether Redis can be written: the link is up and the lease is held. */
    boolean open();

    /**
     * Whether this incarnation is admitted to the namespace, so that a reaper will find what it writes there. If not yet,
     * sees to it and flushes again after that.
     */
    boolean declared(Namespace namespace);

    /** A call failed: nothing more is sent until a beat gets through. */
    void lost();

    /** Redis refuses this incarnation: it was taken for dead. */
    void fenced(String incarnation);

    /** A book has nothing left to send. */
    void settled();
}
