package io.carillon.client;

import io.carillon.model.channel.Position;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * A part of a channel's history.
 *
 * @param events in their order
 * @param position where the channel stands now
 */
public record HistoryPage(
        String channel, List<Received> events, @Nullable Position position) {}
