package io.carillon.client;

import java.net.URI;
import org.jspecify.annotations.Nullable;

/** How frames get from the cluster to a client and back: a WebSocket or an event stream. */
interface Transport {
    /**
     * Starts to open a connection, and does not wait for it.
     *
     * @param token for the {@code Authorization} header; null for none
     * @param lastEventId where an event stream goes on; null elsewhere
     */
    Link open(URI address, @Nullable String token, @Nullable String lastEventId, Listener listener);

    /** An end of an open connection. Safe from any thread. */
    interface Link {
        /** Sends a text message behind those sent before. */
        void send(String frame);

        /** Asks for one more frame; none comes unasked for. */
        void more();

        /** Asks the other end whether it is there, whose answer is {@link Listener#heard}; nothing where one cannot ask. */
        void ping();

        /** Says goodbye, and cuts the connection if nobody answers. */
        void close();

        /** Cuts the connection. The listener hears nothing more of it. */
        void abort();
    }

    /** Is told what happens on a connection: one call after another, any thread, ends with one of the last three. */
    interface Listener {
        void opened();

        /** Something came that is no frame: the other end lives. */
        void heard();

        void frame(String text);

        /** An event stream's position behind the last frame. */
        void mark(String eventId);

        /** The end of an open connection: its close code, 1006 where there was none. */
        void closed(int code);

        /** The server answered, and did not open. @param retryAfter seconds, 0 where it did not say */
        void refused(int status, long retryAfter);

        /** There was no answer. */
        void failed(Throwable cause);
    }
}
