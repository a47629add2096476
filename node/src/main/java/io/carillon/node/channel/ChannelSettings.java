package io.carillon.node.channel;

import jakarta.validation.constraints.Positive;
import java.time.Duration;
import org.springframework.boot.context.properties.ConfigurationProperties;
import org.springframework.boot.context.properties.bind.DefaultValue;
import org.springframework.validation.annotation.Validated;

/**
 * How channels are kept.
 *
 * @param linger how long a channel stays subscribed after its last session left, and as much again at random; 0 = not at all
 * @param retry wait before a history read is repeated; doubled with each failure, up to 500 ms
 * @param pending durable events held back while a gap is filled; beyond it the history is read again
 * @param inboxMessages messages from Redis that may wait for one event loop; beyond it they are dropped and read from the history
 * @param inboxBytes the same in bytes
 */
@Validated
@ConfigurationProperties("carillon.channel")
public record ChannelSettings(
        @DefaultValue("5s") Duration linger,
        @DefaultValue("20ms") Duration retry,
        @Positive @DefaultValue("1000") int pending,
        @Positive @DefaultValue("65536") int inboxMessages,
        @Positive @DefaultValue("67108864") long inboxBytes) {}
