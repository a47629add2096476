package io.carillon.node.presence;

import io.carillon.model.channel.Ids;
import io.carillon.model.channel.Namespace;
import io.carillon.model.redis.Keys;
import io.carillon.model.redis.Script;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Base64;
import java.util.Collection;
import java.util.Comparator;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Set;
import java.util.TreeSet;
import java.util.function.IntFunction;
import org.jspecify.annotations.Nullable;
import org.springframework.data.redis.core.RedisCallback;
import org.springframework.data.redis.core.StringRedisTemplate;
import org.springframework.data.redis.core.script.RedisScript;
import tools.jackson.databind.DeserializationFeature;
import tools.jackson.databind.json.JsonMapper;

/**
 * Reads presence over all nodes, straight from Redis, for the HTTP API and operators. Blocks: for virtual threads. Throws
 * Spring's {@code DataAccessException} when Redis is away.
 *
 * <pre>
 * SCARD     carillon:push:presence:online          online
 * SISMEMBER carillon:push:presence:online u1       isOnline
 * HGETALL   carillon:push:presence:user:u1         sessions
 * HLEN      carillon:push:members:{lobby}:users    roomCount
 * node.lua  carillon:nodes:lease leased            nodes
 * </pre>
 *
 * <p>Pages: a user who was there from before the first page until after the last is on one of them. One who comes or goes
 * meanwhile may be on one or not, and while a large set grows or shrinks a user may be on two.
 */
public final class PresenceQueries {
    /** Most entries of one page. */
    public static final int LARGEST_PAGE = 1000;

    /** Up to so many members a set is sorted and cut; above, it is scanned. */
    private static final int SORTED_BELOW = 1000;

    private static final JsonMapper JSON = JsonMapper.builder()
            .disable(DeserializationFeature.FAIL_ON_UNKNOWN_PROPERTIES)
            .disable(DeserializationFeature.FAIL_ON_NULL_FOR_PRIMITIVES)
            .build();

    @SuppressWarnings("rawtypes")
    private static final RedisScript<List> SCAN = RedisScript.of(Script.KEY.source(Script.Mode.PLAIN), List.class);

    private final StringRedisTemplate redis;
    private final Keys keys;

    @SuppressWarnings("rawtypes")
    private final RedisScript<List> leases;

    public PresenceQueries(StringRedisTemplate redis, Keys keys) {
        this.redis = redis;
        this.keys = keys;
        var mode = keys.partitions() == 0 ? Script.Mode.PLAIN : Script.Mode.SHARDED;
        leases = RedisScript.of(Script.NODE.source(mode), List.class);
    }

    /**
     * Part of a list of users.
     *
     * @param cursor where the next page begins; null on the last
     */
    public record Page(List<String> users, @Nullable String cursor) {}

    /**
     * A session of a user.
     *
     * @param node the incarnation that holds it
     * @param address the client's
     * @param since when it opened, milliseconds since the epoch
     */
    public record UserSession(
            String session,
            String node,
            String address,
            String endpoint,
            long since,
            @Nullable String kind,
            Set<String> groups) {}

    /** Users online. */
    public long online(Namespace namespace) {
        return sum(part -> keys.online(namespace, part));
    }

    /** Online users of a kind. */
    public long onlineOfKind(Namespace namespace, String kind) {
        return sum(part -> keys.kind(namespace, part, Stored.encode(kind)));
    }

    /** Online users of a group. */
    public long onlineOfGroup(Namespace namespace, String group) {
        return sum(part -> keys.group(namespace, part, Stored.encode(group)));
    }

    public boolean isOnline(Namespace namespace, String user) {
        return Boolean.TRUE.equals(redis.opsForSet().isMember(keys.onlineOf(namespace, user), user));
    }

    /** Which of these users are online; one round trip, in Cluster one for each part that has one of them. */
    public Set<String> onlineOf(Namespace namespace, Collection<String> users) {
        var online = new LinkedHashSet<String>();
        if (users.isEmpty()) return online;
        var byKey = new LinkedHashMap<String, List<String>>();
        for (String user : users) {
            byKey.computeIfAbsent(keys.onlineOf(namespace, user), key -> new ArrayList<>())
                    .add(user);
        }
        byKey.forEach((key, of) -> {
            Map<Object, Boolean> members = redis.opsForSet().isMember(key, of.toArray());
            if (members == null) return;
            members.forEach((user, is) -> {
                if (Boolean.TRUE.equals(is)) online.add((String) user);
            });
        });
        return online;
    }

    /**
     * A page of the users online.
     *
     * @param cursor from the page before; null for the first
     * @param limit most users, 1 to {@value #LARGEST_PAGE}
     * @throws IllegalArgumentException if the cursor is none of ours or the limit out of bounds; the message is for the
     *     caller
     */
    public Page onlineUsers(Namespace namespace, @Nullable String cursor, int limit) {
        if (keys.parts() == 1) return onlineUsers(namespace, 0, cursor, limit);
        // Part after part; the cursor says which.
        checkLimit(limit);
        int part = 0;
        String inner = null;
        if (cursor != null) {
            int dot = cursor.indexOf('.');
            if (!cursor.matches("[0-9]{1,4}\\..*") || Integer.parseInt(cursor.substring(0, dot)) >= keys.parts()) {
                throw new IllegalArgumentException("cursor is not one that a page gave");
            }
            part = Integer.parseInt(cursor.substring(0, dot));
            inner = dot + 1 == cursor.length() ? null : cursor.substring(dot + 1);
        }
        var users = new ArrayList<String>(limit);
        while (users.size() < limit && part < keys.parts()) {
            Page page = onlineUsers(namespace, part, inner, limit - users.size());
            users.addAll(page.users());
            inner = page.cursor();
            if (inner == null) part++;
        }
        return new Page(users, part < keys.parts() ? part + "." + (inner == null ? "" : inner) : null);
    }

    private Page onlineUsers(Namespace namespace, int part, @Nullable String cursor, int limit) {
        String key = keys.online(namespace, part);
        return page(
                cursor,
                limit,
                () -> count(redis.opsForSet().size(key)),
                () -> Objects.requireNonNullElse(redis.opsForSet().members(key), Set.of()),
                "page",
                key);
    }

    /** The user's sessions, oldest first. */
    public List<UserSession> sessions(Namespace namespace, String user) {
        Map<String, String> stored = redis.<String, String>opsForHash().entries(keys.userSessions(namespace, user));
        var sessions = new ArrayList<UserSession>();
        stored.forEach((session, value) -> {
            String[] field = value.split("\\|", -1);
            if (field.length < 7) return;
            var groups = new TreeSet<String>();
            for (String group : field[2].split(",")) {
                if (!group.isEmpty()) groups.add(Stored.decode(group));
            }
            sessions.add(new UserSession(
                    session,
                    field[0],
                    Stored.decode(field[4]),
                    Stored.decode(field[5]),
                    Long.parseLong(field[3]),
                    field[1].isEmpty() ? null : Stored.decode(field[1]),
                    groups));
        });
        sessions.sort(Comparator.comparingLong(UserSession::since).thenComparing(UserSession::session));
        return sessions;
    }

    /** Users in the room. */
    public long roomCount(Namespace namespace, String room) {
        return count(redis.opsForHash().size(keys.members(namespace, room)));
    }

    public boolean inRoom(Namespace namespace, String room, String user) {
        return redis.opsForHash().hasKey(keys.members(namespace, room), user);
    }

    /** A page of the room's users; as {@link #onlineUsers}. */
    public Page roomMembers(Namespace namespace, String room, @Nullable String cursor, int limit) {
        String key = keys.members(namespace, room);
        return page(
                cursor,
                limit,
                () -> count(redis.opsForHash().size(key)),
                () -> redis.<String, String>opsForHash().keys(key),
                "names",
                key);
    }

    /** Display names of these users of the room, of those that have one. */
    public Map<String, String> namesOf(Namespace namespace, String room, Collection<String> users) {
        var names = new LinkedHashMap<String, String>();
        if (users.isEmpty()) return names;
        List<String> asked = List.copyOf(users);
        List<String> found = redis.<String, String>opsForHash().multiGet(keys.memberNames(namespace, room), asked);
        for (int i = 0; i < found.size(); i++) {
            // Null for a field that is not there, whatever the type says.
            Object name = found.get(i);
            if (name instanceof String text) names.put(asked.get(i), text);
        }
        return names;
    }

    /** Nodes whose lease runs, by name. */
    public List<NodeDescription> nodes() {
        Map<String, String> infos = redis.<String, String>opsForHash().entries(keys.nodeInfo());
        var nodes = new ArrayList<NodeDescription>();
        for (String node : leased()) {
            String info = infos.get(node);
            if (info != null) nodes.add(JSON.readValue(info, NodeDescription.class));
        }
        return nodes;
    }

    /** Sessions in the namespace, over all nodes. */
    public long connections(Namespace namespace) {
        if (keys.parts() > 1) { // not nodes times parts of them: the totals, a second old
            Object sessions = redis.opsForHash().get(keys.stats(), namespace.name() + ".sessions");
            return sessions == null ? 0 : Long.parseLong((String) sessions);
        }
        List<String> nodes = leased();
        if (nodes.isEmpty()) return 0;
        List<Object> sizes = redis.executePipelined((RedisCallback<@Nullable Object>) connection -> {
            for (String node : nodes) {
                connection.setCommands().sCard(bytes(keys.nodeSessions(namespace, 0, node)));
            }
            return null;
        });
        long sum = 0;
        for (Object size : sizes) sum += count((Long) size);
        return sum;
    }

    private List<String> leased() {
        List<?> nodes = redis.execute(leases, List.of(keys.leases()), "leased", "");
        var sorted = new TreeSet<String>();
        for (Object node : nodes) sorted.add((String) node);
        return List.copyOf(sorted);
    }

    private long sum(IntFunction<String> key) {
        long sum = 0;
        for (int part = 0; part < keys.parts(); part++) {
            sum += count(redis.opsForSet().size(key.apply(part)));
        }
        return sum;
    }

    private static void checkLimit(int limit) {
        if (limit < 1 || limit > LARGEST_PAGE) {
            throw new IllegalArgumentException("limit must be between 1 and " + LARGEST_PAGE);
        }
    }

    private static long count(@Nullable Long size) {
        return size == null ? 0 : size;
    }

    private static byte[] bytes(String text) {
        return text.getBytes(StandardCharsets.UTF_8);
    }

    /** Asked for once per page at most. */
    private interface Count {
        long get();
    }

    private interface Members {
        Collection<String> get();
    }

    /*
     * A small set is sorted and cut; the cursor is the last user given, so nothing that stays is missed or given twice. A
     * large one is scanned: SSCAN and HSCAN promise that what is there throughout is given, but they give a little more
     * than asked for, and going back inside a step is not safe once the table was resized. So what was read too much
     * travels in the cursor: a few names. A set that was small at the first page is sorted to the end however it grew.
     */
    private Page page(@Nullable String cursor, int limit, Count size, Members members, String scan, String key) {
        checkLimit(limit);
        if (cursor == null) {
            return size.get() <= SORTED_BELOW
                    ? sorted(members.get(), "", limit)
                    : scanned(scan, key, "0", new ArrayList<>(), limit, true);
        }
        String text = decode(cursor);
        if (text.startsWith("a ")) return sorted(members.get(), text.substring(2), limit);
        String[] part = text.split(" ", -1);
        var rest = new ArrayList<>(Arrays.asList(part).subList(2, part.length));
        return scanned(scan, key, part[1], rest, limit, false);
    }

    private static Page sorted(Collection<String> members, String after, int limit) {
        List<String> users = members.stream()
                .filter(user -> user.compareTo(after) > 0)
                .sorted()
                .limit(limit + 1L)
                .toList();
        if (users.size() <= limit) return new Page(users, null);
        users = users.subList(0, limit);
        return new Page(users, encode("a " + users.getLast()));
    }

    private Page scanned(String scan, String key, String from, List<String> rest, int limit, boolean first) {
        var users = new LinkedHashSet<String>(rest);
        String at = from;
        boolean start = first;
        while (users.size() < limit && (start || !at.equals("0"))) {
            start = false;
            at = step(scan, key, at, limit - users.size(), users);
        }
        var all = List.copyOf(users);
        if (all.size() <= limit) {
            return new Page(all, at.equals("0") ? null : encode("s " + at));
        }
        var over = all.subList(limit, all.size());
        return new Page(all.subList(0, limit), encode("s " + at + ' ' + String.join(" ", over)));
    }

    private String step(String operation, String key, String cursor, int count, Set<String> into) {
        List<?> reply = redis.execute(SCAN, List.of(key), operation, cursor, Integer.toString(count));
        for (Object item : (List<?>) reply.get(1)) into.add((String) item);
        return (String) reply.getFirst();
    }

    private static String encode(String text) {
        return Base64.getUrlEncoder().withoutPadding().encodeToString(bytes(text));
    }

    private static String decode(String cursor) {
        try {
            String text = new String(Base64.getUrlDecoder().decode(cursor), StandardCharsets.UTF_8);
            if (text.startsWith("a ") && Ids.valid(text.substring(2))) return text;
            if (text.matches("s [0-9]{1,20}( [^ ]{1,128}){0,1000}")) return text;
        } catch (IllegalArgumentException notBase64) {
            throw new IllegalArgumentException("cursor is not one that a page gave", notBase64);
        }
        throw new IllegalArgumentException("cursor is not one that a page gave");
    }
}
