package io.carillon.node.app;

import io.carillon.node.app.MessageLog.Kept;
import jakarta.validation.constraints.Max;
import jakarta.validation.constraints.Positive;
import jakarta.validation.constraints.PositiveOrZero;
import java.time.Duration;
import org.springframework.boot.context.properties.ConfigurationProperties;
import org.springframework.boot.context.properties.bind.DefaultValue;
import org.springframework.util.unit.DataSize;
import org.springframework.validation.annotation.Validated;

/**
 * Community chats, {@code carillon.chat}.
 *
 * @param messages messages kept of a chat
 * @param age how long each is kept, and how long a {@code client_id} finds it
 * @param maxContent largest content of a message, UTF-8, before it is escaped
 * @param escape whether content and user names are stored with {@code & < > " '} as HTML entities
 * @param messagesPerSecond messages a user may send a second on average, over all nodes and HTTP; 0 = no limit
 * @param burst messages a user may send at once
 * @param onlineEvery shortest time between two changes of the online count that sessions are told
 * @param skip ids left out after a change of Redis' primary, which may not have got the last ones; 0 where a failover
 *     loses nothing
 */
@Validated
@ConfigurationProperties("carillon.chat")
public record ChatSettings(
        @Positive @DefaultValue("1000") int messages,
        @DefaultValue("24h") Duration age,
        @DefaultValue("4KB") DataSize maxContent,
        @DefaultValue("true") boolean escape,
        @PositiveOrZero @Max(1000) @DefaultValue("10") int messagesPerSecond,
        @Positive @DefaultValue("20") int burst,
        @DefaultValue("1s") Duration onlineEvery,

        @PositiveOrZero @Max(1_000_000) @DefaultValue("1000")
        int skip) {

    public ChatSettings {
        if (age.toSeconds() < 1 || age.toDays() > 3650) {
            throw new IllegalArgumentException("carillon.chat.age is 1s to 3650d");
        }
        if (maxContent.toBytes() < 1 || maxContent.toKilobytes() > 256) {
            throw new IllegalArgumentException("carillon.chat.max-content is 1B to 256KB");
        }
        if (onlineEvery.toMillis() < 1 || onlineEvery.toHours() > 1) {
            throw new IllegalArgumentException("carillon.chat.online-every is 1ms to 1h");
        }
    }

    Kept kept() {
        return new Kept(messages, age, skip);
    }
}
