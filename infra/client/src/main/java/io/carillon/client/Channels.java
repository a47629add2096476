package io.carillon.client;

import io.carillon.model.channel.Position;
import java.lang.System.Logger.Level;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import org.jspecify.annotations.Nullable;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;
import tools.jackson.databind.node.ObjectNode;

/**
 * The channels of a client over its connections: how far it has come in each, and the rooms it wants to be in. On each
 * new WebSocket it resumes the channels it knows and joins the rooms it does not; what cannot be proven is a gap.
 *
 * <p>Guarded by the client's lock, under which every method is called.
 */
final class Channels {
    private static final JsonMapper JSON = JsonMapper.shared();

    /** Channels that one {@code resume} names at most. */
    private static final int MOST_CHANNELS = 200;

    private final Guard<PushConnection> guard;
    private final Handlers handlers;
    private final Map<String, Continuity> channels = new LinkedHashMap<>();
    private final Set<String> rooms = new LinkedHashSet<>();
    private final Map<String, List<CompletableFuture<Integer>>> joining = new HashMap<>();

    Channels(Guard<PushConnection> guard, Handlers handlers) {
        this.guard = guard;
        this.handlers = handlers;
    }

    // ---- what the application calls

    CompletableFuture<Integer> join(String room) {
        var future = new CompletableFuture<Integer>();
        rooms.add(room);
        joining.computeIfAbsent(room, r -> new ArrayList<>()).add(future);
        PushConnection open = guard.connection;
        // A stream has named its rooms with its handshake.
        if (open != null && open.stream) open.redial();
        else if (open != null && open.open()) join(open, room);
        return future;
    }

    void leave(String room) {
        boolean there = rooms.remove(room);
        channels.remove("room:" + room);
        failJoins(room, "closed", "the room was left");
        PushConnection open = guard.connection;
        if (open == null) return;
        if (open.stream) {
            if (there) open.redial();
        } else if (open.open()) {
            open.ask(JSON.createObjectNode().put("type", "leave").put("room", room), a -> {}, (c, s) -> {});
        }
    }

    // ---- catching up on a connection

    /** What an event stream has to name. */
    List<String> named(@Nullable String user) {
        var named = new ArrayList<String>(List.of("broadcast"));
        if (user != null) named.add("user:" + user);
        for (String room : rooms) named.add("room:" + room);
        return named;
    }

    /** A WebSocket is open. */
    void begin(PushConnection on) {
        var known = new ArrayList<String>();
        for (String channel : channels.keySet()) {
            if (!channel.startsWith("room:") || rooms.contains(channel.substring(5))) known.add(channel);
        }
        for (int i = 0; i < known.size(); i += MOST_CHANNELS) {
            resume(on, known.subList(i, Math.min(known.size(), i + MOST_CHANNELS)));
        }
        for (String room : rooms) if (!channels.containsKey("room:" + room)) join(on, room);
    }

    /** The channels that a session has by itself, and where they stand. */
    void welcomed(PushConnection on, JsonNode positions) {
        for (Map.Entry<String, JsonNode> one : positions.properties()) {
            Position at = Received.position(one.getValue());
            if (at == null || channels.containsKey(one.getKey())) continue;
            channels.put(one.getKey(), new Continuity(at));
            // Where a stream had come to is not known here.
            if (on.afterStream) handlers.gap(one.getKey(), null, at);
        }
    }

    /** An event stream flows, and its rooms with it: from now on, or from where another stream had come to. */
    void streaming(boolean fromNowOn) {
        if (fromNowOn) {
            // What came between the last connection and now cannot be asked for here.
            channels.forEach((channel, one) -> handlers.gap(channel, one.position(), null));
            channels.clear();
        }
        for (String room : rooms) completeJoins(room, 0);
    }

    private void join(PushConnection on, String room) {
        on.joins.add(room);
        on.ask(JSON.createObjectNode().put("type", "join").put("room", room), answer -> {}, (code, sentence) -> {
            if (!rooms.contains(room)) {
                on.joins.remove(room);
            } else if (Connection.passing(code)) {
                on.soon(() -> {
                    if (rooms.contains(room)) join(on, room);
                    else on.joins.remove(room);
                });
                return;
            } else {
                on.joins.remove(room);
                rooms.remove(room);
                failJoins(room, code, sentence);
            }
            on.settle();
        });
    }

    void joined(PushConnection on, JsonNode frame) {
        String room = frame.path("room").asString("");
        String channel = "room:" + room;
        Position at = Received.position(frame);
        Continuity known = channels.get(channel);
        on.joins.remove(room);
        if (frame.has("ref") && !rooms.contains(room)) {
            // Left meanwhile.
            on.settle();
            return;
        }
        if (known == null && at != null) {
            channels.put(channel, new Continuity(at));
            if (on.afterStream && !on.ready()) handlers.gap(channel, null, at);
        } else if (known != null
                && at != null
                && !known.holding()
                && !known.position().equals(at)) {
            // An operator's doing: the room was known from a connection before.
            if (!rooms.contains(room)) resume(on, List.of(channel));
        }
        completeJoins(room, frame.path("members").asInt(0));
        on.settle();
    }

    void left(JsonNode frame) {
        String room = frame.path("room").asString("");
        // The answer to one's own leave may come behind a new join.
        if (frame.has("ref")) return;
        rooms.remove(room);
        channels.remove("room:" + room);
        failJoins(room, "left", "an operator took the user out of the room");
        handlers.notice(new Received(frame));
    }

    private void resume(PushConnection on, List<String> named) {
        ObjectNode frame = JSON.createObjectNode().put("type", "resume");
        ObjectNode positions = frame.putObject("channels");
        for (String channel : named) {
            Continuity one = channels.get(channel);
            if (one == null) continue;
            one.hold();
            positions
                    .putObject(channel)
                    .put("epoch", one.position().epoch())
                    .put("offset", one.position().offset());
        }
        if (positions.isEmpty()) return;
        var names = List.copyOf(named);
        on.resumes++;
        on.ask(
                frame,
                answer -> {
                    on.resumes--;
                    resumed(on, answer.path("channels"));
                    on.settle();
                },
                (code, sentence) -> {
                    on.resumes--;
                    if (Connection.passing(code)) {
                        resumeLater(on, names);
                        return;
                    }
                    CarillonClient.LOG.log(Level.WARNING, "a resume was refused: {0}", code);
                    for (String channel : names) giveUp(on, channel);
                    on.settle();
                });
    }

    /** What was missed on a channel that the client is still on will not come. */
    private void giveUp(PushConnection on, String channel) {
        Continuity known = channels.get(channel);
        if (known == null) return;
        Position before = known.position();
        handlers.gap(channel, before, null);
        known.resumed(false, before).events().forEach(on::passOn);
        // A resume is what brings a session back into its rooms.
        if (channel.startsWith("room:")) join(on, channel.substring(5));
    }

    private void resumeLater(PushConnection on, List<String> named) {
        on.resumes++;
        on.soon(() -> {
            on.resumes--;
            resume(on, named);
            on.settle();
        });
    }

    private void resumed(PushConnection on, JsonNode outcomes) {
        var again = new ArrayList<String>();
        for (Map.Entry<String, JsonNode> one : outcomes.properties()) {
            String channel = one.getKey();
            Continuity known = channels.get(channel);
            if (known == null) continue;
            JsonNode outcome = one.getValue();
            String code = outcome.path("code").asString("");
            Position to = Received.position(outcome);
            if (Connection.passing(code)) {
                again.add(channel);
                continue;
            }
            if (!code.isEmpty() || to == null) {
                // Not the client's any more.
                channels.remove(channel);
                if (channel.startsWith("room:")) {
                    rooms.remove(channel.substring(5));
                    failJoins(
                            channel.substring(5),
                            code.isEmpty() ? "not_in_room" : code,
                            "the room is not the user's any more");
                }
                handlers.gap(channel, known.position(), null);
                continue;
            }
            Position before = known.position();
            Continuity.Release release = known.resumed(outcome.path("recovered").asBoolean(false), to);
            if (release.gap()) handlers.gap(channel, before, to);
            release.events().forEach(on::passOn);
            String room = channel.startsWith("room:") ? channel.substring(5) : "";
            // Asked for while there was no connection: who is in it the server has still to say.
            if (joining.containsKey(room)) join(on, room);
        }
        if (!again.isEmpty()) resumeLater(on, again);
    }

    void resync(JsonNode frame) {
        String channel = frame.path("channel").asString("");
        Position to = Received.position(frame);
        if (to == null) return;
        Continuity known = channels.get(channel);
        handlers.gap(channel, known == null ? null : known.position(), to);
        if (known == null) channels.put(channel, new Continuity(to));
        else known.resync(to);
    }

    // ---- events

    /** Passes an event on, once and when it is its turn; again only where it was not acknowledged. */
    void event(PushConnection on, Received event) {
        String channel = event.channel();
        Position at = event.position();
        if (channel == null || at == null) {
            on.passOn(event);
            return;
        }
        Continuity known = channels.get(channel);
        if (known == null) {
            String room = event.room();
            if (channel.startsWith("room:") && room != null && !on.stream) return; // left
            // An event stream says where it stands by its first event.
            on.passOn(event);
            channels.put(channel, new Continuity(at));
            return;
        }
        String id = event.id();
        boolean owed = event.ack() && id != null;
        switch (known.take(event, at)) {
            case PASSED_ON -> on.passOn(event);
            case REPEATED -> {
                // It comes again because it was not acknowledged.
                if (owed) on.passOn(event);
            }
            case HELD -> {}
        }
    }

    /** The client's own message is at this place. */
    void own(String channel, @Nullable Position at) {
        Continuity known = channels.get(channel);
        if (known != null && at != null) known.own(at);
    }

    // ---- futures of joins

    /** Fails all that wait. */
    void fail(String code, String sentence) {
        for (String room : List.copyOf(joining.keySet())) failJoins(room, code, sentence);
    }

    private void failJoins(String room, String code, String sentence) {
        List<CompletableFuture<Integer>> waiting = joining.remove(room);
        if (waiting != null) waiting.forEach(future -> guard.fail(future, code, sentence));
    }

    private void completeJoins(String room, int members) {
        List<CompletableFuture<Integer>> waiting = joining.remove(room);
        if (waiting != null) waiting.forEach(future -> guard.background(() -> future.complete(members)));
    }
}
