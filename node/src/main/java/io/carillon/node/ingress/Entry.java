package io.carillon.node.ingress;

import java.nio.charset.StandardCharsets;
import java.util.List;

/**
 * One entry of a stream as Redis gave it.
 *
 * @param id its place in the stream
 * @param channel where to, as the service wrote it; empty if it did not
 * @param event the event's JSON; only the start of it if it is too large
 * @param given how often it was given to a worker, this time included
 * @param size of the whole event, in bytes
 */
record Entry(String id, String channel, byte[] event, long given, int size) {
    static Entry of(Object reply) {
        var parts = (List<?>) reply;
        return new Entry(
                text(parts.get(0)),
                text(parts.get(1)),
                (byte[]) parts.get(2),
                (Long) parts.get(3),
                Math.toIntExact((Long) parts.get(4)));
    }

    static String text(Object reply) {
        return new String((byte[]) reply, StandardCharsets.UTF_8);
    }
}
