package io.carillon.loadgen;

import java.nio.charset.StandardCharsets;

/**
 * Writes the events that are published: {@code {"type":"bench","content":{"sent":<nanos>,"n":<number>,"pad":"…"}}},
 * filled up to one size so that every event costs the wire the same.
 */
final class EventText {

    /** Opens the content; eight bytes, so that a receiver finds it by comparing one long. */
    static final String MARK_TEXT = "{\"sent\":";

    static final long MARK = mark();

    private final String head;
    private final int size;
    private final String padding;

    /**
     * @param fields what stands between {@code type} and {@code content}, such as {@code "to":"u1",}; may be empty
     * @param size bytes of the whole event; a smaller one than the fields need is exceeded
     */
    EventText(String fields, int size) {
        this.head = "{\"type\":\"bench\"," + fields + "\"content\":" + MARK_TEXT;
        this.size = size;
        this.padding = "x".repeat(size);
    }

    byte[] bytes(long scheduledNanos, long number) {
        String start = head + scheduledNanos + ",\"n\":" + number + ",\"pad\":\"";
        int fill = Math.max(0, size - start.length() - 3);
        return (start + padding.substring(0, Math.min(fill, padding.length())) + "\"}}")
                .getBytes(StandardCharsets.ISO_8859_1);
    }

    private static long mark() {
        long value = 0;
        for (byte b : MARK_TEXT.getBytes(StandardCharsets.US_ASCII)) {
            value = value << 8 | (b & 0xff);
        }
        return value;
    }
}
