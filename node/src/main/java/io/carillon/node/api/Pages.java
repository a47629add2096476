package io.carillon.node.api;

import io.carillon.node.app.Conversation;
import io.carillon.node.presence.PresenceQueries;
import io.carillon.node.presence.PresenceQueries.Page;
import java.util.function.IntFunction;
import org.jspecify.annotations.Nullable;

/** The parameters of calls that answer in pages. */
final class Pages {
    static final int DEFAULT = 100;

    private Pages() {}

    /**
     * Most entries of a page.
     *
     * @param limit as the caller wrote it; null for the default
     * @throws ApiException when it is no number from 1 to 1000
     */
    static int limit(@Nullable String limit) {
        if (limit == null) return DEFAULT;
        if (!limit.matches("[1-9][0-9]{0,3}") || Integer.parseInt(limit) > PresenceQueries.LARGEST_PAGE) {
            throw ApiException.badRequest("limit must be a number from 1 to " + PresenceQueries.LARGEST_PAGE);
        }
        return Integer.parseInt(limit);
    }

    /**
     * The id behind which a page of messages begins.
     *
     * @param after as the caller wrote it; null for the start
     * @throws ApiException when it is no unsigned number of 64 bits
     */
    static String after(@Nullable String after) {
        if (after == null) return "0";
        String id = Conversation.number(after);
        if (id == null) throw ApiException.badRequest("after_id must be the id of a message, a number from 0");
        return id;
    }

    /**
     * Reads a page.
     *
     * @param limit as the caller wrote it; null for the default
     * @throws ApiException when the limit is no number from 1 to 1000, or the cursor none that a page gave
     */
    static Page read(@Nullable String limit, IntFunction<Page> query) {
        int most = limit(limit);
        try {
            return query.apply(most);
        } catch (IllegalArgumentException e) {
            throw ApiException.badRequest("cursor must be the next_cursor of the page before");
        }
    }
}
