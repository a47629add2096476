package io.carillon.node.dispatch;

import io.carillon.model.channel.ChannelName;
import io.carillon.model.channel.Position;
import io.carillon.model.event.Event;
import io.carillon.node.backplane.Backplane.Appended;
import io.carillon.node.backplane.Backplane.Retention;
import io.carillon.node.backplane.Backplane.Source;
import java.util.concurrent.CompletionStage;
import org.jspecify.annotations.Nullable;

/** The way of every event into the cluster. Safe from any thread; never blocks. */
public interface Publisher {
    /**
     * Publishes the event; gives it an id if it has none.
     *
     * @param durable whether it is kept in the channel's history
     * @param retention how much of the history is kept; null for the default of the kind of channel
     * @return once Redis has it; fails with {@code BackplaneException} otherwise
     */
    CompletionStage<Published> publish(
            ChannelName channel, Event event, boolean durable, @Nullable Retention retention);

    /**
     * Publishes an event that a worker took from a stream and that has an id; durable, and once however often it is
     * taken.
     *
     * @return once Redis has it; fails with {@code BackplaneException} otherwise
     */
    default CompletionStage<Appended> relay(ChannelName channel, Event event, Source source) {
        throw new UnsupportedOperationException("this publisher takes nothing from streams");
    }

    /**
     * An event that Redis has.
     *
     * @param position its place; null when it is not durable
     * @param receivers nodes that got it
     * @param duplicate whether it was there already, under this id: then nobody gets it again
     */
    record Published(String id, @Nullable Position position, long receivers, boolean duplicate) {}
}
