package io.carillon.node.push;

/** Event streams of nodes in processes of their own. */
class SseIT extends SseContract {
    @Override
    boolean embedded(int node) {
        return false;
    }
}
