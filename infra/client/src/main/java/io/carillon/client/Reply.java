package io.carillon.client;

import tools.jackson.databind.JsonNode;
import tools.jackson.databind.node.MissingNode;

/**
 * What became of a call.
 *
 * @param status 0 where there was no answer
 * @param retryAfter seconds, 0 where it did not say
 * @param renewable whether it was refused for its token, and there may be another
 */
record Reply(int status, long retryAfter, JsonNode body, boolean renewable) {
    /** There was no answer. */
    static final Reply NONE = new Reply(0, 0, MissingNode.getInstance(), false);

    boolean good() {
        return status >= 200 && status < 300 && body.isObject();
    }

    /** Whether the same may be taken later. */
    boolean passing() {
        return status == 0 || status == 429 || status >= 500;
    }

    String code() {
        return body.path("code").asString(status == 0 ? "unreachable" : "http_" + status);
    }

    String sentence() {
        String fallback = status == 0 ? "there was no answer" : "the server answered with status " + status;
        return body.path("error").asString(fallback);
    }
}
