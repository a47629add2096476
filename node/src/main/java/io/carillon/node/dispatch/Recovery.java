package io.carillon.node.dispatch;

import io.carillon.model.channel.ChannelName;
import io.carillon.model.channel.Position;
import io.carillon.model.event.Event;
import io.carillon.model.event.EventCodec;
import io.carillon.model.event.InvalidEventException;
import io.carillon.node.backplane.Backplane;
import io.carillon.node.backplane.Backplane.HistoryRead;
import io.carillon.node.backplane.BackplaneException;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.ConcurrentHashMap;

/**
 * Reads what clients missed. Clients of a node that died come back with the same positions: one read serves all that ask
 * while it is under way. Safe from any thread.
 */
final class Recovery {
    /** Events read for one client and channel; whoever missed more starts over. */
    static final int MAX_EVENTS = 1000;

    private static final int PAGE = 200;

    private final Backplane backplane;
    private final ConcurrentHashMap<Asked, CompletableFuture<Missed>> underWay = new ConcurrentHashMap<>();

    private record Asked(ChannelName channel, Position after) {}

    /**
     * What follows a position.
     *
     * @param proven whether nothing is missing
     * @param events in order
     * @param reached position of the last, or the channel's top when there is none or nothing is proven
     */
    record Missed(boolean proven, List<Event> events, Position reached) {}

    Recovery(Backplane backplane) {
        this.backplane = backplane;
    }

    /** What follows the position up to {@code until} at least, where the channel has that much. */
    CompletionStage<Missed> since(ChannelName channel, Position after, Position until) {
        var asked = new Asked(channel, after);
        var mine = new CompletableFuture<Missed>();
        CompletableFuture<Missed> running = underWay.putIfAbsent(asked, mine);
        if (running != null) {
            // A read that began before the caller's channel flowed may end before where that began.
            return running.thenCompose(missed -> !missed.proven || covers(missed.reached, until)
                    ? CompletableFuture.completedFuture(missed)
                    : page(channel, after, new ArrayList<>()));
        }
        page(channel, after, new ArrayList<>()).whenComplete((missed, failure) -> {
            underWay.remove(asked, mine);
            if (missed != null) mine.complete(missed);
            else mine.completeExceptionally(failure == null ? new BackplaneException("no answer") : failure);
        });
        return mine;
    }

    private static boolean covers(Position reached, Position until) {
        return reached.epoch().equals(until.epoch()) && reached.offset() >= until.offset();
    }

    private CompletionStage<Missed> page(ChannelName channel, Position after, List<Event> events) {
        return backplane.read(channel, after, PAGE).thenCompose(answer -> {
            if (!answer.continuous()) return done(false, List.of(), answer.top());
            Position last = after;
            for (Event event : read(answer)) {
                events.add(event);
                if (event.position() != null) last = event.position();
            }
            if (!answer.more()) return done(true, events, answer.top());
            if (events.size() >= MAX_EVENTS || last.equals(after)) return done(false, List.of(), answer.top());
            return page(channel, last, events);
        });
    }

    private static CompletionStage<Missed> done(boolean proven, List<Event> events, Position reached) {
        return CompletableFuture.completedFuture(new Missed(proven, events, reached));
    }

    /** The events of an answer; those that cannot be read were put aside when they came. */
    static List<Event> read(HistoryRead answer) {
        var events = new ArrayList<Event>(answer.events().size());
        for (byte[] message : answer.events()) {
            try {
                events.add(EventCodec.readStamped(message));
            } catch (InvalidEventException e) {
                // Its place stays empty for everybody alike.
                continue;
            }
        }
        return events;
    }
}
