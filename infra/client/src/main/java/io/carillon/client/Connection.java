package io.carillon.client;

import io.carillon.client.CarillonClient.Builder;
import java.lang.System.Logger.Level;
import java.util.HashMap;
import java.util.LinkedHashSet;
import java.util.Map;
import java.util.Objects;
import java.util.Set;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;
import tools.jackson.core.JacksonException;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;
import tools.jackson.databind.node.ObjectNode;

/**
 * One connection, from its handshake to its end: what is asked on it and not answered, whether it lives, whether it has
 * caught up, and whose each frame is that comes.
 *
 * <p>Guarded by the client's lock. The transport's calls take it themselves, and count for nothing once the client has
 * another connection or none; all else is called under it.
 */
final class Connection implements Transport.Listener {
    static final String NO_WEBSOCKET = "there is only an event stream, which takes nothing";

    private static final JsonMapper JSON = JsonMapper.shared();
    private static final long TRY_AGAIN = 500;
    private static final long HEARTBEAT = 25_000;

    @FunctionalInterface
    interface Refused {
        void because(String code, String sentence);
    }

    private record Answer(Consumer<JsonNode> answered, Refused refused, Runnable lost) {}

    final boolean stream;

    /** Whether a stream came before, which knew positions that this connection does not. */
    final boolean afterStream;

    /** What {@link Channels} has still to catch up on before the connection is ready: rooms to join, resumes under way. */
    final Set<String> joins = new LinkedHashSet<>();

    int resumes;

    private final CarillonClient client;
    private final Builder settings;
    private final Guard guard;
    private final Timer timer;
    private final Dialer dialer;
    private final Map<String, Answer> answers = new HashMap<>();
    private Transport.@Nullable Link link;
    private @Nullable Runnable patience;
    private @Nullable Runnable watch;
    private boolean open;
    private boolean flowing;
    private boolean paused;
    private long silence;
    private long heardAt;
    private long readyAt = -1;

    Connection(CarillonClient client, boolean stream, boolean afterStream) {
        this.client = client;
        this.stream = stream;
        this.afterStream = afterStream;
        this.settings = client.settings;
        this.guard = client.guard;
        this.timer = client.timer;
        this.dialer = client.dialer;
        this.silence = settings.silence != null ? settings.silence.toMillis() : 2 * HEARTBEAT;
    }

    /** Starts its time to open: once that is over, it is given up. */
    void hurry() {
        patience = timer.in(settings.connectTimeout.toMillis(), this::tooLong);
    }

    void link(Transport.Link given) {
        link = given;
    }

    private Transport.Link link() {
        return Objects.requireNonNull(link);
    }

    boolean open() {
        return open;
    }

    /** Whether it has caught up. */
    boolean ready() {
        return readyAt >= 0;
    }

    // ---- what is sent

    private void send(ObjectNode frame) {
        link().send(frame.toString());
    }

    /** Sends a frame that is answered, by its {@code ref}. */
    void ask(ObjectNode frame, Consumer<JsonNode> answered, Refused refused) {
        ask(frame, answered, refused, () -> {});
    }

    /** The same; {@code lost} runs where the connection ends before. */
    void ask(ObjectNode frame, Consumer<JsonNode> answered, Refused refused, Runnable lost) {
        String ref = dialer.nextRef();
        answers.put(ref, new Answer(answered, refused, lost));
        send(frame.put("ref", ref));
    }

    /** Runs a step on this connection somewhat later, if it is still there. */
    void soon(Runnable step) {
        timer.in(TRY_AGAIN + client.random.nextLong(TRY_AGAIN), () -> guard.locked(this, step));
    }

    /** Whether the same may be taken a moment later. */
    static boolean passing(String code) {
        return code.equals("rate_limited") || code.equals("unavailable") || code.equals("busy");
    }

    void acknowledge(String id) {
        if (open && !stream) send(JSON.createObjectNode().put("type", "ack").put("id", id));
    }

    // ---- the transport's side

    @Override
    public void opened() {
        guard.locked(this, () -> {
            settings.tap.opened();
            open = true;
            heardAt = timer.now();
            if (patience != null) patience.run();
            watch();
            if (!stream) {
                dialer.opened();
                client.channels.begin(this);
            }
            link().more();
        });
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
            heardAt = timer.now();
            if (frame != null) received(frame);
            if (guard.connection != this) return;
            if (client.handlers.full()) paused = true;
            else link().more();
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
    public void mark(String eventId) {
        guard.locked(this, () -> {
            dialer.mark(eventId);
            if (!flowing) {
                flowing = true;
                streaming();
            }
        });
    }

    @Override
    public void closed(int code) {
        guard.locked(this, () -> {
            settings.tap.closed(code);
            if (code == 1009) client.messages.tooLarge();
            forget();
            dialer.lost(code, readyAt);
        });
    }

    @Override
    public void refused(int status, long retryAfter) {
        guard.locked(this, () -> {
            settings.tap.refused(status);
            forget();
            dialer.refused(stream, status, retryAfter);
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
            dialer.timedOut(stream);
        });
    }

    private void watch() {
        long left = heardAt + silence - timer.now();
        watch = timer.in(
                Math.max(left, 1),
                () -> guard.locked(this, () -> {
                    // What is not asked for cannot be heard.
                    if (paused) heardAt = timer.now();
                    if (timer.now() - heardAt < silence) {
                        watch();
                        return;
                    }
                    give();
                    dialer.lost(1006, readyAt);
                }));
    }

    /** Gives it up for another, at once. */
    void redial() {
        give();
        dialer.attempt();
    }

    /** Cuts it and forgets about it. */
    private void give() {
        if (open) settings.tap.closed(1006);
        else settings.tap.refused(0);
        forget();
        if (link != null) link.abort();
    }

    /** The client has no connection from here on. */
    void forget() {
        if (patience != null) patience.run();
        if (watch != null) watch.run();
        for (Answer one : answers.values()) one.lost.run();
        answers.clear();
        client.messages.lost();
        guard.connection = null;
    }

    /** Says goodbye. Not under the lock. */
    void close() {
        if (link != null) link.close();
    }

    // ---- what comes

    private void received(JsonNode frame) {
        String type = frame.path("type").asString("");
        switch (type) {
            case "welcome" -> welcomed(frame);
            case "joined" -> client.channels.joined(this, frame);
            case "left" -> client.channels.left(frame);
            case "resync" -> client.channels.resync(frame);
            case "drain" -> dialer.drain(frame.path("reconnect_within_ms").asLong(0));
            case "token_expiring" -> client.identity.refresh(this);
            default -> {}
        }
        switch (type) {
            case "welcome", "joined", "left", "resumed", "sent", "history", "presence", "refreshed", "pong" ->
                answered(frame);
            case "error" -> error(frame);
            case "resync" -> {}
            case "drain", "token_expiring", "degraded", "restored", "presence_join", "presence_leave" ->
                client.handlers.notice(new Received(frame));
            default -> client.channels.event(this, new Received(frame));
        }
    }

    private void welcomed(JsonNode welcome) {
        client.identity.welcomed(welcome);
        if (settings.silence == null) silence = 2 * welcome.path("heartbeat").asLong(HEARTBEAT);
        flowing = true;
        client.channels.welcomed(this, welcome.path("channels"));
        dialer.welcomed();
        settle();
    }

    /** An event stream flows: from the id it was given, or from now on. */
    private void streaming() {
        client.channels.streaming(!dialer.streamed());
        dialer.streaming();
        readyAt = timer.now();
        dialer.ready();
        client.questions.fail("no_websocket", NO_WEBSOCKET);
    }

    private void answered(JsonNode frame) {
        Answer answer = answers.remove(frame.path("ref").asString(""));
        if (answer != null) answer.answered.accept(frame);
    }

    private void error(JsonNode frame) {
        Answer answer = answers.remove(frame.path("ref").asString(""));
        String code = frame.path("code").asString("error");
        if (answer != null) {
            answer.refused.because(code, frame.path("error").asString(""));
        } else {
            CarillonClient.LOG.log(Level.WARNING, "the server answered {0}", code);
            client.handlers.notice(new Received(frame));
        }
    }

    /** To the handlers, but for a message of the client's own. */
    void passOn(Received event) {
        if (!client.messages.own(event)) client.handlers.event(event);
    }

    /** Is ready if nothing is left to catch up on; then what waited is sent. */
    void settle() {
        if (!ready()) {
            if (!flowing || resumes > 0 || !joins.isEmpty()) return;
            readyAt = timer.now();
            dialer.ready();
            client.questions.put(this);
        }
        client.messages.flush();
    }

    /** The link, if it was not asked for more because too much waited for the handlers; from here on it is. */
    Transport.@Nullable Link thirsty() {
        if (!paused) return null;
        paused = false;
        heardAt = timer.now();
        return link();
    }
}
