package io.carillon.node.edge;

/** Limits of a listener of the node's own. */
class LimitsTest extends LimitsContract {
    @Override
    EchoNode start(String... settings) {
        return EchoNode.start(settings);
    }
}
