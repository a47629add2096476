package io.carillon.node.presence;

/** What other rooms tell of this node for its description. Safe from any thread. */
public final class NodeState {
    private volatile boolean draining;

    /** Whether the node empties itself. */
    public boolean draining() {
        return draining;
    }

    /** The node empties itself from now on. */
    public void drain() {
        draining = true;
    }
}
