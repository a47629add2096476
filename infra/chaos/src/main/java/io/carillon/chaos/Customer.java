package io.carillon.chaos;

import io.carillon.chaos.World.Tenant;
import io.carillon.client.CarillonClient;
import io.carillon.client.Gap;
import io.carillon.client.Received;
import io.carillon.model.channel.Position;
import java.time.Duration;
import java.util.BitSet;
import java.util.HashMap;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.Set;
import java.util.logging.Logger;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;

/**
 * A client of the Java library, as a service would be. What its handlers get and what they are told of gaps is written
 * down as if it had come over the wire, and held to the same invariants: the library may neither lose, repeat nor swap
 * what the cluster kept, and has to say where it cannot. What the cluster sends it is written down beside it, from the
 * frames as they come.
 */
final class Customer implements Witness {
    private static final JsonMapper JSON = JsonMapper.shared();

    /** As {@link WebSocketClient} waits. */
    private static final Duration SILENCE = Duration.ofSeconds(45);

    /** Contents on their way from the wire to the handlers: several times what the library holds back. */
    private static final int UNDER_WAY = 20_000;

    private static final Logger LIBRARY = Logger.getLogger(CarillonClient.class.getName());

    static {
        LIBRARY.setFilter(record -> !(record.getThrown() instanceof OnPurpose));
    }

    /** A handler that fails, so that the event has to come again. */
    private static final class OnPurpose extends RuntimeException {
        private static final long serialVersionUID = 1;
    }

    private final World world;
    private final List<String> rooms;
    private final Habit habit;
    private final Notes notes;
    private final Random random;
    private final Tap tap;
    private final CarillonClient client;
    // Of the handlers' thread.
    private final Map<String, Position> positions = new HashMap<>();
    private final Set<String> failed = new HashSet<>();

    private volatile double pausedUntil;

    Customer(World world, Tenant tenant, int number, Habit habit, Journal journal) {
        this.world = world;
        this.rooms = world.rooms(number);
        this.habit = habit;
        this.notes = new Notes(journal, tenant.namespace() + "-" + number, world.user(number), tenant);
        this.random = new Random(
                world.seed() * 7919 + number * 31L + tenant.namespace().hashCode());
        this.tap = new Tap();
        this.client = CarillonClient.at(world.deployment().front())
                .path(tenant.path())
                // An event stream cannot prove what a WebSocket knew: every change between them would be a gap.
                .eventStream(null)
                .tokens(() -> world.token(user()))
                .silence(SILENCE)
                .tap(tap)
                .build()
                .on(CarillonClient.EVERY, this::event)
                .onGap(this::gap);
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
        return client.state() == CarillonClient.State.READY;
    }

    @Override
    public void pauseReading(double seconds) {
        pausedUntil = world.clock().now() + seconds;
    }

    @Override
    public void stop() {
        tap.left();
        client.close();
    }

    @Override
    public void cut() {
        stop();
    }

    @Override
    public void run() {
        try {
            Moment.pause(random.nextDouble() * 3);
            for (String room : rooms) {
                var unused = client.join(room);
            }
            var unused = client.connect();
            client.whenClosed().join();
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        } finally {
            stop();
            notes.journal().close();
        }
    }

    // ---- the application

    private void event(Received event) throws InterruptedException {
        double pause = pausedUntil - world.clock().now();
        if (pause > 0) Moment.pause(pause);
        String mid = event.content().path("mid").asString("");
        if (mid.isEmpty()) {
            notes.other(event.type());
            return;
        }
        Position at = event.position();
        String channel = at == null ? receiver(event) : String.valueOf(event.channel());
        var note = new Notes.Event(channel, at == null ? null : at.epoch(), at == null ? 0 : at.offset(), mid);
        Position before = positions.get(channel);
        // What comes again because nobody acknowledged it lies behind.
        if (event.ack() && at != null && before != null && at.offset() <= before.offset()) {
            notes.repeated(tap.cid(), note, false);
        } else {
            if (at != null) positions.put(channel, at);
            notes.got(
                    tap.cid(),
                    note,
                    tap.sumOf(mid, event.content()),
                    event.content().path("canary").asString(""));
            world.totals().delivered().incrementAndGet();
        }
        if (event.ack() && random.nextInt(4) == 0 && failed.add(channel + '/' + mid)) throw new OnPurpose();
    }

    private static String receiver(Received event) {
        if (event.room() != null) return "room:" + event.room();
        return event.to() != null ? "user:" + event.to() : "broadcast";
    }

    private void gap(Gap gap) {
        Position to = gap.to();
        if (to == null) {
            positions.remove(gap.channel());
            notes.left(gap.channel());
        } else {
            positions.put(gap.channel(), to);
            notes.resync(tap.cid(), gap.channel(), to.epoch(), to.offset());
        }
    }

    // ---- what comes over the wire

    private final class Tap extends Wire {
        private final Set<String> begun = new HashSet<>();
        private final Set<String> asked = new HashSet<>();
        private final Map<String, BitSet> here = new HashMap<>();
        private final Map<String, Content> contents = new LinkedHashMap<>() {
            private static final long serialVersionUID = 1;

            @Override
            protected boolean removeEldestEntry(Map.Entry<String, Content> eldest) {
                return size() > UNDER_WAY;
            }
        };

        Tap() {
            super(world, Customer.this.notes, habit);
        }

        @Override
        public synchronized void opened() {
            here.clear();
            super.opened();
        }

        @Override
        public synchronized void frame(String text) {
            JsonNode frame = JSON.readTree(text);
            switch (frame.path("type").asString("")) {
                case "welcome" -> {
                    notes.welcome(frame.path("node").asString(""));
                    for (Map.Entry<String, JsonNode> channel :
                            frame.path("channels").properties()) {
                        begin(channel.getKey(), channel.getValue());
                    }
                }
                case "joined" -> begin("room:" + frame.path("room").asString(""), frame);
                case "degraded", "restored", "token_expiring" ->
                    notes.notice(frame.path("type").asString(""));
                case "error" -> notes.error(frame.path("code").asString(""));
                default -> content(frame, text);
            }
        }

        private void begin(String channel, JsonNode at) {
            if (!begun.add(channel)) return;
            notes.begun(
                    cid(),
                    channel,
                    at.path("epoch").asString(""),
                    at.path("offset").asLong(0));
        }

        private void content(JsonNode frame, String text) {
            Content content = Content.in(text);
            if (content == null || content.mid().isEmpty()) return;
            contents.put(content.mid(), content);
            if (!frame.has("offset")) return;
            String channel = frame.path("channel").asString("");
            String epoch = frame.path("epoch").asString("");
            int offset = (int) frame.path("offset").asLong();
            boolean owed = frame.path("ack").asBoolean(false);
            var note = new Notes.Event(channel, epoch, offset, content.mid());
            if (owed) notes.asked(cid(), note, !asked.add(channel + '/' + content.mid()), true);
            BitSet seen = here.computeIfAbsent(channel + '/' + epoch, key -> new BitSet());
            if (seen.get(offset)) notes.repeated(cid(), note, !owed);
            seen.set(offset);
        }

        /** The sum of the content as it came, if the application got the same. */
        synchronized String sumOf(String mid, JsonNode handed) {
            Content came = contents.remove(mid);
            if (came == null) return "never came";
            return JSON.readTree(came.text()).equals(handed) ? came.sha() : "changed";
        }
    }
}
