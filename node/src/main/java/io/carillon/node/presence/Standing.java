package io.carillon.node.presence;

/** How the node stands with Redis, as the books see it. Touched by the presence thread only, {@link #incarnation} apart. */
interface Standing {
    /** The incarnation under which things are written now. */
    String incarnation();

    /** Whether Redis can be written: the link is up and the lease is held. */
    boolean open();

    /**
     * Whether this incarnation is admitted there, so that a reaper will find what it writes. If not yet,
     * sees to it and flushes again after that.
     */
    boolean declared(Place place);

    /** A call failed: nothing more is sent until a beat gets through. */
    void lost();

    /** Redis refuses this incarnation: it was taken for dead. */
    void fenced(String incarnation);

    /** A book has nothing left to send. */
    void settled();
}
