package io.carillon.model.event;

import java.nio.charset.StandardCharsets;
import java.util.Arrays;

/**
 * One JSON value as the bytes it came in, passed through without being read into objects. Equal when the bytes are.
 * The array is not copied: whoever hands it in gives it up.
 */
public final class Payload {
    private final byte[] json;

    private Payload(byte[] json) {
        this.json = json;
    }

    /** Wraps bytes that are already known to be one valid JSON value in UTF-8. */
    public static Payload ofJson(byte[] json) {
        return new Payload(json);
    }

    /** Wraps text that is already known to be one valid JSON value. */
    public static Payload ofJson(String json) {
        return new Payload(json.getBytes(StandardCharsets.UTF_8));
    }

    /** Size in bytes. */
    public int size() {
        return json.length;
    }

    /** The bytes themselves; not to be changed. */
    public byte[] bytes() {
        return json;
    }

    @Override
    public boolean equals(Object other) {
        return other instanceof Payload payload && Arrays.equals(json, payload.json);
    }

    @Override
    public int hashCode() {
        return Arrays.hashCode(json);
    }

    @Override
    public String toString() {
        return "Payload[" + json.length + " bytes]";
    }
}
