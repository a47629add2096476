package io.carillon.node.presence;

import io.carillon.model.channel.Namespace;
import io.carillon.model.redis.Keys;
import io.carillon.model.redis.Script;
import io.carillon.node.backplane.BackplaneException;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.concurrent.CompletableFuture;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;

/**
 * Which users this node holds in which rooms, counted by session: the first session of a user makes him join, the last
 * one leave. The node's set of rooms is written before the room, so that a reaper finds all of them. One batch of a
 * room is on its way at a time, and at most {@value #ROOMS_AT_ONCE} rooms; a failed batch goes back to its queue.
 *
 * <p>Touched by the presence thread only.
 */
final class RoomBook {
    private static final int ROOMS_AT_ONCE = 64;

    private record Name(Namespace namespace, String room) {
        /** Where the node notes that it is in the room. */
        Place place(Keys keys) {
            return Place.of(keys, namespace, room);
        }
    }

    private static final class Member {
        final String user;
        final Set<String> sessions = new HashSet<>(4);
        String confirmed = "";
        String sent = "";
        /**
         * Older incarnations under which it was sent. Their reaper may have been there before the last of it arrived, or
         * Redis may have lost the list he goes by; so what is left under them is taken back here.
         */
        Set<String> stale = Set.of();

        boolean queued;
        boolean announce;
        /** His display name; null for none. */
        @Nullable
        String name;

        long confirmedAt;
        List<CompletableFuture<Long>> waiting = List.of();

        Member(String user) {
            this.user = user;
        }
    }

    private static final class Room {
        final Name name;
        final Map<String, Member> members = new HashMap<>();
        final ArrayDeque<Member> queue = new ArrayDeque<>();
        int underway;

        Room(Name name) {
            this.name = name;
        }
    }

    private record Group(String incarnation, boolean announce) {}

    private final Loop loop;
    private final Standing standing;
    private final Map<Name, Room> rooms = new HashMap<>();
    /** The user of each membership, by session and room. */
    private final Map<String, Map<Name, String>> roomsOf = new HashMap<>();

    private final LinkedHashSet<Room> changed = new LinkedHashSet<>();
    private int busy;
    private long clock;
    private boolean checking;

    RoomBook(Loop loop, Standing standing) {
        this.loop = loop;
        this.standing = standing;
    }

    void joined(
            Namespace namespace,
            String room,
            String session,
            String user,
            @Nullable String name,
            boolean announce,
            CompletableFuture<Long> counted) {
        Room at = rooms.computeIfAbsent(new Name(namespace, room), Room::new);
        Member member = at.members.computeIfAbsent(user, Member::new);
        member.announce = announce || !member.sessions.isEmpty() && member.announce;
        if (name != null) member.name = name;
        member.sessions.add(session);
        roomsOf.computeIfAbsent(session, s -> new HashMap<>(4)).put(at.name, user);
        if (!standing.open()) {
            counted.completeExceptionally(new BackplaneException("Redis is away; the room is joined when it returns"));
        } else {
            if (member.waiting.isEmpty()) member.waiting = new ArrayList<>(1);
            member.waiting.add(counted);
        }
        queue(at, member);
    }

    void left(Namespace namespace, String room, String session, String user, boolean announce) {
        var name = new Name(namespace, room);
        Map<Name, String> of = roomsOf.get(session);
        if (of != null && of.remove(name) != null && of.isEmpty()) roomsOf.remove(session);
        Room at = rooms.get(name);
        Member member = at == null ? null : at.members.get(user);
        if (at == null || member == null || !member.sessions.remove(session)) return;
        if (member.sessions.isEmpty()) {
            member.announce = announce;
            queue(at, member);
        }
    }

    /** The session is gone: it leaves what it did not leave itself. */
    void closed(String session) {
        Map<Name, String> of = roomsOf.get(session);
        if (of == null) return;
        List.copyOf(of.entrySet())
                .forEach(one -> left(one.getKey().namespace, one.getKey().room, session, one.getValue(), true));
    }

    void renew() {
        for (Room room : rooms.values()) {
            for (Member member : room.members.values()) queue(room, member);
        }
    }

    void closeAll() {
        for (Room room : rooms.values()) {
            for (Member member : room.members.values()) {
                if (member.sessions.isEmpty()) continue;
                member.sessions.clear();
                queue(room, member);
            }
        }
        roomsOf.clear();
    }

    boolean idle() {
        return busy == 0 && changed.isEmpty();
    }

    void failAll(BackplaneException failure) {
        for (Room room : rooms.values()) {
            for (Member member : room.members.values()) fail(member, failure);
        }
    }

    private void queue(Room room, Member member) {
        if (!member.queued) {
            member.queued = true;
            room.queue.add(member);
        }
        changed.add(room);
    }

    private static void fail(Member member, BackplaneException failure) {
        List<CompletableFuture<Long>> waiting = member.waiting;
        member.waiting = List.of();
        for (CompletableFuture<Long> one : waiting) one.completeExceptionally(failure);
    }

    private static void count(Member member, long users) {
        List<CompletableFuture<Long>> waiting = member.waiting;
        member.waiting = List.of();
        for (CompletableFuture<Long> one : waiting) one.complete(users);
    }

    void flush() {
        if (changed.isEmpty() || !standing.open()) return;
        var later = new ArrayList<Room>();
        while (busy < ROOMS_AT_ONCE && !changed.isEmpty()) {
            Room room = changed.removeFirst();
            if (room.underway > 0 || !standing.declared(room.name.place(loop.keys))) later.add(room);
            else flush(room);
        }
        changed.addAll(later);
        if (idle()) standing.settled();
    }

    private void flush(Room room) {
        String incarnation = standing.incarnation();
        var joining = new TreeMap<Boolean, List<Member>>();
        var leaving = new HashMap<Group, List<Member>>();
        int taken = 0;
        while (taken < loop.settings.batch()) {
            Member member = room.queue.poll();
            if (member == null) break;
            member.queued = false;
            if (!member.sessions.isEmpty()) {
                if (member.confirmed.equals(incarnation) && member.stale.isEmpty() && member.waiting.isEmpty()) {
                    continue;
                }
                if (!member.sent.isEmpty() && !member.sent.equals(incarnation)) {
                    if (member.stale.isEmpty()) member.stale = new HashSet<>(2);
                    member.stale.add(member.sent);
                }
                member.sent = incarnation;
                joining.computeIfAbsent(member.announce, a -> new ArrayList<>()).add(member);
            } else if (member.sent.isEmpty() && member.stale.isEmpty()) {
                room.members.remove(member.user, member);
                count(member, 0);
                continue;
            } else {
                if (!member.sent.isEmpty()) leaving(leaving, member.sent, member);
                for (String old : member.stale) leaving(leaving, old, member);
            }
            taken++;
        }
        if (joining.isEmpty() && leaving.isEmpty()) {
            if (room.members.isEmpty()) {
                busy++;
                release(room);
            }
            return;
        }
        busy++;
        room.underway = 1;
        leaving.forEach((group, list) -> leave(room, group, list));
        if (!joining.isEmpty()) {
            loop.call(
                    Script.PRESENCE,
                    room.name.place(loop.keys).online(loop.keys),
                    List.of("enter", incarnation, room.name.room),
                    reply -> {
                        if (Reply.number(reply.getFirst()) < 0) {
                            joining.values().forEach(list -> list.forEach(member -> queue(room, member)));
                            standing.fenced(incarnation);
                        } else joining.forEach((announce, list) -> join(room, new Group(incarnation, announce), list));
                        finished(room);
                    },
                    failure -> {
                        joining.values().forEach(list -> again(room, list, failure));
                        standing.lost();
                        finished(room);
                    });
        } else {
            finished(room);
        }
    }

    private static void leaving(Map<Group, List<Member>> groups, String incarnation, Member member) {
        groups.computeIfAbsent(new Group(incarnation, member.announce), group -> new ArrayList<>())
                .add(member);
    }

    private void finished(Room room) {
        if (--room.underway > 0) return;
        if (!room.queue.isEmpty()) changed.add(room);
        if (room.members.isEmpty() && standing.open()) {
            release(room);
        } else {
            busy--;
            flush();
            if (idle()) standing.settled();
        }
    }

    private void release(Room room) {
        room.underway = 1;
        loop.call(
                Script.KEY,
                loop.keys.nodeRooms(room.name.namespace, loop.keys.part(room.name.room), standing.incarnation()),
                List.of("remove", room.name.room),
                reply -> released(room),
                failure -> released(room));
    }

    private void released(Room room) {
        room.underway = 0;
        busy--;
        if (room.members.isEmpty()) rooms.remove(room.name, room);
        else changed.add(room);
        flush();
        if (idle()) standing.settled();
    }

    private void again(Room room, List<Member> batch, BackplaneException failure) {
        for (Member member : batch) {
            fail(member, failure);
            queue(room, member);
        }
    }

    private void join(Room room, Group group, List<Member> batch) {
        send(room, "join", group, batch, users -> {
            var stale = new HashMap<Group, List<Member>>();
            for (Member member : batch) {
                member.confirmed = group.incarnation;
                member.confirmedAt = clock;
                if (!member.queued) count(member, users);
                if (member.sessions.isEmpty() || !standing.incarnation().equals(group.incarnation)) {
                    queue(room, member);
                } else {
                    for (String old : member.stale) leaving(stale, old, member);
                }
            }
            // After the join, so that the user stays in the room throughout.
            stale.forEach((old, list) -> leave(room, old, list));
        });
    }

    private void leave(Room room, Group group, List<Member> batch) {
        send(room, "leave", group, batch, users -> {
            for (Member member : batch) {
                if (!member.stale.isEmpty()) member.stale.remove(group.incarnation);
                if (member.sent.equals(group.incarnation)) {
                    member.sent = "";
                    member.confirmed = "";
                }
                if (member.sessions.isEmpty()
                        && member.sent.isEmpty()
                        && member.stale.isEmpty()
                        && !member.queued
                        && room.members.remove(member.user, member)) {
                    count(member, users);
                }
            }
        });
    }

    private void send(Room room, String operation, Group group, List<Member> batch, Consumer<Long> done) {
        var arguments = new ArrayList<String>(3 + batch.size());
        arguments.add(operation);
        arguments.add(group.incarnation);
        arguments.add(group.announce ? "1" : "0");
        for (Member member : batch) {
            arguments.add(member.name == null ? member.user : member.user + ' ' + member.name);
        }
        room.underway++;
        loop.call(
                Script.ROOM,
                loop.keys.members(room.name.namespace, room.name.room),
                arguments,
                reply -> {
                    done.accept(Reply.number(reply.get(1)));
                    finished(room);
                },
                failure -> {
                    again(room, batch, failure);
                    standing.lost();
                    finished(room);
                });
    }

    /** Compares the rooms Redis has of this node with memory and repairs what differs. */
    void check(Set<Namespace> namespaces, Runnable finished) {
        if (checking) return;
        checking = true;
        clock++;
        var waiting = new ArrayDeque<Place>();
        for (Namespace namespace : namespaces) waiting.addAll(Place.all(loop.keys, namespace));
        listNext(waiting, new LinkedHashSet<>(rooms.keySet()), standing.incarnation(), () -> {
            checking = false;
            finished.run();
        });
    }

    private void listNext(ArrayDeque<Place> waiting, LinkedHashSet<Name> found, String incarnation, Runnable finished) {
        Place place = waiting.poll();
        if (place == null) {
            checkNext(new ArrayDeque<>(found), incarnation, finished);
            return;
        }
        loop.call(
                Script.KEY,
                loop.keys.nodeRooms(place.namespace(), place.part(), incarnation),
                List.of("members"),
                reply -> {
                    for (String room : Reply.texts(reply)) found.add(new Name(place.namespace(), room));
                    listNext(waiting, found, incarnation, finished);
                },
                failure -> finished.run());
    }

    private void checkNext(ArrayDeque<Name> waiting, String incarnation, Runnable finished) {
        Name name = waiting.poll();
        if (name == null || !standing.incarnation().equals(incarnation)) {
            finished.run();
            return;
        }
        page(name, incarnation, "0", new HashSet<>(), () -> checkNext(waiting, incarnation, finished), finished);
    }

    private void page(Name name, String incarnation, String cursor, Set<String> seen, Runnable next, Runnable giveUp) {
        loop.call(
                Script.KEY,
                loop.keys.nodeMembers(name.namespace, name.room, incarnation),
                List.of("page", cursor, "500"),
                reply -> {
                    seen.addAll(Reply.texts(Reply.list(reply.get(1))));
                    String more = Reply.text(reply.getFirst());
                    if (!more.equals("0")) {
                        page(name, incarnation, more, seen, next, giveUp);
                    } else {
                        compare(name, incarnation, seen);
                        next.run();
                    }
                },
                failure -> {
                    standing.lost();
                    giveUp.run();
                });
    }

    private void compare(Name name, String incarnation, Set<String> seen) {
        if (!standing.incarnation().equals(incarnation)) return;
        Room room = rooms.computeIfAbsent(name, Room::new);
        for (Member member : room.members.values()) {
            boolean there = seen.remove(member.user);
            if (!there && member.confirmed.equals(incarnation) && member.confirmedAt < clock) {
                member.confirmed = "";
                queue(room, member);
            }
        }
        for (String ghost : seen) {
            var member = new Member(ghost);
            member.sent = incarnation;
            member.announce = true;
            room.members.put(ghost, member);
            queue(room, member);
        }
        if (room.members.isEmpty()) changed.add(room);
        flush();
    }
}
