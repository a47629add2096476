package io.carillon.client;

/**
 * Sees what comes over the wire before the client makes anything of it: every frame as it came, repeated ones and those
 * of no use included. For records, tests and judges. What a client reads by HTTP, to catch up or by polling, is no frame;
 * that it polls is told as a connection.
 *
 * <p>Called one after another, mostly on threads of the transport. It must return soon, not throw, and not call the
 * client.
 */
public interface FrameListener {
    /** A connection opened. */
    default void opened() {}

    /** A frame came. */
    default void frame(String text) {}

    /** An open connection ended. @param code its close code; 1006 where there was none, or the client cut it */
    default void closed(int code) {}

    /** No connection. @param status the server's answer; 0 where there was none */
    default void refused(int status) {}
}
