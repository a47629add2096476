package io.carillon.node.dispatch;

import io.carillon.model.channel.ChannelName;
import io.carillon.node.backplane.Backplane.Retention;
import io.carillon.node.session.EndpointSettings;
import jakarta.validation.constraints.Positive;
import jakarta.validation.constraints.PositiveOrZero;
import java.time.Duration;
import org.jspecify.annotations.Nullable;
import org.springframework.boot.context.properties.ConfigurationProperties;
import org.springframework.boot.context.properties.bind.DefaultValue;
import org.springframework.validation.annotation.Validated;

/**
 * Limits of dispatch, and how much of each channel is kept.
 *
 * @param laneBytes frames that may wait for the sessions of one event loop, bytes; beyond half of it ephemeral events
 *     are dropped, beyond all of it durable ones read from the history later
 * @param memory memory that frames waiting for clients of this node may take, bytes; beyond three quarters of it ephemeral
 *     events are dropped, beyond all of it durable ones wait, handshakes are refused and the slowest sessions closed;
 *     0 = half of the direct memory the process may have
 * @param rooms rooms one session may be in; 0 = no limit
 * @param refusals messages over the rate within ten seconds that close a session with 4429
 * @param userHistory events kept of a user's channel
 * @param roomHistory events kept of a room
 * @param broadcastHistory events kept of the broadcast
 * @param historyAge how long a channel's events are kept after the last one
 */
@Validated
@ConfigurationProperties("carillon.dispatch")
public record DispatchSettings(
        @Positive @DefaultValue("67108864") long laneBytes,
        @PositiveOrZero @DefaultValue("0") long memory,
        @PositiveOrZero @DefaultValue("128") int rooms,
        @Positive @DefaultValue("100") int refusals,
        @Positive @DefaultValue("256") int userHistory,
        @Positive @DefaultValue("1024") int roomHistory,
        @Positive @DefaultValue("2048") int broadcastHistory,
        @DefaultValue("300s") Duration historyAge) {

    /** @param own what the channel's namespace has of its own */
    public Retention retention(ChannelName.Kind kind, EndpointSettings.History own) {
        int events = switch (kind) {
            case USER -> or(own.user(), userHistory);
            case ROOM -> or(own.room(), roomHistory);
            case BROADCAST -> or(own.broadcast(), broadcastHistory);
        };
        Duration age = own.age() == null ? historyAge : own.age();
        return new Retention(events, Math.toIntExact(age.toSeconds()));
    }

    private static int or(@Nullable Integer own, int general) {
        return own == null ? general : own;
    }
}
