package io.carillon.node.presence;

import io.carillon.model.channel.Namespace;
import io.carillon.model.redis.Script;
import java.util.ArrayDeque;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Cleans up after a dead node whose claim this node holds: its sessions in every namespace and part of it, then its rooms, in batches,
 * prolonging the claim on the way. If this node dies too, or loses Redis, the claim runs out and another goes on where
 * it stopped; doing a piece twice changes nothing.
 *
 * <pre>
 * SMEMBERS carillon:nodes:namespaces
 * presence.lua carillon:push:presence:online   reap dead 100 86400   until 0
 * SMEMBERS carillon:push:presence:rooms:dead
 * room.lua carillon:push:members:{r}:users     reap dead 1 100       until 0
 * node.lua carillon:nodes:lease                done me 60000 dead
 * </pre>
 *
 * <p>Touched by the presence thread only.
 */
final class Reaper {
    private static final Logger LOG = LoggerFactory.getLogger(RedisPresence.class);
    /** How long a dead node's set of rooms is kept for the second clean-up, seconds. */
    private static final int ROOMS_KEPT = 3600;

    private final Loop loop;
    private final Standing standing;
    private final PresenceMetrics metrics;
    private final Set<String> underway = new HashSet<>();

    Reaper(Loop loop, Standing standing, PresenceMetrics metrics) {
        this.loop = loop;
        this.standing = standing;
        this.metrics = metrics;
    }

    void reap(String dead) {
        if (underway.add(dead)) new Job(dead, standing.incarnation()).start();
    }

    private final class Job {
        private final String dead;
        private final String me;
        private final ArrayDeque<Place> sessionsOf = new ArrayDeque<>();
        private final ArrayDeque<Place> roomsOf = new ArrayDeque<>();
        private final ArrayDeque<String> rooms = new ArrayDeque<>();
        private long renewed = System.nanoTime();
        private long sessions;

        Job(String dead, String me) {
            this.dead = dead;
            this.me = me;
        }

        void start() {
            loop.call(
                    Script.KEY,
                    loop.keys.namespaces(),
                    List.of("members"),
                    reply -> {
                        for (String name : Reply.texts(reply)) {
                            sessionsOf.addAll(Place.all(loop.keys, new Namespace(name)));
                            roomsOf.addAll(Place.all(loop.keys, new Namespace(name)));
                        }
                        next();
                    },
                    failure -> stop());
        }

        private void next() {
            if (System.nanoTime() - renewed > loop.settings.claim().toNanos() / 4) {
                loop.call(
                        Script.NODE,
                        loop.keys.leases(),
                        List.of("renew", me, Long.toString(loop.settings.claim().toMillis()), dead),
                        reply -> {
                            renewed = System.nanoTime();
                            if (Reply.number(reply.getFirst()) == 1) next();
                            else stop();
                        },
                        failure -> stop());
                return;
            }
            Place online = sessionsOf.peek();
            Place members = roomsOf.peek();
            String room = rooms.peek();
            if (online != null) sessions(online);
            else if (members != null && room != null) members(members, room);
            else if (members != null) listRooms(members);
            else done();
        }

        private void sessions(Place place) {
            loop.call(
                    Script.PRESENCE,
                    place.online(loop.keys),
                    List.of(
                            "reap",
                            dead,
                            Integer.toString(loop.settings.batch()),
                            Long.toString(loop.settings.fence().toSeconds())),
                    reply -> {
                        long taken = Reply.number(reply.getFirst());
                        sessions += taken;
                        if (taken == 0) sessionsOf.remove();
                        next();
                    },
                    failure -> stop());
        }

        private void listRooms(Place place) {
            loop.call(
                    Script.KEY,
                    loop.keys.nodeRooms(place.namespace(), place.part(), dead),
                    List.of("members"),
                    reply -> {
                        rooms.addAll(Reply.texts(reply));
                        if (rooms.isEmpty()) {
                            roomsOf.remove();
                            next();
                        } else {
                            keepRooms(place);
                        }
                    },
                    failure -> stop());
        }

        private void keepRooms(Place place) {
            loop.call(
                    Script.KEY,
                    loop.keys.nodeRooms(place.namespace(), place.part(), dead),
                    List.of("expire", Integer.toString(ROOMS_KEPT)),
                    reply -> next(),
                    failure -> stop());
        }

        private void members(Place place, String room) {
            loop.call(
                    Script.ROOM,
                    loop.keys.members(place.namespace(), room),
                    List.of("reap", dead, "1", Integer.toString(loop.settings.batch())),
                    reply -> {
                        if (Reply.number(reply.getFirst()) == 0) {
                            rooms.remove();
                            if (rooms.isEmpty()) roomsOf.remove();
                        }
                        next();
                    },
                    failure -> stop());
        }

        private void done() {
            loop.call(
                    Script.NODE,
                    loop.keys.leases(),
                    List.of("done", me, Long.toString(loop.settings.late().toMillis()), dead),
                    reply -> {
                        if (Reply.number(reply.getFirst()) == 1) {
                            metrics.reaped();
                            LOG.warn("node {} is dead; its {} sessions are offline now", dead, sessions);
                        }
                        stop();
                    },
                    failure -> stop());
        }

        private void stop() {
            underway.remove(dead);
        }
    }
}
