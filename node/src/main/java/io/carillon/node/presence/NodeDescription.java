package io.carillon.node.presence;

import java.util.Map;

/**
 * A node as it describes itself with each beat; one JSON object in the hash {@code carillon:nodes:info}.
 *
 * @param node its incarnation, {@code <boot>.<n>}
 * @param boot the name of its process, 8 random characters
 * @param address where it serves
 * @param port port it serves on
 * @param version its software's
 * @param state {@code up} or {@code draining}
 * @param since when it started, milliseconds since the epoch
 * @param sessions sessions it holds, by namespace
 * @param rates what it does per second, by name
 */
public record NodeDescription(
        String node,
        String boot,
        String address,
        int port,
        String version,
        String state,
        long since,
        Map<String, Long> sessions,
        Map<String, Double> rates) {

    /** A description to hand to {@link RedisPresence}, which fills in the incarnation and the sessions. */
    public static NodeDescription of(
            String boot,
            String address,
            int port,
            String version,
            String state,
            long since,
            Map<String, Double> rates) {
        return new NodeDescription(boot, boot, address, port, version, state, since, Map.of(), rates);
    }

    NodeDescription as(String incarnation, Map<String, Long> held) {
        return new NodeDescription(incarnation, boot, address, port, version, state, since, held, rates);
    }
}
