package io.carillon.node.edge;

/** The end of a node with a listener of its own. */
class DrainTest extends DrainContract {
    @Override
    EchoNode start(String... settings) {
        return EchoNode.start(settings);
    }
}
