package io.carillon.node.backplane;

import io.carillon.model.redis.Slots;
import io.lettuce.core.RedisURI;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * Which primary holds which slot, as one node of a Redis Cluster saw it ({@code CLUSTER SLOTS}).
 *
 * @param owners address by slot, {@code host:port}; null where nobody serves the slot
 * @param primaries every primary that holds slots, by its address
 * @param others replicas, to ask when primaries don't answer
 */
record SlotMap(@Nullable String[] owners, Map<String, RedisURI> primaries, List<RedisURI> others) {
    /**
     * Reads the answer.
     *
     * @param from who answered: a node that was never told its own name leaves it out
     */
    static SlotMap of(List<Object> reply, RedisURI from) {
        var owners = new @Nullable String[Slots.COUNT];
        var primaries = new LinkedHashMap<String, RedisURI>();
        var others = new ArrayList<RedisURI>();
        for (Object range : reply) {
            List<?> fields = (List<?>) range;
            RedisURI primary = address((List<?>) fields.get(2), from);
            String name = name(primary);
            primaries.put(name, primary);
            for (int slot = number(fields.get(0)); slot <= number(fields.get(1)); slot++) owners[slot] = name;
            for (Object replica : fields.subList(3, fields.size())) others.add(address((List<?>) replica, from));
        }
        return new SlotMap(owners, primaries, others);
    }

    static String name(RedisURI uri) {
        return uri.getHost() + ':' + uri.getPort();
    }

    /** An address as a redirection names it, {@code host:port}, IPv6 without brackets; without host: the sender's. */
    static RedisURI address(String text, RedisURI from) {
        int colon = text.lastIndexOf(':');
        return at(text.substring(0, colon), Integer.parseInt(text.substring(colon + 1)), from);
    }

    private static RedisURI address(List<?> node, RedisURI from) {
        Object host = node.get(0);
        String text = host instanceof byte[] bytes ? new String(bytes, StandardCharsets.UTF_8) : "";
        return at(text, number(node.get(1)), from);
    }

    private static RedisURI at(String host, int port, RedisURI from) {
        return RedisURI.builder(from)
                .withHost(host.isEmpty() || host.equals("?") ? from.getHost() : host)
                .withPort(port)
                .build();
    }

    private static int number(Object value) {
        return ((Long) value).intValue();
    }
}
