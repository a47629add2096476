package io.carillon.client;

import io.carillon.model.channel.Position;
import org.jspecify.annotations.Nullable;

/**
 * A message that the cluster has.
 *
 * @param id the event's id
 * @param position its place in the history of the channel it was sent to; null for what is not kept
 */
public record Sent(String id, @Nullable Position position) {}
