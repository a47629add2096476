package io.carillon.model.redis;

import io.carillon.model.channel.ChannelName;
import io.carillon.model.channel.Ids;
import io.carillon.model.channel.Namespace;
import org.jspecify.annotations.Nullable;

/**
 * The names of everything Carillon keeps in Redis. The hash tag of a channel is its id, so that a client in any
 * language computes name and slot without this class.
 *
 * @param prefix first word of every key and topic; two clusters may share one Redis under different ones
 */
public record Keys(String prefix) {
    /** The names of a cluster that has its Redis to itself. */
    public static final Keys DEFAULT = new Keys("carillon");

    public Keys {
        if (!prefix.matches("[a-z0-9-]{1,32}")) {
            throw new IllegalArgumentException("the Redis prefix is 1 to 32 characters of a-z 0-9 -");
        }
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

    /** Set of the users online in the namespace; the base of all presence keys. */
    public String online(Namespace namespace) {
        return prefix + ':' + namespace.name() + ":presence:online";
    }

    /** Hash of a user's sessions: id to node, kind, groups, since. */
    public String userSessions(Namespace namespace, String user) {
        return prefix + ':' + namespace.name() + ":presence:user:" + user;
    }

    /** Set of the online users of a kind. */
    public String kind(Namespace namespace, String kind) {
        return prefix + ':' + namespace.name() + ":presence:kind:" + kind;
    }

    /** Set of the online users of a group. */
    public String group(Namespace namespace, String group) {
        return prefix + ':' + namespace.name() + ":presence:group:" + group;
    }

    /** Set of the kind and group sets there are, as {@code kind:<kind>} and {@code group:<group>}. */
    public String presenceSets(Namespace namespace) {
        return prefix + ':' + namespace.name() + ":presence:sets";
    }

    /** Set of the sessions a node holds in the namespace, as {@code <session> <user>}. */
    public String nodeSessions(Namespace namespace, String node) {
        return prefix + ':' + namespace.name() + ":presence:node:" + node;
    }

    /** Stream of joins and leaves of users. */
    public String presenceLog(Namespace namespace) {
        return prefix + ':' + namespace.name() + ":presence:log";
    }

    /** Hash of a room's users: user to number of nodes that hold him. */
    public String members(Namespace namespace, String room) {
        return prefix + ':' + namespace.name() + ":members:{" + room + "}:users";
    }

    /** Set of the users of a room that a node holds. */
    public String nodeMembers(Namespace namespace, String room, String node) {
        return prefix + ':' + namespace.name() + ":members:{" + room + "}:node:" + node;
    }

    /** Set of the rooms a node has joined in the namespace, for the reaper. */
    public String nodeRooms(Namespace namespace, String node) {
        return prefix + ':' + namespace.name() + ":presence:rooms:" + node;
    }

    /** Set of the rooms every session of a user joins as it opens, put there through the HTTP API. */
    public String grantedRooms(Namespace namespace, String user) {
        return prefix + ':' + namespace.name() + ":members:granted:" + user;
    }

    /** Sorted set of node leases: node to expiry, milliseconds of the Redis clock. */
    public String leases() {
        return prefix + ":nodes:lease";
    }

    /** Set of the namespaces that have or had sessions, for the reaper. */
    public String namespaces() {
        return prefix + ":nodes:namespaces";
    }

    /** Hash of node descriptions, JSON each. */
    public String nodeInfo() {
        return prefix + ":nodes:info";
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

    /** A ticket: the token it stands for, under its hash. */
    public String ticket(String hash) {
        return prefix + ":ticket:" + hash;
    }

    /** The answer to a request with this idempotency key, under the hash of caller, call and key. */
    public String idempotency(Namespace namespace, String hash) {
        return prefix + ':' + namespace.name() + ":idempotency:" + hash;
    }
}
