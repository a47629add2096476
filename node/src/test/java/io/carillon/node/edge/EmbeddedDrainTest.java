package io.carillon.node.edge;

/** The end of a node inside a servlet application. */
class EmbeddedDrainTest extends DrainContract {
    @Override
    EchoNode start(String... settings) {
        return EchoNode.embedded(settings);
    }
}
