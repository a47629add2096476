package io.carillon.model.publish;

import io.carillon.model.channel.Position;
import org.jspecify.annotations.Nullable;

/**
 * An event that Redis has.
 *
 * @param id the event's id, the publisher's own or one that was made
 * @param position its place in the channel's history; null unless it went the way {@link Way#DURABLE}
 * @param duplicate whether the channel had an event of this id, and nothing was published again
 * @param receivers nodes that got it now; 0 means that nobody is online, or that it is not known yet
 */
public record Published(String id, @Nullable Position position, boolean duplicate, long receivers) {}
