package io.carillon.node.presence;

import io.carillon.model.redis.Script;
import io.carillon.node.backplane.BackplaneException;
import io.carillon.node.presence.Presence.Online;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.concurrent.CompletableFuture;
import org.jspecify.annotations.Nullable;

/**
 * The sessions of this node, and how much of it Redis knows. What differs waits in a queue per place; one batch of
 * a place is on its way at a time, so a session's registration and removal can't overtake each other. A failed
 * batch goes back to the queue: both operations may be repeated.
 *
 * <p>Touched by the presence thread only.
 */
final class SessionBook {
    private static final class Held {
        final Online online;
        /** False once the session closed; it stays until Redis has forgotten it. */
        boolean open = true;
        /** Incarnation under which Redis is known to have it; empty when it is not known. */
        String confirmed = "";
        /** Incarnation under which it was last sent, with or without an answer; empty if never. */
        String sent = "";

        boolean queued;
        /** When it was confirmed, by {@link SessionBook#clock}. */
        long confirmedAt;

        @Nullable
        CompletableFuture<Set<String>> opening;

        Held(Online online, CompletableFuture<Set<String>> opening) {
            this.online = online;
            this.opening = opening;
        }
    }

    private static final class Space {
        final Place place;
        final ArrayDeque<Held> queue = new ArrayDeque<>();
        int underway;
        long open;

        Space(Place place) {
            this.place = place;
        }
    }

    private final Loop loop;
    private final Standing standing;
    private final Map<String, Held> sessions = new HashMap<>();
    private final Map<Place, Space> spaces = new LinkedHashMap<>();
    /** Grows with each self-check, to tell what was confirmed before it began. */
    private long clock;

    private boolean checking;

    SessionBook(Loop loop, Standing standing) {
        this.loop = loop;
        this.standing = standing;
    }

    void opened(Online online, CompletableFuture<Set<String>> opening) {
        Held known = sessions.get(online.session());
        if (known != null) {
            opening.completeExceptionally(new BackplaneException("session " + online.session() + " was opened twice"));
            return;
        }
        var held = new Held(online, opening);
        sessions.put(online.session(), held);
        Space space = space(online);
        space.open++;
        queue(space, held);
        if (!standing.open())
            failOpening(held, new BackplaneException("Redis is away; the session is registered when it returns"));
    }

    void closed(String session) {
        Held held = sessions.get(session);
        if (held == null || !held.open) return;
        held.open = false;
        Space space = space(held.online);
        space.open--;
        queue(space, held);
    }

    /** Everything has to be written again, under the new incarnation. */
    void renew() {
        for (Held held : sessions.values()) {
            if (held.open) queue(space(held.online), held);
        }
    }

    void flush() {
        for (Space space : List.copyOf(spaces.values())) flush(space);
    }

    boolean idle() {
        for (Space space : spaces.values()) {
            if (space.underway > 0 || !space.queue.isEmpty()) return false;
        }
        return true;
    }

    void closeAll() {
        for (Held held : List.copyOf(sessions.values())) closed(held.online.session());
    }

    void failAll(BackplaneException failure) {
        for (Held held : sessions.values()) failOpening(held, failure);
    }

    Map<String, Long> counts() {
        var counts = new TreeMap<String, Long>();
        for (Space space : spaces.values()) counts.merge(space.place.namespace().name(), space.open, Long::sum);
        return counts;
    }

    private Space space(Online online) {
        return spaces.computeIfAbsent(Place.of(loop.keys, online.namespace(), online.user()), Space::new);
    }

    private static void queue(Space space, Held held) {
        if (held.queued) return;
        held.queued = true;
        space.queue.add(held);
    }

    private static void failOpening(Held held, BackplaneException failure) {
        CompletableFuture<Set<String>> opening = held.opening;
        held.opening = null;
        if (opening != null) opening.completeExceptionally(failure);
    }

    private void flush(Space space) {
        if (space.underway > 0 || space.queue.isEmpty() || !standing.open() || !standing.declared(space.place)) return;
        String incarnation = standing.incarnation();
        var arriving = new ArrayList<Held>();
        var leaving = new TreeMap<String, List<Held>>();
        int taken = 0;
        while (taken < loop.settings.batch()) {
            Held held = space.queue.poll();
            if (held == null) break;
            held.queued = false;
            if (held.open) {
                if (held.confirmed.equals(incarnation) && held.opening == null) continue;
                held.sent = incarnation;
                arriving.add(held);
            } else if (held.sent.isEmpty()) {
                forget(held);
                continue;
            } else {
                leaving.computeIfAbsent(held.sent, sent -> new ArrayList<>()).add(held);
            }
            taken++;
        }
        // Arrivals first: a user who changes his session stays online throughout.
        if (!arriving.isEmpty()) register(space, incarnation, arriving);
        leaving.forEach((sent, list) -> unregister(space, sent, list));
        if (space.underway == 0) flush(space);
        if (space.underway == 0 && space.queue.isEmpty()) standing.settled();
    }

    private void register(Space space, String incarnation, List<Held> batch) {
        var arguments = new ArrayList<String>(2 + 7 * batch.size());
        arguments.add("register");
        arguments.add(incarnation);
        for (Held held : batch) Stored.arguments(held.online, arguments);
        space.underway++;
        loop.call(
                Script.PRESENCE,
                space.place.online(loop.keys),
                arguments,
                reply -> {
                    boolean fenced = Reply.number(reply.getFirst()) < 0;
                    Map<String, Set<String>> granted = granted(reply);
                    for (Held held : batch) {
                        if (fenced) {
                            if (held.sent.equals(incarnation)) held.sent = held.confirmed;
                        } else {
                            held.confirmed = incarnation;
                            held.confirmedAt = clock;
                            complete(held, granted.getOrDefault(held.online.session(), Set.of()));
                        }
                        if (!held.open || !standing.incarnation().equals(held.confirmed)) queue(space, held);
                    }
                    space.underway--;
                    if (fenced) standing.fenced(incarnation);
                    else flush(space);
                },
                failure -> {
                    for (Held held : batch) {
                        queue(space, held);
                        failOpening(held, failure);
                    }
                    space.underway--;
                    standing.lost();
                });
    }

    private static Map<String, Set<String>> granted(List<Object> reply) {
        if (reply.size() < 3) return Map.of();
        var rooms = new HashMap<String, Set<String>>();
        for (int i = 2; i + 1 < reply.size(); i += 2) {
            rooms.put(Reply.text(reply.get(i)), Set.copyOf(Reply.texts(Reply.list(reply.get(i + 1)))));
        }
        return rooms;
    }

    private static void complete(Held held, Set<String> rooms) {
        CompletableFuture<Set<String>> opening = held.opening;
        held.opening = null;
        if (opening != null) opening.complete(rooms);
    }

    private void unregister(Space space, String incarnation, List<Held> batch) {
        var arguments = new ArrayList<String>(2 + 2 * batch.size());
        arguments.add("unregister");
        arguments.add(incarnation);
        for (Held held : batch) {
            arguments.add(held.online.session());
            arguments.add(held.online.user());
        }
        space.underway++;
        loop.call(
                Script.PRESENCE,
                space.place.online(loop.keys),
                arguments,
                reply -> {
                    for (Held held : batch) forget(held);
                    space.underway--;
                    flush(space);
                    if (space.underway == 0 && space.queue.isEmpty()) standing.settled();
                },
                failure -> {
                    for (Held held : batch) queue(space, held);
                    space.underway--;
                    standing.lost();
                });
    }

    private void forget(Held held) {
        sessions.remove(held.online.session(), held);
        complete(held, Set.of());
    }

    /** Compares {@code presence:node:<node>} with memory and repairs what differs. */
    void check(Runnable finished) {
        if (checking) return;
        checking = true;
        clock++;
        var waiting = new ArrayDeque<>(spaces.values());
        checkNext(waiting, () -> {
            checking = false;
            finished.run();
        });
    }

    private void checkNext(ArrayDeque<Space> waiting, Runnable finished) {
        Space space = waiting.poll();
        if (space == null) finished.run();
        else page(space, standing.incarnation(), "0", new HashSet<>(), () -> checkNext(waiting, finished), finished);
    }

    private void page(
            Space space, String incarnation, String cursor, Set<String> seen, Runnable next, Runnable giveUp) {
        loop.call(
                Script.KEY,
                loop.keys.nodeSessions(space.place.namespace(), space.place.part(), incarnation),
                List.of("page", cursor, "500"),
                reply -> {
                    seen.addAll(Reply.texts(Reply.list(reply.get(1))));
                    String more = Reply.text(reply.getFirst());
                    if (!more.equals("0")) {
                        page(space, incarnation, more, seen, next, giveUp);
                    } else {
                        compare(space, incarnation, seen);
                        next.run();
                    }
                },
                failure -> {
                    standing.lost();
                    giveUp.run();
                });
    }

    private void compare(Space space, String incarnation, Set<String> seen) {
        if (!standing.incarnation().equals(incarnation)) return;
        for (Held held : sessions.values()) {
            if (space(held.online) != space) continue;
            boolean there = seen.remove(held.online.session() + ' ' + held.online.user());
            if (!there && held.open && held.confirmed.equals(incarnation) && held.confirmedAt < clock) {
                held.confirmed = "";
                queue(space, held);
            }
        }
        for (String ghost : seen) {
            int blank = ghost.indexOf(' ');
            if (blank < 0) continue;
            // Nobody here knows it: an entry for the removal alone.
            var online = new Online(
                    space.place.namespace(),
                    ghost.substring(0, blank),
                    ghost.substring(blank + 1),
                    null,
                    Set.of(),
                    "",
                    "",
                    0);
            if (sessions.containsKey(online.session())) continue;
            var held = new Held(online, new CompletableFuture<>());
            held.open = false;
            held.sent = incarnation;
            sessions.put(online.session(), held);
            queue(space, held);
        }
        flush(space);
    }
}
