package io.carillon.node.edge;

import io.carillon.node.session.CloseCode;
import io.carillon.node.session.Endpoint;
import io.carillon.node.session.OutboxSettings;
import io.carillon.node.session.Session;
import io.carillon.node.session.SessionListener;
import io.carillon.node.session.Socket;
import java.time.Clock;
import java.util.Collection;
import java.util.HashMap;
import java.util.Map;
import java.util.concurrent.atomic.AtomicLong;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** What every connection is received with. Immutable, but for what its parts count. */
final class Reception {
    private static final Logger log = LoggerFactory.getLogger(Reception.class);

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

    /** The session of somebody who may come in. */
    Session session(Interview.Accepted accepted, Socket socket) {
        return new Session(
                ids.next(),
                accepted.endpoint(),
                accepted.principal(),
                socket,
                outbox,
                clock.millis(),
                accepted.trail());
    }

    /** The client has its answer: the session begins. */
    void opened(Session session) {
        metrics.opened(session.endpoint().name());
        try {
            listener.opened(session);
        } catch (RuntimeException e) {
            log.error("A session could not begin. session={}", session.id(), e);
            session.socket().close(CloseCode.INTERNAL_ERROR);
        }
    }

    /** A whole message came. */
    void received(Session session, byte[] text) {
        try {
            listener.received(session, text);
        } catch (RuntimeException e) {
            log.error("A message could not be handled; its session is closed. session={}", session.id(), e);
            session.socket().close(CloseCode.INTERNAL_ERROR);
        }
    }

    /** The session is over. To be called once. */
    void ended(Session session, int code) {
        Endpoint endpoint = session.endpoint();
        metrics.closed(endpoint.name(), code);
        if (endpoint.sessionsPerUser() > 0) admission.leave(endpoint.namespace(), session.user());
        try {
            listener.closed(session, code);
        } catch (RuntimeException e) {
            log.error("A session could not end in order. session={}", session.id(), e);
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

    /** Those of every endpoint but event streams. */
    Collection<Entrance> entrances() {
        return entrances.values();
    }

    /** The endpoint of exactly this path. */
    @Nullable
    Entrance entrance(String path) {
        return entrances.get(path);
    }
}
