package io.carillon.client;

import org.jspecify.annotations.Nullable;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;

/**
 * A connection on which messages with growing ids come: a WebSocket, or polling where there is none. While it polls, it
 * tries a WebSocket now and then, which takes over once it is open.
 */
final class FeedConnection extends Connection {
    private static final JsonMapper JSON = JsonMapper.shared();

    final boolean polling;
    private final FeedClient<?, ?, ?> client;
    private final FeedOpener opener;

    /** Takes back the next look of polling, and the next try of a WebSocket beside it. */
    private @Nullable Runnable next;

    private @Nullable Runnable probing;
    private @Nullable Probe probe;

    FeedConnection(FeedClient<?, ?, ?> client, FeedOpener opener, Dialer dialer, boolean polling) {
        super(dialer);
        this.client = client;
        this.opener = opener;
        this.polling = polling;
    }

    @Override
    boolean fallback() {
        return polling;
    }

    // ---- by WebSocket

    @Override
    void began() {
        client.feed.begin(this);
        ping();
        client.queue.opened();
    }

    private void ping() {
        send(JSON.createObjectNode().put("type", client.dialect.ping()));
    }

    /** The server's own pings may be rarer than the silence that is allowed. */
    @Override
    void quiet() {
        ping();
    }

    @Override
    void received(JsonNode frame) {
        String type = frame.path("type").asString("");
        switch (type) {
            case "drain" ->
                dialer.drain(frame.path("data").path("reconnect_within_ms").asLong(0));
            case "resync" -> client.feed.catchUp(this);
            case "token_expiring" -> core.identity.refresh(this, this::renew);
            default -> {}
        }
        if (!client.dialect.received(this, type, frame)) client.notice(new Received(frame));
    }

    private void renew(String token) {
        send(JSON.createObjectNode().put("type", "refresh").put("token", token));
    }

    /** The answer to a ping. */
    void answered() {
        client.feed.flows(this);
    }

    /** A message came by itself. */
    void came(JsonNode data) {
        client.feed.came(this, data);
    }

    /** The server has the message of this key. */
    void acknowledged(String key, JsonNode data) {
        client.queue.acknowledged(key, data);
    }

    /** The server refuses the message of this key. @return false if it is none of the client's */
    boolean refused(@Nullable String key, String code, String sentence) {
        return client.queue.refused(key, code, sentence);
    }

    // ---- by polling

    /** Asks for what is new, and again after a while. */
    void poll() {
        client.feed.read(failure -> {
            if (failure == null) polled();
            else unread(failure);
        });
    }

    private void polled() {
        client.dialect.polled(client.requests);
        if (!open()) {
            settings.tap.opened();
            begin();
            caughtUp();
            probeLater();
            client.queue.opened();
        }
        next = timer.in(opener.pollMillis(), () -> guard.locked(this, this::poll));
    }

    private void unread(Reply failure) {
        int status = failure.status();
        if (open() && (status == 0 || status == 401)) {
            lose(status == 0 ? 1006 : 4401);
            return;
        }
        if (open()) settings.tap.closed(1006);
        else settings.tap.refused(status);
        forget();
        if (status == 404) opener.noPolling();
        if (status == 0 || status == 404) dialer.failed();
        else dialer.refused(true, status, failure.retryAfter());
    }

    /** Tries a WebSocket after a while. */
    void probeLater() {
        probe = null;
        long wait = opener.webSocketMillis();
        probing = timer.in(
                wait / 2 + core.random.nextLong(wait + 1),
                () -> guard.locked(this, () -> probe = opener.probe(this, dialer)));
    }

    // ---- either

    @Override
    void tooLarge() {
        client.queue.tooLarge();
    }

    @Override
    void ended() {
        client.feed.ended();
        client.queue.lost();
        if (next != null) next.run();
        if (probing != null) probing.run();
        if (probe != null) probe.stop();
    }

    @Override
    Transport.@Nullable Link thirsty() {
        client.feed.roomAgain();
        return super.thirsty();
    }
}
