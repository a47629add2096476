package io.carillon.node.presence;

import jakarta.validation.constraints.Max;
import jakarta.validation.constraints.Min;
import jakarta.validation.constraints.NotNull;
import java.time.Duration;
import org.springframework.boot.context.properties.ConfigurationProperties;
import org.springframework.boot.context.properties.bind.DefaultValue;
import org.springframework.validation.annotation.Validated;

/**
 * How presence keeps time.
 *
 * @param beat how often the node renews its lease and looks at its neighbours; a killed node is noticed after at most
 *     two and a half of these
 * @param lease how long a node that neither beats nor loses its connections (frozen, cut off, its host gone) is still
 *     believed alive; at least three beats
 * @param leader how long the totals stand still when the node that writes them dies
 * @param collect how long registrations wait for company before they are sent together
 * @param batch most sessions or members in one call; one call keeps Redis busy for about 15 µs each
 * @param neighbours how many living nodes each node watches; 0 leaves it to the lease
 * @param steady how long the node's own link and subscription must have been up before it believes that others have
 *     none; after an outage of Redis everybody comes back within this time
 * @param grace how long after its own link came up, or the primary changed, the node takes no lease for expired
 * @param claim how long a reaper may be silent before another takes over
 * @param late when the rooms of a dead node are cleaned up once more, for late writes of one that was only frozen
 * @param fence how long a dead incarnation can't register anything
 * @param selfCheck how often what Redis has of this node is compared with memory
 * @param audit most users the leader checks in a second, for sessions of nodes that nobody remembers; 0 for none
 */
@Validated
@ConfigurationProperties("carillon.presence")
public record PresenceSettings(
        @NotNull @DefaultValue("1s") Duration beat,
        @NotNull @DefaultValue("10s") Duration lease,
        @NotNull @DefaultValue("3s") Duration leader,
        @NotNull @DefaultValue("2ms") Duration collect,
        @Min(1) @Max(1000) @DefaultValue("100") int batch,
        @Min(0) @Max(16) @DefaultValue("3") int neighbours,
        @NotNull @DefaultValue("5s") Duration steady,
        @NotNull @DefaultValue("12s") Duration grace,
        @NotNull @DefaultValue("5s") Duration claim,
        @NotNull @DefaultValue("60s") Duration late,
        @NotNull @DefaultValue("24h") Duration fence,
        @NotNull @DefaultValue("10m") Duration selfCheck,
        @Min(0) @Max(100_000) @DefaultValue("200") int audit) {

    public PresenceSettings {
        if (beat.compareTo(Duration.ofMillis(10)) < 0) {
            throw new IllegalArgumentException("carillon.presence.beat must be at least 10 ms");
        }
        if (lease.compareTo(beat.multipliedBy(3)) < 0) {
            throw new IllegalArgumentException(
                    "carillon.presence.lease (%s) must be at least three times carillon.presence.beat (%s), or one lost beat makes a node count as dead"
                            .formatted(lease, beat));
        }
        if (leader.compareTo(beat.multipliedBy(2)) < 0) {
            throw new IllegalArgumentException(
                    "carillon.presence.leader (%s) must be at least twice carillon.presence.beat (%s), or the totals are written by another node each second"
                            .formatted(leader, beat));
        }
        if (collect.isNegative() || collect.compareTo(Duration.ofSeconds(1)) > 0) {
            throw new IllegalArgumentException("carillon.presence.collect must lie between 0 and 1 s");
        }
        if (claim.compareTo(Duration.ofMillis(100)) < 0) {
            throw new IllegalArgumentException("carillon.presence.claim must be at least 100 ms");
        }
        if (steady.isNegative() || grace.isNegative() || late.isNegative() || fence.toSeconds() < 1) {
            throw new IllegalArgumentException(
                    "carillon.presence.steady, grace and late can't be negative, and fence must be at least 1 s");
        }
        if (!selfCheck.isPositive()) {
            throw new IllegalArgumentException("carillon.presence.self-check must be longer than 0");
        }
    }

    /** The settings of a node that was told nothing. */
    public static PresenceSettings defaults() {
        return new PresenceSettings(
                Duration.ofSeconds(1),
                Duration.ofSeconds(10),
                Duration.ofSeconds(3),
                Duration.ofMillis(2),
                100,
                3,
                Duration.ofSeconds(5),
                Duration.ofSeconds(12),
                Duration.ofSeconds(5),
                Duration.ofSeconds(60),
                Duration.ofHours(24),
                Duration.ofMinutes(10),
                200);
    }
}
