package io.carillon.node.dispatch;

import io.carillon.model.channel.ChannelName;
import io.carillon.model.channel.Position;
import io.carillon.model.event.Event;
import io.carillon.model.event.EventCodec;
import io.carillon.model.event.InvalidEventException;
import io.carillon.node.backplane.Backplane;
import io.carillon.node.backplane.Backplane.HistoryRead;
import io.carillon.node.backplane.BackplaneException;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.Iterator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Queue;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionStage;
import java.util.function.LongSupplier;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;

/**
 * Reads what clients missed, a page at a time. Clients of a node that died come back to the same channels at the same
 * time: what was read of a room or the broadcast is kept for some seconds, within a limit of bytes for the whole node,
 * and serves whoever asks for any part of it; reads of the same thing are one read. An event kept is encoded once for
 * each dialect.
 *
 * <p>Few reads are under way at a time; the others wait their turn, so that a node to which everybody comes back holds
 * a bounded number of pages. Safe from any thread; nothing is waited for under the monitor.
 */
final class Recovery {
    /** Events read at once of a user's channel, which few ask for. */
    private static final int PAGE = 100;

    /** Events read at once of a channel that many ask for. */
    private static final int SHARED_PAGE = 500;

    /** Most events handed to one session at once. */
    private static final int MOST = 128;

    /** Reads under way. */
    private static final int READS = 64;

    /** Channels of which something is kept, and verdicts kept of one. */
    private static final int CHANNELS = 64;

    private static final int VERDICTS = 64;

    private final Backplane backplane;
    private final long limit;
    private final long keptNanos;
    private final LongSupplier nanos;

    // Guarded by this.
    private final LinkedHashMap<ChannelName, Recent> recents = new LinkedHashMap<>(16, 0.75f, true);
    private final Map<Asked, CompletableFuture<Page>> underWay = new HashMap<>();
    private final Queue<Runnable> waiting = new ArrayDeque<>();
    private long bytes;
    private int reads;
    private boolean sending;

    /** One read; without a position it is of what lies around the offset. */
    private record Asked(ChannelName channel, @Nullable Position after, long around) {}

    /**
     * What follows a position, or a part of it.
     *
     * @param proven whether the events follow without a gap
     * @param items in order; empty when there is nothing behind the position
     */
    record Page(boolean proven, List<Missed> items) {}

    /** What is kept of one channel: events of one epoch by offset, and what is known of positions. */
    private static final class Recent {
        private final String epoch;
        private final LinkedHashMap<Long, Missed> events = new LinkedHashMap<>();
        /** Epochs of the channel's unused time, behind which this epoch's first event follows. */
        private final Set<String> roots = new HashSet<>();
        /** Positions behind which the history does not reach. */
        private final Set<Position> lost = new HashSet<>();

        private long bytes;
        private long top;
        private long used;

        private Recent(String epoch) {
            this.epoch = epoch;
        }
    }

    /**
     * @param limit bytes of events kept for those who ask next
     * @param keptNanos how long they are kept after they were last asked for
     * @param nanos a clock that only goes forward
     */
    Recovery(Backplane backplane, long limit, long keptNanos, LongSupplier nanos) {
        this.backplane = backplane;
        this.limit = limit;
        this.keptNanos = keptNanos;
        this.nanos = nanos;
    }

    /**
     * What follows the position.
     *
     * @param live where the channel stood when its events began to reach who asks; proves the epoch that is current
     */
    CompletionStage<Page> since(ChannelName channel, Position after, Position live) {
        if (channel.kind() == ChannelName.Kind.USER) return ask(new Asked(channel, after, 0));
        boolean below;
        synchronized (this) {
            Recent recent = recents.get(channel);
            if (recent != null) {
                recent.used = nanos.getAsLong();
                if (recent.lost.contains(after)) return CompletableFuture.completedFuture(new Page(false, List.of()));
            }
            if (recent == null || !recent.epoch.equals(live.epoch())) return ask(new Asked(channel, after, 0));
            List<Missed> known = behind(recent, after);
            if (!known.isEmpty()) return CompletableFuture.completedFuture(new Page(true, known));
            below = of(recent, after) && recent.top > after.offset();
        }
        if (!below) return ask(new Asked(channel, after, 0));
        // Others asked for later parts: more who missed as much or more will come, so all of it is read at once.
        long around = after.offset() / SHARED_PAGE * SHARED_PAGE;
        return ask(new Asked(channel, null, around)).thenCompose(page -> {
            synchronized (this) {
                Recent recent = recents.get(channel);
                List<Missed> known = recent == null ? List.of() : behind(recent, after);
                if (!known.isEmpty()) return CompletableFuture.completedFuture(new Page(true, known));
            }
            return ask(new Asked(channel, after, 0));
        });
    }

    private static boolean of(Recent recent, Position after) {
        return after.epoch().equals(recent.epoch) || after.offset() == 0 && recent.roots.contains(after.epoch());
    }

    private static List<Missed> behind(Recent recent, Position after) {
        if (!of(recent, after)) return List.of();
        var items = new ArrayList<Missed>();
        long offset = after.offset();
        for (Missed next = recent.events.get(offset + 1);
                next != null && items.size() < MOST;
                next = recent.events.get(offset + 1)) {
            items.add(next);
            offset++;
        }
        return items;
    }

    private CompletionStage<Page> ask(Asked asked) {
        var mine = new CompletableFuture<Page>();
        synchronized (this) {
            CompletableFuture<Page> running = underWay.putIfAbsent(asked, mine);
            if (running != null) return running;
            waiting.add(() -> read(asked, mine));
        }
        next();
        return mine;
    }

    /** Sends the reads whose turn it is. A read may be answered as it is sent, and come here again from within. */
    private void next() {
        boolean mine = false;
        while (true) {
            Runnable read;
            synchronized (this) {
                if (mine) sending = false;
                if (sending || reads >= READS) return;
                read = waiting.poll();
                if (read == null) return;
                reads++;
                sending = true;
                mine = true;
            }
            read.run();
        }
    }

    private void read(Asked asked, CompletableFuture<Page> done) {
        boolean shared = asked.channel.kind() != ChannelName.Kind.USER;
        int most = shared ? SHARED_PAGE : PAGE;
        Supplier<CompletionStage<HistoryRead>> question = asked.after == null
                ? () -> backplane.history(asked.channel, asked.around, 2 * SHARED_PAGE)
                : () -> backplane.read(asked.channel, asked.after, most);
        question.get().whenComplete((answer, failure) -> {
            Page page = answer == null ? null : page(asked, answer);
            synchronized (this) {
                if (answer != null && page != null && shared) keep(asked, answer, page);
                underWay.remove(asked, done);
                reads--;
            }
            if (page != null) done.complete(page);
            else done.completeExceptionally(failure == null ? new BackplaneException("no answer") : failure);
            next();
        });
    }

    private static Page page(Asked asked, HistoryRead answer) {
        if (!answer.continuous()) return new Page(false, List.of());
        var items = new ArrayList<Missed>(answer.events().size());
        for (byte[] message : answer.events()) {
            Missed item = Missed.read(message);
            if (item != null) items.add(item);
        }
        return new Page(true, items);
    }

    /** Under the monitor. */
    private void keep(Asked asked, HistoryRead answer, Page page) {
        String epoch = answer.top().epoch();
        Recent recent = recents.get(asked.channel);
        if (recent == null || !recent.epoch.equals(epoch)) {
            if (recent != null) forget(asked.channel, recent);
            recent = new Recent(epoch);
            recents.put(asked.channel, recent);
        }
        recent.used = nanos.getAsLong();
        Position after = asked.after;
        if (after != null && !page.proven && recent.lost.size() < VERDICTS) recent.lost.add(after);
        if (after != null
                && page.proven
                && after.offset() == 0
                && !after.epoch().equals(epoch)
                && recent.roots.size() < VERDICTS) {
            recent.roots.add(after.epoch());
        }
        for (Missed item : page.items) {
            if (!item.position().epoch().equals(epoch)) continue;
            if (recent.events.putIfAbsent(item.position().offset(), item) != null) continue;
            recent.bytes += item.size();
            bytes += item.size();
            recent.top = Math.max(recent.top, item.position().offset());
        }
        trim(recent);
    }

    /** Under the monitor: those asked for longest ago go first, then what was read first of this one. */
    private void trim(Recent newest) {
        Iterator<Map.Entry<ChannelName, Recent>> eldest = recents.entrySet().iterator();
        while ((bytes > limit || recents.size() > CHANNELS) && eldest.hasNext()) {
            Recent recent = eldest.next().getValue();
            if (recent == newest) continue;
            bytes -= recent.bytes;
            eldest.remove();
        }
        Iterator<Missed> first = newest.events.values().iterator();
        while (bytes > limit && first.hasNext()) {
            int size = first.next().size();
            newest.bytes -= size;
            bytes -= size;
            first.remove();
        }
    }

    private void forget(ChannelName channel, Recent recent) {
        bytes -= recent.bytes;
        recents.remove(channel);
    }

    /** Forgets what nobody asked for lately; to be called now and then. */
    synchronized void expire() {
        long now = nanos.getAsLong();
        recents.entrySet().removeIf(entry -> {
            boolean old = now - entry.getValue().used > keptNanos;
            if (old) bytes -= entry.getValue().bytes;
            return old;
        });
    }

    /** Bytes of events kept. */
    synchronized long bytes() {
        return bytes;
    }

    /** The events of an answer; those that cannot be read were put aside when they came. */
    static List<Event> events(HistoryRead answer) {
        var events = new ArrayList<Event>(answer.events().size());
        for (byte[] message : answer.events()) {
            try {
                events.add(EventCodec.readStamped(message));
            } catch (InvalidEventException e) {
                // Its place stays empty for everybody alike.
                continue;
            }
        }
        return events;
    }
}
