package io.carillon.node.identity;

import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * What an endpoint accepts as identity, beside the header, the subprotocol and tickets, which every endpoint takes.
 *
 * @param queryToken whether {@code ?token=} is accepted
 * @param openUser query parameters that make the user id where open identity is on, joined by colons in the id as in
 *     this text: {@code user_id}, or {@code user_type:user_id}; null where even open identity needs a token
 */
public record Rule(boolean queryToken, @Nullable String openUser) {
    /** A token in the header, the subprotocol or as a ticket, and nothing else. */
    public static final Rule STRICT = new Rule(false, null);

    /** The user id the query names; null when it names none, or only a part. */
    @Nullable
    String openUserIn(Map<String, String> query) {
        if (openUser == null) return null;
        var user = new StringBuilder();
        for (String parameter : openUser.split(":", -1)) {
            String value = query.get(parameter);
            if (value == null || value.isEmpty()) return null;
            if (!user.isEmpty()) user.append(':');
            user.append(value);
        }
        return user.toString();
    }
}
