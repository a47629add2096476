package io.carillon.client;

import java.lang.System.Logger.Level;
import java.util.Objects;
import org.jspecify.annotations.Nullable;
import tools.jackson.core.JacksonException;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;
import tools.jackson.databind.node.ObjectNode;

/**
 * One connection, from its handshake to its end, whatever is spoken on it: whether it opens in time, whether it lives,
 * whether more is to be read from it.
 *
 * <p>Guarded by the client's lock. The transport's calls take it themselves, and count for nothing once the client has
 * another connection or none; all else is called under it.
 */
abstract class Connection implements Transport.Listener {
    static final long HEARTBEAT = 25_000;

    private static final JsonMapper JSON = JsonMapper.shared();
    private static final long TRY_AGAIN = 500;

    /** How long it may be quiet behind a frame before the other end is asked whether it is there, and may take to answer. */
    private static final long LULL = 5_000;

    final Dialer dialer;
    final Core<?> core;
    final ClientBuilder<?> settings;
    final Guard<?> guard;
    final Timer timer;
    private Transport.@Nullable Link link;
    private @Nullable Runnable patience;
    private @Nullable Runnable watch;
    private @Nullable Runnable lull;
    private boolean open;
    private boolean paused;
    private long silence;
    private long heardAt;
    private long frameAt;
    private long readyAt = -1;

    Connection(Dialer dialer) {
        this.dialer = dialer;
        this.core = dialer.core;
        this.settings = core.settings;
        this.guard = core.guard;
        this.timer = core.timer;
        this.silence = settings.silence != null ? settings.silence.toMillis() : 2 * HEARTBEAT;
    }

    // ---- what is spoken on it

    /** Whether it is what serves where a WebSocket cannot be had. */
    abstract boolean fallback();

    /** It is open. */
    abstract void began();

    abstract void received(JsonNode frame);

    /** Half of the silence that it may have is over. */
    void quiet() {}

    /** The server takes no message as large as the last one. */
    abstract void tooLarge();

    /** It is not the client's any more: what has no answer has none. */
    abstract void ended();

    // ---- what it can

    /** Starts its time to open: once that is over, it is given up. */
    final void hurry() {
        patience = timer.in(settings.connectTimeout.toMillis(), this::tooLong);
    }

    final void link(Transport.Link given) {
        link = given;
    }

    private Transport.Link link() {
        return Objects.requireNonNull(link);
    }

    final boolean open() {
        return open;
    }

    /** Whether it has caught up. */
    final boolean ready() {
        return readyAt >= 0;
    }

    /** It has caught up. */
    final void caughtUp() {
        readyAt = timer.now();
        dialer.ready();
    }

    final void send(ObjectNode frame) {
        link().send(frame.toString());
    }

    /** The server names its heartbeat. */
    final void heartbeat(long millis) {
        if (settings.silence == null) silence = 2 * millis;
    }

    /** Whether the same may be taken a moment later. */
    static boolean passing(String code) {
        return code.equals("rate_limited") || code.equals("unavailable") || code.equals("busy");
    }

    /** Runs a step on this connection somewhat later, if it is still there. */
    final void soon(Runnable step) {
        timer.in(TRY_AGAIN + core.random.nextLong(TRY_AGAIN), () -> guard.locked(this, step));
    }

    // ---- the transport's side

    @Override
    public void opened() {
        guard.locked(this, () -> {
            settings.tap.opened();
            begin();
            watch();
            if (!fallback()) dialer.opened();
            began();
            lull(LULL);
            link().more();
        });
    }

    /** It is open from here on. */
    final void begin() {
        open = true;
        heardAt = timer.now();
        if (patience != null) patience.run();
    }

    @Override
    public void heard() {
        guard.locked(this, () -> heardAt = timer.now());
    }

    @Override
    public void frame(String text) {
        JsonNode frame = parsed(text);
        guard.locked(this, () -> {
            settings.tap.frame(text);
            heardAt = frameAt = timer.now();
            if (frame != null) received(frame);
            if (!guard.is(this)) return;
            if (core.inbox.full()) {
                paused = true;
                return;
            }
            if (lull == null) lull(LULL);
            link().more();
        });
    }

    private static @Nullable JsonNode parsed(String text) {
        try {
            return JSON.readTree(text);
        } catch (JacksonException e) {
            CarillonClient.LOG.log(Level.WARNING, "a frame that is no JSON was dropped");
            return null;
        }
    }

    @Override
    public void mark(String eventId) {}

    @Override
    public void closed(int code) {
        guard.locked(this, () -> {
            settings.tap.closed(code);
            if (code == 1009) tooLarge();
            forget();
            dialer.lost(code, readyAt);
        });
    }

    @Override
    public void refused(int status, long retryAfter) {
        guard.locked(this, () -> {
            settings.tap.refused(status);
            forget();
            dialer.refused(fallback(), status, retryAfter);
        });
    }

    @Override
    public void failed(Throwable cause) {
        guard.locked(this, () -> {
            settings.tap.refused(0);
            forget();
            CarillonClient.LOG.log(Level.DEBUG, "no connection: {0}", cause.toString());
            dialer.failed();
        });
    }

    // ---- its end

    private void tooLong() {
        guard.locked(this, () -> {
            if (open) return;
            give();
            dialer.timedOut(fallback());
        });
    }

    private void watch() {
        long half = silence / 2;
        long quiet = timer.now() - heardAt;
        watch = timer.in(
                Math.max((quiet < half ? half : silence) - quiet, 1),
                () -> guard.locked(this, () -> {
                    // What is not asked for cannot be heard.
                    if (paused) heardAt = timer.now();
                    if (timer.now() - heardAt >= silence) {
                        lose(1006);
                        return;
                    }
                    if (timer.now() - heardAt >= silence / 2) quiet();
                    watch();
                }));
    }

    /**
     * The JDK does not tell of an end that comes right behind a frame (ADR 24): where nothing follows one, the other
     * end is asked, once.
     */
    private void lull(long millis) {
        if (fallback()) return;
        lull = timer.in(
                millis,
                () -> guard.locked(this, () -> {
                    lull = null;
                    if (paused) return;
                    long quiet = timer.now() - heardAt;
                    if (quiet < LULL) lull(LULL - quiet);
                    else askIfThere();
                }));
    }

    private void askIfThere() {
        long asked = timer.now();
        lull = timer.in(
                LULL,
                () -> guard.locked(this, () -> {
                    lull = null;
                    if (paused) return;
                    if (heardAt < asked) lose(1006);
                    else if (frameAt >= asked) lull(Math.max(1, LULL - (timer.now() - frameAt)));
                }));
        link().ping();
    }

    /** Gives it up, as if it had ended with this code. */
    final void lose(int code) {
        give();
        dialer.lost(code, readyAt);
    }

    /** Gives it up for another, at once. */
    final void redial() {
        give();
        dialer.attempt();
    }

    /** Cuts it and forgets about it. */
    final void give() {
        if (open) settings.tap.closed(1006);
        else settings.tap.refused(0);
        forget();
        if (link != null) link.abort();
    }

    /** The client has no connection from here on. */
    final void forget() {
        if (patience != null) patience.run();
        if (watch != null) watch.run();
        if (lull != null) lull.run();
        ended();
        guard.connection = null;
    }

    /** Says goodbye. Not under the lock. */
    final void close() {
        if (link != null) link.close();
    }

    /** The link, if it was not asked for more because too much waited for the handlers; from here on it is. */
    Transport.@Nullable Link thirsty() {
        if (!paused) return null;
        paused = false;
        heardAt = timer.now();
        if (lull == null) lull(LULL);
        return link();
    }
}
