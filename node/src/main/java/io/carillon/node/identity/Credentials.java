package io.carillon.node.identity;

import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * What a request brought to say who it is from. Values are secrets: {@link #toString} shows none.
 *
 * @param authorization the {@code Authorization} header; null when absent
 * @param subprotocols values of {@code Sec-WebSocket-Protocol}, split at commas and trimmed; empty when absent
 * @param query decoded query parameters, the first value of each
 */
public record Credentials(@Nullable String authorization, List<String> subprotocols, Map<String, String> query) {
    public Credentials {
        subprotocols = List.copyOf(subprotocols);
        query = Map.copyOf(query);
    }

    @Override
    public String toString() {
        return "Credentials[…]";
    }
}
