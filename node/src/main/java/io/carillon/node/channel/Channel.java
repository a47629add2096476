package io.carillon.node.channel;

import io.carillon.model.channel.ChannelName;
import io.carillon.model.channel.Position;
import io.carillon.model.event.Event;
import io.netty.util.concurrent.Future;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.List;
import java.util.Objects;
import org.jspecify.annotations.Nullable;

/** What this node knows of one channel. Every field is owned by the channel's worker loop. */
public final class Channel {
    /**
     * Where the channel stands.
     *
     * <ul>
     *   <li>{@code IDLE}: nothing is subscribed.
     *   <li>{@code SUBSCRIBING}: asked for, or lost and asked for again; no message is believed to flow.
     *   <li>{@code SYNC}: messages flow; a read of the history is under way, durable messages are held back until it
     *       tells where they belong.
     *   <li>{@code LIVE}: messages flow and follow the position.
     * </ul>
     */
    enum State {
        IDLE,
        SUBSCRIBING,
        SYNC,
        LIVE
    }

    private final ChannelName name;
    private final int[] attachedByLoop;

    State state = State.IDLE;

    @Nullable
    Position position;

    final List<Attachment> waiting = new ArrayList<>(1);

    @Nullable
    Deque<Event> pending;

    /** The held event that the last complete read did not explain. */
    @Nullable
    Event unplaced;

    int failures;
    boolean reading;

    /** Its primary may have taken events that were not seen here, before another became primary. */
    boolean doubtful;

    /** Where the newest event was delivered, and which it was: a hash of its id. */
    private long lastOffset = -1;

    private int lastId;

    @Nullable
    Future<?> linger;

    Channel(ChannelName name, int loops) {
        this.name = name;
        this.attachedByLoop = new int[loops];
    }

    public ChannelName name() {
        return name;
    }

    /** Whether a session of this event loop is attached. */
    public boolean wantedBy(int loop) {
        return attachedByLoop[loop] > 0;
    }

    boolean wanted() {
        for (int attached : attachedByLoop) {
            if (attached > 0) return true;
        }
        return false;
    }

    void count(int loop, int change) {
        attachedByLoop[loop] += change;
        assert attachedByLoop[loop] >= 0 : "detached more often than attached";
    }

    Deque<Event> held() {
        Deque<Event> held = pending;
        if (held == null) pending = held = new ArrayDeque<>(4);
        return held;
    }

    /** Whether a durable event is the one after the position. */
    boolean follows(Position next) {
        Position here = position;
        if (here == null) return false;
        if (here.epoch().equals(next.epoch())) return next.offset() == here.offset() + 1;
        // An unused channel has no epoch of its own yet: its first event brings one.
        return here.offset() == 0 && here.epoch().startsWith("~") && next.offset() == 1;
    }

    /** A durable event was delivered. */
    void reached(Position at, Event event) {
        position = at;
        lastOffset = at.offset();
        lastId = Objects.hashCode(event.id());
    }

    /**
     * Whether this event's place is that of the newest delivered one and it is another event. One of the two made its
     * place up: whoever may publish on a channel can guess the next.
     */
    boolean contradicts(Position at, Event event) {
        return at.equals(position) && at.offset() == lastOffset && Objects.hashCode(event.id()) != lastId;
    }

    /** Whether a durable event was delivered before. */
    boolean seen(Position event) {
        Position here = position;
        return here != null && here.epoch().equals(event.epoch()) && event.offset() <= here.offset();
    }
}
