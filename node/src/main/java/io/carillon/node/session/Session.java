package io.carillon.node.session;

import io.carillon.model.channel.ChannelName;
import io.carillon.model.channel.Position;
import io.carillon.node.identity.Principal;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/** One authenticated connection. Its state is touched by its event loop only. */
public final class Session {
    /** How far a session has come. */
    public enum State {
        /** Its channels are being attached; nothing but the welcome goes out yet. */
        OPENING,
        OPEN,
        CLOSED
    }

    private final String id;
    private final Endpoint endpoint;
    private final Socket socket;
    private final long since;
    private final Outbox outbox;
    private Principal principal;
    private State state = State.OPENING;
    private boolean expiryAnnounced;
    /** Rooms it is in (true) or joining (false). */
    private @Nullable Map<String, Boolean> rooms;

    /** Where its channels stood when their events began to reach it; forgotten after a while. */
    private @Nullable Map<String, Position> starts = new HashMap<>(4);

    private @Nullable List<Runnable> whenOpen;

    private final @Nullable Trail trail;

    // The token bucket of its messages, and how many were refused lately.
    private float tokens;
    private long filledAt;
    private int refused;
    private long refusedSince;

    /** Place in its lane's list of sessions; kept by the lane. */
    private int slot = -1;

    /**
     * @param id {@code <boot>-<random>}, unguessable but no credential
     * @param since when it opened, milliseconds since the epoch
     */
    public Session(
            String id, Endpoint endpoint, Principal principal, Socket socket, OutboxSettings outbox, long since) {
        this(id, endpoint, principal, socket, outbox, since, null);
    }

    /** @param trail what an event stream asked for; null for a WebSocket */
    public Session(
            String id,
            Endpoint endpoint,
            Principal principal,
            Socket socket,
            OutboxSettings outbox,
            long since,
            @Nullable Trail trail) {
        this.trail = trail;
        this.id = id;
        this.endpoint = endpoint;
        this.principal = principal;
        this.socket = socket;
        this.since = since;
        this.outbox = new Outbox(socket, outbox);
        this.tokens = endpoint.burst();
    }

    public String id() {
        return id;
    }

    public Endpoint endpoint() {
        return endpoint;
    }

    public Socket socket() {
        return socket;
    }

    public Outbox outbox() {
        return outbox;
    }

    public Principal principal() {
        return principal;
    }

    /** The user it belongs to; never changes. */
    public String user() {
        return principal.user();
    }

    /** What it asked for and how far it is, if it is an event stream. */
    public @Nullable Trail trail() {
        return trail;
    }

    /** The user's own channel. */
    public ChannelName userChannel() {
        return ChannelName.user(endpoint.namespace(), principal.user());
    }

    /** Replaces the principal after a refresh; same user. */
    public void principal(Principal fresh) {
        principal = fresh;
        expiryAnnounced = false;
    }

    /** Whether the coming end of the credential was announced; says yes from the second call on, until a refresh. */
    public boolean announceExpiry() {
        boolean first = !expiryAnnounced;
        expiryAnnounced = true;
        return first;
    }

    /** When it opened, milliseconds since the epoch. */
    public long since() {
        return since;
    }

    public State state() {
        return state;
    }

    /** The channel's events reach it from the position on. */
    public void attached(ChannelName channel, Position position) {
        Map<String, Position> positions = starts;
        if (positions != null) positions.put(channel.label(), position);
    }

    /** Where the channel's events began to reach it; null when that is forgotten. */
    public @Nullable Position start(ChannelName channel) {
        Map<String, Position> positions = starts;
        return positions == null ? null : positions.get(channel.label());
    }

    /** Where its channels started is of no more use: clients resume right after they connect. */
    public void forgetStarts() {
        starts = null;
    }

    /** Everything is attached: the positions to welcome the client with. */
    public Map<String, Position> open() {
        state = State.OPEN;
        Map<String, Position> positions = starts;
        return positions == null ? Map.of() : Map.copyOf(positions);
    }

    /** Runs the task once the session is open. */
    public void whenOpen(Runnable task) {
        List<Runnable> tasks = whenOpen;
        if (tasks == null) whenOpen = tasks = new ArrayList<>(1);
        tasks.add(task);
    }

    /** What was to be run once it is open. */
    public List<Runnable> takeWhenOpen() {
        List<Runnable> tasks = whenOpen;
        whenOpen = null;
        return tasks == null ? List.of() : tasks;
    }

    /** The connection is gone or going: what waits is dropped. */
    public void closed() {
        state = State.CLOSED;
        outbox.close();
    }

    /** Rooms it is in or joining; not to be changed. */
    public Set<String> rooms() {
        Map<String, Boolean> joined = rooms;
        return joined == null ? Set.of() : joined.keySet();
    }

    /** Starts joining; whether the room is new to it. */
    public boolean join(String room) {
        Map<String, Boolean> joined = rooms;
        if (joined == null) rooms = joined = new HashMap<>(4);
        return joined.putIfAbsent(room, false) == null;
    }

    /** The room flows; whether it was still being waited for. */
    public boolean entered(String room) {
        Map<String, Boolean> joined = rooms;
        return joined != null && joined.replace(room, false, true);
    }

    /** Whether it was in the room, or joining. */
    public boolean leave(String room) {
        Map<String, Boolean> joined = rooms;
        return joined != null && joined.remove(room) != null;
    }

    /**
     * Whether it may send one more message now, by its endpoint's rate.
     *
     * @param now milliseconds of the loop's clock
     */
    public boolean maySend(long now) {
        int rate = endpoint.messagesPerSecond();
        if (rate == 0) return true;
        if (filledAt != 0) tokens = Math.min(endpoint.burst(), tokens + (now - filledAt) * rate / 1000f);
        filledAt = now;
        if (tokens < 1) return false;
        tokens--;
        return true;
    }

    /** Counts a refused message; whether there were more than {@code limit} within ten seconds. */
    public boolean flooding(long now, int limit) {
        if (now - refusedSince > 10_000) {
            refusedSince = now;
            refused = 0;
        }
        return ++refused > limit;
    }

    /** The socket takes more again: what waits goes. */
    public void writable() {
        outbox.drain();
        socket.flush();
    }

    public int slot() {
        return slot;
    }

    public void slot(int place) {
        slot = place;
    }
}
