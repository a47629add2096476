package io.carillon.client;

import io.carillon.client.CarillonClient.State;
import java.lang.System.Logger.Level;
import java.util.ArrayDeque;
import java.util.List;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.locks.Condition;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;

/**
 * The one virtual thread that calls an application's handlers, one after another, and what waits for it, in the order in
 * which it came. It is bounded by those who fill it: while it is {@link #full}, nothing is to be read that would.
 *
 * <p>What waits is guarded by the client's lock; handlers are never called under it.
 */
final class Inbox {
    private static final int MOST_WAITING = 1_000;

    private final List<Consumer<State>> ofStates = new CopyOnWriteArrayList<>();
    private final Guard<?> guard;
    private final Condition work;

    // Guarded by the client's lock, as everything below.
    private final ArrayDeque<Runnable> waiting = new ArrayDeque<>();
    private boolean deaf;
    private boolean over;

    Inbox(Guard<?> guard) {
        this.guard = guard;
        this.work = guard.lock.newCondition();
    }

    void onState(Consumer<State> handler) {
        ofStates.add(handler);
    }

    /** Starts the thread. */
    void start() {
        Thread.ofVirtual().name("carillon-client").start(this::run);
    }

    // ---- under the lock

    /** Whether no more should be read from the connection for now. */
    boolean full() {
        return waiting.size() >= MOST_WAITING;
    }

    /** Drops what waits, and what comes from now on; changes of state are still told. */
    void clear() {
        waiting.clear();
        deaf = true;
    }

    /** Lets the thread end behind what waits. */
    void end() {
        over = true;
        work.signalAll();
    }

    void state(State next) {
        for (Consumer<State> handler : ofStates) add(() -> handler.accept(next));
    }

    /** Calls a handler, when it is its turn. */
    void hand(Runnable call) {
        if (!deaf) add(call);
    }

    private void add(Runnable call) {
        waiting.add(call);
        work.signal();
    }

    // ---- the handlers' thread

    private void run() {
        while (true) {
            Runnable call;
            Transport.@Nullable Link thirsty = null;
            guard.lock.lock();
            try {
                while (waiting.isEmpty() && !over) work.awaitUninterruptibly();
                call = waiting.poll();
                if (call == null) return;
                Connection open = guard.connection;
                if (open != null && waiting.size() < MOST_WAITING / 2) thirsty = open.thirsty();
            } finally {
                guard.lock.unlock();
            }
            // Not under the lock: what waits in the transport may come by this very call.
            if (thirsty != null) thirsty.more();
            try {
                call.run();
            } catch (RuntimeException | Error e) {
                // There is one thread for all handlers, and it outlives the errors of each.
                CarillonClient.LOG.log(Level.WARNING, "a handler failed", e);
            }
        }
    }
}
