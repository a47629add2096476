package io.carillon.chaos;

import io.carillon.chaos.World.Tenant;
import java.io.IOException;
import java.util.ArrayList;
import java.util.BitSet;
import java.util.Comparator;
import java.util.HashMap;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.Set;
import org.jspecify.annotations.Nullable;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;

/**
 * A client without the library, as an SDK should be: it keeps a position for each channel, resumes from it on every
 * connect, holds back what comes until the server says where it belongs, drops what it has seen, and comes back with
 * jitter. It writes down what the application gets. All state belongs to its own thread, but for what the interface says.
 */
final class Subscriber implements Witness {
    private static final JsonMapper JSON = JsonMapper.shared();
    private static final double WITHOUT_WINDOW = 3;

    private record Position(String epoch, long offset) {
        boolean never() {
            return epoch.startsWith("~");
        }
    }

    /** @param ack the id to acknowledge it by; null where it does not ask for that */
    private record Frame(
            String channel,
            Position at,
            Content content,
            @Nullable String ack) {
        Notes.Event event() {
            return new Notes.Event(channel, at.epoch(), at.offset(), content.mid());
        }
    }

    private final World world;
    private final List<String> rooms;
    private final Habit habit;
    private final Notes notes;
    private final Random random;
    private final Backoff backoff;

    private final Map<String, Position> positions = new LinkedHashMap<>();
    private final Map<String, List<Frame>> held = new HashMap<>();
    private final Map<String, BitSet> here = new HashMap<>();
    private final Set<String> asked = new HashSet<>();
    private int connections;
    private String cid = "";
    private double drainWindow;
    private boolean refusedForGood;
    private double leaveAt = Double.POSITIVE_INFINITY;

    private volatile boolean stopping;
    private volatile double pausedUntil;
    private volatile @Nullable WebSocketClient socket;
    private volatile boolean live;

    Subscriber(World world, Tenant tenant, int number, Habit habit, Journal journal) {
        this.world = world;
        this.rooms = world.rooms(number);
        this.habit = habit;
        this.notes = new Notes(journal, tenant.namespace() + "-" + number, world.user(number), tenant);
        this.random = new Random(
                world.seed() * 7919 + number * 31L + tenant.namespace().hashCode());
        this.backoff = new Backoff(random);
    }

    @Override
    public Notes notes() {
        return notes;
    }

    @Override
    public Habit habit() {
        return habit;
    }

    @Override
    public boolean live() {
        return live;
    }

    @Override
    public void pauseReading(double seconds) {
        pausedUntil = world.clock().now() + seconds;
    }

    @Override
    public void stop() {
        stopping = true;
        WebSocketClient open = socket;
        if (open != null) open.leave();
    }

    @Override
    public void cut() {
        WebSocketClient open = socket;
        if (open != null) open.abort();
    }

    @Override
    public void run() {
        try {
            Moment.pause(random.nextDouble() * 3);
            while (!stopping && !refusedForGood) {
                double began = world.clock().now();
                double wait = connection(began);
                if (stopping || refusedForGood) break;
                Moment.pause(wait);
            }
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        } finally {
            notes.journal().close();
        }
    }

    /** One connection from its handshake to its end; seconds to wait before the next. */
    private double connection(double began) throws InterruptedException {
        WebSocketClient open;
        try {
            open = WebSocketClient.connect(
                    world.deployment().options().front(),
                    tenant().path(),
                    world.token(user()),
                    habit == Habit.SLOW ? 4096 : 0);
        } catch (WebSocketClient.Refused e) {
            notes.refused(e.status(), null);
            return backoff.next(0);
        } catch (IOException e) {
            notes.refused(0, String.valueOf(e.getMessage()));
            return backoff.next(0);
        }
        socket = open;
        cid = notes.name() + "." + ++connections;
        held.clear();
        here.clear();
        drainWindow = 0;
        double opened = notes.opened(cid, habit);
        world.totals().connected().incrementAndGet();
        leaveAt = habit == Habit.CHURNING ? opened + 15 + random.nextDouble() * 25 : Double.POSITIVE_INFINITY;
        int code = 1006;
        String by = "network";
        try {
            while (true) {
                pauseIfTold();
                frame(open, open.read());
                if (stopping) {
                    open.leave();
                } else if (world.clock().now() > leaveAt) {
                    leaveAt = Double.POSITIVE_INFINITY;
                    by = "client";
                    if (random.nextBoolean()) open.leave();
                    else open.abort();
                }
            }
        } catch (WebSocketClient.Closed e) {
            code = e.code();
            if (code != 1006) by = by.equals("client") || stopping ? "client" : "server";
            else if (stopping) by = "client";
        } catch (IOException e) {
            if (stopping || WebSocketClient.silence(e)) by = "client";
        } finally {
            open.close();
            socket = null;
            live = false;
            world.totals().connected().decrementAndGet();
        }
        double closed = notes.closed(cid, code, by);
        return wait(code, by, closed - opened);
    }

    private double wait(int code, String by, double after) {
        if (code >= 4500 && code < 5000) {
            refusedForGood = true;
            return 0;
        }
        if (by.equals("client") && habit == Habit.CHURNING) return 12 + random.nextDouble() * 10;
        if (code == 1012) return random.nextDouble() * (drainWindow > 0 ? drainWindow : WITHOUT_WINDOW);
        // Some of those that a crash hits stay away for a while: presence must notice that they have gone.
        if (code == 1006 && random.nextInt(8) == 0) return 15 + random.nextDouble() * 5;
        return backoff.next(after);
    }

    private void pauseIfTold() throws InterruptedException {
        double now = world.clock().now();
        if (pausedUntil > now) Moment.pause(pausedUntil - now);
    }

    private void frame(WebSocketClient open, String text) throws IOException {
        JsonNode frame = JSON.readTree(text);
        switch (frame.path("type").asString("")) {
            case "welcome" -> welcomed(open, frame);
            case "joined" -> {
                String channel = "room:" + frame.path("room").asString("");
                if (!positions.containsKey(channel)) begin(channel, position(frame));
                live = positions.size() == 2 + rooms.size() && held.isEmpty();
            }
            case "resumed" -> resumed(open, frame);
            case "resync" -> {
                String channel = frame.path("channel").asString("");
                Position to = position(frame);
                notes.resync(cid, channel, to.epoch(), to.offset());
                positions.put(channel, to);
                List<Frame> waiting = held.get(channel);
                if (waiting != null) waiting.removeIf(one -> !follows(to, one.at()));
            }
            case "drain" -> drainWindow = frame.path("reconnect_within_ms").asLong(0) / 1000.0;
            case "degraded", "restored", "token_expiring" ->
                notes.notice(frame.path("type").asString(""));
            case "error" -> {
                notes.error(frame.path("code").asString(""));
                // A join that could not be done: try it on another connection.
                if (!live) open.abort();
            }
            case "pong", "left", "sent", "presence_join", "presence_leave" -> {}
            default -> event(open, frame, text);
        }
    }

    private void welcomed(WebSocketClient open, JsonNode welcome) throws IOException {
        notes.welcome(welcome.path("node").asString(""));
        if (positions.isEmpty()) {
            for (Map.Entry<String, JsonNode> channel : welcome.path("channels").properties()) {
                begin(channel.getKey(), position(channel.getValue()));
            }
        } else {
            var resume = new StringBuilder("{\"type\":\"resume\",\"channels\":{");
            String comma = "";
            for (Map.Entry<String, Position> one : positions.entrySet()) {
                held.put(one.getKey(), new ArrayList<>());
                resume.append(comma)
                        .append('"')
                        .append(one.getKey())
                        .append("\":{\"epoch\":\"")
                        .append(one.getValue().epoch())
                        .append("\",\"offset\":")
                        .append(one.getValue().offset())
                        .append('}');
                comma = ",";
            }
            open.send(resume.append("}}").toString());
        }
        for (String room : rooms) {
            if (!positions.containsKey("room:" + room)) open.send("{\"type\":\"join\",\"room\":\"" + room + "\"}");
        }
    }

    private void begin(String channel, Position at) {
        positions.put(channel, at);
        notes.begun(cid, channel, at.epoch(), at.offset());
    }

    private void resumed(WebSocketClient open, JsonNode answer) {
        boolean whole = true;
        for (Map.Entry<String, JsonNode> one : answer.path("channels").properties()) {
            String channel = one.getKey();
            JsonNode outcome = one.getValue();
            if (!outcome.has("epoch")) {
                // Neither recovered nor a place to go on from: ask again, on another connection.
                notes.notResumed(channel, outcome.path("code").asString(""));
                whole = false;
                continue;
            }
            boolean recovered = outcome.path("recovered").asBoolean(false);
            Position at = position(outcome);
            Position before = positions.get(channel);
            notes.resumed(cid, channel, at.epoch(), at.offset(), recovered);
            List<Frame> waiting = held.remove(channel);
            Position from = recovered && before != null ? before : at;
            positions.put(channel, from);
            if (waiting == null) continue;
            waiting.sort(Comparator.comparingLong(frame -> frame.at().offset()));
            for (Frame frame : waiting) {
                Position now = positions.getOrDefault(channel, from);
                if (follows(now, frame.at())) deliver(frame);
                else repeated(frame, false);
            }
        }
        if (whole) {
            live = positions.size() == 2 + rooms.size();
            backoff.settled();
        } else {
            open.abort();
        }
    }

    /** Whether an event lies beyond a position, as far as the client can tell. */
    private static boolean follows(Position here, Position event) {
        return !here.epoch().equals(event.epoch())
                ? here.never() || event.offset() > here.offset()
                : event.offset() > here.offset();
    }

    private void event(WebSocketClient open, JsonNode frame, String text) throws IOException {
        Content content = Content.in(text);
        if (content == null || content.mid().isEmpty()) {
            notes.other(frame.path("type").asString(""));
            return;
        }
        if (!frame.has("offset")) {
            String channel = frame.has("room")
                    ? "room:" + frame.path("room").asString("")
                    : frame.has("to") ? "user:" + frame.path("to").asString("") : "broadcast";
            notes.got(cid, new Notes.Event(channel, null, 0, content.mid()), content.sha(), content.canary());
            world.totals().delivered().incrementAndGet();
            return;
        }
        String channel = frame.path("channel").asString("");
        var one = new Frame(
                channel,
                position(frame),
                content,
                frame.path("ack").asBoolean(false) ? frame.path("id").asString("") : null);
        if (one.ack() != null) acknowledge(open, one, one.ack());
        boolean again = !first(one);
        List<Frame> waiting = held.get(channel);
        if (again) {
            repeated(one, true);
        } else if (waiting != null) {
            waiting.add(one);
        } else {
            Position now = positions.get(channel);
            // What comes again because nobody acknowledged it may be of an epoch that has passed.
            if (now != null && (one.ack() != null || now.epoch().equals(one.at().epoch())) && !follows(now, one.at())) {
                repeated(one, false);
            } else {
                deliver(one);
            }
        }
    }

    /** Acknowledges what asks for it; now and then only when it comes again, so that it has to. */
    private void acknowledge(WebSocketClient open, Frame frame, String id) throws IOException {
        boolean first = asked.add(frame.channel() + '/' + frame.content().mid());
        boolean now = !first || random.nextInt(4) != 0;
        notes.asked(cid, frame.event(), !first, now);
        if (now) open.send("{\"type\":\"ack\",\"id\":\"" + id + "\"}");
    }

    /** Whether this connection brings the event for the first time. */
    private boolean first(Frame frame) {
        BitSet seen = here.computeIfAbsent(frame.channel() + '/' + frame.at().epoch(), key -> new BitSet());
        int at = (int) frame.at().offset();
        if (seen.get(at)) return false;
        seen.set(at);
        return true;
    }

    private void deliver(Frame frame) {
        positions.put(frame.channel(), frame.at());
        notes.got(cid, frame.event(), frame.content().sha(), frame.content().canary());
        world.totals().delivered().incrementAndGet();
    }

    private void repeated(Frame frame, boolean same) {
        notes.repeated(cid, frame.event(), same && frame.ack() == null);
    }

    private static Position position(JsonNode node) {
        return new Position(node.path("epoch").asString(""), node.path("offset").asLong(0));
    }
}
