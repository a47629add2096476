package io.carillon.node.presence;

import io.carillon.model.channel.Namespace;
import io.carillon.model.redis.Keys;
import io.carillon.model.redis.Script;
import io.carillon.node.backplane.BackplaneException;
import io.carillon.node.backplane.ScriptRunner;
import io.carillon.node.presence.Suspicions.Look;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ThreadLocalRandom;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.function.Consumer;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;
import tools.jackson.databind.json.JsonMapper;

/**
 * Presence in Redis. Each node keeps its own sessions and room members in memory as the truth about itself and makes
 * Redis agree: after a lost link by comparing, after it was taken for dead or Redis lost its data by writing everything
 * again under a new incarnation. Sockets stay open through all of that.
 *
 * <pre>
 * SCARD    carillon:push:presence:online              users online, exactly
 * HGETALL  carillon:push:presence:user:u1             his sessions
 * SMEMBERS carillon:push:presence:node:a1b2c3d4.0     a node's sessions, {@code <session> <user>}
 * XRANGE   carillon:push:presence:log - +             joins and leaves, each exactly once
 * HLEN     carillon:push:members:{lobby}:users        users in a room
 * ZRANGE   carillon:nodes:lease 0 -1 WITHSCORES       nodes and when their leases end
 * </pre>
 *
 * <p>Death of a node is found by its neighbours in the ring of leased nodes (docs/adr/0006-ring-of-watchers.md): a
 * killed process within two and a half beats, a frozen or cut-off one when its lease is over.
 *
 * <p>Threads: everything but {@link #stop} returns at once and may be called from any thread. All state belongs to one
 * thread, {@code presence-<boot>}; stages complete on it, and what hangs on them must hand on.
 */
public final class RedisPresence implements Presence {
    private static final Logger LOG = LoggerFactory.getLogger(RedisPresence.class);
    private static final Duration GOODBYE = Duration.ofSeconds(5);
    private static final JsonMapper JSON = JsonMapper.builder().build();

    private final String boot;
    private final Supplier<NodeDescription> description;
    private final PresenceMetrics metrics;
    private final Loop loop;
    private final Standing standing = new Here();
    private final SessionBook sessions;
    private final RoomBook rooms;
    private final Reaper reaper;
    private final Leader leader;
    private final Suspicions suspicions;
    /** Calls from other threads, for at most the collecting time; each session and membership brings a few at most. */
    private final ConcurrentLinkedQueue<Runnable> inbox = new ConcurrentLinkedQueue<>();

    private final AtomicBoolean collecting = new AtomicBoolean();
    private final CompletableFuture<Boolean> stopped = new CompletableFuture<>();
    private volatile String incarnation;
    private volatile boolean open;
    private volatile long steadySince;
    private volatile long beats;

    // The presence thread's own.
    private final Map<Place, String> declared = new HashMap<>();
    private final Set<Place> declaring = new HashSet<>();
    private final Set<Namespace> namespaces = new HashSet<>();
    private int number;
    private boolean leased;
    private boolean linked;
    private boolean beating;
    private boolean stopping;
    private boolean leaving;
    private boolean checkWanted;
    private String previous = "";

    /**
     * @param boot the name of this process, 8 random characters; session ids begin with it and {@code Keys.node} of it
     *     is the topic the node must be subscribed to before {@link #start}
     * @param description asked before each beat; must return at once
     */
    public RedisPresence(
            String boot,
            Keys keys,
            ScriptRunner scripts,
            PresenceSettings settings,
            Supplier<NodeDescription> description,
            PresenceMetrics metrics) {
        this.boot = boot;
        this.description = description;
        this.metrics = metrics;
        incarnation = boot + ".0";
        loop = new Loop(boot, keys, scripts, settings);
        sessions = new SessionBook(loop, standing);
        rooms = new RoomBook(loop, standing);
        reaper = new Reaper(loop, standing, metrics);
        leader = new Leader(loop, standing);
        suspicions = new Suspicions(settings);
    }

    /** Takes a lease as soon as Redis answers, and renews it from then on. */
    public void start() {
        loop.every(loop.settings.beat(), this::tick);
        loop.every(loop.settings.beat().dividedBy(4), this::countOnline);
        loop.after(loop.settings.selfCheck(), this::selfCheck);
    }

    /**
     * Removes what is left of this node from Redis and gives the lease back; waits for that, 6 s at most. Without Redis,
     * or if it takes longer, the others clean up.
     */
    public void stop() {
        loop.run(() -> {
            stopping = true;
            drain();
            sessions.closeAll();
            rooms.closeAll();
            flush();
            if (!open) stopped.complete(false);
            else checkSettled();
        });
        loop.after(GOODBYE, () -> leave(false));
        try {
            var clean = stopped.get(GOODBYE.toMillis() + 1000, TimeUnit.MILLISECONDS);
            if (!clean) LOG.warn("node {} stopped without Redis; the others take its sessions out", incarnation);
        } catch (TimeoutException | ExecutionException e) {
            LOG.warn("node {} stopped without giving its lease back; the others take its sessions out", incarnation, e);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        } finally {
            open = false;
            loop.end();
        }
    }

    @Override
    public void linked(boolean up) {
        loop.run(() -> {
            if (up) tick();
            else standing.lost();
        });
    }

    @Override
    public boolean open() {
        return open;
    }

    /** Since when Redis has not taken a beat; readiness ends after some seconds of it. */
    public Duration beatAge() {
        return Duration.ofNanos(metrics.beatAge());
    }

    @Override
    public String node() {
        return incarnation;
    }

    @Override
    public CompletionStage<Set<String>> opened(Online session) {
        var opening = new CompletableFuture<Set<String>>();
        collect(() -> {
            namespaces.add(session.namespace());
            sessions.opened(session, opening);
        });
        return opening;
    }

    @Override
    public void closed(String session) {
        collect(() -> {
            rooms.closed(session);
            sessions.closed(session);
        });
    }

    @Override
    public CompletionStage<Long> joined(
            Namespace namespace, String room, String session, String user, @Nullable String name, boolean announce) {
        var counted = new CompletableFuture<Long>();
        collect(() -> {
            namespaces.add(namespace);
            rooms.joined(namespace, room, session, user, name, announce, counted);
        });
        return counted;
    }

    @Override
    public void left(Namespace namespace, String room, String session, String user, boolean announce) {
        collect(() -> rooms.left(namespace, room, session, user, announce));
    }

    @Override
    public CompletionStage<Long> sessionsOf(Namespace namespace, String user) {
        var counted = new CompletableFuture<Long>();
        loop.call(
                Script.KEY,
                loop.keys.userSessions(namespace, user),
                List.of("fields"),
                reply -> counted.complete(Reply.number(reply.getFirst())),
                counted::completeExceptionally);
        return counted;
    }

    /** How long what this node sees of others has counted: its link and its subscription have been up for so long. */
    Duration steadyFor() {
        long since = steadySince;
        return Duration.ofNanos(since == 0 ? 0 : System.nanoTime() - since);
    }

    /** Beats that Redis took. */
    long beats() {
        return beats;
    }

    /** Cleans up after a node as if its claim had been given to this one. */
    void reap(String dead) {
        loop.run(() -> reaper.reap(dead));
    }

    /** Ends without a word to Redis, as a killed process does. */
    void abandon() {
        loop.end();
    }

    private void collect(Runnable call) {
        inbox.add(call);
        if (collecting.compareAndSet(false, true)) {
            loop.after(loop.settings.collect(), () -> {
                drain();
                flush();
            });
        }
    }

    private void drain() {
        collecting.set(false);
        for (Runnable call = inbox.poll(); call != null; call = inbox.poll()) call.run();
    }

    private void flush() {
        sessions.flush();
        rooms.flush();
    }

    private void tick() {
        if (beating || stopping) return;
        beating = true;
        if (leased) beat();
        else join();
    }

    private String info() {
        return JSON.writeValueAsString(description.get().as(incarnation, sessions.counts()));
    }

    private static String millis(Duration time) {
        return Long.toString(time.toMillis());
    }

    private void join() {
        String name = incarnation;
        loop.call(
                Script.NODE,
                loop.keys.leases(),
                List.of("join", name, millis(loop.settings.lease()), info(), previous),
                reply -> {
                    beating = false;
                    leased = true;
                    linked = true;
                    open = true;
                    metrics.beat(1);
                    LOG.info("node {} has its lease", name);
                    sessions.renew();
                    rooms.renew();
                    flush();
                },
                failure -> {
                    beating = false;
                    standing.lost();
                });
    }

    private void beat() {
        String name = incarnation;
        loop.call(
                Script.NODE,
                loop.keys.leases(),
                List.of(
                        "beat",
                        name,
                        millis(loop.settings.lease()),
                        info(),
                        millis(loop.settings.leader()),
                        Integer.toString(loop.settings.neighbours())),
                reply -> {
                    if (!name.equals(incarnation) || stopping || Reply.number(reply.getFirst()) == 0) {
                        beating = false;
                        if (name.equals(incarnation) && !stopping) standing.fenced(name);
                    } else if (Reply.number(reply.get(5)) < 0) {
                        countSubscribers(reply, counts -> {
                            beating = false;
                            if (name.equals(incarnation) && !stopping) beaten(reply, counts);
                        });
                    } else {
                        beating = false;
                        beaten(reply, Map.of());
                    }
                },
                failure -> {
                    beating = false;
                    standing.lost();
                });
    }

    /**
     * In Cluster a node's topic is on any primary, so each is asked for. Nobody to ask: the caller counts as deaf, and
     * another node as heard.
     */
    private void countSubscribers(List<Object> reply, Consumer<Map<String, Long>> done) {
        var counts = new HashMap<String, Long>();
        List<String> asked = new ArrayList<>(List.of(incarnation));
        List<?> ring = Reply.list(reply.get(7));
        for (int i = 0; i + 2 < ring.size(); i += 3) asked.add(Reply.text(ring.get(i)));
        var left = new AtomicInteger(asked.size());
        for (String node : asked) {
            loop.subscribers(loop.keys.node(bootOf(node)), count -> {
                counts.put(node, count >= 0 ? count : node.equals(incarnation) ? 0 : 1);
                if (left.decrementAndGet() == 0) done.accept(counts);
            });
        }
    }

    private static String bootOf(String node) {
        int dot = node.lastIndexOf('.');
        return dot < 0 ? node : node.substring(0, dot);
    }

    private void beaten(List<Object> reply, Map<String, Long> counts) {
        boolean returned = !linked;
        linked = true;
        open = true;
        metrics.beat(Reply.number(reply.get(3)));
        List<Look> looks = looks(reply, counts);
        boolean moved = suspicions.look(
                System.nanoTime(),
                Reply.text(reply.get(4)),
                counts.getOrDefault(incarnation, Reply.number(reply.get(5))),
                looks);
        steadySince = suspicions.steadySince();
        beats = beats + 1;
        if (returned || moved) {
            checkWanted = true;
            // Spread, or all nodes would compare at once just when Redis is back.
            loop.after(Duration.ofMillis(ThreadLocalRandom.current().nextLong(500)), this::checkIfWanted);
        }
        flush();
        if (!Reply.list(reply.get(6)).isEmpty()) claim(List.of());
        if (!suspicions.accused().isEmpty()) {
            // Half a beat more: one beat of the accused that comes late by so much clears him.
            loop.after(loop.settings.beat().dividedBy(2), () -> {
                List<Suspicions.Suspect> accused = suspicions.accused();
                if (!open || accused.isEmpty()) return;
                if (counts.isEmpty()) claim(accused);
                else accused.forEach(suspect -> claimIfSilent(suspect, looks));
            });
        }
        if (Reply.number(reply.get(2)) == 1) leader.lead(Reply.text(reply.get(1)));
        countNamespaces();
    }

    /** The gauge is of this moment, not of the leader's last word: the leader may be the node that just died. */
    private void countOnline() {
        if (!open || loop.keys.parts() > 1) return; // in Cluster it is the sum of all parts, as the totals have it
        for (String name : metrics.namespaces()) {
            loop.call(
                    Script.KEY,
                    loop.keys.online(new Namespace(name)),
                    List.of("size"),
                    size -> metrics.online(name, Reply.number(size.getFirst())),
                    failure -> standing.lost());
        }
    }

    /** Namespaces that only other nodes serve are named by the totals. */
    private void countNamespaces() {
        loop.call(
                Script.KEY,
                loop.keys.stats(),
                List.of("read"),
                stats -> {
                    for (int i = 0; i + 1 < stats.size(); i += 2) {
                        String field = Reply.text(stats.get(i));
                        if (!field.endsWith(".online")) continue;
                        String name = field.substring(0, field.length() - 7);
                        metrics.serve(name);
                        if (loop.keys.parts() > 1) metrics.online(name, Reply.number(stats.get(i + 1)));
                    }
                },
                failure -> standing.lost());
    }

    /** In Cluster the claim can't count again; so it is done before, and the lease's score tells of a beat since. */
    private void claimIfSilent(Suspicions.Suspect suspect, List<Look> looks) {
        boolean expired =
                looks.stream().anyMatch(look -> look.expired() && look.node().equals(suspect.node()));
        if (expired) claim(List.of(suspect));
        else {
            loop.subscribers(loop.keys.node(bootOf(suspect.node())), count -> {
                if (open && count == 0) claim(List.of(suspect));
            });
        }
    }

    private static List<Look> looks(List<Object> reply, Map<String, Long> counts) {
        var looks = new HashMap<String, Look>();
        List<?> ring = Reply.list(reply.get(7));
        for (int i = 0; i + 2 < ring.size(); i += 3) {
            String node = Reply.text(ring.get(i));
            long subscribers = counts.getOrDefault(node, Reply.number(ring.get(i + 2)));
            looks.put(node, new Look(node, Reply.text(ring.get(i + 1)), subscribers, false));
        }
        List<?> expired = Reply.list(reply.get(8));
        for (int i = 0; i + 1 < expired.size(); i += 2) {
            String node = Reply.text(expired.get(i));
            Look seen = looks.get(node);
            looks.put(
                    node, new Look(node, Reply.text(expired.get(i + 1)), seen == null ? 1 : seen.subscribers(), true));
        }
        return List.copyOf(looks.values());
    }

    private void claim(List<Suspicions.Suspect> accused) {
        var arguments = new ArrayList<>(List.of("claim", incarnation, millis(loop.settings.claim())));
        for (Suspicions.Suspect suspect : accused) {
            arguments.add(suspect.node());
            arguments.add(suspect.score());
        }
        loop.call(
                Script.NODE,
                loop.keys.leases(),
                arguments,
                reply -> Reply.texts(reply).forEach(reaper::reap),
                failure -> standing.lost());
    }

    private void selfCheck() {
        checkWanted = true;
        checkIfWanted();
        loop.after(loop.settings.selfCheck(), this::selfCheck);
    }

    private void checkIfWanted() {
        if (!checkWanted || !open || stopping) return;
        checkWanted = false;
        sessions.check(() -> rooms.check(Set.copyOf(namespaces), () -> {}));
    }

    private void checkSettled() {
        if (stopping && open && sessions.idle() && rooms.idle()) leave(true);
    }

    private void leave(boolean clean) {
        if (leaving) return;
        leaving = true;
        if (clean) {
            declared.forEach((place, under) -> loop.call(
                    Script.PRESENCE,
                    place.online(loop.keys),
                    List.of("depart", under),
                    reply -> {},
                    stopped::completeExceptionally));
        }
        loop.call(
                Script.NODE,
                loop.keys.leases(),
                List.of("leave", incarnation, clean ? "1" : "0"),
                reply -> stopped.complete(clean),
                stopped::completeExceptionally);
    }

    private final class Here implements Standing {
        @Override
        public String incarnation() {
            return incarnation;
        }

        @Override
        public boolean open() {
            return open;
        }

        @Override
        public boolean declared(Place place) {
            String under = incarnation;
            if (under.equals(declared.get(place))) return true;
            if (declaring.add(place)) {
                loop.call(
                        Script.KEY,
                        loop.keys.namespaces(),
                        List.of("add", place.namespace().name()),
                        reply -> admit(place, under),
                        failure -> {
                            declaring.remove(place);
                            lost();
                        });
            }
            return false;
        }

        private void admit(Place place, String under) {
            loop.call(
                    Script.PRESENCE,
                    place.online(loop.keys),
                    List.of("admit", under),
                    reply -> {
                        declaring.remove(place);
                        if (Reply.number(reply.getFirst()) < 0) {
                            fenced(under);
                        } else {
                            declared.put(place, under);
                            flush();
                        }
                    },
                    failure -> {
                        declaring.remove(place);
                        lost();
                    });
        }

        @Override
        public void lost() {
            if (linked && open)
                LOG.warn("node {} lost Redis; sessions stay, presence is repaired when it returns", incarnation);
            linked = false;
            open = false;
            suspicions.broken();
            var away = new BackplaneException("Redis is away");
            sessions.failAll(away);
            rooms.failAll(away);
            if (stopping) stopped.complete(false);
        }

        @Override
        public void fenced(String name) {
            if (!name.equals(incarnation)) return;
            metrics.fenced();
            previous = name;
            incarnation = boot + '.' + ++number;
            LOG.warn("node {} was taken for dead, or Redis lost its data; going on as {}", name, incarnation);
            leased = false;
            open = false;
            suspicions.broken();
            if (stopping) stopped.complete(false);
            else tick();
        }

        @Override
        public void settled() {
            checkSettled();
        }
    }
}
