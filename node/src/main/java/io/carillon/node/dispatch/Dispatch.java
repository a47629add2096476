package io.carillon.node.dispatch;

import io.carillon.model.channel.ChannelName;
import io.carillon.model.channel.Position;
import io.carillon.model.event.Event;
import io.carillon.node.backplane.Backplane;
import io.carillon.node.channel.Channel;
import io.carillon.node.channel.ChannelListener;
import io.carillon.node.channel.Channels;
import io.carillon.node.dialect.Dialect;
import io.carillon.node.dialect.Notice;
import io.carillon.node.identity.Principal;
import io.carillon.node.presence.Presence;
import io.carillon.node.session.CloseCode;
import io.carillon.node.session.Endpoint;
import io.carillon.node.session.Session;
import io.carillon.node.session.SessionListener;
import io.carillon.node.session.Trail;
import io.netty.buffer.ByteBuf;
import io.netty.buffer.PooledByteBufAllocator;
import io.netty.util.concurrent.EventExecutor;
import java.time.Duration;
import java.time.InstantSource;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.IdentityHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.function.BiConsumer;
import java.util.function.Consumer;
import java.util.function.Predicate;
import java.util.stream.Collectors;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The crossroads: what clients ask for goes to presence, channels and the backplane; what channels bring goes to the
 * lanes of the event loops that hold their sessions, encoded once per dialect.
 *
 * <p>A session opens in this order: presence, the user's channel, the broadcast, the rooms it was put into; then it is
 * welcomed with the positions of these channels, and everything that came since follows.
 */
public final class Dispatch implements SessionListener, ChannelListener, Desk {
    private static final Logger log = LoggerFactory.getLogger(Dispatch.class);

    private final String node;
    private final Channels channels;
    private final Presence presence;
    private final Map<String, Dialect> dialects;
    private final Map<String, Set<Dialect>> dialectsByNamespace;
    private final Applications applications;
    private final Map<String, Set<String>> ephemeralByNamespace;
    private final DispatchMetrics metrics;
    private final InstantSource clock;
    private final Lane[] lanes;
    private final Map<EventExecutor, Lane> laneByLoop = new IdentityHashMap<>();
    private final Recovery recovery;
    private final Commands commands;
    private final Control control;
    private final Streams streams;
    private final PooledByteBufAllocator allocator = PooledByteBufAllocator.DEFAULT;
    private final Memory memory;
    private volatile BiConsumer<Endpoint, String> overLimit = (endpoint, user) -> {};

    /** Who is in a room: asked for by clients, answered from Redis. */
    public interface Members {
        /** The count of the room's users, and the first {@code limit} of them. */
        CompletionStage<Page> first(ChannelName room, int limit);

        /** A room's count and first users. */
        record Page(long count, List<String> users) {}
    }

    /** Judges a fresh token for a session. */
    public interface Renewal {
        /**
         * @return the principal of the fresh token; empty when the token is refused for good, fails when it
         *     could not be judged
         */
        CompletionStage<Optional<Principal>> renew(Principal current, String token);
    }

    public Dispatch(
            String node,
            List<? extends EventExecutor> loops,
            Channels channels,
            Presence presence,
            Publisher publisher,
            Backplane backplane,
            Acknowledgements acknowledgements,
            Members members,
            Renewal renewal,
            List<Dialect> dialects,
            List<Endpoint> endpoints,
            Applications applications,
            DispatchSettings settings,
            RecoverySettings recoverySettings,
            AckSettings ackSettings,
            DispatchMetrics metrics,
            InstantSource clock) {
        this.node = node;
        this.channels = channels;
        this.presence = presence;
        this.metrics = metrics;
        this.clock = clock;
        this.applications = applications;
        this.dialects = dialects.stream().collect(Collectors.toUnmodifiableMap(Dialect::name, d -> d));
        this.dialectsByNamespace = endpoints.stream()
                .collect(Collectors.groupingBy(
                        e -> e.namespace().name(),
                        Collectors.mapping(e -> dialect(e), Collectors.toUnmodifiableSet())));
        this.ephemeralByNamespace = endpoints.stream()
                .collect(Collectors.groupingBy(
                        e -> e.namespace().name(),
                        Collectors.flatMapping(e -> e.ephemeralTypes().stream(), Collectors.toUnmodifiableSet())));
        this.memory = new Memory(allocator, settings.memory());
        metrics.memory(memory::used);
        this.lanes = new Lane[loops.size()];
        for (int i = 0; i < lanes.length; i++) {
            lanes[i] = new Lane(i, loops.get(i), settings.laneBytes(), metrics);
            lanes[i].acks(new Acks(lanes[i], this, acknowledgements, ackSettings, metrics));
            laneByLoop.put(loops.get(i), lanes[i]);
        }
        metrics.lanes(
                () -> Arrays.stream(lanes).mapToLong(Lane::outboxBytes).sum(),
                () -> Arrays.stream(lanes).mapToLong(Lane::framesOut).sum());
        this.recovery = new Recovery(
                backplane, recoverySettings.keptBytes(), recoverySettings.kept().toNanos(), System::nanoTime);
        metrics.recovery(recovery::bytes);
        metrics.acks(
                () -> Arrays.stream(lanes).mapToLong(lane -> lane.acks().size()).sum());
        this.commands = new Commands(
                this,
                channels,
                publisher,
                backplane,
                applications,
                members,
                renewal,
                recovery,
                acknowledgements,
                settings,
                recoverySettings,
                metrics,
                clock);
        this.control = new Control(commands, lanes);
        applications.all().forEach(application -> application.start(this));
        this.streams = new Streams(this, recovery, recoverySettings, metrics, allocator);
    }

    /** What to do when a user has one session more; must not wait. */
    void onSession(BiConsumer<Endpoint, String> look) {
        overLimit = look;
    }

    /** What to do when an operator wants the node to empty itself and end; run on a thread that must not wait. */
    public void onDrain(Runnable task) {
        control.onDrain(task);
    }

    /** Whether frames wait for clients in more memory than the settings give them: no time for more clients. */
    public boolean overloaded() {
        return memory.exceeded();
    }

    /** Starts the lanes' clocks and lets events in. */
    public void start() {
        for (Lane lane : lanes) {
            // Not all at once: each loop has its own phase within the second.
            var unused = lane.loop()
                    .scheduleAtFixedRate(
                            () -> tick(lane), 1000 + 1000L * lane.index() / lanes.length, 1000, TimeUnit.MILLISECONDS);
        }
        channels.start(this);
    }

    private Dialect dialect(Endpoint endpoint) {
        Dialect dialect = dialects.get(endpoint.dialect());
        if (dialect == null) {
            throw new IllegalArgumentException("endpoint " + endpoint.name() + " names the dialect "
                    + endpoint.dialect() + ", which is none of " + dialects.keySet());
        }
        return dialect;
    }

    private Lane lane(Session session) {
        Lane lane = laneByLoop.get(session.socket().loop());
        if (lane == null) throw new IllegalStateException("a session lives on a loop that has no lane");
        return lane;
    }

    // ---- sessions, on their loops

    @Override
    public void opened(Session session) {
        Lane lane = lane(session);
        lane.enter(session);
        Endpoint endpoint = session.endpoint();
        Trail trail = session.trail();
        if (trail != null) {
            streams.opened(lane, session, trail);
            return;
        }
        Application application = applications.of(endpoint);
        Set<String> own = application == null ? Set.of() : application.rooms(session);
        // Presence counts down with the channels; a session is welcomed without it when Redis is away.
        var left = new AtomicInteger(3 + own.size());
        var granted = new CompletableFuture<Set<String>>();
        register(session).whenComplete((rooms, failure) -> {
            granted.complete(rooms == null ? Set.of() : rooms);
            lane.run(() -> arrived(lane, session, left, granted));
        });
        attach(lane, session, session.userChannel(), position -> arrived(lane, session, left, granted));
        attach(
                lane,
                session,
                ChannelName.broadcast(endpoint.namespace()),
                position -> arrived(lane, session, left, granted));
        for (String room : own) {
            session.join(room);
            attach(
                    lane,
                    session,
                    ChannelName.room(endpoint.namespace(), room),
                    position -> arrived(lane, session, left, granted));
        }
    }

    /** Whether who comes to and leaves the session's rooms is announced there. */
    boolean announces(Session session) {
        Application application = applications.of(session.endpoint());
        return session.endpoint().presenceEvents() || application != null && application.announces();
    }

    /** Tells presence that the session is in the room; an application's sessions with the user's name. */
    CompletionStage<Long> enter(Session session, String room) {
        String name = applications.of(session.endpoint()) == null
                ? null
                : session.principal().name();
        return presence.joined(
                session.endpoint().namespace(), room, session.id(), session.user(), name, announces(session));
    }

    /** Tells presence that the session has left the room. */
    void exit(Session session, String room) {
        presence.left(session.endpoint().namespace(), room, session.id(), session.user(), announces(session));
    }

    /** Tells presence of the session; then the user's oldest may have to go. */
    CompletionStage<Set<String>> register(Session session) {
        Endpoint endpoint = session.endpoint();
        String user = session.user();
        return presence.opened(online(session)).whenComplete((rooms, failure) -> {
            if (failure == null) overLimit.accept(endpoint, user);
        });
    }

    private static Presence.Online online(Session session) {
        Endpoint endpoint = session.endpoint();
        Principal principal = session.principal();
        return new Presence.Online(
                endpoint.namespace(),
                session.id(),
                principal.user(),
                principal.kind(),
                Set.of(),
                session.socket().address(),
                endpoint.name(),
                session.since());
    }

    /** The session wants the channel; {@code then} runs on its loop before the first event. */
    void attach(Lane lane, Session session, ChannelName name, Consumer<Position> then) {
        channels.attach(
                name,
                lane.index(),
                position -> lane.run(() -> {
                    boolean gone = session.state() == Session.State.CLOSED
                            || name.kind() == ChannelName.Kind.ROOM && !session.entered(name.id());
                    if (gone) {
                        channels.detach(name, lane.index());
                        return;
                    }
                    // The answer first, then the events that follow it. One name serves all sessions of the lane.
                    LaneChannel place = lane.add(name, dialect(session.endpoint()), session, position);
                    session.attached(place.name(), position);
                    then.accept(position);
                    session.settled(name);
                }));
    }

    private void arrived(Lane lane, Session session, AtomicInteger left, CompletableFuture<Set<String>> granted) {
        if (left.decrementAndGet() > 0 || session.state() != Session.State.OPENING) return;
        Dialect dialect = dialect(session.endpoint());
        Application application = applications.of(session.endpoint());
        var welcome = new Notice.Welcome(
                session.id(), session.user(), node, session.endpoint().ping().toMillis(), session.open());
        Notice greeting = application == null ? null : application.greeting(session);
        byte[] text = dialect.encode(greeting == null ? welcome : greeting);
        if (text != null) session.outbox().first(Frames.text(allocator, text));
        session.outbox().release();
        lane.flushSoon(session);
        lane.acks().opened(session);
        expire(lane, session, clock.millis());
        session.takeWhenOpen().forEach(Runnable::run);
        if (application != null) {
            // Whoever is told of them can see them: events of these rooms flow already.
            for (String room : application.rooms(session)) {
                var unused = enter(session, room)
                        .thenAccept(members -> lane.run(() -> {
                            if (session.state() == Session.State.OPEN) application.entered(session, room, members);
                        }));
            }
            application.opened(session);
        }
        for (String room : granted.getNow(Set.of())) commands.join(lane, session, room, null);
    }

    @Override
    public void closed(Session session, int code) {
        Lane lane = lane(session);
        Endpoint endpoint = session.endpoint();
        session.closed();
        lane.exit(session);
        if (session.trail() != null) streams.closed();
        lane.acks().closed(session);
        detach(lane, session, session.userChannel());
        detach(lane, session, ChannelName.broadcast(endpoint.namespace()));
        for (String room : session.rooms()) {
            detach(lane, session, ChannelName.room(endpoint.namespace(), room));
            exit(session, room);
        }
        presence.closed(session.id());
        Application application = applications.of(endpoint);
        if (application != null) application.closed(session);
    }

    /** The session's place on the channel; null when it is not attached. */
    @Nullable
    LaneChannel place(Lane lane, Session session, ChannelName channel) {
        return lane.find(channel, dialect(session.endpoint()));
    }

    /** The session no longer wants the channel. */
    void detach(Lane lane, Session session, ChannelName channel) {
        session.detached(channel);
        // An attachment still under way detaches itself when it finds the session closed.
        if (lane.remove(channel, dialect(session.endpoint()), session)) channels.detach(channel, lane.index());
    }

    @Override
    public void received(Session session, byte[] text) {
        if (session.state() == Session.State.CLOSED) return;
        commands.received(lane(session), session, dialect(session.endpoint()).decode(text));
    }

    /** The event as the session's dialect shows it, with a reference for the caller; null when it does not. */
    @Nullable
    ByteBuf frame(Session session, Missed item) {
        return item.frame(dialect(session.endpoint()));
    }

    /** Tells the session something; on its loop. */
    void send(Lane lane, Session session, Notice notice) {
        if (session.state() == Session.State.CLOSED) return;
        Dialect dialect = dialect(session.endpoint());
        byte[] text = dialect.encode(notice);
        if (text == null) return;
        ByteBuf frame = Frames.of(dialect, allocator, text);
        Trail trail = session.trail();
        lane.sendSoon(
                session, trail == null ? frame : Frames.end(allocator, frame, Streams.moved(session, trail, notice)));
    }

    /** Once a second on each loop. */
    private void tick(Lane lane) {
        lane.checkOutboxes();
        if (memory.exceeded()) lane.closeSlowest();
        lane.acks().tick();
        if (lane.index() == 0) recovery.expire();
        long now = clock.millis();
        List<Session> here = lane.sessions();
        for (int i = here.size() - 1; i >= 0; i--) {
            if (i >= here.size()) continue;
            Session session = here.get(i);
            expire(lane, session, now);
        }
    }

    /** Closes a session whose credential has ended; announces an end that is near. */
    void expire(Lane lane, Session session) {
        expire(lane, session, clock.millis());
    }

    private void expire(Lane lane, Session session, long now) {
        long left = session.principal().expiresAt() - now;
        if (left <= 0) {
            session.socket().close(CloseCode.TOKEN_EXPIRED);
        } else if (left <= 30_000 && session.state() == Session.State.OPEN && session.announceExpiry()) {
            send(lane, session, new Notice.TokenExpiring((left + 999) / 1000));
        }
    }

    /**
     * Tells every session that the node goes and within which window to reconnect. Returns when the sockets have it, or
     * after two seconds; not to be called on an event loop.
     */
    public void announceDrain(Duration window) {
        try {
            toEveryone(new Notice.Drain(window.toMillis())).get(2, TimeUnit.SECONDS);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        } catch (ExecutionException | TimeoutException e) {
            log.warn("Not every session could be told of the drain in time.");
        }
    }

    private CompletableFuture<Void> toEveryone(Notice notice) {
        return CompletableFuture.allOf(Arrays.stream(lanes)
                .map(lane -> {
                    var told = new CompletableFuture<Void>();
                    lane.run(() -> {
                        for (Session session : new ArrayList<>(lane.sessions())) {
                            if (session.state() == Session.State.OPEN) send(lane, session, notice);
                        }
                        told.complete(null);
                    });
                    return told;
                })
                .toArray(CompletableFuture[]::new));
    }

    // ---- what applications ask for

    @Override
    public void run(Session session, Runnable task) {
        lane(session).run(task);
    }

    @Override
    public void send(Session session, Notice notice) {
        Lane lane = lane(session);
        lane.run(() -> send(lane, session, notice));
    }

    @Override
    public void send(ChannelName channel, @Nullable Predicate<Session> which, Notice notice) {
        for (Lane lane : lanes) {
            lane.run(() -> {
                Map<Dialect, ByteBuf> frames = new IdentityHashMap<>(2);
                for (Session session : lane.members(channel)) {
                    if (session.state() != Session.State.OPEN || which != null && !which.test(session)) continue;
                    Dialect dialect = dialect(session.endpoint());
                    ByteBuf frame = dialect.stream() ? null : frames.get(dialect);
                    if (frame == null) {
                        byte[] text = dialect.stream() ? null : dialect.encode(notice);
                        if (text == null) continue;
                        frame = Frames.of(dialect, allocator, text);
                        frames.put(dialect, frame);
                    }
                    lane.sendSoon(session, frame.retainedDuplicate());
                }
                frames.values().forEach(ByteBuf::release);
            });
        }
    }

    @Override
    public void refuse(Session session, @Nullable String ref, String code, String sentence) {
        Lane lane = lane(session);
        lane.run(() -> commands.refuse(lane, session, ref, code, sentence));
    }

    @Override
    public void limit(Session session, @Nullable String ref) {
        Lane lane = lane(session);
        lane.run(() -> commands.limit(lane, session, ref));
    }

    @Override
    public void unavailable(Session session, @Nullable String ref, Throwable failure) {
        Lane lane = lane(session);
        lane.run(() -> commands.unavailable(lane, session, ref, failure));
    }

    // ---- channels, on their workers

    @Override
    public boolean event(Channel channel, Event event) {
        boolean kept = event.position() != null;
        if (!memory.takes(kept)) {
            metrics.dropped(kept, "memory");
            return false;
        }
        for (Lane lane : lanes) {
            if (channel.wantedBy(lane.index()) && lane.full(kept)) {
                metrics.dropped(kept, "lane");
                return false;
            }
        }
        ChannelName name = channel.name();
        String namespace = name.namespace().name();
        // An ephemeral event such as typing goes to no session of its sender.
        boolean ephemeral =
                ephemeralByNamespace.getOrDefault(namespace, Set.of()).contains(event.type());
        String notUser = ephemeral ? event.from() : null;
        if (event.timestamp() > 0) metrics.dispatched(clock.millis() - event.timestamp());
        for (Dialect dialect : dialectsByNamespace.getOrDefault(namespace, Set.of())) {
            if (dialect.stream() && !streams.any()) continue;
            byte[] text = dialect.encode(event);
            if (text == null) continue;
            Application application = applications.of(dialect.name());
            Predicate<Session> audience = application == null ? null : application.audience(name, event);
            ByteBuf frame = Frames.of(dialect, allocator, text);
            for (Lane lane : lanes) {
                if (channel.wantedBy(lane.index())) {
                    lane.deliver(new Delivery(
                            name,
                            dialect,
                            frame.retainedDuplicate(),
                            event.position(),
                            event.session(),
                            event.exclude(),
                            notUser,
                            audience));
                }
            }
            frame.release();
        }
        if (event.ack()) {
            for (Lane lane : lanes) {
                if (channel.wantedBy(lane.index())) lane.run(() -> lane.acks().passed(name, event));
            }
        }
        for (Application application : applications.in(name.namespace())) application.passed(name, event);
        return true;
    }

    @Override
    public void resync(Channel channel, Position position) {
        var notice = new Notice.Resync(channel.name().label(), position);
        for (Lane lane : lanes) {
            if (!channel.wantedBy(lane.index())) continue;
            lane.run(() -> {
                for (Session session : lane.members(channel.name())) send(lane, session, notice);
                lane.resynced(channel.name(), position);
            });
        }
    }

    @Override
    public void linked(boolean up) {
        presence.linked(up);
        var unused = toEveryone(up ? new Notice.Restored() : new Notice.Degraded());
        // Behind the news: what applications ask for anew is told after it.
        if (up) applications.all().forEach(Application::restored);
    }

    @Override
    public void control(byte[] message) {
        control.received(message);
    }
}
