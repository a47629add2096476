package io.carillon.node.backplane;

import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.function.BiFunction;

/**
 * One primary and this node's links to it: two for events, chosen by key so that their order holds; one for reads of
 * histories; one for scripts and everything else. Outside Cluster there is one shard. Safe from any thread.
 */
final class Shard {
    /** What a link is for. */
    enum Work {
        EVENTS,
        HISTORY,
        GENERAL
    }

    private static final int EVENT_LINKS = 2;

    private final String name;
    private final CommandLink[] events = new CommandLink[EVENT_LINKS];
    private final CommandLink history;
    private final CommandLink general;
    private final List<Link<?>> links = new CopyOnWriteArrayList<>();

    /**
     * @param name {@code host:port} in Cluster, empty outside, where the address may change
     * @param links makes a link of a shard by its name
     */
    Shard(String name, BiFunction<Shard, String, CommandLink> links) {
        this.name = name;
        for (int i = 0; i < EVENT_LINKS; i++) events[i] = links.apply(this, "events-" + i);
        history = links.apply(this, "history");
        general = links.apply(this, "general");
        this.links.addAll(commands());
    }

    String name() {
        return name;
    }

    /** The link for this work on this key. */
    CommandLink link(Work work, String key) {
        return switch (work) {
            case EVENTS -> {
                int hash = key.hashCode();
                yield events[Math.floorMod(hash ^ hash >>> 16, EVENT_LINKS)];
            }
            case HISTORY -> history;
            case GENERAL -> general;
        };
    }

    CommandLink general() {
        return general;
    }

    /** The command links. */
    List<CommandLink> commands() {
        List<CommandLink> all = new ArrayList<>(List.of(events));
        all.add(history);
        all.add(general);
        return all;
    }

    /** Counts another link as one of this shard's, to be verified with the others. */
    void add(Link<?> link) {
        links.add(link);
    }

    /** Every link, the subscribing one too. */
    List<Link<?>> links() {
        return links;
    }

    boolean open() {
        for (CommandLink link : events) {
            if (!link.open()) return false;
        }
        return history.open() && general.open();
    }

    void start() {
        for (CommandLink link : commands()) link.start();
    }

    void stop() {
        for (Link<?> link : links) {
            var unused = link.stop();
        }
    }
}
