package io.carillon.node.presence;

import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

/**
 * Decides which nodes look dead, from what each beat shows. A node is accused when two looks in a row found the same
 * lease score (so it has not beaten in between) and each time either nobody subscribed to its topic or its lease over.
 *
 * <p>What a watcher sees is worth nothing while it has just come back itself: a Redis outage takes everybody's
 * subscription at once, and a pause of the watcher or a step of the clock makes every lease look old. So looks count
 * only after the watcher's own link has been up without a break for a while: {@code steady} and its own subscription
 * too, for missing subscribers; {@code grace} for expired leases. A break is a failed beat, two beats further apart than
 * half a lease, or another Redis process behind the same address.
 *
 * <p>Pure but for its memory; time is given. Touched by the presence thread only.
 */
final class Suspicions {
    /** A node and its lease score, as Redis wrote it. */
    record Suspect(String node, String score) {}

    /** A node as one look found it. */
    record Look(String node, String score, long subscribers, boolean expired) {}

    private record Doubt(String score, int looks) {}

    private final long steady;
    private final long grace;
    private final long pause;
    private Map<String, Doubt> doubts = Map.of();
    private String redis = "";
    private long linkedSince;
    private long heardSince;
    private long lastLook;
    private boolean linked;
    private boolean heard;

    Suspicions(PresenceSettings settings) {
        steady = settings.steady().toNanos();
        grace = settings.grace().toNanos();
        pause = settings.lease().toNanos() / 2;
    }

    /** The link broke, or the lease was lost: everything seen before is worth nothing. */
    void broken() {
        linked = false;
        heard = false;
        doubts = Map.of();
    }

    /**
     * Takes in one look.
     *
     * @param now nanoseconds of a clock that only goes forward
     * @param process what names the Redis process that answered
     * @param own subscribers of this node's own topic
     * @return whether the primary is another than at the last look
     */
    boolean look(long now, String process, long own, List<Look> looks) {
        boolean moved = !redis.isEmpty() && !redis.equals(process);
        if (moved || linked && now - lastLook > pause) broken();
        redis = process;
        lastLook = now;
        if (!linked) linkedSince = now;
        linked = true;
        if (own == 0) heard = false;
        else if (!heard) {
            heard = true;
            heardSince = now;
        }
        boolean silenceCounts = heard && now - heardSince >= steady && now - linkedSince >= steady;
        boolean expiryCounts = now - linkedSince >= grace;
        var next = new HashMap<String, Doubt>();
        for (Look look : looks) {
            boolean doubtful = silenceCounts && look.subscribers == 0 || expiryCounts && look.expired;
            if (!doubtful) continue;
            Doubt before = doubts.get(look.node);
            int count = before != null && before.score.equals(look.score) ? before.looks + 1 : 1;
            next.put(look.node, new Doubt(look.score, count));
        }
        doubts = next;
        return moved;
    }

    /** Since when missing subscribers count, steadiness aside; 0 while they don't. */
    long steadySince() {
        return linked && heard ? Math.max(linkedSince, heardSince) : 0;
    }

    /** Who was found silent or expired at the last two looks. */
    List<Suspect> accused() {
        var out = new ArrayList<Suspect>();
        doubts.forEach((node, doubt) -> {
            if (doubt.looks >= 2) out.add(new Suspect(node, doubt.score));
        });
        return out;
    }
}
