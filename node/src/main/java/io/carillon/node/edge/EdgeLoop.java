package io.carillon.node.edge;

import io.netty.util.concurrent.EventExecutor;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.Arrays;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * What the door keeps for one event loop: the connections it looks after with a single timer, and counts. Owned by the
 * loop; the counts are read by others, who may see them a little late.
 */
final class EdgeLoop implements Runnable {
    private static final Logger log = LoggerFactory.getLogger(EdgeLoop.class);

    private final EventExecutor executor;
    private final MessageDigest sha1;
    private @Nullable Timed[] all = new Timed[64];
    private int count;
    private long now;

    // Read by the metrics.
    long framesIn;
    long bytesIn;
    long bytesOut;

    /** Sessions' connections whose TCP connection is not gone. */
    int connections;

    EdgeLoop(EventExecutor executor) {
        this.executor = executor;
        this.now = executor.ticker().nanoTime();
        try {
            this.sha1 = MessageDigest.getInstance("SHA-1");
        } catch (NoSuchAlgorithmException e) {
            throw new IllegalStateException(e);
        }
    }

    EventExecutor executor() {
        return executor;
    }

    /** Nanoseconds, as of the last tick. */
    long now() {
        return now;
    }

    /** Nanoseconds, exactly. */
    long exactly() {
        return executor.ticker().nanoTime();
    }

    byte[] sha1(byte[] bytes) {
        return sha1.digest(bytes);
    }

    void add(Timed timed) {
        if (count == all.length) all = Arrays.copyOf(all, count * 2);
        timed.slot(count);
        all[count++] = timed;
    }

    void remove(Timed timed) {
        int slot = timed.slot();
        if (slot < 0) return;
        Timed last = all[--count];
        all[slot] = last;
        if (last != null) last.slot(slot);
        all[count] = null;
        timed.slot(-1);
    }

    /** Every connection of a session. */
    void forEach(Consumer<Carrier> action) {
        for (int i = count - 1; i >= 0; i--) {
            if (i < count && all[i] instanceof Carrier carrier) action.accept(carrier);
        }
    }

    /** One tick. */
    @Override
    public void run() {
        now = executor.ticker().nanoTime();
        // From the end, so that one that leaves is replaced by one already looked at.
        for (int i = count - 1; i >= 0; i--) {
            Timed timed = i < count ? all[i] : null;
            if (timed == null) continue;
            try {
                timed.tick(now);
            } catch (RuntimeException e) {
                log.error("Looking after a connection failed; the others go on.", e);
            }
        }
    }
}
