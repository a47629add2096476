package io.carillon.node.dispatch;

import io.carillon.model.channel.Namespace;
import io.carillon.node.backplane.Backplane;
import java.util.Collection;
import java.util.HashSet;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.Executor;
import java.util.concurrent.TimeUnit;
import java.util.function.Supplier;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** Tells the nodes: what is for a user's sessions every one, since they know better than presence whom they hold. */
final class NodeControl implements ClusterControl {
    private static final Logger log = LoggerFactory.getLogger(NodeControl.class);

    /** Two beats of a node: by then it has its lease again. */
    private static final Executor LATER = CompletableFuture.delayedExecutor(2500, TimeUnit.MILLISECONDS);

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

    /** Tells the nodes with a lease; a little later those that had none just now: Redis may have lost its data. */
    private CompletionStage<Void> tell(byte[] message) {
        return boots.get().thenCompose(all -> {
            var unused = boots(LATER)
                    .thenCompose(now -> {
                        var missed = new HashSet<String>(now);
                        missed.removeAll(all);
                        return tell(missed, message);
                    })
                    .exceptionally(failure -> {
                        log.warn("Nodes without a lease could not be told. reason={}", failure.getMessage());
                        return null;
                    });
            return tell(all, message);
        });
    }

    private CompletionStage<? extends Collection<String>> boots(Executor when) {
        return CompletableFuture.runAsync(() -> {}, when).thenCompose(ok -> boots.get());
    }

    private CompletionStage<Void> tell(Collection<String> nodes, byte[] message) {
        return CompletableFuture.allOf(nodes.stream()
                .map(boot -> backplane.publishToNode(boot, message).toCompletableFuture())
                .toArray(CompletableFuture[]::new));
    }
}
