package io.carillon.node.identity;

import org.jspecify.annotations.Nullable;

/** What came of looking at the credentials. */
public sealed interface Verdict {
    /**
     * They hold.
     *
     * @param principal who it is
     * @param subprotocol the WebSocket subprotocol to answer with; null for none
     */
    record Granted(Principal principal, @Nullable String subprotocol) implements Verdict {}

    /**
     * They do not.
     *
     * @param status HTTP status: 400, 401, 403, or 503 when it could not be found out and a retry may help
     * @param sentence what was wrong and what is right, for whoever asked; never the credential
     * @param reason one of a closed set of words, for the metric
     */
    record Refused(int status, String sentence, String reason) implements Verdict {
        /** Whether the request brought no credential at all, as a visitor would. */
        public boolean noCredential() {
            return reason.equals(Reason.NONE.word());
        }

        /** Whether the same credential may be accepted later. */
        public boolean temporary() {
            return status == 503;
        }
    }
}
