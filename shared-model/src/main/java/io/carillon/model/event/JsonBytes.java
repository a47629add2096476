package io.carillon.model.event;

import java.util.Arrays;

/**
 * Builds one JSON text as UTF-8 bytes. The caller writes the punctuation; strings are quoted and escaped here. May be
 * used again after {@link #clear}. Not for sharing between threads.
 */
public final class JsonBytes {
    private static final byte[] HEX = {'0', '1', '2', '3', '4', '5', '6', '7', '8', '9', 'a', 'b', 'c', 'd', 'e', 'f'};

    private byte[] bytes;
    private int size;

    public JsonBytes(int capacity) {
        bytes = new byte[Math.max(16, capacity)];
    }

    /** Starts again with nothing written, in the same memory. */
    public JsonBytes clear() {
        size = 0;
        return this;
    }

    /** Bytes written so far. */
    public int size() {
        return size;
    }

    /** Writes bytes that are JSON already. */
    public JsonBytes raw(byte[] json) {
        room(json.length);
        System.arraycopy(json, 0, bytes, size, json.length);
        size += json.length;
        return this;
    }

    /** Writes ASCII text that is JSON already: punctuation, names known not to need escapes. */
    public JsonBytes raw(String ascii) {
        int length = ascii.length();
        room(length);
        int at = size;
        for (int i = 0; i < length; i++) bytes[at++] = (byte) ascii.charAt(i);
        size = at;
        return this;
    }

    /** Writes one ASCII character of JSON. */
    public JsonBytes raw(char ascii) {
        room(1);
        bytes[size++] = (byte) ascii;
        return this;
    }

    /** Writes the payload's value, byte for byte. */
    public JsonBytes value(Payload payload) {
        return raw(payload.bytes());
    }

    /** Writes an integer. */
    public JsonBytes value(long number) {
        if (number < 0) return raw(Long.toString(number));
        int digits = 1;
        for (long rest = number; rest >= 10; rest /= 10) digits++;
        room(digits);
        int at = size + digits;
        size = at;
        do {
            bytes[--at] = (byte) ('0' + number % 10);
            number /= 10;
        } while (number != 0);
        return this;
    }

    /** Writes a string, quoted and escaped. A surrogate without its other half is written as an escape. */
    public JsonBytes value(String text) {
        int length = text.length();
        room(length + 2);
        bytes[size++] = '"';
        int at = size;
        int i = 0;
        while (i < length) {
            char c = text.charAt(i);
            if (c < 0x20 || c >= 0x7f || c == '"' || c == '\\') break;
            bytes[at++] = (byte) c;
            i++;
        }
        size = at;
        if (i < length) escaped(text, i);
        return raw('"');
    }

    private void escaped(String text, int from) {
        int length = text.length();
        for (int i = from; i < length; i++) {
            char c = text.charAt(i);
            room(6);
            if (c == '"' || c == '\\') {
                bytes[size++] = '\\';
                bytes[size++] = (byte) c;
            } else if (c < 0x20) {
                control(c);
            } else if (c < 0x80) {
                bytes[size++] = (byte) c;
            } else if (c < 0x800) {
                bytes[size++] = (byte) (0xc0 | c >> 6);
                bytes[size++] = (byte) (0x80 | c & 0x3f);
            } else if (!Character.isSurrogate(c)) {
                bytes[size++] = (byte) (0xe0 | c >> 12);
                bytes[size++] = (byte) (0x80 | c >> 6 & 0x3f);
                bytes[size++] = (byte) (0x80 | c & 0x3f);
            } else if (Character.isHighSurrogate(c) && i + 1 < length && Character.isLowSurrogate(text.charAt(i + 1))) {
                int point = Character.toCodePoint(c, text.charAt(++i));
                bytes[size++] = (byte) (0xf0 | point >> 18);
                bytes[size++] = (byte) (0x80 | point >> 12 & 0x3f);
                bytes[size++] = (byte) (0x80 | point >> 6 & 0x3f);
                bytes[size++] = (byte) (0x80 | point & 0x3f);
            } else {
                unicode(c);
            }
        }
    }

    private void control(char c) {
        char letter = switch (c) {
            case '\n' -> 'n';
            case '\r' -> 'r';
            case '\t' -> 't';
            case '\b' -> 'b';
            case '\f' -> 'f';
            default -> 0;
        };
        if (letter == 0) {
            unicode(c);
        } else {
            bytes[size++] = '\\';
            bytes[size++] = (byte) letter;
        }
    }

    private void unicode(char c) {
        bytes[size++] = '\\';
        bytes[size++] = 'u';
        for (int shift = 12; shift >= 0; shift -= 4) bytes[size++] = HEX[c >> shift & 0xf];
    }

    /** The text written so far, in an array of its own. */
    public byte[] toBytes() {
        return Arrays.copyOf(bytes, size);
    }

    private void room(int more) {
        if (bytes.length - size < more) bytes = Arrays.copyOf(bytes, Math.max(size + more, bytes.length * 2));
    }
}
