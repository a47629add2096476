package io.carillon.node.edge;

import io.carillon.node.session.CloseCode;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;

/** Empties one loop: closes its sessions at an even pace, waits for the clients to answer, and drops who does not. */
final class Drain implements Runnable {
    private static final long STEP = TimeUnit.MILLISECONDS.toNanos(20);

    private final EdgeLoop loop;
    private final long window;
    private final long patience;
    private final CompletableFuture<Void> emptied = new CompletableFuture<>();

    // Owned by the loop.
    private final List<Connection> all = new ArrayList<>();
    private long begun;
    private int closed;

    private Drain(EdgeLoop loop, long window, long patience) {
        this.loop = loop;
        this.window = window;
        this.patience = patience;
    }

    /** @param patience time for the last clients to answer, nanoseconds */
    static CompletableFuture<Void> begin(EdgeLoop loop, long window, long patience) {
        var drain = new Drain(loop, window, patience);
        loop.executor().execute(() -> {
            drain.begun = loop.exactly();
            loop.forEach(drain.all::add);
            drain.run();
        });
        return drain.emptied;
    }

    @Override
    public void run() {
        long elapsed = loop.exactly() - begun;
        int due = elapsed >= window ? all.size() : (int) (all.size() * elapsed / window);
        while (closed < due) all.get(closed++).close(CloseCode.RESTARTING);
        if (loop.connections == 0) {
            emptied.complete(null);
            return;
        }
        if (elapsed >= window + patience) {
            loop.forEach(Connection::force);
            emptied.complete(null);
            return;
        }
        var unused = loop.executor().schedule(this, STEP, TimeUnit.NANOSECONDS);
    }
}
