package io.carillon.model.event;

/** PLACEHOLDER for the signatures; being implemented. */
public final class EventCodec {
    private EventCodec() {}

    /**
     * Reads an event that a client, an HTTP caller or a plain PUBLISH wrote. Stamps of the cluster ({@code channel},
     * {@code offset}, {@code epoch}, {@code timestamp}) in it are not believed and left out.
     */
    public static Event read(byte[] json) throws InvalidEventException {
        throw new InvalidEventException(InvalidEventException.Code.BAD_JSON, "not yet");
    }

    /**
     * Reads a message of a topic or an entry of a history: stamped by the publish script (it starts with
     * {@code {"channel":…,"offset":…,"epoch":…,"timestamp":…,"id":…}), whose stamps are believed and win over the same
     * fields further on; anything else is read as {@link #read} does.
     */
    public static Event readStamped(byte[] json) throws InvalidEventException {
        return read(json);
    }

    /** Writes the event as it is published on Redis: every field that is set but position. */
    public static byte[] write(Event event) {
        return new byte[0];
    }
}
