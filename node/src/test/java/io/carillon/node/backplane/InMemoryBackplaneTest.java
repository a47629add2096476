package io.carillon.node.backplane;

/** The contract on the backplane that other rooms test with. */
class InMemoryBackplaneTest extends BackplaneContract {
    private final InMemoryBackplane.Hub hub = new InMemoryBackplane.Hub();

    @Override
    Backplane node(String boot) {
        return new InMemoryBackplane(hub, boot);
    }

    @Override
    void breakLinks() {
        hub.breakLinks();
    }

    @Override
    void takeDown() {
        hub.takeDown();
    }

    @Override
    void restore() {
        hub.restore();
    }
}
