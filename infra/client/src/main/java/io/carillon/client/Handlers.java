package io.carillon.client;

import io.carillon.client.CarillonClient.Handler;
import io.carillon.client.CarillonClient.State;
import io.carillon.model.channel.Position;
import java.lang.System.Logger.Level;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.locks.Condition;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;

/**
 * The application's handlers, and the one virtual thread that calls them: for events, gaps and changes of state, one
 * after another, in the order in which they were given to it. An event that asks for an acknowledgement is acknowledged
 * when its handlers have run; if one of them threw, it is handed to them again when it comes again.
 *
 * <p>What waits for the thread, and what became of such events, is guarded by the client's lock. Handlers are added
 * without it, on any thread, and never called under it.
 */
final class Handlers {
    private static final int MOST_WAITING = 1_000;
    private static final int MOST_ACKS = 2_000;

    private enum AckState {
        UNDER_WAY,
        DONE
    }

    private final Map<String, List<Handler>> ofEvents = new ConcurrentHashMap<>();
    private final List<Consumer<Gap>> ofGaps = new CopyOnWriteArrayList<>();
    private final List<Consumer<State>> ofStates = new CopyOnWriteArrayList<>();
    private final Guard guard;
    private final Condition work;

    // Guarded by the client's lock, as everything below.
    private final ArrayDeque<Runnable> inbox = new ArrayDeque<>();
    private final Map<String, AckState> acks = new LinkedHashMap<>();
    private boolean deaf;
    private boolean over;

    Handlers(Guard guard) {
        this.guard = guard;
        this.work = guard.lock.newCondition();
    }

    void on(String type, Handler handler) {
        ofEvents.computeIfAbsent(type, t -> new CopyOnWriteArrayList<>()).add(handler);
    }

    void onGap(Consumer<Gap> handler) {
        ofGaps.add(handler);
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
        return inbox.size() >= MOST_WAITING;
    }

    /** Drops what waits, and what comes from now on; changes of state are still told. */
    void clear() {
        inbox.clear();
        deaf = true;
    }

    /** Lets the thread end behind what waits. */
    void end() {
        over = true;
        work.signalAll();
    }

    void event(Received event) {
        String id = event.id();
        if (event.ack() && id != null) {
            AckState fate = acks.get(id);
            if (fate == AckState.DONE) {
                acknowledge(id);
                return;
            }
            if (fate == AckState.UNDER_WAY) return;
            remember(id, AckState.UNDER_WAY);
            hand(() -> {
                boolean handled = handle(event, true);
                guard.locked(() -> {
                    if (handled) {
                        remember(id, AckState.DONE);
                        acknowledge(id);
                    } else {
                        acks.remove(id);
                    }
                });
            });
            return;
        }
        hand(() -> handle(event, true));
    }

    private void remember(String id, AckState fate) {
        acks.put(id, fate);
        if (acks.size() > MOST_ACKS) acks.remove(acks.keySet().iterator().next());
    }

    /** A frame that is no event: for handlers that name its type. */
    void notice(Received notice) {
        if (ofEvents.containsKey(notice.type())) hand(() -> handle(notice, false));
    }

    void gap(String channel, @Nullable Position from, @Nullable Position to) {
        var gap = new Gap(channel, from, to);
        for (Consumer<Gap> handler : ofGaps) hand(() -> handler.accept(gap));
    }

    void state(State next) {
        for (Consumer<State> handler : ofStates) add(() -> handler.accept(next));
    }

    private void hand(Runnable task) {
        if (!deaf) add(task);
    }

    private void add(Runnable task) {
        inbox.add(task);
        work.signal();
    }

    private void acknowledge(String id) {
        Connection open = guard.connection;
        if (open != null) open.acknowledge(id);
    }

    // ---- the handlers' thread

    private void run() {
        while (true) {
            Runnable task;
            Transport.Link thirsty = null;
            guard.lock.lock();
            try {
                while (inbox.isEmpty() && !over) work.awaitUninterruptibly();
                task = inbox.poll();
                if (task == null) return;
                Connection open = guard.connection;
                if (open != null && inbox.size() < MOST_WAITING / 2) thirsty = open.thirsty();
            } finally {
                guard.lock.unlock();
            }
            // Not under the lock: what waits in the transport may come by this very call.
            if (thirsty != null) thirsty.more();
            try {
                task.run();
            } catch (RuntimeException | Error e) {
                // There is one thread for all handlers, and it outlives the errors of each.
                CarillonClient.LOG.log(Level.WARNING, "a handler failed", e);
            }
        }
    }

    /** Whether there was a handler, and none threw. */
    private boolean handle(Received event, boolean toEvery) {
        boolean any = false;
        boolean good = true;
        var all = new ArrayList<>(ofEvents.getOrDefault(event.type(), List.of()));
        if (toEvery) all.addAll(ofEvents.getOrDefault(CarillonClient.EVERY, List.of()));
        for (Handler handler : all) {
            any = true;
            try {
                handler.handle(event);
            } catch (Exception | Error e) {
                good = false;
                CarillonClient.LOG.log(Level.WARNING, "a handler of " + event.type() + " failed", e);
            }
        }
        return any && good;
    }
}
