package io.carillon.node.dispatch;

import io.carillon.model.channel.Position;
import io.carillon.model.event.Event;
import io.carillon.model.event.EventCodec;
import io.carillon.model.event.InvalidEventException;
import io.carillon.node.dialect.Dialect;
import io.carillon.node.session.Session;
import io.netty.buffer.ByteBuf;
import io.netty.buffer.Unpooled;
import org.jspecify.annotations.Nullable;

/** An event of the history on its way to sessions that missed it, encoded once for each dialect. Safe from any thread. */
final class Missed {
    /** What it takes in memory beside the event's own bytes, about. */
    private static final int OVERHEAD = 200;

    private final Position position;
    private final @Nullable Event event;
    private final int size;

    // Written by whoever needs it first; twice does no harm.
    private volatile @Nullable Encoded encoded;

    private record Encoded(
            Dialect dialect,
            @Nullable ByteBuf frame,
            @Nullable Encoded next) {}

    private Missed(Position position, @Nullable Event event, int size) {
        this.position = position;
        this.event = event;
        this.size = size;
    }

    /** Reads an entry of a history; null when it is none. */
    static @Nullable Missed read(byte[] message) {
        try {
            Event event = EventCodec.readStamped(message);
            Position position = event.position();
            return position == null ? null : new Missed(position, event, message.length * 2 + OVERHEAD);
        } catch (InvalidEventException e) {
            // Its place stays empty for everybody alike.
            Position position = EventCodec.positionOf(message);
            return position == null ? null : new Missed(position, null, OVERHEAD);
        }
    }

    Position position() {
        return position;
    }

    /** The event; null when it cannot be read. */
    @Nullable
    Event event() {
        return event;
    }

    /** Bytes it takes, about. */
    int size() {
        return size;
    }

    boolean isFor(Session session) {
        if (event == null) return false;
        if (event.session() != null && !event.session().equals(session.id())) return false;
        return event.exclude() == null || !event.exclude().equals(session.id());
    }

    /** The frame, with a reference for the caller; null when the dialect does not show the event. */
    @Nullable
    ByteBuf frame(Dialect dialect) {
        if (event == null) return null;
        for (Encoded known = encoded; known != null; known = known.next) {
            if (known.dialect == dialect) return known.frame == null ? null : known.frame.retainedDuplicate();
        }
        byte[] text = dialect.encode(event);
        // On the heap and never released: it goes with the last who holds it.
        ByteBuf frame = text == null ? null : Unpooled.unreleasableBuffer(Frames.onHeap(dialect, text));
        encoded = new Encoded(dialect, frame, encoded);
        return frame == null ? null : frame.retainedDuplicate();
    }
}
