package io.carillon.node.edge;

import io.carillon.node.session.CloseCode;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;

/**
 * Empties one loop: closes its sessions at an even pace, each when it has what waits for it, waits for the clients to
 * answer, and drops who does not.
 */
final class Drain implements Runnable {
    private static final long STEP = TimeUnit.MILLISECONDS.toNanos(20);

    private final EdgeLoop loop;
    private final long window;
    private final long flush;
    private final long patience;
    private final CompletableFuture<Void> emptied = new CompletableFuture<>();

    // Owned by the loop.
    private final List<Carrier> all = new ArrayList<>();
    private final List<Owing> owing = new ArrayList<>();
    private long begun;
    private int due;

    /** A connection whose turn it was while frames waited for it. */
    private record Owing(Carrier carrier, long until) {}

    private Drain(EdgeLoop loop, long window, long flush, long patience) {
        this.loop = loop;
        this.window = window;
        this.flush = flush;
        this.patience = patience;
    }

    /**
     * @param window time over which the closes are spread, nanoseconds
     * @param flush most time for what waits for a session, nanoseconds
     * @param patience time for the last clients to answer, nanoseconds
     */
    static CompletableFuture<Void> begin(EdgeLoop loop, long window, long flush, long patience) {
        var drain = new Drain(loop, window, flush, patience);
        loop.executor().execute(() -> {
            drain.begun = loop.exactly();
            loop.forEach(drain.all::add);
            drain.run();
        });
        return drain.emptied;
    }

    @Override
    public void run() {
        long now = loop.exactly();
        long elapsed = now - begun;
        int until = elapsed >= window ? all.size() : (int) (all.size() * elapsed / window);
        while (due < until) {
            Carrier carrier = all.get(due++);
            if (carrier.owes()) owing.add(new Owing(carrier, now + flush));
            else carrier.close(CloseCode.RESTARTING);
        }
        owing.removeIf(one -> {
            boolean close = !one.carrier.owes() || now - one.until >= 0;
            if (close) one.carrier.close(CloseCode.RESTARTING);
            return close;
        });
        if (loop.connections == 0) {
            emptied.complete(null);
            return;
        }
        if (elapsed >= window + flush + patience) {
            loop.forEach(Carrier::force);
            emptied.complete(null);
            return;
        }
        var unused = loop.executor().schedule(this, STEP, TimeUnit.NANOSECONDS);
    }
}
