package io.carillon.node.edge;

import io.netty.channel.Channel;
import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.Socket;
import java.net.SocketAddress;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import java.util.concurrent.atomic.AtomicReference;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;
import org.springframework.context.SmartLifecycle;

/**
 * The door as the rest of the node sees it: how many are in, and how to empty the house. It stops before the HTTP server
 * does, since that would cut every socket without a close frame. Safe from any thread.
 */
@SuppressWarnings("FutureReturnValueIgnored") // what fails is told through the stages handed out
public final class Edge implements SmartLifecycle {
    /** Stops before Boot's graceful shutdown of the web server begins. */
    static final int PHASE = Integer.MAX_VALUE - 512;

    private static final Logger log = LoggerFactory.getLogger(Edge.class);

    private final Reception reception;
    private final EdgeLoops loops;
    private final List<DrainListener> drainListeners;
    private final CompletableFuture<Boolean> installed = new CompletableFuture<>();
    private final AtomicReference<@Nullable CompletableFuture<Void>> drain = new AtomicReference<>();
    private volatile @Nullable SocketAddress bound;
    private volatile boolean running;

    Edge(Reception reception, EdgeLoops loops, List<DrainListener> drainListeners) {
        this.reception = reception;
        this.loops = loops;
        this.drainListeners = List.copyOf(drainListeners);
    }

    /** Open sessions of this node. */
    public int sessions() {
        return reception.metrics.sessions();
    }

    /** Whether nobody is in and nothing is counted. */
    boolean isEmpty() {
        return sessions() == 0 && reception.admission.empty();
    }

    /** Whether new sessions are refused because the node is emptying itself. */
    public boolean draining() {
        return reception.admission.draining();
    }

    /**
     * Refuses new sessions with 503 from now on and ends HTTP connections with their next answer; when proxies had time
     * to notice, announces the drain and closes every session with 1012, spread over the configured window. Once begun
     * it is not begun again.
     *
     * @return complete when no connection of a session is left; those whose client does not answer are dropped
     */
    public CompletableFuture<Void> drain() {
        var begun = new CompletableFuture<Void>();
        if (!drain.compareAndSet(null, begun)) {
            CompletableFuture<Void> before = drain.get();
            return before == null ? begun : before;
        }
        reception.admission.draining(true);
        tell(DrainListener::begun);
        Duration notice = reception.settings.drainNotice();
        int sessions = sessions();
        if (sessions > 0) {
            log.info("The node drains. sessions={} window={}", sessions, reception.settings.drainWindow());
        }
        if (notice.isZero()) {
            empty(begun);
        } else {
            CompletableFuture.delayedExecutor(notice.toMillis(), TimeUnit.MILLISECONDS, Thread::startVirtualThread)
                    .execute(() -> empty(begun));
        }
        return begun;
    }

    private void empty(CompletableFuture<Void> done) {
        Duration window = reception.settings.drainWindow();
        tell(listener -> listener.announce(window));
        var emptied = new ArrayList<CompletableFuture<Void>>();
        for (EdgeLoop loop : loops.all()) {
            emptied.add(Drain.begin(
                    loop,
                    window.toNanos(),
                    reception.settings.drainFlush().toNanos(),
                    reception.closingNanos + reception.lingerNanos));
        }
        CompletableFuture.allOf(emptied.toArray(CompletableFuture[]::new)).whenComplete((nothing, failure) -> {
            if (failure == null) done.complete(null);
            else done.completeExceptionally(failure);
        });
    }

    private void tell(Consumer<DrainListener> what) {
        for (DrainListener listener : drainListeners) {
            try {
                what.accept(listener);
            } catch (RuntimeException e) {
                log.error("A drain could not be told of; it goes on.", e);
            }
        }
    }

    /** A channel of the listener is being set up, on its loop. */
    void accepted(Channel channel) {
        var door = new Door(reception, loops.of(channel.eventLoop()), channel);
        if (DoorInstaller.install(channel.pipeline(), door)) {
            installed.complete(true);
        } else {
            door.leave();
            installed.complete(false);
            channel.close();
        }
    }

    void bound(SocketAddress address) {
        bound = address;
    }

    /**
     * Connects to the listener once. Where the HTTP server's pipeline has no place for the door, upgrades would silently
     * be 404: better not to start at all.
     */
    @Override
    public void start() {
        reception.admission.draining(false);
        drain.set(null);
        running = true;
        if (!(bound instanceof InetSocketAddress address)) return;
        InetAddress host =
                address.getAddress().isAnyLocalAddress() ? InetAddress.getLoopbackAddress() : address.getAddress();
        try (var probe = new Socket()) {
            probe.connect(new InetSocketAddress(host, address.getPort()), 5_000);
            if (!installed.get(5, TimeUnit.SECONDS)) {
                throw new IllegalStateException(
                        "the HTTP server's pipeline has no place for WebSocket handshakes: its version is not one this node knows");
            }
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new IllegalStateException("interrupted while starting", e);
        } catch (IOException | ExecutionException | TimeoutException e) {
            throw new IllegalStateException("the node's own listener does not answer at " + address, e);
        }
    }

    @Override
    public void stop(Runnable callback) {
        drain().whenComplete((nothing, failure) -> {
            running = false;
            callback.run();
        });
    }

    @Override
    public void stop() {
        drain().join();
        running = false;
    }

    @Override
    public boolean isRunning() {
        return running;
    }

    @Override
    public int getPhase() {
        return PHASE;
    }
}
