package io.carillon.node.channel;

import io.carillon.model.channel.ChannelName;
import io.carillon.model.channel.Position;
import io.carillon.model.event.Event;
import io.carillon.model.event.EventCodec;
import io.carillon.model.event.InvalidEventException;
import io.carillon.node.backplane.Backplane;
import io.carillon.node.backplane.Backplane.HistoryRead;
import io.carillon.node.backplane.BackplaneListener;
import io.netty.util.concurrent.EventExecutor;
import java.time.InstantSource;
import java.util.ArrayList;
import java.util.Deque;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.ThreadLocalRandom;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicLong;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The channels this node's sessions want. A channel is subscribed with its first session and, to spare reloads and
 * deploys the churn, kept a while after its last.
 *
 * <p>Each channel belongs to one worker loop, chosen by its name, which keeps its events in order without a lock:
 * durable events are delivered when they follow the position, dropped when they are behind it, and held back while a
 * gap before them is filled from the history. Pub/sub and history come over different connections; holding messages
 * back while a read is under way, and comparing offsets, makes their merge safe: what is published after the
 * subscription's acknowledgement is pushed, what was before is read.
 *
 * <p>Safe from any thread.
 */
public final class Channels implements BackplaneListener {
    private static final Logger log = LoggerFactory.getLogger(Channels.class);

    /** Events a history read asks for at once. */
    private static final int PAGE = 100;

    /** What a message is that claims a place which its channel's history does not have. */
    private static final InvalidEventException MADE_UP = new InvalidEventException(
            InvalidEventException.Code.BAD_FRAME, "the channel's history has no event at this place");

    private final Backplane backplane;
    private final ChannelSettings settings;
    private final ChannelMetrics metrics;
    private final InstantSource clock;
    private final Worker[] workers;
    private volatile @Nullable ChannelListener listener;

    public Channels(
            Backplane backplane,
            List<? extends EventExecutor> loops,
            ChannelSettings settings,
            ChannelMetrics metrics,
            InstantSource clock) {
        this.backplane = backplane;
        this.settings = settings;
        this.metrics = metrics;
        this.clock = clock;
        this.workers = new Worker[loops.size()];
        for (int i = 0; i < workers.length; i++) workers[i] = new Worker(loops.get(i));
        metrics.channels(this::count);
    }

    /** Starts delivering events to the listener; called once, before anything is attached. */
    public void start(ChannelListener to) {
        listener = to;
        backplane.start(this);
    }

    /**
     * A session of this loop wants the channel. Balanced by one {@link #detach}, whether or not the attachment was
     * called by then.
     */
    public void attach(ChannelName name, int loop, Attachment attachment) {
        Worker worker = worker(name);
        worker.loop.execute(() -> worker.attach(name, loop, attachment));
    }

    /** The session no longer wants it. */
    public void detach(ChannelName name, int loop) {
        Worker worker = worker(name);
        worker.loop.execute(() -> worker.detach(name, loop));
    }

    /** Channels known here, subscribed or lingering. */
    public int count() {
        int sum = 0;
        for (Worker worker : workers) sum += worker.size;
        return sum;
    }

    @Override
    public void subscribed(ChannelName channel) {
        Worker worker = worker(channel);
        worker.loop.execute(() -> worker.subscribed(channel));
    }

    @Override
    public void lost(ChannelName channel) {
        Worker worker = worker(channel);
        worker.loop.execute(() -> worker.lost(channel, false));
    }

    @Override
    public void abandoned(ChannelName channel) {
        Worker worker = worker(channel);
        worker.loop.execute(() -> worker.lost(channel, true));
    }

    @Override
    public void message(ChannelName channel, byte[] message) {
        worker(channel).offer(channel, message);
    }

    @Override
    public void control(byte[] message) {
        ChannelListener to = listener;
        if (to != null) to.control(message);
    }

    @Override
    public void linked(boolean up) {
        ChannelListener to = listener;
        if (to != null) to.linked(up);
    }

    private Worker worker(ChannelName name) {
        int hash = name.id().hashCode() * 31 + name.kind().ordinal();
        return workers[Math.floorMod(hash ^ hash >>> 16, workers.length)];
    }

    /** The channels of one event loop; everything but the inbox counters is touched by that loop only. */
    private final class Worker {
        private final EventExecutor loop;
        private final Map<ChannelName, Channel> channels = new HashMap<>();
        private final AtomicInteger queued = new AtomicInteger();
        private final AtomicLong queuedBytes = new AtomicLong();
        private volatile boolean overflowed;
        private volatile int size;

        private Worker(EventExecutor loop) {
            this.loop = loop;
        }

        // The inbox, filled by the backplane's reader thread. It never blocks there: when it is full the message is
        // dropped, and once there is room again every channel is compared with its history.

        private void offer(ChannelName name, byte[] message) {
            if (queued.get() >= settings.inboxMessages() || queuedBytes.get() >= settings.inboxBytes()) {
                overflowed = true;
                metrics.dropped();
                return;
            }
            queued.incrementAndGet();
            queuedBytes.addAndGet(message.length);
            loop.execute(() -> {
                queuedBytes.addAndGet(-message.length);
                int left = queued.decrementAndGet();
                take(name, message);
                if (overflowed && left == 0) {
                    overflowed = false;
                    compareAll();
                }
            });
        }

        private void take(ChannelName name, byte[] message) {
            Channel channel = channels.get(name);
            if (channel == null || channel.state == Channel.State.IDLE) return;
            Event event;
            try {
                event = EventCodec.readStamped(message);
            } catch (InvalidEventException e) {
                refuse(channel, message, e);
                return;
            }
            if (event.position() == null) {
                // It is not kept, so nobody can be asked to acknowledge it.
                Event stamped = event.with()
                        .channel(name.label())
                        .timestamp(clock.millis())
                        .ack(false)
                        .build();
                if (!deliver(channel, stamped)) metrics.dropped();
                return;
            }
            durable(channel, event, event.position());
        }

        private void durable(Channel channel, Event event, Position at) {
            if (channel.state == Channel.State.LIVE) {
                if (channel.follows(at)) {
                    if (deliver(channel, event)) channel.reached(at, event);
                    else later(channel);
                    return;
                }
                if (channel.contradicts(at, event)) {
                    putAside(channel, EventCodec.writeStamped(event), MADE_UP);
                    resync(channel, at);
                    return;
                }
                if (channel.seen(at)) {
                    metrics.duplicate();
                    return;
                }
                metrics.gap();
                channel.state = Channel.State.SYNC;
                hold(channel, event);
                read(channel);
                return;
            }
            hold(channel, event);
        }

        private void hold(Channel channel, Event event) {
            Deque<Event> held = channel.held();
            // Beyond the bound the history has what is dropped here; the next read finds it.
            if (held.size() >= settings.pending()) held.pollFirst();
            held.addLast(event);
        }

        private boolean deliver(Channel channel, Event event) {
            ChannelListener to = listener;
            return to == null || to.event(channel, event);
        }

        private void attach(ChannelName name, int index, Attachment attachment) {
            Channel channel = channels.get(name);
            if (channel == null) {
                channel = new Channel(name, workers.length);
                channels.put(name, channel);
                size = channels.size();
            }
            channel.count(index, 1);
            if (channel.linger != null) {
                channel.linger.cancel(false);
                channel.linger = null;
            }
            Position position = channel.position;
            if (channel.state == Channel.State.LIVE && position != null) {
                attachment.attached(position);
                return;
            }
            channel.waiting.add(attachment);
            if (channel.state == Channel.State.IDLE) {
                channel.state = Channel.State.SUBSCRIBING;
                backplane.subscribe(name);
            }
        }

        private void detach(ChannelName name, int index) {
            Channel channel = channels.get(name);
            if (channel == null) return;
            channel.count(index, -1);
            if (channel.wanted() || channel.linger != null) return;
            long linger = settings.linger().toMillis();
            if (linger == 0) {
                forget(channel);
                return;
            }
            long wait = linger + ThreadLocalRandom.current().nextLong(linger + 1);
            channel.linger = loop.schedule(
                    () -> {
                        channel.linger = null;
                        if (!channel.wanted()) forget(channel);
                    },
                    wait,
                    TimeUnit.MILLISECONDS);
        }

        private void forget(Channel channel) {
            channel.state = Channel.State.IDLE;
            channels.remove(channel.name());
            size = channels.size();
            backplane.unsubscribe(channel.name());
        }

        private void subscribed(ChannelName name) {
            Channel channel = channels.get(name);
            if (channel == null || channel.state == Channel.State.IDLE) return;
            channel.state = Channel.State.SYNC;
            channel.failures = 0;
            read(channel);
        }

        private void lost(ChannelName name, boolean doubtful) {
            Channel channel = channels.get(name);
            if (channel == null || channel.state == Channel.State.IDLE) return;
            channel.state = Channel.State.SUBSCRIBING;
            channel.doubtful |= doubtful;
        }

        private void compareAll() {
            for (Channel channel : new ArrayList<>(channels.values())) {
                if (channel.state == Channel.State.LIVE) {
                    channel.state = Channel.State.SYNC;
                    read(channel);
                }
            }
        }

        /** The listener is full: ask the history again when it had time to catch up. */
        private void later(Channel channel) {
            channel.state = Channel.State.SYNC;
            readIn(channel, settings.retry().toMillis());
        }

        private void readIn(Channel channel, long millis) {
            var unused = loop.schedule(
                    () -> {
                        if (channel.state == Channel.State.SYNC) read(channel);
                    },
                    millis,
                    TimeUnit.MILLISECONDS);
        }

        private void read(Channel channel) {
            if (channel.reading) return;
            channel.reading = true;
            Position held = channel.position;
            CompletionStage<HistoryRead> asked = channel.doubtful
                    ? backplane.read(channel.name(), held, PAGE)
                    : backplane.readHeld(channel.name(), held, PAGE);
            asked.whenComplete((answer, failure) -> loop.execute(() -> {
                channel.reading = false;
                if (channel.state != Channel.State.SYNC) return;
                if (answer == null) failed(channel);
                else merge(channel, answer);
            }));
        }

        private void failed(Channel channel) {
            // Ever more slowly; when its link is down the channel is lost, and the next subscription starts over.
            channel.failures++;
            readIn(channel, Math.min(500, settings.retry().toMillis() << Math.min(channel.failures, 5)));
        }

        private void merge(Channel channel, HistoryRead answer) {
            boolean first = channel.position == null;
            if (first) {
                channel.position = answer.top();
            } else if (answer.continuous()) {
                for (byte[] message : answer.events()) {
                    if (!filled(channel, message)) {
                        later(channel);
                        return;
                    }
                }
                if (answer.more()) {
                    read(channel);
                    return;
                }
                // The same data may carry a new epoch after a change of primary: go on under the new one.
                Position here = channel.position;
                if (here == null || here.offset() == answer.top().offset()) channel.position = answer.top();
            } else {
                // What was held back under another epoch cannot be placed any more; the history has it if it still
                // counts.
                Deque<Event> held = channel.pending;
                String epoch = answer.top().epoch();
                if (held != null) {
                    held.removeIf(
                            e -> e.position() == null || !e.position().epoch().equals(epoch));
                }
                resync(channel, answer.top());
            }
            flush(channel);
        }

        private boolean filled(Channel channel, byte[] message) {
            try {
                Event event = EventCodec.readStamped(message);
                Position at = event.position();
                if (at == null || channel.seen(at)) return true;
                if (!deliver(channel, event)) return false;
                channel.reached(at, event);
                metrics.filled();
            } catch (InvalidEventException e) {
                Position at = EventCodec.positionOf(message);
                if (at != null && !channel.seen(at)) channel.position = at;
                putAside(channel, message, e);
            }
            return true;
        }

        private void putAside(Channel channel, byte[] message, InvalidEventException reason) {
            metrics.invalid(reason.code());
            String source = channel.name().namespace() + ":" + channel.name().label();
            backplane.deadLetter(source, reason.sentence(), message);
        }

        /** What cannot be read is put aside; its place in the history, if it has one, is passed all the same. */
        private void refuse(Channel channel, byte[] message, InvalidEventException reason) {
            putAside(channel, message, reason);
            Position at = EventCodec.positionOf(message);
            if (at == null || channel.state != Channel.State.LIVE || channel.seen(at)) return;
            if (channel.follows(at)) {
                channel.position = at;
                return;
            }
            metrics.gap();
            channel.state = Channel.State.SYNC;
            read(channel);
        }

        private void resync(Channel channel, Position top) {
            metrics.resync();
            log.warn("Continuity of a channel cannot be proven; its sessions are told. channel={}", channel.name());
            channel.position = top;
            ChannelListener to = listener;
            if (to != null) to.resync(channel, top);
        }

        /**
         * Delivers what was held back and follows. What does not follow is looked for in the history once more; if it
         * is not there either, nobody gave it its place, and it is put aside.
         */
        private void flush(Channel channel) {
            Deque<Event> held = channel.pending;
            while (held != null && !held.isEmpty()) {
                Event event = held.peekFirst();
                Position at = event.position();
                if (at == null || channel.seen(at)) {
                    held.pollFirst();
                } else if (channel.follows(at)) {
                    if (!deliver(channel, event)) {
                        later(channel);
                        return;
                    }
                    held.pollFirst();
                    channel.reached(at, event);
                } else if (channel.unplaced != event) {
                    // It may have been published after the read was answered.
                    channel.unplaced = event;
                    readIn(channel, settings.retry().toMillis());
                    return;
                } else {
                    // This read was asked after it came: what is published with a place is in the history by then.
                    held.pollFirst();
                    putAside(channel, EventCodec.writeStamped(event), MADE_UP);
                }
            }
            channel.unplaced = null;
            channel.doubtful = false;
            channel.pending = null;
            channel.failures = 0;
            channel.state = Channel.State.LIVE;
            Position position = channel.position;
            if (position == null) return;
            for (Attachment attachment : channel.waiting) attachment.attached(position);
            channel.waiting.clear();
        }
    }
}
