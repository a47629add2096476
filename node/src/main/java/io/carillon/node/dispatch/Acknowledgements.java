package io.carillon.node.dispatch;

import io.carillon.model.channel.ChannelName;
import java.util.List;
import java.util.concurrent.CompletionStage;

/**
 * The events of users that wait to be acknowledged. Each is kept from the step that appends it until a session of the
 * user acknowledges it, it is too old, or too many newer ones wait. Safe from any thread; stages fail with
 * {@code BackplaneException} while Redis is away.
 */
public interface Acknowledgements {
    /**
     * What waits on the user's channel, oldest first.
     *
     * @param after {@link Waiting#accepted} of the one before the first; 0 for the start
     */
    CompletionStage<Page> pending(ChannelName channel, long after);

    /** A session of the user has acknowledged the event; whether it still waited. */
    CompletionStage<Boolean> acknowledge(ChannelName channel, String id);

    /** What has become of an event. */
    CompletionStage<Fate> fate(ChannelName channel, String id);

    /**
     * An event that waits.
     *
     * @param accepted when Redis took it, microseconds since the epoch
     * @param message the stamped event
     */
    record Waiting(long accepted, byte[] message) {}

    /** A part of what waits; {@code more} says whether it goes on. */
    record Page(boolean more, List<Waiting> events) {}

    /** How far an event has come. */
    enum State {
        PENDING,
        ACKNOWLEDGED,
        /** It had to go for newer ones. */
        DROPPED,
        /** Never waited, too old, or acknowledged too long ago. */
        UNKNOWN
    }

    /**
     * What has become of an event.
     *
     * @param since milliseconds since the epoch; 0 when unknown
     */
    record Fate(State state, long since) {}
}
