package io.carillon.node.edge;

import io.carillon.node.session.Endpoint;
import io.carillon.node.session.OutboxSettings;
import io.carillon.node.session.SessionListener;
import java.time.Clock;
import java.util.Collection;
import java.util.HashMap;
import java.util.Map;
import java.util.concurrent.atomic.AtomicLong;
import org.jspecify.annotations.Nullable;

/** What every connection is received with. Immutable, but for what its parts count. */
final class Reception {
    final EdgeSettings settings;
    final OutboxSettings outbox;
    final Proxies proxies;
    final Admission admission;
    final Gatekeeper gatekeeper;
    final @Nullable UserSessions userSessions;
    final SessionListener listener;
    final SessionIds ids;
    final EdgeMetrics metrics;
    final Clock clock;

    // Durations of the settings in nanoseconds, looked at often.
    final long handshakeNanos;
    final long requestBodyNanos;
    final long keepAliveNanos;
    final long assemblyNanos;
    final long closingNanos;
    final long lingerNanos;
    /** Time in which a client may send one more ping or pong; 0 = no limit. */
    final long controlNanos;

    /** When something was last logged that may happen at every handshake, milliseconds. */
    private final AtomicLong logged = new AtomicLong();

    private final Map<String, Entrance> entrances = new HashMap<>();

    private final Map<String, Entrance> streams = new HashMap<>();

    Reception(
            EdgeSettings settings,
            OutboxSettings outbox,
            Collection<Endpoint> endpoints,
            Admission admission,
            Gatekeeper gatekeeper,
            @Nullable UserSessions userSessions,
            SessionListener listener,
            SessionIds ids,
            EdgeMetrics metrics,
            Clock clock) {
        this.settings = settings;
        this.outbox = outbox;
        this.proxies = new Proxies(settings.trustedProxies());
        this.admission = admission;
        this.gatekeeper = gatekeeper;
        this.userSessions = userSessions;
        this.listener = listener;
        this.ids = ids;
        this.metrics = metrics;
        this.clock = clock;
        this.handshakeNanos = settings.handshake().toNanos();
        this.requestBodyNanos = settings.requestBody().toNanos();
        this.keepAliveNanos = settings.keepAlive().toNanos();
        this.assemblyNanos = settings.assembly().toNanos();
        this.closingNanos = settings.closing().toNanos();
        this.lingerNanos = settings.linger().toNanos();
        this.controlNanos = settings.controlsPerSecond() == 0 ? 0 : 1_000_000_000L / settings.controlsPerSecond();
        for (Endpoint endpoint : endpoints) {
            var entrance = new Entrance(endpoint, new Origins(endpoint.origins()));
            if (endpoint.streams()) streams.put(endpoint.namespace().name(), entrance);
            else entrances.put(endpoint.path(), entrance);
        }
    }

    /** Whether to log what may happen at every handshake: once a second, the metrics have every one. */
    boolean mayLog() {
        long now = clock.millis();
        long before = logged.get();
        return now - before >= 1_000 && logged.compareAndSet(before, now);
    }

    /** The event streams of an application; null where it has none. */
    @Nullable
    Entrance streams(String namespace) {
        return streams.get(namespace);
    }

    /** The endpoint of exactly this path. */
    @Nullable
    Entrance entrance(String path) {
        return entrances.get(path);
    }
}
