package io.carillon.node.session;

import io.carillon.model.channel.ChannelName;
import io.carillon.model.channel.Position;
import io.carillon.node.identity.Principal;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.HashSet;
import java.util.LinkedHashMap;
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

    private static final Object[] NONE = {};

    /** Tasks that may wait until it is open: a client may send at once what it could not send before. */
    private static final int MOST_BEFORE_OPEN = 1_024;

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

    /**
     * The channels it is on, and behind each the position from which on it has been sent everything: a name and a
     * position in turns, because ten thousand sessions have two or three of them each.
     */
    private Object[] starts = NONE;

    /** Channels of which some of what was missed was sent, but not all: what came before is not sent again. */
    private @Nullable Set<ChannelName> broken;

    private @Nullable List<Runnable> whenOpen;
    private @Nullable List<Runnable> whenDrained;
    private @Nullable Map<ChannelName, List<Runnable>> whenSettled;

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

    /**
     * Every event of the channel behind the position has been or will be sent to it. Said again when that has changed:
     * what it missed was sent, or continuity was lost.
     */
    public void attached(ChannelName channel, Position position) {
        int at = indexOf(channel);
        if (at < 0) {
            at = starts.length;
            starts = Arrays.copyOf(starts, at + 2);
            starts[at] = channel;
        }
        starts[at + 1] = position;
    }

    /** It is on the channel no longer. */
    public void detached(ChannelName channel) {
        Set<ChannelName> some = broken;
        if (some != null) some.remove(channel);
        int at = indexOf(channel);
        if (at < 0) return;
        int last = starts.length - 2;
        starts[at] = starts[last];
        starts[at + 1] = starts[last + 1];
        starts = Arrays.copyOf(starts, last);
    }

    /** The position behind which it has been sent everything of the channel; null when it is not on it. */
    public @Nullable Position start(ChannelName channel) {
        int at = indexOf(channel);
        return at < 0 ? null : (Position) starts[at + 1];
    }

    private int indexOf(ChannelName channel) {
        for (int i = 0; i < starts.length; i += 2) {
            if (starts[i].equals(channel)) return i;
        }
        return -1;
    }

    /** What it missed of the channel could be sent in part only. */
    public void broke(ChannelName channel) {
        Set<ChannelName> some = broken;
        if (some == null) broken = some = new HashSet<>(2);
        some.add(channel);
    }

    /** Whether what it missed of the channel was sent in part only. */
    public boolean broken(ChannelName channel) {
        Set<ChannelName> some = broken;
        return some != null && some.contains(channel);
    }

    /** Everything is attached: the positions to welcome the client with. */
    public Map<String, Position> open() {
        state = State.OPEN;
        var positions = new LinkedHashMap<String, Position>();
        for (int i = 0; i < starts.length; i += 2) {
            positions.put(((ChannelName) starts[i]).label(), (Position) starts[i + 1]);
        }
        return positions;
    }

    /** Runs the task once the session is open; false when too many wait for that. */
    public boolean whenOpen(Runnable task) {
        List<Runnable> tasks = whenOpen;
        if (tasks == null) whenOpen = tasks = new ArrayList<>(1);
        return tasks.size() < MOST_BEFORE_OPEN && tasks.add(task);
    }

    /** What was to be run once it is open. */
    public List<Runnable> takeWhenOpen() {
        List<Runnable> tasks = whenOpen;
        whenOpen = null;
        return tasks == null ? List.of() : tasks;
    }

    /** Whether the client reads: nothing waits for it here, and its socket takes more. */
    public boolean reads() {
        if (state == State.CLOSED) return false;
        // What the kernel takes now need not count against the client.
        if (!socket.writable()) socket.flush();
        return outbox.frames() == 0 && socket.writable();
    }

    /** Runs the task once the client {@linkplain #reads reads} again; never when it is gone before. */
    public void whenDrained(Runnable task) {
        if (state == State.CLOSED) return;
        List<Runnable> tasks = whenDrained;
        if (tasks == null) whenDrained = tasks = new ArrayList<>(1);
        tasks.add(task);
    }

    /** Runs the task once it is known whether the session, which is joining the room, is on its channel. */
    public void whenSettled(ChannelName channel, Runnable task) {
        Map<ChannelName, List<Runnable>> waiting = whenSettled;
        if (waiting == null) whenSettled = waiting = new HashMap<>(2);
        waiting.computeIfAbsent(channel, name -> new ArrayList<>(1)).add(task);
    }

    /** It is on the channel, or will not be: what waited for that runs. */
    public void settled(ChannelName channel) {
        Map<ChannelName, List<Runnable>> waiting = whenSettled;
        if (waiting == null) return;
        List<Runnable> tasks = waiting.remove(channel);
        if (waiting.isEmpty()) whenSettled = null;
        if (tasks != null) tasks.forEach(Runnable::run);
    }

    /** The connection is gone or going: what waits is dropped. */
    public void closed() {
        state = State.CLOSED;
        whenDrained = null;
        whenSettled = null;
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

    /** Counts a refused message; whether there were {@code limit} within ten seconds. */
    public boolean flooding(long now, int limit) {
        if (now - refusedSince > 10_000) {
            refusedSince = now;
            refused = 0;
        }
        return ++refused >= limit;
    }

    /** The socket takes more again: what waits goes. */
    public void writable() {
        outbox.drain();
        socket.flush();
        List<Runnable> tasks = whenDrained;
        if (tasks == null || !reads()) return;
        whenDrained = null;
        tasks.forEach(Runnable::run);
    }

    public int slot() {
        return slot;
    }

    public void slot(int place) {
        slot = place;
    }
}
