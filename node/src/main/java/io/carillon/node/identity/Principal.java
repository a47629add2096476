package io.carillon.node.identity;

import java.util.Map;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/**
 * Who a session belongs to, as its credential said.
 *
 * @param user the user id ({@code sub}); well-formed
 * @param name display name; null when the credential has none
 * @param kind kind of user, such as {@code agent}; null when the credential has none
 * @param rooms private rooms the user may join
 * @param expiresAt when the credential ends, milliseconds since the epoch; {@link Long#MAX_VALUE} for an open identity
 * @param claims every other claim of the credential as JSON values, without {@code nbf} and {@code iat}
 */
public record Principal(
        String user,
        @Nullable String name,
        @Nullable String kind,
        Set<String> rooms,
        long expiresAt,
        Map<String, Object> claims) {

    public Principal {
        rooms = Set.copyOf(rooms);
        claims = Map.copyOf(claims);
    }

    /** Whether the user may join this room: private ones only when the credential lists them. */
    public boolean mayJoin(String room) {
        return !room.startsWith("private-") || rooms.contains(room);
    }
}
