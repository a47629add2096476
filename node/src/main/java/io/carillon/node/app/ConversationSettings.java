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
 * Conversations of visitors and agents, {@code carillon.conversation}.
 *
 * @param messages messages kept of a conversation
 * @param age how long each is kept
 * @param maxContent largest content of a message, UTF-8
 * @param retries how long an {@code Idempotency-Key} finds the first message
 * @param skip ids left out after a change of Redis' primary, which may not have got the last ones; 0 where a failover
 *     loses nothing
 */
@Validated
@ConfigurationProperties("carillon.conversation")
public record ConversationSettings(
        @Positive @DefaultValue("10000") int messages,
        @DefaultValue("30d") Duration age,
        @DefaultValue("4KB") DataSize maxContent,
        @DefaultValue("24h") Duration retries,

        @PositiveOrZero @Max(1_000_000) @DefaultValue("1000")
        int skip) {

    public ConversationSettings {
        if (age.toSeconds() < 1 || age.toDays() > 3650) {
            throw new IllegalArgumentException("carillon.conversation.age is 1s to 3650d");
        }
        if (retries.toSeconds() < 1 || retries.toDays() > 30) {
            throw new IllegalArgumentException("carillon.conversation.retries is 1s to 30d");
        }
        if (maxContent.toBytes() < 1 || maxContent.toKilobytes() > 256) {
            throw new IllegalArgumentException("carillon.conversation.max-content is 1B to 256KB");
        }
    }

    Kept kept() {
        return new Kept(messages, age, skip);
    }
}
