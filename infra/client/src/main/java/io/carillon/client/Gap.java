package io.carillon.client;

import io.carillon.model.channel.Position;
import org.jspecify.annotations.Nullable;

/**
 * Events of a channel may have been missed, and will not come: load what they changed anew. What comes from now on lies
 * behind {@link #to}.
 *
 * @param channel {@code broadcast}, {@code user:<id>} or {@code room:<id>}
 * @param from up to here nothing was missed; null where that was not known
 * @param to the position to go on from; null where the cluster did not say
 */
public record Gap(
        String channel, @Nullable Position from, @Nullable Position to) {}
