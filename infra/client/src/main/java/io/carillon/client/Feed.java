package io.carillon.client;

import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;
import tools.jackson.databind.JsonNode;

/**
 * Messages with growing ids, handed on each once and in their order: what is kept behind the last one, read page by page,
 * and what comes by itself, which waits behind it.
 *
 * <p>Messages come by themselves once a session is open, some milliseconds after its handshake. So what is kept is read
 * again after the answer to a first ping: between that look and what comes by itself there is no hole.
 *
 * <p>Guarded by the client's lock, under which every method is called; only handlers are added without it.
 */
final class Feed<M> {
    /** Messages that wait for what was missed before them; more end the connection. */
    static final int MOST_HELD = 10_000;

    private static final long TRY_AGAIN = 1_000;

    private record Item(long id, JsonNode data) {}

    private final List<Consumer<M>> ofMessages = new CopyOnWriteArrayList<>();
    private final List<Consumer<MessageGap>> ofGaps = new CopyOnWriteArrayList<>();
    private final Core<FeedConnection> core;
    private final Requests requests;
    private final FeedDialect<M, ?> dialect;
    private final int pageSize;
    private long lastId;

    /** What came by itself and waits; null where nothing has to. */
    private @Nullable List<Item> held;

    /** Whether all that is said comes by itself from here on. */
    private boolean flowing;

    /** Counts looks: the reply to a page that was asked for by an earlier one is of no use. */
    private long look;

    /** The last message that had come by itself when the look began: what is missing before it now is not kept. */
    private long known;

    private @Nullable Runnable later;

    /** Asks for the next page when there is room for it. */
    private @Nullable Runnable stalled;

    Feed(Core<FeedConnection> core, Requests requests, FeedDialect<M, ?> dialect, long afterId, int pageSize) {
        this.core = core;
        this.requests = requests;
        this.dialect = dialect;
        this.lastId = afterId;
        this.pageSize = pageSize;
    }

    void onMessage(Consumer<M> handler) {
        ofMessages.add(handler);
    }

    void onGap(Consumer<MessageGap> handler) {
        ofGaps.add(handler);
    }

    long lastId() {
        return lastId;
    }

    // ---- a WebSocket

    /** A WebSocket is open, and was asked whether it flows. Where the answer takes long, a first look is taken before it. */
    void begin(FeedConnection on) {
        held = new ArrayList<>();
        flowing = false;
        later(TRY_AGAIN, on);
    }

    /** The answer to a ping: from here on all comes by itself, and not before. */
    void flows(FeedConnection on) {
        if (flowing) return;
        flowing = true;
        catchUp(on);
    }

    /** Reads what came since the last message; what comes by itself meanwhile waits behind it. */
    void catchUp(FeedConnection on) {
        if (held == null) held = new ArrayList<>();
        known = held.stream().mapToLong(Item::id).max().orElse(0);
        read(failure -> {
            if (failure == null) caughtUp(on);
            else if (failure.status() == 401) on.lose(4401);
            else later(TRY_AGAIN + core.random.nextLong(TRY_AGAIN) + 1000 * failure.retryAfter(), on);
        });
    }

    private void later(long millis, FeedConnection on) {
        later = core.timer.in(millis, () -> core.guard.locked(on, () -> catchUp(on)));
    }

    private void caughtUp(FeedConnection on) {
        // What comes before that answer goes on waiting: behind it might be something that no look has seen.
        if (!flowing) return;
        List<Item> waiting = held == null ? new ArrayList<>() : held;
        waiting.sort(Comparator.comparingLong(Item::id));
        held = null;
        for (int i = 0; i < waiting.size(); i++) {
            Item item = waiting.get(i);
            // It came after the look had begun, and so may have what is missing before it.
            if (missing(item.id) && item.id > known) {
                held = new ArrayList<>(waiting.subList(i, waiting.size()));
                catchUp(on);
                return;
            }
            handOn(item);
        }
        if (!on.ready()) on.caughtUp();
    }

    /** A message came by itself. */
    void came(FeedConnection on, JsonNode data) {
        Item item = item(data);
        if (item == null || item.id <= lastId) return;
        if (held != null) {
            if (held.size() >= MOST_HELD) on.lose(4431);
            else held.add(item);
        } else if (missing(item.id) || (dialect.dense() && lastId == 0 && item.id > 1)) {
            held = new ArrayList<>(List.of(item));
            catchUp(on);
        } else {
            handOn(item);
        }
    }

    // ---- what is kept

    /**
     * Reads what is kept behind the last message.
     *
     * @param then is told what failed, null if nothing
     */
    void read(Consumer<@Nullable Reply> then) {
        if (later != null) later.run();
        later = null;
        stalled = null;
        page(++look, then);
    }

    private void page(long of, Consumer<@Nullable Reply> then) {
        if (core.inbox.full()) {
            stalled = () -> page(of, then);
            return;
        }
        requests.get(dialect.page(lastId, pageSize), reply -> {
            if (of != look) return;
            if (!reply.good()) {
                then.accept(reply);
                return;
            }
            long before = lastId;
            for (JsonNode data : reply.body().path("messages")) {
                Item item = item(data);
                // Only what lies before the first of a page is gone: within one, ids have been left out.
                if (item != null && lastId == before) handOn(item);
                else if (item != null) deliver(item);
            }
            if (reply.body().path("has_more").asBoolean(false) && lastId > before) page(of, then);
            else then.accept(null);
        });
    }

    /** Handlers have caught up: reads on where it had to stop for them. */
    void roomAgain() {
        Runnable next = stalled;
        stalled = null;
        if (next != null) next.run();
    }

    /** The connection is gone. */
    void ended() {
        look++;
        held = null;
        stalled = null;
        if (later != null) later.run();
        later = null;
    }

    // ---- to the handlers

    private static @Nullable Item item(JsonNode data) {
        JsonNode id = data.path("id");
        return id.isIntegralNumber() && id.canConvertToLong() ? new Item(id.asLong(), data) : null;
    }

    private boolean missing(long id) {
        return dialect.dense() && lastId > 0 && id > lastId + 1;
    }

    private void handOn(Item item) {
        if (missing(item.id)) {
            var gap = new MessageGap(lastId, item.id);
            for (Consumer<MessageGap> handler : ofGaps) core.inbox.hand(() -> handler.accept(gap));
        }
        deliver(item);
    }

    private void deliver(Item item) {
        if (item.id <= lastId) return;
        lastId = item.id;
        M message = dialect.message(item.data);
        for (Consumer<M> handler : ofMessages) core.inbox.hand(() -> handler.accept(message));
    }
}
