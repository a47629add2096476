package io.carillon.node.dispatch;

import io.carillon.model.channel.Namespace;
import io.carillon.node.backplane.Backplane;
import java.util.Collection;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionStage;
import java.util.function.Supplier;

/** Tells the nodes: what is for a user's sessions every one, since they know better than presence whom they hold. */
final class NodeControl implements ClusterControl {
    private final Backplane backplane;
    private final Supplier<CompletionStage<? extends Collection<String>>> boots;

    /**
     * @param boots boot ids of the nodes with a lease
     */
    NodeControl(Backplane backplane, Supplier<CompletionStage<? extends Collection<String>>> boots) {
        this.backplane = backplane;
        this.boots = boots;
    }

    @Override
    public CompletionStage<Void> kick(Namespace namespace, String user) {
        return tell(Control.kick(namespace, user));
    }

    @Override
    public CompletionStage<Void> moveUser(Namespace namespace, String user, String room, boolean join) {
        return tell(Control.move(namespace, user, room, join));
    }

    @Override
    public CompletionStage<Boolean> drain(String boot) {
        return backplane.publishToNode(boot, Control.drain()).thenApply(receivers -> receivers > 0);
    }

    private CompletionStage<Void> tell(byte[] message) {
        return boots.get()
                .thenCompose(all -> CompletableFuture.allOf(all.stream()
                        .map(boot -> backplane.publishToNode(boot, message).toCompletableFuture())
                        .toArray(CompletableFuture[]::new)));
    }
}
