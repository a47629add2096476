package io.carillon.node.push;

/** Event streams of a node inside a servlet application and of one in a process of its own. */
class EmbeddedSseIT extends SseContract {
    @Override
    boolean embedded(int node) {
        return node == 0;
    }
}
