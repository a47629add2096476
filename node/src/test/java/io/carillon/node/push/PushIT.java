package io.carillon.node.push;

/** The push dialect between nodes in processes of their own. */
class PushIT extends PushContract {
    @Override
    boolean embedded(int node) {
        return false;
    }
}
