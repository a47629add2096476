package io.carillon.node.session;

/**
 * A token bucket in one number, the time at which it would be full again (the generic cell rate algorithm, ITU-T I.371
 * annex A).
 */
public final class Bucket {
    private Bucket() {}

    /**
     * Takes one token.
     *
     * @param full when the bucket would be full
     * @param interval time in which one token comes
     * @param burst tokens it holds
     * @return the new {@code full}; the old one when there is no token
     */
    public static long take(long full, long now, long interval, int burst) {
        long next = (full - now > 0 ? full : now) + interval;
        return next - now > interval * burst ? full : next;
    }
}
