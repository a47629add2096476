package io.carillon.node.session;

/** What becomes of sessions. Called by the edge on the session's event loop, in this order for each session. */
public interface SessionListener {
    /** The handshake is answered with 101; frames can be written. */
    void opened(Session session);

    /**
     * A whole text message arrived: valid UTF-8, within the endpoint's limit.
     *
     * @param text its bytes; the receiver's own
     */
    void received(Session session, byte[] text);

    /**
     * The connection is gone or going; nothing can be written any more. Called once.
     *
     * @param code close code that ended it; 1006 when the connection broke without one
     */
    void closed(Session session, int code);
}
