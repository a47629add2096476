package io.carillon.node.edge;

/** Limits of a node inside a servlet application. */
class EmbeddedLimitsTest extends LimitsContract {
    @Override
    EchoNode start(String... settings) {
        return EchoNode.embedded(settings);
    }
}
