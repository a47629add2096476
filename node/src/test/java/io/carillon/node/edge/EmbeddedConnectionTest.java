package io.carillon.node.edge;

/** A connection inside a servlet application, where the container reads the frames. */
class EmbeddedConnectionTest extends ConnectionContract {
    @Override
    EchoNode start(String... settings) {
        return EchoNode.embedded(settings);
    }
}
