package io.carillon.node.presence;

import io.carillon.model.channel.Namespace;
import io.carillon.model.redis.Script;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.TreeMap;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * What one node does for all, each second: writes the totals to {@code carillon:stats}, and checks a page of one
 * namespace's sets for sessions of nodes that nobody remembers. No failure detection hangs on it: if the leader dies
 * the totals stand still until its lock (3 s) is over.
 *
 * <pre>
 * presence.lua carillon:push:presence:online   tally me node*
 * HSET carillon:stats push.online 150 push.sessions 212 nodes 3 updated 1760000000000
 * presence.lua carillon:push:presence:online   audit me kind:agent 0 200 node,node
 * </pre>
 *
 * <p>Touched by the presence thread only.
 */
final class Leader {
    private static final Logger LOG = LoggerFactory.getLogger(RedisPresence.class);

    private record Set(Place place, String name) {}

    private final Loop loop;
    private final Standing standing;
    private boolean underway;
    private final ArrayDeque<Set> unchecked = new ArrayDeque<>();
    private String cursor = "0";

    Leader(Loop loop, Standing standing) {
        this.loop = loop;
        this.standing = standing;
    }

    void lead(String now) {
        if (underway) return;
        underway = true;
        loop.call(
                Script.NODE,
                loop.keys.leases(),
                List.of("live", standing.incarnation()),
                nodes -> loop.call(
                        Script.KEY,
                        loop.keys.namespaces(),
                        List.of("members"),
                        names -> tally(now, Reply.texts(nodes), Reply.texts(names)),
                        failure -> underway = false),
                failure -> underway = false);
    }

    private ArrayDeque<Place> places(List<String> names) {
        var places = new ArrayDeque<Place>();
        for (String name : names) places.addAll(Place.all(loop.keys, new Namespace(name)));
        return places;
    }

    private void tally(String now, List<String> nodes, List<String> names) {
        var fields = new ArrayList<>(List.of("write", "nodes", Integer.toString(nodes.size()), "updated", now));
        tallyNext(places(names), nodes, names, new TreeMap<>(), fields, new LinkedHashSet<>());
    }

    private void tallyNext(
            ArrayDeque<Place> waiting,
            List<String> nodes,
            List<String> names,
            TreeMap<String, Long> totals,
            ArrayList<String> fields,
            LinkedHashSet<String> strays) {
        Place place = waiting.poll();
        if (place == null) {
            totals.forEach((field, total) -> {
                fields.add(field);
                fields.add(Long.toString(total));
            });
            loop.call(
                    Script.KEY,
                    loop.keys.stats(),
                    fields,
                    reply -> bury(strays, nodes, names),
                    failure -> underway = false);
            return;
        }
        var arguments = new ArrayList<>(List.of("tally", standing.incarnation()));
        arguments.addAll(nodes);
        loop.call(
                Script.PRESENCE,
                place.online(loop.keys),
                arguments,
                reply -> {
                    String name = place.namespace().name();
                    totals.merge(name + ".online", Reply.number(reply.get(0)), Long::sum);
                    totals.merge(name + ".sessions", Reply.number(reply.get(1)), Long::sum);
                    strays.addAll(Reply.texts(Reply.list(reply.get(2))));
                    tallyNext(waiting, nodes, names, totals, fields, strays);
                },
                failure -> underway = false);
    }

    /** Incarnations that wrote but have no lease: Redis lost it, and they died before they noticed. */
    private void bury(LinkedHashSet<String> strays, List<String> nodes, List<String> names) {
        if (strays.isEmpty()) {
            audit(nodes, names);
            return;
        }
        var arguments = new ArrayList<>(List.of("bury", standing.incarnation()));
        arguments.addAll(strays);
        loop.call(
                Script.NODE, loop.keys.leases(), arguments, reply -> audit(nodes, names), failure -> underway = false);
    }

    private void audit(List<String> nodes, List<String> names) {
        if (loop.settings.audit() == 0) {
            underway = false;
            return;
        }
        Set set = unchecked.peek();
        if (set == null) {
            plan(places(names));
            return;
        }
        loop.call(
                Script.PRESENCE,
                set.place.online(loop.keys),
                List.of(
                        "audit",
                        standing.incarnation(),
                        set.name,
                        cursor,
                        Integer.toString(loop.settings.audit()),
                        String.join(",", nodes)),
                reply -> {
                    cursor = Reply.text(reply.get(0));
                    if (cursor.equals("0")) unchecked.remove();
                    long fixed = Reply.number(reply.get(2));
                    if (fixed > 0) LOG.warn("repaired {} entries of {} in {}", fixed, set.name, set.place);
                    underway = false;
                },
                failure -> underway = false);
    }

    private void plan(ArrayDeque<Place> waiting) {
        cursor = "0";
        Place place = waiting.poll();
        if (place == null) {
            underway = false;
            return;
        }
        loop.call(
                Script.KEY,
                loop.keys.presenceSets(place.namespace(), place.part()),
                List.of("members"),
                reply -> {
                    unchecked.add(new Set(place, "online"));
                    for (String set : Reply.texts(reply)) unchecked.add(new Set(place, set));
                    plan(waiting);
                },
                failure -> underway = false);
    }
}
