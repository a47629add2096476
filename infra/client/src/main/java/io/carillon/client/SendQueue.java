package io.carillon.client;

import java.util.ArrayDeque;
import java.util.concurrent.CompletableFuture;
import org.jspecify.annotations.Nullable;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.node.ObjectNode;

/**
 * Messages of a chat or a conversation that the cluster has not answered for. They leave one at a time in the order in
 * which they came, by the connection or by HTTP, and again under the same key where the answer was lost or a refusal was
 * for the moment, until it is too long ago for the cluster to know the key.
 *
 * <p>Guarded by the client's lock, under which every method is called.
 */
final class SendQueue<S> {
    private static final int MOST_RENEWALS = 2;

    private final class Outgoing {
        final ObjectNode body;
        final String key;
        final CompletableFuture<S> future = new CompletableFuture<>();

        /** When it left first; negative before. */
        long since = -1;

        int tries;
        int renewals;

        Outgoing(ObjectNode body, String key) {
            this.body = body;
            this.key = key;
        }
    }

    private final Core<FeedConnection> core;
    private final Requests requests;
    private final FeedDialect<?, S> dialect;
    private final ArrayDeque<Outgoing> queue = new ArrayDeque<>();

    /** The first, while an answer is awaited. */
    private @Nullable Outgoing underWay;

    /** Takes back the end of the wait for an answer on the WebSocket; null while none is awaited there. */
    private @Nullable Runnable asked;

    /** Ends a pause before the first leaves again; null where there is none. */
    private @Nullable Runnable pause;

    private boolean pauseOrdered;

    SendQueue(Core<FeedConnection> core, Requests requests, FeedDialect<?, S> dialect) {
        this.core = core;
        this.requests = requests;
        this.dialect = dialect;
    }

    int size() {
        return queue.size();
    }

    CompletableFuture<S> send(ObjectNode body, String key) {
        int most = core.settings.maxQueued;
        if (queue.size() >= most) return RefusedException.future("queue_full", most + " messages wait already");
        var outgoing = new Outgoing(body, key);
        queue.add(outgoing);
        flush();
        return outgoing.future.copy();
    }

    /** A connection is open. */
    void opened() {
        // Who waits because nothing could be reached waits no longer; who was told to wait does.
        if (pause != null && !pauseOrdered) {
            pause.run();
            pause = null;
        }
        flush();
    }

    /** Sends the first message that waits, if it is its turn. */
    private void flush() {
        FeedConnection open = core.guard.connection;
        if (open == null || !open.open() || underWay != null || pause != null) return;
        Outgoing first = queue.peek();
        while (first != null && tooOld(first)) {
            refuse(first, "in_doubt", "sent without an answer, too long ago to send it again");
            first = queue.peek();
        }
        if (first != null) leave(first, open);
    }

    private boolean tooOld(Outgoing one) {
        return one.since >= 0 && core.timer.now() - one.since > core.settings.resendWithin.toMillis();
    }

    private void leave(Outgoing first, FeedConnection open) {
        underWay = first;
        if (first.since < 0) first.since = core.timer.now();
        ObjectNode frame = open.polling ? null : dialect.frame(first.body);
        if (frame == null) {
            requests.post(
                    dialect.post(), first.body, dialect.keyed() ? first.key : null, reply -> posted(first, reply));
            return;
        }
        asked = core.timer.in(
                core.settings.requestTimeout.toMillis(),
                () -> core.guard.locked(() -> {
                    if (underWay == first) again(first, 0);
                }));
        open.send(frame);
    }

    private void posted(Outgoing first, Reply reply) {
        if (underWay != first) return;
        if (reply.good()) {
            taken(first, reply.body());
        } else if (reply.passing()) {
            again(first, reply.retryAfter());
        } else if (reply.renewable() && first.renewals < MOST_RENEWALS) {
            first.renewals++;
            again(first, 0);
        } else {
            refuse(first, reply.code(), reply.sentence());
            flush();
        }
    }

    /** The server has the message of this key. */
    void acknowledged(String key, JsonNode answer) {
        Outgoing first = queue.peek();
        if (first != null && first.key.equals(key)) taken(first, answer);
    }

    /**
     * The server refuses a message.
     *
     * @param key the message's; null where it does not say: only one is under way at a time
     * @return false if it is not one of these
     */
    boolean refused(@Nullable String key, String code, String sentence) {
        Outgoing first = underWay;
        if (first == null || asked == null || (key != null && !key.equals(first.key))) return false;
        if (Connection.passing(code)) {
            again(first, 0);
        } else {
            refuse(first, code, sentence);
            flush();
        }
        return true;
    }

    private void taken(Outgoing message, JsonNode answer) {
        queue.remove(message);
        answered();
        if (pause != null) pause.run();
        pause = null;
        S sent = dialect.sent(message.key, answer);
        core.guard.background(() -> message.future.complete(sent));
        flush();
    }

    private void refuse(Outgoing message, String code, String sentence) {
        queue.remove(message);
        answered();
        core.guard.fail(message.future, code, sentence);
    }

    private void answered() {
        underWay = null;
        if (asked != null) asked.run();
        asked = null;
    }

    private void again(Outgoing first, long retryAfter) {
        answered();
        pauseOrdered = retryAfter > 0;
        pause = core.timer.in(
                retryAfter * 1000 + backoff(first.tries++),
                () -> core.guard.locked(() -> {
                    pause = null;
                    flush();
                }));
    }

    /** Half of the window at least: a server that has too much to do is not asked again at once. */
    private long backoff(int tries) {
        ClientBuilder<?> settings = core.settings;
        long window = Math.min(settings.backoffCap.toMillis(), settings.backoffBase.toMillis() << Math.min(tries, 20));
        return window / 2 + core.random.nextLong(window + 1);
    }

    /** The connection is gone; what was on its way is sent again on the next. What was posted still has its answer to come. */
    void lost() {
        if (asked != null) answered();
    }

    /** The one message on its way, if there is one, cannot have been taken, and would end the next connection too. */
    void tooLarge() {
        Outgoing first = underWay;
        if (first != null && asked != null) {
            refuse(first, "too_large", "the server does not take a message of this size");
        }
    }

    /** Fails all that wait. */
    void fail(String code, String sentence) {
        answered();
        if (pause != null) pause.run();
        for (Outgoing one : queue) core.guard.fail(one.future, code, sentence);
        queue.clear();
    }
}
