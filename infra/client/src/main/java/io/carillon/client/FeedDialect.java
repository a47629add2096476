package io.carillon.client;

import org.jspecify.annotations.Nullable;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.node.ObjectNode;

/**
 * What is particular to one dialect of messages with growing ids. Called under the client's lock.
 *
 * @param <M> its messages
 * @param <S> what a sender gets to know
 */
interface FeedDialect<M, S> {
    /** Type of the frame that the server answers, so that it is known to live. */
    String ping();

    /** Path and query of what is kept behind a message. */
    String page(long afterId, int limit);

    /** Whether ids grow by one, so that a hole is something missed. */
    boolean dense();

    M message(JsonNode data);

    /** Takes a frame. @return false if it is only a notice */
    boolean received(FeedConnection on, String type, JsonNode frame);

    /** What is kept was read where there is no WebSocket: now for what only a WebSocket tells. */
    default void polled(Requests requests) {}

    /** A message as it leaves on a WebSocket; null where all leave by HTTP. */
    @Nullable
    ObjectNode frame(ObjectNode body);

    /** Where messages are posted. */
    String post();

    /** Whether a posted message has its key in a header, and not in its body. */
    boolean keyed();

    /** What the server's answer, by whatever way, says of a message. */
    S sent(String key, JsonNode answer);
}
