package io.carillon.node.presence;

import io.carillon.model.channel.Namespace;
import io.carillon.model.redis.Script;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.List;
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

    private record Set(Namespace namespace, String name) {}

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

    private void tally(String now, List<String> nodes, List<String> names) {
        var fields = new ArrayList<>(List.of("write", "nodes", Integer.toString(nodes.size()), "updated", now));
        tallyNext(new ArrayDeque<>(names), nodes, names, fields, new ArrayList<>());
    }

    private void tallyNext(
            ArrayDeque<String> waiting,
            List<String> nodes,
            List<String> names,
            ArrayList<String> fields,
            ArrayList<String> strays) {
        String name = waiting.poll();
        if (name == null) {
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
                loop.keys.online(new Namespace(name)),
                arguments,
                reply -> {
                    fields.add(name + ".online");
                    fields.add(Long.toString(Reply.number(reply.get(0))));
                    fields.add(name + ".sessions");
                    fields.add(Long.toString(Reply.number(reply.get(1))));
                    strays.addAll(Reply.texts(Reply.list(reply.get(2))));
                    tallyNext(waiting, nodes, names, fields, strays);
                },
                failure -> underway = false);
    }

    /** Incarnations that wrote but have no lease: Redis lost it, and they died before they noticed. */
    private void bury(List<String> strays, List<String> nodes, List<String> names) {
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
            plan(new ArrayDeque<>(names));
            return;
        }
        loop.call(
                Script.PRESENCE,
                loop.keys.online(set.namespace),
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
                    if (fixed > 0) LOG.warn("repaired {} entries of {} in {}", fixed, set.name, set.namespace);
                    underway = false;
                },
                failure -> underway = false);
    }

    private void plan(ArrayDeque<String> waiting) {
        cursor = "0";
        String name = waiting.poll();
        if (name == null) {
            underway = false;
            return;
        }
        var namespace = new Namespace(name);
        loop.call(
                Script.KEY,
                loop.keys.presenceSets(namespace),
                List.of("members"),
                reply -> {
                    unchecked.add(new Set(namespace, "online"));
                    for (String set : Reply.texts(reply)) unchecked.add(new Set(namespace, set));
                    plan(waiting);
                },
                failure -> underway = false);
    }
}
