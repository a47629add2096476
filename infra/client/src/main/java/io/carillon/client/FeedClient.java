package io.carillon.client;

import io.carillon.client.CarillonClient.State;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.function.Consumer;
import tools.jackson.databind.node.ObjectNode;

/**
 * What clients of messages with growing ids have in common.
 *
 * @param <M> the messages
 * @param <S> what a sender gets to know
 * @param <C> the client itself
 */
abstract class FeedClient<M, S, C extends FeedClient<M, S, C>> implements AutoCloseable {
    final Core<FeedConnection> core;
    final FeedDialect<M, S> dialect;
    final Requests requests;
    final Feed<M> feed;
    final SendQueue<S> queue;
    private final Dialer dialer;
    private final List<Consumer<Received>> ofNotices = new CopyOnWriteArrayList<>();

    FeedClient(
            FeedBuilder<?> settings,
            Core<FeedConnection> core,
            FeedDialect<M, S> dialect,
            Transport sockets,
            Calls calls) {
        this.core = core;
        this.dialect = dialect;
        this.requests = new Requests(core, calls, settings.query);
        this.feed = new Feed<>(core, requests, dialect, settings.afterId, settings.pageSize);
        this.queue = new SendQueue<>(core, requests, dialect);
        this.dialer = new Dialer(core, new FeedOpener(this, settings, sockets));
    }

    abstract C self();

    /** Adds a handler for messages. Add it before {@link #connect}, so that nothing comes too early. */
    public C onMessage(Consumer<M> handler) {
        feed.onMessage(handler);
        return self();
    }

    /** Adds a handler for changes of state. */
    public C onState(Consumer<State> handler) {
        core.inbox.onState(handler);
        return self();
    }

    /** Adds a handler for what the server says of itself: {@code degraded}, {@code restored}, {@code drain}, … */
    public C onNotice(Consumer<Received> handler) {
        ofNotices.add(handler);
        return self();
    }

    /**
     * Connects, and goes on doing so; done when the client is ready for the first time, which is when what is kept has come
     * and the rest comes by itself, or the first look was taken where there is polling only. Failed when it never will be.
     */
    public CompletableFuture<Void> connect() {
        core.guard.locked(dialer::start);
        return dialer.whenReady();
    }

    /** What the client is doing. */
    public State state() {
        core.guard.lock.lock();
        try {
            return dialer.state();
        } finally {
            core.guard.lock.unlock();
        }
    }

    /** Id of the last message that came; those behind it that were handed on may still wait for their handlers. */
    public long lastId() {
        core.guard.lock.lock();
        try {
            return feed.lastId();
        } finally {
            core.guard.lock.unlock();
        }
    }

    /** Messages that wait for the cluster's answer. */
    public int queued() {
        core.guard.lock.lock();
        try {
            return queue.size();
        } finally {
            core.guard.lock.unlock();
        }
    }

    /** Done when the client is closed, with the reason. */
    public CompletableFuture<RefusedException> whenClosed() {
        return dialer.whenOver();
    }

    /** Says goodbye and ends. Messages whose handlers have not begun are not handed on; what waits fails with {@code closed}. */
    @Override
    public void close() {
        core.guard.locked(core.inbox::clear);
        dialer.stop("closed", "the client was closed");
    }

    // ---- for those who extend it

    CompletableFuture<S> post(ObjectNode body, String key) {
        core.guard.lock.lock();
        try {
            return over() ? closed() : queue.send(body, key);
        } finally {
            core.guard.lock.unlock();
        }
    }

    /** Under the lock. */
    boolean over() {
        return dialer.over();
    }

    static <T> CompletableFuture<T> closed() {
        return RefusedException.future("closed", "the client is closed");
    }

    /** Under the lock. */
    void notice(Received notice) {
        for (Consumer<Received> handler : ofNotices) core.inbox.hand(() -> handler.accept(notice));
    }
}
