package io.carillon.loadgen;

import io.carillon.client.CarillonClient;
import io.carillon.client.FrameListener;
import io.carillon.client.Received;
import java.net.URI;
import java.util.List;
import java.util.Queue;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.Semaphore;
import java.util.concurrent.TimeUnit;

/**
 * Clients of the Java library, as applications that use it: an event has arrived when its handler is called. So latency
 * and this process' CPU are those of the library, and of its user. Where the server is to be measured, {@link Fleet} is
 * the one that does not get in the way.
 */
final class Applications implements Receivers {
    private final Fleet.Plan plan;
    private final Tally tally = new Tally();
    private final Queue<CarillonClient> clients = new ConcurrentLinkedQueue<>();
    private final Counts counts = new Counts();
    private volatile boolean closing;

    /** The plan's {@code sources}, {@code sample} and {@code awaitFrame} have no meaning here. */
    Applications(Fleet.Plan plan) {
        this.plan = plan;
    }

    @Override
    public void open(long seconds) throws InterruptedException {
        long deadline = System.nanoTime() + TimeUnit.SECONDS.toNanos(seconds);
        var window = new Semaphore(plan.window());
        var pending = new CountDownLatch(plan.connections());
        for (int i = 0; i < plan.connections(); i++) {
            if (!window.tryAcquire(deadline - System.nanoTime(), TimeUnit.NANOSECONDS)) {
                throw counts.late(seconds, plan.connections());
            }
            CarillonClient client = client(i);
            clients.add(client);
            var unused = client.connect().whenComplete((ok, failure) -> {
                if (failure == null) {
                    counts.becameReady();
                } else {
                    counts.wasRefused(String.valueOf(failure.getMessage()));
                }
                window.release();
                pending.countDown();
            });
        }
        if (!pending.await(deadline - System.nanoTime(), TimeUnit.NANOSECONDS)) {
            throw counts.late(seconds, plan.connections());
        }
    }

    private CarillonClient client(int index) {
        URI url = plan.urls().get(index % plan.urls().size());
        String path = url.getRawQuery() == null ? url.getRawPath() : url.getRawPath() + "?" + url.getRawQuery();
        Tokens tokens = plan.tokens();
        CarillonClient.Builder builder = CarillonClient.at(
                        (url.getScheme().equals("wss") ? "https://" : "http://") + url.getRawAuthority())
                .path(path)
                .eventStream(null)
                .tap(new FrameListener() {
                    @Override
                    public void frame(String text) {
                        synchronized (tally) {
                            // What is published is ASCII, so this is its bytes, and costs the client nothing.
                            tally.add(0, text.length());
                        }
                    }

                    @Override
                    public void closed(int code) {
                        if (!closing) {
                            counts.wasClosed(code == 1006 ? 0 : code);
                        }
                    }
                });
        if (tokens != null) {
            builder.token(tokens.of(plan.userPrefix() + index, 7200));
        }
        return builder.build().on(CarillonClient.EVERY, this::event);
    }

    /** On the handlers' thread of one client. */
    private void event(Received event) {
        long sent = event.content().path("sent").asLong(0);
        long now = System.nanoTime();
        synchronized (tally) {
            tally.add(1, 0);
            if (sent > 0) {
                tally.latency(now - sent);
            }
        }
    }

    /** They say goodbye in their own time, two seconds at most, which is not waited for. */
    @Override
    public void close() {
        closing = true;
        clients.forEach(CarillonClient::close);
    }

    @Override
    public List<Tally> tallies() {
        return List.of(tally);
    }

    @Override
    public Counts counts() {
        return counts;
    }
}
