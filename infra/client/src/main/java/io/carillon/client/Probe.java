package io.carillon.client;

import java.net.URI;
import org.jspecify.annotations.Nullable;

/**
 * A WebSocket that is tried while polling goes on: once it is open it is the client's connection, and until then it counts
 * for nothing.
 *
 * <p>Guarded by the client's lock, which the transport's calls take themselves.
 */
final class Probe implements Transport.Listener {
    private final FeedConnection beside;
    private final FeedConnection socket;
    private final Guard<FeedConnection> guard;
    private Transport.@Nullable Link link;
    private @Nullable Runnable patience;

    /** It has taken over, failed, or is no longer wanted. */
    private boolean over;

    Probe(FeedConnection beside, FeedConnection socket, Guard<FeedConnection> guard) {
        this.beside = beside;
        this.socket = socket;
        this.guard = guard;
    }

    /** Under the lock, as {@link #stop}. */
    void open(Transport sockets, URI address, @Nullable String token) {
        patience = socket.timer.in(
                socket.settings.connectTimeout.toMillis(),
                () -> guard.locked(() -> {
                    if (link != null && !over) link.abort();
                    failed();
                }));
        try {
            link = sockets.open(address, token, null, this);
        } catch (IllegalArgumentException e) {
            // The token, as it was fit for polling a moment ago: there will be another.
            failed();
        }
    }

    void stop() {
        if (over) return;
        end();
        if (link != null) link.abort();
    }

    private void end() {
        over = true;
        if (patience != null) patience.run();
    }

    private void failed() {
        if (over) return;
        end();
        beside.probeLater();
    }

    @Override
    public void opened() {
        guard.locked(() -> {
            if (over || link == null) return;
            end();
            beside.give();
            socket.link(link);
            guard.connection = socket;
            socket.dialer.replaced();
        });
        socket.opened();
    }

    @Override
    public void heard() {
        socket.heard();
    }

    @Override
    public void frame(String text) {
        socket.frame(text);
    }

    @Override
    public void mark(String eventId) {}

    @Override
    public void closed(int code) {
        guard.locked(this::failed);
        socket.closed(code);
    }

    @Override
    public void refused(int status, long retryAfter) {
        guard.locked(() -> {
            if (!over) socket.settings.tap.refused(status);
            failed();
        });
    }

    @Override
    public void failed(Throwable cause) {
        refused(0, 0);
    }
}
