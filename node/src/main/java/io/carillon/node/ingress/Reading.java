package io.carillon.node.ingress;

import io.carillon.model.channel.ChannelName;
import io.carillon.model.event.Event;

/** What an entry turned out to be. */
sealed interface Reading {
    /** It may be published. */
    record Fit(ChannelName channel, Event event, boolean durable) implements Reading {}

    /**
     * It never can be.
     *
     * @param reason short, of a closed set, for the metric
     * @param sentence what is wrong and what is right
     */
    record Unfit(String reason, String sentence) implements Reading {}
}
