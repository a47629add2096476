package io.carillon.node.push;

/** The push dialect between nodes inside servlet applications and one in a process of its own. */
class EmbeddedPushIT extends PushContract {
    @Override
    boolean embedded(int node) {
        return node != 1;
    }
}
