package io.carillon.model.redis;

import io.carillon.model.channel.ChannelName;
import io.carillon.model.channel.Ids;
import io.carillon.model.channel.Namespace;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import org.jspecify.annotations.Nullable;

/**
 * The names of everything Carillon keeps in Redis. The hash tag of a channel is its id, so that a client in any
 * language computes name and slot without this class.
 *
 * @param prefix first word of every key and topic; two clusters may share one Redis under different ones
 * @param partitions parts of presence in Redis Cluster, 1 to 1024, each in a slot of its own; 0 outside Cluster, where
 *     presence is one part and its keys carry no hash tag
 */
public record Keys(String prefix, int partitions) {
    /** The names of a cluster that has its Redis to itself. */
    public static final Keys DEFAULT = new Keys("carillon");

    /** Parts of presence in Redis Cluster where nothing else is set. */
    public static final int CLUSTER_PARTITIONS = 64;

    private static final Map<Integer, List<String>> TAGS = new ConcurrentHashMap<>();

    public Keys {
        if (!prefix.matches("[a-z0-9-]{1,32}")) {
            throw new IllegalArgumentException("the Redis prefix is 1 to 32 characters of a-z 0-9 -");
        }
        if (partitions < 0 || partitions > 1024) {
            throw new IllegalArgumentException("presence has 1 to 1024 partitions in Redis Cluster, 0 outside");
        }
    }

    /** Outside Cluster. */
    public Keys(String prefix) {
        this(prefix, 0);
    }

    /** How many parts presence has: users are spread over {@code 0 … parts() - 1}. */
    public int parts() {
        return Math.max(1, partitions);
    }

    /** The part that holds a user, or a node's list of the rooms with this id: by the slot of the id. */
    public int part(String id) {
        return partitions == 0 ? 0 : (int) ((long) Slots.of('{' + id + '}') * partitions / Slots.COUNT);
    }

    /**
     * The hash tag of a part, {@code p<n>}: of the first n whose slot lies in the part's share of the slots, so that the
     * parts lie as evenly over the primaries as their slots do, and a user's presence beside his channel.
     */
    private String tag(int part) {
        return TAGS.computeIfAbsent(partitions, Keys::tags).get(part);
    }

    private static List<String> tags(int partitions) {
        var tags = new String[partitions];
        int found = 0;
        for (int i = 0; found < partitions; i++) {
            int part = (int) ((long) Slots.of("p" + i) * partitions / Slots.COUNT);
            if (tags[part] != null) continue;
            tags[part] = "p" + i;
            found++;
        }
        return List.of(tags);
    }

    private String presence(Namespace namespace, int part) {
        String stem = prefix + ':' + namespace.name() + ":presence:";
        return partitions == 0 ? stem : stem + '{' + tag(part) + "}:";
    }

    /** The channel's topic, and the key of its meta: {@code carillon:push:user:{u1}}. */
    public String channel(ChannelName name) {
        return prefix + ':' + name.namespace().name() + ':' + name.kind().word() + ":{" + name.id() + '}';
    }

    /** The channel of a topic; null when the topic is none of this cluster's channels. */
    public @Nullable ChannelName channelOf(String topic) {
        int start = prefix.length() + 1;
        if (!topic.startsWith(prefix) || topic.length() <= start || topic.charAt(start - 1) != ':') return null;
        int space = topic.indexOf(':', start);
        int brace = topic.indexOf(":{", start);
        if (space < 0 || brace <= space || !topic.endsWith("}")) return null;
        String namespace = topic.substring(start, space);
        String kind = topic.substring(space + 1, brace);
        String id = topic.substring(brace + 2, topic.length() - 1);
        if (!Ids.valid(id) || !namespace.matches("[a-z0-9-]{1,32}")) return null;
        for (ChannelName.Kind k : ChannelName.Kind.values()) {
            if (k.word().equals(kind)) return new ChannelName(new Namespace(namespace), k, id);
        }
        return null;
    }

    /** The node's own topic: what is for one of its sessions, and the probes. */
    public String node(String boot) {
        return prefix + ":node:{" + boot + '}';
    }

    /** A topic of the node's own in the slots of one primary of Redis Cluster, for the probes of that connection. */
    public String probe(String boot, String tag) {
        return prefix + ":probe:{" + tag + "}:" + boot;
    }

    /**
     * Set of the users online in the namespace, or in one part of it; the base of all presence keys:
     * {@code carillon:push:presence:online}, in Cluster {@code carillon:push:presence:{p7}:online}.
     */
    public String online(Namespace namespace, int part) {
        return presence(namespace, part) + "online";
    }

    /** The set that would hold this user if he is online. */
    public String onlineOf(Namespace namespace, String user) {
        return online(namespace, part(user));
    }

    /** As {@link #online(Namespace, int)} where there is one part. */
    public String online(Namespace namespace) {
        return online(namespace, 0);
    }

    /** Hash of a user's sessions: id to node, kind, groups, since. */
    public String userSessions(Namespace namespace, String user) {
        return presence(namespace, part(user)) + "user:" + user;
    }

    /** Set of the online users of a kind. */
    public String kind(Namespace namespace, int part, String kind) {
        return presence(namespace, part) + "kind:" + kind;
    }

    /** Set of the online users of a group. */
    public String group(Namespace namespace, int part, String group) {
        return presence(namespace, part) + "group:" + group;
    }

    /** Set of the kind and group sets there are, as {@code kind:<kind>} and {@code group:<group>}. */
    public String presenceSets(Namespace namespace, int part) {
        return presence(namespace, part) + "sets";
    }

    /** Set of the sessions a node holds in one part of the namespace, as {@code <session> <user>}. */
    public String nodeSessions(Namespace namespace, int part, String node) {
        return presence(namespace, part) + "node:" + node;
    }

    /** Stream of joins and leaves of the users of one part. */
    public String presenceLog(Namespace namespace, int part) {
        return presence(namespace, part) + "log";
    }

    /** Hash of a room's users: user to number of nodes that hold him. */
    public String members(Namespace namespace, String room) {
        return prefix + ':' + namespace.name() + ":members:{" + room + "}:users";
    }

    /** Hash of the display names of a room's users, of those that have one: user to name. */
    public String memberNames(Namespace namespace, String room) {
        return prefix + ':' + namespace.name() + ":members:{" + room + "}:names";
    }

    /** Set of the users of a room that a node holds. */
    public String nodeMembers(Namespace namespace, String room, String node) {
        return prefix + ':' + namespace.name() + ":members:{" + room + "}:node:" + node;
    }

    /** Set of the rooms of one part, by {@link #part} of their ids, that a node has joined; for the reaper. */
    public String nodeRooms(Namespace namespace, int part, String node) {
        return presence(namespace, part) + "rooms:" + node;
    }

    /** Set of the rooms every session of a user joins as it opens, put there through the HTTP API. */
    public String grantedRooms(Namespace namespace, String user) {
        String stem = prefix + ':' + namespace.name() + ":members:";
        return (partitions == 0 ? stem : stem + '{' + tag(part(user)) + "}:") + "granted:" + user;
    }

    /** Sorted set of node leases: node to expiry, milliseconds of the Redis clock. */
    public String leases() {
        return nodes() + ":lease";
    }

    /** Set of the namespaces that have or had sessions, for the reaper. */
    public String namespaces() {
        return prefix + ":nodes:namespaces";
    }

    /** Hash of node descriptions, JSON each. */
    public String nodeInfo() {
        return nodes() + ":info";
    }

    private String nodes() {
        return partitions == 0 ? prefix + ":nodes" : prefix + ":{nodes}";
    }

    /** Hash of totals for dashboards, renewed each second. */
    public String stats() {
        return prefix + ":stats";
    }

    /** Hash of what all nodes of the cluster must agree on. */
    public String config() {
        return prefix + ":config";
    }

    /** Stream on which a service puts its durable events; beside it {@code …:owner}, who drains it. */
    public String ingress(String service) {
        return prefix + ":ingress:{" + Ids.check(service, "service") + '}';
    }

    /** The service of an {@link #ingress} stream; null when the key is none. */
    public @Nullable String serviceOf(String key) {
        String start = prefix + ":ingress:{";
        if (!key.startsWith(start) || !key.endsWith("}")) return null;
        String service = key.substring(start.length(), key.length() - 1);
        return Ids.valid(service) ? service : null;
    }

    /** Set of the services whose streams have been found. */
    public String ingressServices() {
        return prefix + ":ingress:services";
    }

    /** Says which node looks for streams at the moment. */
    public String ingressScan() {
        return prefix + ":ingress:scan";
    }

    /** Stream of what could not be delivered, with source and reason; capped. */
    public String deadLetters() {
        return prefix + ":dead-letters";
    }

    /** Hash of the activation codes of the namespace: code to group. */
    public String codes(Namespace namespace) {
        return prefix + ':' + namespace.name() + ":codes";
    }

    /** What a group of the line application keeps beside its room, as {@code line.lua} says. */
    public String group(ChannelName room, String part) {
        return prefix + ':' + room.namespace().name() + ":group:{" + room.id() + "}:" + part;
    }

    /** A ticket: the token it stands for, under its hash. */
    public String ticket(String hash) {
        return prefix + ":ticket:" + hash;
    }

    /** The answer to a request with this idempotency key, under the hash of caller, call and key. */
    public String idempotency(Namespace namespace, String hash) {
        return prefix + ':' + namespace.name() + ":idempotency:" + hash;
    }
}
