package io.carillon.client;

import java.net.URI;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import org.jspecify.annotations.Nullable;
import tools.jackson.databind.JsonNode;

/** How HTTP calls get to the cluster. */
interface Calls {
    /** @param body JSON; null for a GET */
    record Call(
            URI address,
            Map<String, String> headers,
            @Nullable String body) {}

    /**
     * @param retryAfter seconds, 0 where it did not say
     * @param body a missing node where it is no JSON
     */
    record Answer(int status, long retryAfter, JsonNode body) {}

    /**
     * Makes a call and does not wait for it; failed if there is no answer, and given up where it is cancelled.
     *
     * @throws IllegalArgumentException if a header has characters that no request may have
     */
    CompletableFuture<Answer> make(Call call);
}
