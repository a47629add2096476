package io.carillon.node.backplane;

import io.carillon.model.channel.ChannelName;
import io.carillon.model.channel.Position;
import io.carillon.model.event.Event;
import io.carillon.model.event.EventCodec;
import io.carillon.model.event.InvalidEventException;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.RejectedExecutionException;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;

/**
 * A backplane within one process, for tests: nodes that share a {@link Hub} make a cluster. Keeps every promise of
 * {@link Backplane}; retention counts events only, not seconds. Each node's listener is called by a thread of its own.
 */
public final class InMemoryBackplane implements Backplane {
    private final Hub hub;
    private final String boot;
    private final ExecutorService reader =
            Executors.newSingleThreadExecutor(Thread.ofPlatform().daemon().factory());
    // Guarded by the hub.
    private final Set<ChannelName> wanted = new HashSet<>();
    private final Set<ChannelName> flowing = new HashSet<>();
    private @Nullable BackplaneListener listener;
    private boolean linked;
    // Touched by the reader thread, and by stop.
    private volatile boolean stopped;
    private volatile boolean up;

    public InMemoryBackplane(Hub hub, String boot) {
        this.hub = hub;
        this.boot = boot;
    }

    @Override
    public void start(BackplaneListener to) {
        synchronized (hub) {
            listener = to;
            hub.nodes.put(boot, this);
            if (!hub.down) link();
        }
    }

    @Override
    public void stop() {
        synchronized (hub) {
            hub.nodes.remove(boot);
            linked = false;
            stopped = true;
            flowing.clear();
        }
        up = false;
        reader.shutdown();
        try {
            reader.awaitTermination(5, TimeUnit.SECONDS);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
    }

    @Override
    public void subscribe(ChannelName channel) {
        synchronized (hub) {
            if (wanted.add(channel) && linked) flow(channel);
        }
    }

    @Override
    public void unsubscribe(ChannelName channel) {
        synchronized (hub) {
            wanted.remove(channel);
            flowing.remove(channel);
        }
    }

    @Override
    public CompletionStage<Appended> append(ChannelName channel, byte[] event, String id, Retention retention) {
        synchronized (hub) {
            if (!linked) return down();
            History history = hub.histories.computeIfAbsent(channel, name -> new History(hub.nextEpoch()));
            Long known = history.ids.get(id);
            if (known != null) {
                return CompletableFuture.completedFuture(new Appended(new Position(history.epoch, known), true, 0));
            }
            Event given;
            try {
                given = EventCodec.read(event);
            } catch (InvalidEventException e) {
                return CompletableFuture.failedFuture(new BackplaneException(e.sentence()));
            }
            var position = new Position(history.epoch, ++history.top);
            byte[] stamped = EventCodec.writeStamped(given.with()
                    .id(id)
                    .channel(channel.label())
                    .position(position)
                    .timestamp(++hub.time)
                    .build());
            history.events.add(stamped);
            history.ids.put(id, position.offset());
            while (history.events.size() > retention.events()) history.events.removeFirst();
            history.ids.values().removeIf(offset -> offset <= position.offset() - retention.events());
            return CompletableFuture.completedFuture(new Appended(position, false, hub.spread(channel, stamped)));
        }
    }

    @Override
    public CompletionStage<Long> publish(ChannelName channel, byte[] event) {
        synchronized (hub) {
            if (!linked) return down();
            return CompletableFuture.completedFuture(hub.spread(channel, event));
        }
    }

    @Override
    public CompletionStage<HistoryRead> read(ChannelName channel, @Nullable Position after, int limit) {
        synchronized (hub) {
            if (!linked) return down();
            History history = hub.histories.get(channel);
            if (history == null) {
                boolean fine = after == null || after.equals(hub.nothing);
                return CompletableFuture.completedFuture(new HistoryRead(fine, hub.nothing, List.of(), false));
            }
            var top = new Position(history.epoch, history.top);
            if (after == null) return CompletableFuture.completedFuture(new HistoryRead(true, top, List.of(), false));
            boolean same = after.epoch().equals(history.epoch) || after.equals(hub.nothing);
            long index = after.offset() + history.events.size() - history.top;
            if (!same || after.offset() > history.top || index < 0) {
                return CompletableFuture.completedFuture(new HistoryRead(false, top, List.of(), false));
            }
            List<byte[]> rest = history.events.subList((int) index, history.events.size());
            List<byte[]> page = List.copyOf(rest.subList(0, Math.min(limit, rest.size())));
            return CompletableFuture.completedFuture(new HistoryRead(true, top, page, page.size() < rest.size()));
        }
    }

    @Override
    public CompletionStage<HistoryRead> history(ChannelName channel, long after, int limit) {
        synchronized (hub) {
            History history = hub.histories.get(channel);
            if (history == null) return read(channel, null, limit);
            long from = Math.min(history.top, Math.max(after, history.top - history.events.size()));
            return read(channel, new Position(history.epoch, from), limit);
        }
    }

    @Override
    public CompletionStage<Long> publishToNode(String to, byte[] message) {
        synchronized (hub) {
            if (!linked) return down();
            InMemoryBackplane node = hub.nodes.get(to);
            if (node == null || !node.linked) return CompletableFuture.completedFuture(0L);
            node.tell(listener -> listener.control(message.clone()));
            return CompletableFuture.completedFuture(1L);
        }
    }

    @Override
    public void deadLetter(String source, String reason, byte[] message) {
        synchronized (hub) {
            hub.deadLetters.add(reason);
        }
    }

    @Override
    public boolean connected() {
        return up;
    }

    private void link() {
        linked = true;
        tell(to -> {
            up = true;
            to.linked(true);
        });
        for (ChannelName channel : wanted) flow(channel);
    }

    private void unlink() {
        if (!linked) return;
        linked = false;
        List<ChannelName> lost = List.copyOf(flowing);
        flowing.clear();
        tell(to -> {
            up = false;
            lost.forEach(to::lost);
            to.linked(false);
        });
    }

    private void flow(ChannelName channel) {
        flowing.add(channel);
        tell(to -> to.subscribed(channel));
    }

    private void tell(java.util.function.Consumer<BackplaneListener> what) {
        BackplaneListener to = listener;
        if (to == null) return;
        try {
            reader.execute(() -> {
                if (!stopped) what.accept(to);
            });
        } catch (RejectedExecutionException e) {
            if (!stopped) throw e;
        }
    }

    private static <T> CompletionStage<T> down() {
        return CompletableFuture.failedFuture(new BackplaneException("the hub is down"));
    }

    private static final class History {
        private final String epoch;
        private final List<byte[]> events = new ArrayList<>();
        private final Map<String, Long> ids = new LinkedHashMap<>();
        private long top;

        private History(String epoch) {
            this.epoch = epoch;
        }
    }

    /** What the nodes of one cluster share. Guarded by itself. */
    public static final class Hub {
        private final Map<String, InMemoryBackplane> nodes = new HashMap<>();
        private final Map<ChannelName, History> histories = new HashMap<>();
        private final List<String> deadLetters = new ArrayList<>();
        private final Position nothing = new Position("~hub", 0);
        private boolean down;
        private int epochs;
        private long time;

        /** Breaks every node's link for a moment. */
        public synchronized void breakLinks() {
            for (InMemoryBackplane node : nodes.values()) {
                node.unlink();
                node.link();
            }
        }

        /** Takes the fabric away until {@link #restore}; histories stay. */
        public synchronized void takeDown() {
            down = true;
            nodes.values().forEach(InMemoryBackplane::unlink);
        }

        public synchronized void restore() {
            down = false;
            nodes.values().forEach(InMemoryBackplane::link);
        }

        /** Forgets every history, as a Redis that restarts empty does. */
        public synchronized void forget() {
            histories.clear();
        }

        /** Reasons of what was set aside, oldest first. */
        public synchronized List<String> deadLetters() {
            return List.copyOf(deadLetters);
        }

        private String nextEpoch() {
            return "m" + ++epochs;
        }

        private long spread(ChannelName channel, byte[] message) {
            long receivers = 0;
            for (InMemoryBackplane node : nodes.values()) {
                if (!node.flowing.contains(channel)) continue;
                receivers++;
                node.tell(listener -> listener.message(channel, message.clone()));
            }
            return receivers;
        }
    }
}
