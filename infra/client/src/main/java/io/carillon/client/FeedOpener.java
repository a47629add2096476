package io.carillon.client;

/**
 * Opens connections on which messages with growing ids come: WebSockets, and polling where they cannot be had.
 *
 * <p>Guarded by the client's lock, under which every method is called.
 */
final class FeedOpener implements Opener {
    /** Polling needs no more than what catching up needs anyway: it serves through outages of WebSockets, too. */
    private static final int FAILURES_BEFORE_POLLING = 3;

    private final FeedClient<?, ?, ?> client;
    private final FeedBuilder<?> settings;
    private final Transport sockets;
    private boolean polls;

    FeedOpener(FeedClient<?, ?, ?> client, FeedBuilder<?> settings, Transport sockets) {
        this.client = client;
        this.settings = settings;
        this.sockets = sockets;
        this.polls = settings.pollInterval != null;
    }

    @Override
    public void open(Dialer dialer, boolean polling) {
        var opening = new FeedConnection(client, this, dialer, polling);
        client.core.guard.connection = opening;
        if (polling) {
            opening.poll();
        } else {
            opening.hurry();
            opening.link(sockets.open(settings.socketAddress(), client.core.identity.token(), null, opening));
        }
    }

    /** Tries a WebSocket beside a connection that polls. */
    Probe probe(FeedConnection beside, Dialer dialer) {
        var probe = new Probe(beside, new FeedConnection(client, this, dialer, false), client.core.guard);
        probe.open(sockets, settings.socketAddress(), client.core.identity.token());
        return probe;
    }

    @Override
    public boolean fallsBack() {
        return polls;
    }

    /** Then in turns with a WebSocket. */
    @Override
    public boolean fallsBackAfter(int failures) {
        return polls && failures >= FAILURES_BEFORE_POLLING && (failures - FAILURES_BEFORE_POLLING) % 2 == 0;
    }

    /** There is nothing to poll at this address. */
    void noPolling() {
        polls = false;
    }

    long pollMillis() {
        return settings.pollInterval == null ? 0 : settings.pollInterval.toMillis();
    }

    long webSocketMillis() {
        return settings.webSocketRetry.toMillis();
    }

    @Override
    public void over(String code, String sentence) {
        client.queue.fail(code, sentence);
    }
}
