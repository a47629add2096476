package io.carillon.client;

import io.carillon.client.CarillonClient.Builder;
import io.carillon.model.channel.Position;
import io.carillon.model.event.EventIds;
import java.util.ArrayDeque;
import java.util.concurrent.CompletableFuture;
import org.jspecify.annotations.Nullable;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;
import tools.jackson.databind.node.ObjectNode;

/**
 * Messages that the cluster has not answered for. Durable ones wait for a connection, leave one at a time in the order in
 * which they came, and leave again under the same id where the answer was lost or a refusal was for the moment, until it
 * is too long ago for the cluster to know the id. Others leave at once or not at all.
 *
 * <p>Guarded by the client's lock, under which every method but {@link #frame} is called.
 */
final class Messages {
    private static final JsonMapper JSON = JsonMapper.shared();

    private static final class Outgoing {
        final Message message;
        final ObjectNode frame;
        final CompletableFuture<Sent> future = new CompletableFuture<>();

        /** Takes back the end of its time, which starts when it is sent first; null until then. */
        @Nullable
        Runnable doubt;

        Outgoing(Message message, ObjectNode frame) {
            this.message = message;
            this.frame = frame;
        }
    }

    private final Builder settings;
    private final Guard<PushConnection> guard;
    private final Timer timer;
    private final Identity identity;
    private final Channels channels;
    private final ArrayDeque<Outgoing> queue = new ArrayDeque<>();

    /** Whether the first is on its way, on the client's connection. */
    private boolean inFlight;

    /** Whether the first was refused for the moment, by the client's connection. */
    private boolean pausing;

    Messages(Builder settings, Guard<PushConnection> guard, Timer timer, Identity identity, Channels channels) {
        this.settings = settings;
        this.guard = guard;
        this.timer = timer;
        this.identity = identity;
        this.channels = channels;
    }

    /** A message as it is sent, but for the ref. */
    static ObjectNode frame(Message message) {
        ObjectNode frame = JSON.createObjectNode().put("type", message.type());
        if (message.to() != null) frame.put("to", message.to());
        if (message.room() != null) frame.put("room", message.room());
        if (message.content() != null) frame.set("content", JSON.valueToTree(message.content()));
        frame.put("id", message.id() != null ? message.id() : EventIds.next(System.currentTimeMillis()));
        if (!message.durable()) frame.put("durable", false);
        return frame;
    }

    CompletableFuture<Sent> send(Message message, ObjectNode frame) {
        if (!message.durable()) return sendNow(message, frame);
        if (queue.size() >= settings.maxQueued) {
            return RefusedException.future("queue_full", settings.maxQueued + " messages wait already");
        }
        var outgoing = new Outgoing(message, frame);
        queue.add(outgoing);
        flush();
        return outgoing.future.copy();
    }

    /** Durable messages that wait for the answer. */
    int size() {
        return queue.size();
    }

    private CompletableFuture<Sent> sendNow(Message message, ObjectNode frame) {
        PushConnection open = guard.connection;
        if (open == null || !open.ready()) {
            return RefusedException.future("not_connected", "there is no connection");
        }
        if (open.stream) return RefusedException.future("no_websocket", PushConnection.NO_WEBSOCKET);
        var future = new CompletableFuture<Sent>();
        Runnable late =
                timer.in(settings.requestTimeout.toMillis(), () -> guard.fail(future, "timeout", "no answer in time"));
        var unused = future.whenComplete((sent, failure) -> late.run());
        open.ask(
                frame,
                answer -> complete(future, message, answer),
                (code, sentence) -> guard.fail(future, code, sentence),
                () -> guard.fail(future, "connection_lost", "the connection ended before the answer"));
        return future.copy();
    }

    /** Sends the first message that waits, if it is its turn. */
    void flush() {
        PushConnection open = guard.connection;
        if (open == null || open.stream || !open.ready() || inFlight || pausing) return;
        Outgoing first = queue.peek();
        if (first == null) return;
        inFlight = true;
        if (first.doubt == null) {
            first.doubt = timer.in(settings.resendWithin.toMillis(), () -> guard.locked(() -> doubt(first)));
        }
        open.ask(
                first.frame,
                answer -> {
                    inFlight = false;
                    taken(first, answer);
                    flush();
                },
                (code, sentence) -> {
                    inFlight = false;
                    if (Connection.passing(code)) {
                        pausing = true;
                        open.soon(() -> {
                            pausing = false;
                            flush();
                        });
                        return;
                    }
                    if (queue.remove(first)) {
                        if (first.doubt != null) first.doubt.run();
                        guard.fail(first.future, code, sentence);
                    }
                    flush();
                });
    }

    private void taken(Outgoing message, JsonNode answer) {
        if (!queue.remove(message)) return;
        if (message.doubt != null) message.doubt.run();
        complete(message.future, message.message, answer);
    }

    private void complete(CompletableFuture<Sent> future, Message message, JsonNode answer) {
        Position at = Received.position(answer);
        Position self = Received.position(answer.path("self"));
        String to = message.to();
        String room = message.room();
        String user = identity.user();
        channels.own(to != null ? "user:" + to : room != null ? "room:" + room : "broadcast", at);
        if (user != null) channels.own("user:" + user, self);
        var sent = new Sent(answer.path("id").asString(""), at);
        guard.background(() -> future.complete(sent));
    }

    /** The cluster may no longer know the message's id: sent again, it might be there twice. */
    private void doubt(Outgoing message) {
        PushConnection open = guard.connection;
        boolean asked = inFlight && queue.peek() == message;
        if (!queue.remove(message)) return;
        // A server that does not answer for minutes is not one to go on with.
        if (asked && open != null) open.redial();
        guard.fail(message.future, "in_doubt", "sent without an answer, too long ago to send it again");
    }

    /** Whether this is the message under way, whose answer was lost: on another connection it comes as one that was missed. */
    boolean own(Received event) {
        Outgoing first = queue.peek();
        String user = identity.user();
        return first != null
                && first.doubt != null
                && user != null
                && user.equals(event.from())
                && first.frame.path("id").asString("").equals(event.id());
    }

    /** The connection is gone; what was on its way is sent again on the next. */
    void lost() {
        inFlight = false;
        pausing = false;
    }

    /** The one message under way, if there is one, cannot have been taken, and would end the next connection too. */
    void tooLarge() {
        Outgoing first = inFlight ? queue.peek() : null;
        if (first == null || first.doubt == null) return;
        queue.remove(first);
        first.doubt.run();
        guard.fail(first.future, "too_large", "the server does not take a message of this size");
    }

    /** Fails all that wait. */
    void fail(String code, String sentence) {
        for (Outgoing one : queue) {
            if (one.doubt != null) one.doubt.run();
            guard.fail(one.future, code, sentence);
        }
        queue.clear();
    }
}
