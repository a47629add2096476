package io.carillon.client;

import java.lang.System.Logger.Level;
import java.util.HashMap;
import java.util.LinkedHashSet;
import java.util.Map;
import java.util.Set;
import java.util.function.Consumer;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;
import tools.jackson.databind.node.ObjectNode;

/**
 * A connection that speaks the {@code push} dialect: what is asked on it and not answered, whether it has caught up, and
 * whose each frame is that comes.
 */
final class PushConnection extends Connection {
    static final String NO_WEBSOCKET = "there is only an event stream, which takes nothing";

    private static final JsonMapper JSON = JsonMapper.shared();

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
    private final PushOpener opener;
    private final Map<String, Answer> answers = new HashMap<>();
    private boolean flowing;

    PushConnection(CarillonClient client, PushOpener opener, Dialer dialer, boolean stream) {
        super(dialer);
        this.client = client;
        this.opener = opener;
        this.stream = stream;
        this.afterStream = opener.streamed();
    }

    @Override
    boolean fallback() {
        return stream;
    }

    // ---- what is sent

    /** Sends a frame that is answered, by its {@code ref}. */
    void ask(ObjectNode frame, Consumer<JsonNode> answered, Refused refused) {
        ask(frame, answered, refused, () -> {});
    }

    /** The same; {@code lost} runs where the connection ends before. */
    void ask(ObjectNode frame, Consumer<JsonNode> answered, Refused refused, Runnable lost) {
        String ref = opener.nextRef();
        answers.put(ref, new Answer(answered, refused, lost));
        send(frame.put("ref", ref));
    }

    void acknowledge(String id) {
        if (open() && !stream) send(JSON.createObjectNode().put("type", "ack").put("id", id));
    }

    private void renew(String token) {
        ask(JSON.createObjectNode().put("type", "refresh").put("token", token), answer -> {}, (code, sentence) -> {
            if (passing(code)) soon(() -> renew(token));
            else CarillonClient.LOG.log(Level.WARNING, "the fresh token was refused: {0}", code);
        });
    }

    // ---- what comes

    @Override
    void began() {
        if (!stream) client.channels.begin(this);
    }

    @Override
    public void mark(String eventId) {
        guard.locked(this, () -> {
            opener.mark(eventId);
            if (!flowing) {
                flowing = true;
                streaming();
            }
        });
    }

    @Override
    void received(JsonNode frame) {
        String type = frame.path("type").asString("");
        switch (type) {
            case "welcome" -> welcomed(frame);
            case "joined" -> client.channels.joined(this, frame);
            case "left" -> client.channels.left(frame);
            case "resync" -> client.channels.resync(frame);
            case "drain" -> dialer.drain(frame.path("reconnect_within_ms").asLong(0));
            case "token_expiring" -> {
                if (!stream) client.identity.refresh(this, this::renew);
            }
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
        heartbeat(welcome.path("heartbeat").asLong(HEARTBEAT));
        flowing = true;
        client.channels.welcomed(this, welcome.path("channels"));
        opener.welcomed();
        settle();
    }

    /** An event stream flows: from the id it was given, or from now on. */
    private void streaming() {
        client.channels.streaming(!opener.streamed());
        opener.streaming();
        caughtUp();
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
            caughtUp();
            client.questions.put(this);
        }
        client.messages.flush();
    }

    // ---- its end

    @Override
    void tooLarge() {
        client.messages.tooLarge();
    }

    @Override
    void ended() {
        for (Answer one : answers.values()) one.lost.run();
        answers.clear();
        client.messages.lost();
    }
}
