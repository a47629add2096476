package io.carillon.node.session;

/**
 * Why a session is closed, as the client sees it (RFC 6455 §7.4). 4000 to 4499 mean "reconnect", 4500 to 4999 "stop".
 * Reasons are fixed short texts, never data.
 */
public enum CloseCode {
    NORMAL(1000, "bye"),
    GOING_AWAY(1001, "going away"),
    PROTOCOL_ERROR(1002, "protocol error"),
    UNSUPPORTED_DATA(1003, "text only"),
    INVALID_UTF8(1007, "invalid UTF-8"),
    POLICY(1008, "policy violated"),
    TOO_BIG(1009, "message too big"),
    INTERNAL_ERROR(1011, "internal error"),
    RESTARTING(1012, "node restarting"),
    OVERLOADED(1013, "try again later"),
    TOKEN_EXPIRED(4401, "token expired"),
    SILENT(4408, "heartbeat timeout"),
    TOO_MANY_MESSAGES(4429, "too many messages"),
    TOO_SLOW(4430, "too slow"),
    POSITION_LOST(4431, "position lost"),
    REBALANCED(4432, "rebalanced"),
    BAD_CREDENTIAL(4501, "bad credential"),
    KICKED(4503, "kicked"),
    TOO_MANY_SESSIONS(4504, "too many sessions"),
    REPLACED(4509, "replaced by a newer session"),
    ABUSE(4510, "protocol abuse");

    private final int code;
    private final String reason;

    CloseCode(int code, String reason) {
        this.code = code;
        this.reason = reason;
    }

    public int code() {
        return code;
    }

    public String reason() {
        return reason;
    }
}
