package io.carillon.node.session;

import io.netty.buffer.ByteBuf;
import io.netty.util.concurrent.EventExecutor;

/**
 * The connection under a session, as the edge gives it. Every method but {@link #loop} and {@link #address} is called on
 * the loop only.
 */
public interface Socket {
    /** The loop that owns the connection. */
    EventExecutor loop();

    /** The client's address, as trusted proxies told it: digits, dots and colons. */
    String address();

    /**
     * Hands encoded WebSocket frames to the connection without flushing; takes over the reference. Never blocks.
     */
    void write(ByteBuf frames);

    /** Sends what was written. */
    void flush();

    /** Whether the connection takes more before what it holds is sent (it is below its high water mark). */
    boolean writable();

    /** Bytes handed over and not yet taken by the kernel. */
    long pendingBytes();

    /**
     * Starts the closing handshake (RFC 6455 §7.1.2): the close frame follows what was written, the TCP connection is
     * closed when the client answers, 5 s later otherwise. Nothing is read or written after it. Further calls do nothing.
     */
    void close(CloseCode code);
}
