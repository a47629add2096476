package io.carillon.node.ingress;

import io.carillon.model.channel.ChannelName;
import io.carillon.node.backplane.Backplane.Source;
import io.carillon.node.backplane.BackplaneException;
import io.carillon.node.backplane.DeadLetters;
import io.carillon.node.dispatch.Publisher;
import io.carillon.node.ingress.OwnedStream.Part;
import io.carillon.node.ingress.Reading.Fit;
import io.carillon.node.ingress.Reading.Unfit;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.locks.LockSupport;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Drains one stream: first what an owner before was given and did not finish, then what is new. Entries are published in
 * their order and taken from the stream once all of a batch are dealt with; while Redis does not take them it stops and
 * tries again, and skips none. One that never can be published becomes a dead letter, and those behind it go on.
 *
 * <p>Exactly once: a crash between publishing and taking away has the next owner publish again, and the channel knows
 * the last entry it took from the stream ({@code publish.lua}). Runs on a virtual thread of its own, until it is stopped
 * or no longer owns the stream.
 */
final class Worker implements Runnable {
    /** Times an entry may be given to workers that die over it. */
    static final int MOST_GIVEN = 5;

    /** Times Redis may refuse an event for what it is. */
    static final int MOST_REFUSED = 5;

    private static final Logger log = LoggerFactory.getLogger(Worker.class);
    private static final Duration WAIT = Duration.ofSeconds(1);
    private static final long SHORTEST_PAUSE = Duration.ofMillis(20).toNanos();
    private static final long LONGEST_PAUSE = Duration.ofSeconds(1).toNanos();

    private final String service;
    private final OwnedStream stream;
    private final EntryReader reader;
    private final Publisher publisher;
    private final DeadLetters letters;
    private final IngressMetrics metrics;
    private final Thread thread;

    private volatile boolean stopped;
    private volatile boolean waiting;
    /** Until when nobody else can have taken the stream; {@link System#nanoTime}. */
    private volatile long owned;
    // Touched by the worker's thread only.
    private int failures;

    /** @param owned until when the lock holds, {@link System#nanoTime} */
    Worker(
            String service,
            OwnedStream stream,
            EntryReader reader,
            Publisher publisher,
            DeadLetters letters,
            IngressMetrics metrics,
            long owned,
            Runnable ended) {
        this.service = service;
        this.stream = stream;
        this.reader = reader;
        this.publisher = publisher;
        this.letters = letters;
        this.metrics = metrics;
        this.owned = owned;
        thread = Thread.ofVirtual().name("ingress-" + service).unstarted(() -> {
            try {
                run();
            } catch (RuntimeException | Error bug) {
                log.error("A worker met a bug; its stream is taken up again. service={}", service, bug);
            } finally {
                ended.run();
            }
        });
    }

    void start() {
        thread.start();
    }

    OwnedStream stream() {
        return stream;
    }

    /** The lock was renewed; it holds until then, {@link System#nanoTime}. */
    void renewed(long until) {
        owned = until;
    }

    /** Lets the batch that is under way come to its end, if Redis takes it, and ends. */
    void stop() {
        stopped = true;
        LockSupport.unpark(thread);
        if (waiting) stream.close();
    }

    /** Somebody else owns the stream. */
    void lost() {
        owned = System.nanoTime() - 1;
        LockSupport.unpark(thread);
    }

    void join(Duration longest) throws InterruptedException {
        thread.join(longest);
    }

    private boolean mine() {
        return owned - System.nanoTime() > 0;
    }

    @Override
    public void run() {
        boolean pending = true;
        while (!stopped && mine()) {
            try {
                Part part = Waits.answer(pending ? stream.pending() : stream.read());
                if (!part.ours()) return;
                if (pending && part.seen() == 0) {
                    pending = false;
                } else if (!part.entries().isEmpty()) {
                    if (!work(part.entries())) return;
                } else if (!pending) {
                    waitBehind(part.last());
                }
                failures = 0;
            } catch (BackplaneException e) {
                if (stopped) return;
                // The answer may have been lost with entries in it: those are pending now.
                pending = true;
                if (++failures % 4 == 0) stream.renewConnection();
                pause();
            }
        }
    }

    private void waitBehind(String last) {
        waiting = true;
        try {
            if (!stopped) Waits.answer(stream.await(last, WAIT));
        } finally {
            waiting = false;
        }
    }

    /** Deals with entries until all are done and taken away; false when the stream was lost or the worker stopped. */
    private boolean work(List<Entry> entries) {
        var open = new ArrayList<Task>();
        for (Entry entry : entries) open.add(new Task(entry, reader.read(service, entry)));
        while (true) {
            round(open);
            open.removeIf(task -> task.done);
            if (open.isEmpty()) break;
            if (stopped || !mine()) return false;
            failures++;
            pause();
        }
        while (true) {
            try {
                return Waits.answer(stream.done(entries));
            } catch (BackplaneException e) {
                if (stopped || !mine()) return false;
                failures++;
                pause();
            }
        }
    }

    /** Asks for everything that is open at once, in order, and waits for all answers. */
    private void round(List<Task> open) {
        var last = new HashMap<ChannelName, String>();
        var answers = new ArrayList<CompletableFuture<?>>();
        for (Task task : open) {
            answers.add(attempt(task, last)
                    .handle((ok, failure) -> {
                        task.failure = failure == null ? null : Waits.of(failure);
                        return ok;
                    })
                    .toCompletableFuture());
        }
        for (var answer : answers) Waits.answer(answer);
        for (Task task : open) judge(task);
    }

    private CompletionStage<?> attempt(Task task, Map<ChannelName, String> last) {
        return switch (task.reading) {
            case Unfit unfit ->
                letters.put(
                        "ingress:" + service + "/" + task.entry.id(),
                        task.entry.channel(),
                        unfit.sentence(),
                        task.entry.event(),
                        task.entry.size());
            case Fit fit
            when !fit.durable() -> {
                // At most once: what was given before may have been published.
                task.late = task.entry.given() > 1 || task.attempts > 0;
                yield task.late
                        ? CompletableFuture.completedFuture(null)
                        : publisher.publish(fit.channel(), fit.event(), false, null);
            }
            case Fit fit -> {
                String id = task.entry.id();
                // An entry that is its own predecessor is not published: it only tells whether it has been.
                boolean suspect = task.entry.given() > MOST_GIVEN;
                String before = suspect ? id : last.put(fit.channel(), id);
                yield publisher
                        .relay(fit.channel(), fit.event(), new Source(service, id, before))
                        .thenAccept(appended -> task.duplicate = appended.duplicate());
            }
        };
    }

    private void judge(Task task) {
        task.attempts++;
        BackplaneException failure = task.failure;
        switch (task.reading) {
            case Unfit unfit -> {
                if (failure != null) return;
                metrics.failed(unfit.reason());
                log.warn(
                        "An entry cannot be published and was put aside. service={} entry={} reason={}",
                        service,
                        task.entry.id(),
                        unfit.sentence());
                task.done = true;
            }
            case Fit fit
            when !fit.durable() -> {
                if (task.late) metrics.late();
                else if (failure == null) metrics.plain();
                task.done = task.late || failure == null;
            }
            case Fit fit -> {
                if (failure == null) {
                    metrics.published(task.duplicate);
                    task.done = true;
                } else if (task.entry.given() > MOST_GIVEN && failure.refusedWith("CARILLONORDER")) {
                    task.reading = new Unfit(
                            "deliveries", "given to workers more than " + MOST_GIVEN + " times without success");
                } else if (forever(failure) && ++task.refusals >= MOST_REFUSED) {
                    task.reading = new Unfit("refused", String.valueOf(failure.getMessage()));
                }
            }
        }
    }

    /** Whether Redis refused the event or its channel, and not the moment. */
    private static boolean forever(BackplaneException failure) {
        return failure.refusedWith("WRONGTYPE")
                || failure.refusedWith("CARILLON") && !failure.refusedWith("CARILLONORDER");
    }

    private void pause() {
        long pause = Math.min(LONGEST_PAUSE, SHORTEST_PAUSE << Math.min(failures, 8));
        if (!stopped) LockSupport.parkNanos(pause);
    }

    /** One entry on its way. */
    private static final class Task {
        private final Entry entry;
        private Reading reading;
        private int attempts;
        private int refusals;
        private boolean late;
        private boolean done;
        private volatile boolean duplicate;
        private volatile @Nullable BackplaneException failure;

        private Task(Entry entry, Reading reading) {
            this.entry = entry;
            this.reading = reading;
        }
    }
}
