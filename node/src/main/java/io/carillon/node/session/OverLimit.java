package io.carillon.node.session;

import org.jspecify.annotations.Nullable;

/** What becomes of a user's session over the limit of an endpoint. */
public enum OverLimit {
    /** The new one is refused with 429. */
    REFUSE(null),
    /** The oldest is closed with 4504. */
    CLOSE_OLDEST(CloseCode.TOO_MANY_SESSIONS),
    /** The oldest is closed with 4509: for applications where a user is in one place at a time, with a limit of 1. */
    REPLACE(CloseCode.REPLACED);

    private final @Nullable CloseCode code;

    OverLimit(@Nullable CloseCode code) {
        this.code = code;
    }

    /** What the oldest is closed with; null where the new one is refused. */
    public @Nullable CloseCode code() {
        return code;
    }
}
