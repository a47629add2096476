package io.carillon.chaos.check;

/**
 * Where the checker draws its lines; times are seconds.
 *
 * @param acknowledged fewer acknowledged publishes than this make a run invalid
 * @param deliveries fewer deliveries than this make a run invalid
 * @param faults fewer faults than this make a run invalid
 * @param grace how long after healing something that broke still excuses a close or a declared discontinuity
 * @param presence how long after healing presence may still be wrong; a lease, and cleaning up after it
 * @param stable how long a user must have been online, or gone, before presence is held to it
 * @param revoked how long after a revocation deliveries may still arrive
 */
public record Rules(
        long acknowledged, long deliveries, int faults, double grace, double presence, double stable, double revoked) {

    /** What a full run is held to. */
    public static final Rules FULL = new Rules(1_000, 10_000, 1, 15, 15, 10, 5);
}
