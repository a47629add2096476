package io.carillon.client;

import io.carillon.client.CarillonClient.Handler;
import io.carillon.model.channel.Position;
import java.lang.System.Logger.Level;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;

/**
 * The application's handlers of events and gaps, called by its {@link Inbox}. An event that asks for an acknowledgement is
 * acknowledged when its handlers have run; if one of them threw, it is handed to them again when it comes again.
 *
 * <p>What became of such events is guarded by the client's lock. Handlers are added without it, on any thread, and never
 * called under it.
 */
final class Handlers {
    private static final int MOST_ACKS = 2_000;

    private enum AckState {
        UNDER_WAY,
        DONE
    }

    private final Map<String, List<Handler>> ofEvents = new ConcurrentHashMap<>();
    private final List<Consumer<Gap>> ofGaps = new CopyOnWriteArrayList<>();
    private final Guard<PushConnection> guard;
    private final Inbox inbox;

    /** Guarded by the client's lock. */
    private final Map<String, AckState> acks = new LinkedHashMap<>();

    Handlers(Guard<PushConnection> guard, Inbox inbox) {
        this.guard = guard;
        this.inbox = inbox;
    }

    void on(String type, Handler handler) {
        ofEvents.computeIfAbsent(type, t -> new CopyOnWriteArrayList<>()).add(handler);
    }

    void onGap(Consumer<Gap> handler) {
        ofGaps.add(handler);
    }

    // ---- under the lock

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
            inbox.hand(() -> {
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
        inbox.hand(() -> handle(event, true));
    }

    private void remember(String id, AckState fate) {
        acks.put(id, fate);
        if (acks.size() > MOST_ACKS) acks.remove(acks.keySet().iterator().next());
    }

    /** A frame that is no event: for handlers that name its type. */
    void notice(Received notice) {
        if (ofEvents.containsKey(notice.type())) inbox.hand(() -> handle(notice, false));
    }

    void gap(String channel, @Nullable Position from, @Nullable Position to) {
        var gap = new Gap(channel, from, to);
        for (Consumer<Gap> handler : ofGaps) inbox.hand(() -> handler.accept(gap));
    }

    private void acknowledge(String id) {
        PushConnection open = guard.connection;
        if (open != null) open.acknowledge(id);
    }

    // ---- the handlers' thread

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
