package io.carillon.node.edge;

import io.carillon.model.channel.Namespace;
import io.carillon.node.session.Bucket;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ConcurrentMap;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicLong;
import org.jspecify.annotations.Nullable;

/**
 * How many may be in, and how fast they may come. Safe from any thread; what {@link #admit} and {@link #enter} counted is
 * given back once each.
 */
final class Admission {
    private final EdgeSettings settings;
    private final AtomicInteger connections = new AtomicInteger();
    private final ConcurrentMap<String, Integer> addresses = new ConcurrentHashMap<>();
    private final ConcurrentMap<User, Integer> users = new ConcurrentHashMap<>();

    /** When the bucket is full again, nanoseconds. */
    private final AtomicLong full;

    private volatile boolean draining;

    private record User(Namespace namespace, String id) {}

    Admission(EdgeSettings settings, long now) {
        this.settings = settings;
        this.full = new AtomicLong(now);
    }

    boolean draining() {
        return draining;
    }

    void draining(boolean on) {
        draining = on;
    }

    /** Connections admitted and not given back. */
    int connections() {
        return connections.get();
    }

    /** Counts a handshake in; or says why not, and counts nothing. */
    @Nullable
    Refusal admit(String address, long now) {
        if (draining) return Refusal.DRAINING;
        if (!taken(now)) return Refusal.BUSY;
        int most = settings.maxSessions();
        if (connections.incrementAndGet() > most && most > 0) {
            connections.decrementAndGet();
            return Refusal.FULL;
        }
        int mostOfAddress = settings.sessionsPerAddress();
        if (mostOfAddress > 0 && addresses.merge(Proxies.client(address), 1, Integer::sum) > mostOfAddress) {
            release(address);
            return Refusal.ADDRESS;
        }
        return null;
    }

    /** Gives back what {@link #admit} counted. */
    void release(String address) {
        connections.decrementAndGet();
        if (settings.sessionsPerAddress() > 0) {
            addresses.computeIfPresent(Proxies.client(address), (key, count) -> count == 1 ? null : count - 1);
        }
    }

    /** Counts a session of the user in; how many there are with it on this node. */
    int enter(Namespace namespace, String user) {
        return users.merge(new User(namespace, user), 1, Integer::sum);
    }

    /** Gives back what {@link #enter} counted. */
    void leave(Namespace namespace, String user) {
        users.computeIfPresent(new User(namespace, user), (key, count) -> count == 1 ? null : count - 1);
    }

    /** Whether nothing is counted any more. */
    boolean empty() {
        return connections.get() == 0 && addresses.isEmpty() && users.isEmpty();
    }

    private boolean taken(long now) {
        int rate = settings.handshakesPerSecond();
        if (rate == 0) return true;
        while (true) {
            long at = full.get();
            long next = Bucket.take(at, now, 1_000_000_000L / rate, settings.handshakeBurst());
            if (next == at) return false;
            if (full.compareAndSet(at, next)) return true;
        }
    }
}
