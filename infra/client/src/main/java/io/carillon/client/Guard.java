package io.carillon.client;

import java.util.concurrent.CompletableFuture;
import java.util.concurrent.Executor;
import java.util.concurrent.locks.ReentrantLock;
import org.jspecify.annotations.Nullable;

/**
 * The one lock of a client, which guards the state of all its parts; the connection that the client has at the moment;
 * and the way out from under the lock, to whoever waits for a future.
 *
 * @param <C> the client's connections
 */
final class Guard<C extends Connection> {
    final ReentrantLock lock = new ReentrantLock();

    /** From the attempt to open it until it ends, fails or is given up; null in between. Guarded by the lock. */
    @Nullable
    C connection;

    private final Executor background;

    Guard(Executor background) {
        this.background = background;
    }

    /** Runs a step with the lock. */
    void locked(Runnable step) {
        lock.lock();
        try {
            step.run();
        } finally {
            lock.unlock();
        }
    }

    /** Runs a step with the lock, if that connection is still the client's. */
    void locked(Connection of, Runnable step) {
        locked(() -> {
            if (is(of)) step.run();
        });
    }

    /** Whether that connection is still the client's. Under the lock. */
    @SuppressWarnings("ReferenceEquality") // There is no other equality of connections.
    boolean is(Connection of) {
        return of == connection;
    }

    /** What depends on a future may wait, or call the client: never under the lock, never on the transport's threads. */
    void background(Runnable task) {
        background.execute(task);
    }

    /** Fails a future, in the background. */
    void fail(CompletableFuture<?> future, String code, String sentence) {
        background(() -> future.completeExceptionally(new RefusedException(code, sentence)));
    }
}
