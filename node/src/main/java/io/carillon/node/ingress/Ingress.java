package io.carillon.node.ingress;

import io.carillon.model.redis.Boot;
import io.carillon.model.redis.Keys;
import io.carillon.model.redis.Script;
import io.carillon.node.backplane.BackplaneException;
import io.carillon.node.backplane.DeadLetters;
import io.carillon.node.backplane.ScriptRunner;
import io.carillon.node.backplane.Streams;
import io.carillon.node.dispatch.Publisher;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Collections;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ThreadLocalRandom;
import java.util.concurrent.locks.LockSupport;
import java.util.function.BooleanSupplier;
import java.util.function.IntSupplier;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Finds the streams of services and shares them among the nodes of the cluster, each with one worker at a time.
 *
 * <p>One node of all walks over the keys every ten seconds and keeps the services it found in a set, which every node
 * reads each second. A node takes up free streams until it has its share (streams by nodes); beyond that it takes one
 * every fourth round, so that others come first, and with one too many it gives one back every scan. A node that drains
 * gives all back.
 *
 * <pre>
 * ingress.lua carillon:ingress:scan        lead
 * SADD, SREM, SMEMBERS carillon:ingress:services
 * ingress.lua carillon:ingress:{orders}    claim, renew, release
 * </pre>
 */
final class Ingress {
    private static final Logger log = LoggerFactory.getLogger(Ingress.class);
    private static final Duration ROUND = Duration.ofMillis(400);
    private static final Duration LIST = Duration.ofSeconds(1);
    private static final Duration FAREWELL = Duration.ofSeconds(5);
    private static final int CANDIDATES = 8;

    private final String boot;
    private final Keys keys;
    private final ScriptRunner scripts;
    private final Streams streams;
    private final Publisher publisher;
    private final DeadLetters letters;
    private final EntryReader reader;
    private final IngressSettings settings;
    private final IngressMetrics metrics;
    private final IntSupplier nodes;
    private final BooleanSupplier draining;
    private final Map<String, Worker> workers = new ConcurrentHashMap<>();
    private final Thread thread;
    private volatile boolean stopped;

    // Touched by the one thread only.
    private final Set<String> known = new HashSet<>();
    private long listed;
    private long scanned;
    private long renewed;
    private int share = 1;
    private int round;
    private int claims;
    private boolean away;

    /**
     * @param nodes how many nodes share the streams; may block
     * @param draining whether this node empties itself
     */
    Ingress(
            Boot boot,
            Keys keys,
            ScriptRunner scripts,
            Streams streams,
            Publisher publisher,
            DeadLetters letters,
            EntryReader reader,
            IngressSettings settings,
            IngressMetrics metrics,
            IntSupplier nodes,
            BooleanSupplier draining) {
        this.boot = boot.id();
        this.keys = keys;
        this.scripts = scripts;
        this.streams = streams;
        this.publisher = publisher;
        this.letters = letters;
        this.reader = reader;
        this.settings = settings;
        this.metrics = metrics;
        this.nodes = nodes;
        this.draining = draining;
        thread = Thread.ofVirtual().name("ingress").unstarted(this::run);
    }

    void start() {
        thread.start();
    }

    /** Hands everything over and ends. */
    void stop() {
        stopped = true;
        LockSupport.unpark(thread);
        workers.values().forEach(Worker::stop);
        try {
            // First the one that makes workers, so that none is made after the last was waited for.
            thread.join(FAREWELL);
            for (Worker worker : workers.values()) worker.join(FAREWELL);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
    }

    /** The services whose streams this node drains. Safe from any thread. */
    Set<String> drained() {
        return Set.copyOf(workers.keySet());
    }

    private void run() {
        long now = System.nanoTime();
        listed = now - LIST.toNanos();
        scanned = now - settings.scan().toNanos();
        renewed = now;
        known.addAll(settings.services());
        while (!stopped) {
            try {
                step();
                away = false;
            } catch (BackplaneException e) {
                if (!away) log.debug("Streams cannot be looked after now. reason={}", e.getMessage());
                away = true;
            } catch (RuntimeException bug) {
                log.error("Looking after streams failed; it goes on.", bug);
            }
            long pause = ROUND.toNanos();
            if (!stopped) {
                LockSupport.parkNanos(pause / 2 + ThreadLocalRandom.current().nextLong(pause));
            }
        }
    }

    private void step() {
        renew();
        if (draining.getAsBoolean()) {
            workers.values().forEach(Worker::stop);
            return;
        }
        long now = System.nanoTime();
        if (now - scanned >= settings.scan().toNanos()) {
            scanned = now;
            scan();
            if (workers.size() > share) workers.values().iterator().next().stop();
        }
        if (now - listed >= LIST.toNanos()) {
            listed = now;
            list();
        }
        claim(round++ % 4 == 0);
    }

    /** Tells Redis that the workers are alive; does not wait for it. */
    private void renew() {
        long now = System.nanoTime();
        if (now - renewed < settings.renewal().toNanos()) return;
        renewed = now;
        workers.forEach((service, worker) -> {
            var unused = worker.stream().renew(scripts).thenAccept(waiting -> {
                if (waiting < 0) {
                    worker.lost();
                } else {
                    worker.renewed(now + settings.lock().toNanos());
                    metrics.backlog(service, waiting);
                }
            });
        });
    }

    /** Walks over the keys if no other node does; the walk goes on by itself. */
    private void scan() {
        String life = Long.toString(settings.scan().toMillis() * 9 / 10);
        List<Object> lead = Waits.answer(scripts.run(Script.INGRESS, keys.ingressScan(), List.of("lead", boot, life)));
        if ((Long) lead.getFirst() == 0) return;
        var unused = streams.find(keys.ingress("x").replace("x}", ""))
                .thenAccept(this::found)
                .exceptionally(failure -> {
                    log.debug("The walk over the keys ended early. reason={}", failure.getMessage());
                    return null;
                });
    }

    private void found(Set<String> names) {
        var services = new HashSet<String>();
        for (String name : names) {
            String service = keys.serviceOf(name);
            if (service != null) services.add(service);
            else log.debug("A stream's name is none of a service.");
        }
        var unused = scripts.run(Script.KEY, keys.ingressServices(), List.of("members"))
                .thenAccept(reply -> {
                    var gone = new HashSet<>(texts(reply));
                    var fresh = new HashSet<>(services);
                    fresh.removeAll(gone);
                    gone.removeAll(services);
                    change("add", fresh);
                    change("remove", gone);
                });
    }

    private void change(String operation, Set<String> services) {
        if (services.isEmpty()) return;
        var arguments = new ArrayList<>(List.of(operation));
        arguments.addAll(services);
        var unused = scripts.run(Script.KEY, keys.ingressServices(), arguments);
    }

    private void list() {
        List<Object> reply = Waits.answer(scripts.run(Script.KEY, keys.ingressServices(), List.of("members")));
        known.clear();
        known.addAll(settings.services());
        known.addAll(texts(reply));
        int among = Math.max(1, nodes.getAsInt());
        share = Math.max(1, (known.size() + among - 1) / among);
    }

    /** @param more whether to take one beyond the share */
    private void claim(boolean more) {
        if (workers.size() >= share && !more) return;
        var free = new ArrayList<String>();
        for (String service : known) {
            if (!workers.containsKey(service)) free.add(service);
        }
        Collections.shuffle(free);
        for (String service : free.subList(0, Math.min(CANDIDATES, free.size()))) {
            if (take(service) && workers.size() >= share) return;
        }
    }

    private boolean take(String service) {
        String key = keys.ingress(service);
        String worker = boot + '.' + claims++;
        long until = System.nanoTime() + settings.lock().toNanos();
        if (!Waits.answer(OwnedStream.claim(scripts, key, worker, settings))) return false;
        var stream = new OwnedStream(key, worker, settings, streams.open(key));
        var made =
                new Worker(service, stream, reader, publisher, letters, metrics, until, () -> ended(service, stream));
        // Started as it is entered: whoever finds it there may wait for its end.
        workers.compute(service, (name, none) -> {
            made.start();
            return made;
        });
        metrics.own(workers.size());
        log.info("Draining the stream of a service. service={}", service);
        if (stopped) made.stop();
        return true;
    }

    private void ended(String service, OwnedStream stream) {
        try {
            Waits.answer(stream.release(scripts));
        } catch (BackplaneException e) {
            log.debug("The lock of a stream ends by itself. service={}", service);
        }
        stream.close();
        workers.remove(service);
        metrics.own(workers.size());
        metrics.backlog(service, 0);
        log.info("No longer draining the stream of a service. service={}", service);
    }

    private static List<String> texts(List<Object> reply) {
        return reply.stream().map(Entry::text).toList();
    }
}
