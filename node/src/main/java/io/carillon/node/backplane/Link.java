package io.carillon.node.backplane;

import io.lettuce.core.RedisChannelHandler;
import io.lettuce.core.RedisConnectionStateListener;
import io.lettuce.core.RedisURI;
import io.lettuce.core.api.StatefulConnection;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.ScheduledExecutorService;
import java.util.concurrent.ThreadLocalRandom;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Keeps one connection to Redis: connects, prepares it, hands it on, and starts again when it is lost. Lettuce's own
 * reconnection is not used: it opens a connection for work before its scripts are loaded, sends what was under way
 * again, and subscribes to everything in one command.
 *
 * <p>{@link #opened} runs on the control thread. {@link #lost} runs on the connection's own event loop after the last
 * thing it read, and the next connection is made only after it returned; so whatever the two connections read is handed
 * on strictly one after the other.
 */
abstract class Link<C extends StatefulConnection<byte[], byte[]>> {
    private static final Logger log = LoggerFactory.getLogger(Link.class);

    /** Longest wait between two attempts, ms; after an outage nothing is published or delivered for up to this long. */
    private static final long MAX_BACKOFF = 1_500;

    /** Failed attempts between two words about it in the log, about a minute and a half. */
    private static final int SAY_AGAIN = 24;

    private final String name;
    private final ScheduledExecutorService control;
    private final long jitter;
    private final Supplier<CompletionStage<RedisURI>> where;
    // Touched by the control thread only.
    private int attempts;
    private boolean started;

    private volatile @Nullable C current;
    private volatile @Nullable RedisURI at;
    private volatile @Nullable C dropped;
    private volatile boolean stopped;

    /**
     * @param where tells before each attempt where to connect
     * @param jitter longest wait before the first attempt after a loss, ms
     */
    Link(String name, ScheduledExecutorService control, Supplier<CompletionStage<RedisURI>> where, long jitter) {
        this.name = name;
        this.control = control;
        this.where = where;
        this.jitter = jitter;
    }

    /** Opens a connection. */
    abstract CompletionStage<C> connect(RedisURI uri);

    /** Makes it ready for work; a failure closes it. */
    abstract CompletionStage<?> prepare(C connection);

    abstract void opened(C connection);

    abstract void lost(C connection);

    final void start() {
        control.execute(() -> {
            if (started) return;
            started = true;
            attempt();
        });
    }

    /** The connection to work with; null while there is none. */
    final @Nullable C current() {
        return current;
    }

    /** Gives the connection up if it leads elsewhere than to the primary, or there no longer is one. */
    final void verify(RedisURI primary) {
        C connection = current;
        RedisURI here = at;
        if (connection == null || here == null || SlotMap.name(here).equals(SlotMap.name(primary))) return;
        drop(connection, "the primary is " + SlotMap.name(primary) + " now, not " + SlotMap.name(here));
    }

    /** Gives the connection up, if it is still this one; a new one is made. */
    final void drop(C connection, String why) {
        if (connection != current || stopped) return;
        dropped = connection;
        log.warn("Closing a connection to Redis and making a new one: {}. connection={}", why, name);
        var unused = connection.closeAsync();
    }

    /** Whether this node gave the connection up, and not its other end. */
    final boolean dropped(C connection) {
        return connection == dropped;
    }

    /** Closes for good; returns what completes when nothing more is read. */
    final CompletionStage<?> stop() {
        stopped = true;
        C connection = current;
        return connection == null
                ? java.util.concurrent.CompletableFuture.completedFuture(null)
                : connection.closeAsync();
    }

    private void attempt() {
        if (stopped) return;
        CompletionStage<C> connecting;
        try {
            connecting = where.get().thenCompose(uri -> {
                at = uri;
                return connect(uri);
            });
        } catch (RuntimeException e) {
            failed(e);
            return;
        }
        var unused = connecting
                .thenCompose(connection -> {
                    CompletionStage<?> preparing;
                    try {
                        preparing = prepare(connection);
                    } catch (RuntimeException e) {
                        preparing = java.util.concurrent.CompletableFuture.failedFuture(e);
                    }
                    return preparing.handle((ok, failure) -> {
                        if (failure == null) return connection;
                        var closing = connection.closeAsync();
                        throw BackplaneExceptions.of(failure);
                    });
                })
                .whenComplete((connection, failure) -> control.execute(() -> {
                    if (failure != null) failed(failure);
                    else adopt(connection);
                }));
    }

    private void adopt(C connection) {
        if (stopped) {
            var unused = connection.closeAsync();
            return;
        }
        var gone = new AtomicBoolean();
        current = connection;
        opened(connection);
        connection.addListener(new RedisConnectionStateListener() {
            @Override
            public void onRedisDisconnected(RedisChannelHandler<?, ?> handler) {
                gone(connection, gone);
            }
        });
        if (connection.isOpen()) attempts = 0;
        else gone(connection, gone);
    }

    private void gone(C connection, AtomicBoolean gone) {
        if (!gone.compareAndSet(false, true)) return;
        current = null;
        try {
            lost(connection);
        } finally {
            if (!stopped) {
                log.warn("The connection to Redis is lost. connection={}", name);
                again(ThreadLocalRandom.current().nextLong(jitter + 1));
            }
        }
    }

    private void failed(Throwable failure) {
        if (stopped) return;
        if (attempts == 0 || attempts % SAY_AGAIN == 0) {
            log.warn(
                    "Redis cannot be reached; trying on. connection={} reason={}",
                    name,
                    BackplaneExceptions.text(failure));
        }
        attempts++;
        long longest = Math.min(MAX_BACKOFF, 50L << Math.min(attempts, 10));
        again(longest / 2 + ThreadLocalRandom.current().nextLong(longest / 2 + 1));
    }

    private void again(long millis) {
        try {
            var unused = control.schedule(this::attempt, millis, TimeUnit.MILLISECONDS);
        } catch (java.util.concurrent.RejectedExecutionException e) {
            log.debug("Not connecting again: the connections are closed. connection={}", name);
        }
    }
}
