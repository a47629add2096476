package io.carillon.node.presence;

import io.carillon.model.channel.Namespace;
import io.carillon.node.backplane.BackplaneException;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionStage;

/**
 * Presence of a cluster of one node, in memory, for tests of what uses it. Stages are complete when they are returned.
 * Safe from any thread.
 */
public final class InMemoryPresence implements Presence {
    /** What happened, in order: {@code join push u1}, {@code leave push u1}, {@code room+ push r u1}, {@code room- …}. */
    public final List<String> log = new ArrayList<>();

    private record Room(Namespace namespace, String name) {}

    private final Map<String, Online> sessions = new HashMap<>();
    private final Map<Room, Map<String, Set<String>>> rooms = new HashMap<>();
    private final Map<String, Set<String>> granted = new HashMap<>();
    private boolean away;

    /** From now on every session of the user joins this room as it opens. */
    public synchronized void grant(Namespace namespace, String user, String room) {
        granted.computeIfAbsent(namespace.name() + ' ' + user, key -> new HashSet<>())
                .add(room);
    }

    /** While Redis is away stages fail; what they asked for is kept all the same. */
    public synchronized void away(boolean now) {
        away = now;
    }

    public synchronized boolean online(Namespace namespace, String user) {
        return sessions(namespace, user) > 0;
    }

    public synchronized Set<String> members(Namespace namespace, String room) {
        return Set.copyOf(
                rooms.getOrDefault(new Room(namespace, room), Map.of()).keySet());
    }

    @Override
    public synchronized boolean open() {
        return !away;
    }

    @Override
    public void linked(boolean up) {}

    @Override
    public String node() {
        return "memory00.0";
    }

    @Override
    public synchronized CompletionStage<Set<String>> opened(Online session) {
        if (sessions(session.namespace(), session.user()) == 0) {
            log.add("join " + session.namespace() + ' ' + session.user());
        }
        sessions.put(session.session(), session);
        return answer(Set.copyOf(granted.getOrDefault(session.namespace().name() + ' ' + session.user(), Set.of())));
    }

    @Override
    public synchronized void closed(String session) {
        Online gone = sessions.remove(session);
        if (gone == null) return;
        for (Room room : Set.copyOf(rooms.keySet())) {
            left(room.namespace, room.name, session, gone.user(), true);
        }
        if (sessions(gone.namespace(), gone.user()) == 0) log.add("leave " + gone.namespace() + ' ' + gone.user());
    }

    @Override
    public synchronized CompletionStage<Long> joined(
            Namespace namespace, String room, String session, String user, String name, boolean announce) {
        var users = rooms.computeIfAbsent(new Room(namespace, room), key -> new HashMap<>());
        var of = users.computeIfAbsent(user, key -> new HashSet<>());
        if (of.isEmpty()) log.add("room+ " + namespace + ' ' + room + ' ' + user);
        of.add(session);
        return answer((long) users.size());
    }

    @Override
    public synchronized void left(Namespace namespace, String room, String session, String user, boolean announce) {
        var users = rooms.get(new Room(namespace, room));
        var of = users == null ? null : users.get(user);
        if (of == null || !of.remove(session) || !of.isEmpty()) return;
        users.remove(user);
        log.add("room- " + namespace + ' ' + room + ' ' + user);
        if (users.isEmpty()) rooms.remove(new Room(namespace, room));
    }

    @Override
    public synchronized CompletionStage<Long> sessionsOf(Namespace namespace, String user) {
        return answer(sessions(namespace, user));
    }

    private long sessions(Namespace namespace, String user) {
        return sessions.values().stream()
                .filter(one -> one.namespace().equals(namespace) && one.user().equals(user))
                .count();
    }

    private <T> CompletionStage<T> answer(T value) {
        return away
                ? CompletableFuture.failedStage(new BackplaneException("Redis is away"))
                : CompletableFuture.completedStage(value);
    }
}
