package io.carillon.node.app;

import io.carillon.model.channel.ChannelName;
import io.carillon.model.event.Payload;
import io.carillon.model.redis.Keys;
import io.carillon.model.redis.Script;
import io.carillon.node.backplane.ScriptRunner;
import io.carillon.node.dialect.Notice;
import io.carillon.node.dispatch.Desk;
import io.carillon.node.session.Session;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;

/**
 * Tells this node's sessions in one room how many users are in it over all nodes: each once as it comes in, and then what
 * has changed, no more often than it may be. An announced arrival or departure only says that there is something to ask:
 * the count itself is Redis' ({@code HLEN carillon:<ns>:members:{<room>}:users}), so one that was missed or came twice
 * makes none wrong.
 *
 * <p>Safe from any thread; nothing blocks. What a session was told is touched on its loop only.
 */
final class OnlineCount {
    private final ChannelName room;
    private final Desk desk;
    private final ScriptRunner redis;
    private final Keys keys;
    private final long every;
    private final Map<String, Long> told = new ConcurrentHashMap<>();

    // Guarded by this.
    private boolean due;
    private long asked;

    OnlineCount(ChannelName room, Desk desk, ScriptRunner redis, Keys keys, Duration every) {
        this.room = room;
        this.desk = desk;
        this.redis = redis;
        this.keys = keys;
        this.every = every.toNanos();
        this.asked = System.nanoTime() - this.every;
    }

    /** A session came in when there were so many; on its loop. */
    void entered(Session session, long count) {
        // What it was told by a change that overtook this is newer.
        if (told.putIfAbsent(session.id(), count) == null) desk.send(session, notice(count));
    }

    /** A session is gone; on its loop. */
    void closed(Session session) {
        told.remove(session.id());
    }

    /** The count may be another one now: asks for it, at once or when it may. */
    void changed() {
        long wait;
        synchronized (this) {
            if (due) return;
            due = true;
            wait = Math.max(0, asked + every - System.nanoTime());
        }
        CompletableFuture.delayedExecutor(wait, TimeUnit.NANOSECONDS).execute(this::ask);
    }

    private void ask() {
        synchronized (this) {
            // What comes from now on may not be in the answer.
            due = false;
            asked = System.nanoTime();
        }
        var unused = redis.run(Script.KEY, keys.members(room.namespace(), room.id()), List.of("fields"))
                .whenComplete((reply, failure) -> {
                    // Without Redis there is no count: the sessions here hear of it once it answers.
                    if (reply == null) {
                        if (!told.isEmpty()) changed();
                        return;
                    }
                    long count = (Long) reply.getFirst();
                    desk.send(room, session -> isNews(session, count), notice(count));
                });
    }

    private boolean isNews(Session session, long count) {
        @Nullable Long before = told.put(session.id(), count);
        return before == null || before != count;
    }

    private static Notice notice(long count) {
        return new Notice.Answer("online_count", null, Payload.ofJson("{\"count\":" + count + "}"));
    }
}
