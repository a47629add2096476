package io.carillon.node.dialect;

import io.carillon.model.event.Event;
import org.jspecify.annotations.Nullable;

/** How the one event model is written in an application's own field names. Stateless; safe from any thread. */
public interface Dialect {
    /** Its name in settings. */
    String name();

    /** Reads a client's message. Never throws: what is wrong becomes {@link Command.Invalid}. */
    Command decode(byte[] text);

    /** Writes an event as clients see it, JSON in UTF-8; null when this dialect does not show it. */
    byte @Nullable [] encode(Event event);

    /** Writes a notice, JSON in UTF-8; null when this dialect has no such notice. */
    byte @Nullable [] encode(Notice notice);

    /**
     * Whether it is spoken on event streams: what it writes are the lines of a block of server-sent events, without the
     * empty line that ends it.
     */
    default boolean stream() {
        return false;
    }
}
