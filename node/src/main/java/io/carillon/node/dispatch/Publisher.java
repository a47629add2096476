package io.carillon.node.dispatch;

import io.carillon.model.channel.ChannelName;
import io.carillon.model.channel.Position;
import io.carillon.model.event.Event;
import io.carillon.node.backplane.Backplane.Retention;
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
     * An event that Redis has.
     *
     * @param position its place; null when it is not durable
     * @param receivers nodes that got it
     */
    record Published(String id, @Nullable Position position, long receivers) {}
}
