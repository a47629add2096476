package io.carillon.loadgen;

import java.nio.charset.StandardCharsets;

/**
 * Writes the events that are published: {@code {"type":"bench","content":{"sent":<nanos>,"n":<number>,"pad":"…"}}},
 * filled up to one size so that every event costs the wire the same. For the chat dialect,
 * {@code {"type":"message","content":"sent-at=<nanos> n=<number> …"}}.
 */
final class EventText {

    /** Opens the content; eight bytes, so that a receiver finds it by comparing one long. */
    static final String MARK_TEXT = "{\"sent\":";

    static final long MARK = mark(MARK_TEXT);

    /** The same inside a text that a server may escape. */
    static final String PLAIN_MARK_TEXT = "sent-at=";

    static final long PLAIN_MARK = mark(PLAIN_MARK_TEXT);

    private final String head;
    private final String number;
    private final String middle;
    private final String tail;
    private final int size;
    private final String padding;

    /**
     * @param fields what stands between {@code type} and {@code content}, such as {@code "to":"u1",}; may be empty
     * @param size bytes of the whole event; a smaller one than the fields need is exceeded
     */
    EventText(String fields, int size) {
        this("{\"type\":\"bench\"," + fields + "\"content\":" + MARK_TEXT, ",\"n\":", ",\"pad\":\"", "\"}}", size);
    }

    private EventText(String head, String number, String middle, String tail, int size) {
        this.head = head;
        this.number = number;
        this.middle = middle;
        this.tail = tail;
        this.size = size;
        this.padding = "x".repeat(size);
    }

    /** A message of the chat dialect, whose content is a text. */
    static EventText chat(int size) {
        return new EventText("{\"type\":\"message\",\"content\":\"" + PLAIN_MARK_TEXT, " n=", " ", "\"}", size);
    }

    byte[] bytes(long scheduledNanos, long count) {
        String start = head + scheduledNanos + number + count + middle;
        int fill = Math.max(0, size - start.length() - tail.length());
        return (start + padding.substring(0, Math.min(fill, padding.length())) + tail)
                .getBytes(StandardCharsets.ISO_8859_1);
    }

    private static long mark(String text) {
        long value = 0;
        for (byte b : text.getBytes(StandardCharsets.US_ASCII)) {
            value = value << 8 | (b & 0xff);
        }
        return value;
    }
}
