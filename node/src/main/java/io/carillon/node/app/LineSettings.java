package io.carillon.node.app;

import jakarta.validation.constraints.NotNull;
import jakarta.validation.constraints.Positive;
import java.time.Duration;
import java.time.ZoneId;
import org.springframework.boot.context.properties.ConfigurationProperties;
import org.springframework.boot.context.properties.bind.DefaultValue;
import org.springframework.util.unit.DataSize;
import org.springframework.validation.annotation.Validated;

/**
 * The line application, {@code carillon.line}. All nodes of a cluster need the same.
 *
 * @param zone where a day begins and ends for the numbers of "today"
 * @param codes activation codes there may be
 * @param accounts accounts of a group; a message that would make one more is refused
 * @param incoming incoming ids of a group that are remembered; beyond, the one that has not come for the longest time is
 *     forgotten, and is no duplicate when it comes again. About 110 bytes each
 * @param customers customers of a group that keep their number; beyond, the oldest is forgotten and gets a new number
 *     when it is synced again. About 110 bytes each
 * @param answers memory for a group's answers to messages with an id; beyond, the oldest are forgotten before their 24
 *     hours are over, and such a message counts again. About 350 bytes each, a synced account 80 more
 * @param age how long everything is kept after it was last used: an incoming id that has not come for so long is no
 *     duplicate, a group without a message for so long starts again from nothing
 */
@Validated
@ConfigurationProperties("carillon.line")
record LineSettings(
        @NotNull @DefaultValue("Asia/Shanghai") ZoneId zone,
        @Positive @DefaultValue("100000") int codes,
        @Positive @DefaultValue("2000") int accounts,
        @Positive @DefaultValue("100000") int incoming,
        @Positive @DefaultValue("100000") int customers,
        @NotNull @DefaultValue("32MB") DataSize answers,
        @NotNull @DefaultValue("365d") Duration age) {

    LineSettings {
        if (age.toSeconds() < 86_400) {
            throw new IllegalArgumentException("carillon.line.age is a day at least");
        }
        if (answers.toBytes() < 1024) {
            throw new IllegalArgumentException("carillon.line.answers is 1KB at least");
        }
    }
}
