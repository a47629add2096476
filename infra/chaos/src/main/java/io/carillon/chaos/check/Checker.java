package io.carillon.chaos.check;

import java.util.ArrayList;
import java.util.BitSet;
import java.util.EnumMap;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import org.jspecify.annotations.Nullable;
import tools.jackson.databind.JsonNode;

/**
 * Proves or refutes the {@link Invariant}s on the records of one run. Two passes: the first over everything that is no
 * delivery, the second over each client's own sequence. What a publisher could not learn is a third outcome, neither
 * success nor failure: such an event may arrive or not.
 */
public final class Checker {
    private static final int SHOWN = 5;

    /** Seconds within which a client knows of its session after the cluster does. */
    private static final double OPENING = 2;

    private final Rules rules;
    private final EnumMap<Invariant, Integer> counts = new EnumMap<>(Invariant.class);
    private final List<Verdict.Violation> violations = new ArrayList<>();
    private final Map<String, Long> figures = new TreeMap<>();

    private final Windows windows = new Windows();
    private final Map<String, Publication> publications = new HashMap<>();
    private final Map<String, String> canaries = new HashMap<>();
    private final Map<String, Head> heads = new HashMap<>();
    private final Map<String, Double> revoked = new HashMap<>();
    private final Map<String, List<double[]>> online = new HashMap<>();
    private final List<Probe> probes = new ArrayList<>();
    private final Map<String, Map<Long, Publication>> places = new HashMap<>();
    /** Where clients were told to go on, by channel and epoch: the furthest of these places. */
    private final Map<String, Long> starts = new HashMap<>();
    /** When clients were told to go on, by channel. */
    private final Map<String, List<Double>> startTimes = new HashMap<>();

    private double end = Double.NaN;

    private Checker(Rules rules) {
        this.rules = rules;
    }

    /** Judges a run. */
    public static Verdict check(Records records, Rules rules) {
        return new Checker(rules).run(records);
    }

    private static final class Publication {
        final String mid;
        final String ns;
        final String ch;
        final String sha;
        final boolean durable;
        final boolean queued;
        final boolean ack;
        final double invoked;
        double acknowledged = Double.NaN;
        boolean failed;
        boolean delivered;
        boolean asked;

        @Nullable
        String epoch;

        long offset = -1;

        Publication(JsonNode record) {
            mid = text(record, "mid");
            ns = text(record, "ns");
            ch = text(record, "ch");
            sha = text(record, "sha");
            durable = record.path("durable").asBoolean(true);
            queued = record.path("queued").asBoolean(false);
            ack = record.path("ack").asBoolean(false);
            invoked = time(record);
        }
    }

    private record Head(double at, String epoch, long offset) {}

    private record Probe(double from, double at, String ns, String via, Set<String> users, JsonNode record) {}

    /** How far one client has come in one channel. */
    private static final class Place {
        String epoch = "";
        long offset;
        double at;
        boolean never;
        final Map<String, BitSet> seen = new HashMap<>();

        boolean take(String inEpoch, long at) {
            BitSet bits = seen.computeIfAbsent(inEpoch, e -> new BitSet());
            boolean fresh = !bits.get((int) at);
            bits.set((int) at);
            return fresh;
        }
    }

    private Verdict run(Records records) {
        records.each(
                List.of(
                        "tenant",
                        "pub.invoke",
                        "pub.ok",
                        "pub.fail",
                        "pub.info",
                        "fault",
                        "heal",
                        "revoke",
                        "presence",
                        "head",
                        "end",
                        "drained"),
                this::first);
        for (String actor : records.actors()) records.each(actor, List.of(), clientOf(actor));
        acknowledgedAreKept();
        realTime();
        presence();
        List<String> invalid = new ArrayList<>();
        require(invalid, "acknowledged", rules.acknowledged(), "publishes were acknowledged");
        require(invalid, "delivered", rules.deliveries(), "events were delivered");
        require(invalid, "faults", rules.faults(), "faults happened");
        if (publications.values().stream().anyMatch(this::later)) {
            invalid.add("events were still being acknowledged when it was noted where the channels stand");
        }
        if (Double.isNaN(end)) invalid.add("the run has no end: something stopped it");
        if (figures.getOrDefault("drained", 0L) == 0) invalid.add("nobody looked what was left when all had gone");
        return new Verdict(violations, counts, invalid, figures);
    }

    /** Whether an event was acknowledged after its channel's head was read. */
    private boolean later(Publication publication) {
        Head head = heads.get(publication.ns + '/' + publication.ch);
        return head != null && publication.acknowledged > head.at();
    }

    private void require(List<String> invalid, String figure, long wanted, String what) {
        long had = figures.getOrDefault(figure, 0L);
        if (had < wanted)
            invalid.add("only " + had + " " + what + "; a run with fewer than " + wanted + " proves little");
    }

    private void count(String figure) {
        figures.merge(figure, 1L, Long::sum);
    }

    private void violated(Invariant invariant, String sentence, JsonNode... evidence) {
        int sofar = counts.merge(invariant, 1, Integer::sum);
        if (sofar > SHOWN) return;
        List<String> lines = new ArrayList<>();
        for (JsonNode record : evidence) lines.add(record.toString());
        violations.add(new Verdict.Violation(invariant, sentence, lines));
    }

    private static String text(JsonNode record, String field) {
        return record.path(field).asString("");
    }

    private static double time(JsonNode record) {
        return record.path("t").asDouble();
    }

    // ---- first pass

    private void first(JsonNode record) {
        switch (text(record, "k")) {
            case "tenant" -> canaries.put(text(record, "ns"), text(record, "canary"));
            case "pub.invoke" -> publications.putIfAbsent(text(record, "mid"), new Publication(record));
            case "pub.ok" -> acknowledged(record);
            case "pub.fail" -> {
                count("refused");
                Publication publication = publications.get(text(record, "mid"));
                if (publication != null) publication.failed = true;
            }
            case "pub.info" -> count("unknown");
            case "fault" -> {
                count("faults");
                windows.take(record);
            }
            case "heal" -> windows.take(record);
            case "revoke" -> revoked.put(text(record, "ns") + '/' + text(record, "user"), time(record));
            case "presence" -> probes.add(probe(record));
            case "head" -> head(record);
            case "end" -> end = time(record);
            case "drained" -> drained(record);
            default -> {}
        }
    }

    private void head(JsonNode record) {
        heads.put(
                text(record, "ns") + '/' + text(record, "ch"),
                new Head(time(record), text(record, "epoch"), record.path("off").asLong()));
        long waiting = record.path("waiting").asLong(0);
        if (waiting > 0) {
            violated(
                    Invariant.I16,
                    "%d events of %s of %s still wait to be acknowledged; clients do so when they come again"
                            .formatted(waiting, text(record, "ch"), text(record, "ns")),
                    record);
        }
    }

    private void acknowledged(JsonNode record) {
        Publication publication = publications.get(text(record, "mid"));
        if (publication == null) {
            violated(Invariant.I1, "an event was acknowledged that nobody published", record);
            return;
        }
        if (!Double.isNaN(publication.acknowledged)) return;
        publication.acknowledged = time(record);
        count("acknowledged");
        if (record.has("off")) {
            publication.epoch = text(record, "epoch");
            publication.offset = record.path("off").asLong();
            place(publication, publication.epoch, publication.offset, record);
        }
    }

    /** One place is one event. */
    private void place(Publication publication, String epoch, long offset, JsonNode record) {
        Map<Long, Publication> channel =
                places.computeIfAbsent(publication.ns + '/' + publication.ch + '/' + epoch, key -> new HashMap<>());
        Publication known = channel.putIfAbsent(offset, publication);
        if (known != null && known != publication) {
            violated(
                    Invariant.I3,
                    "%s offset %d of epoch %s is %s to some and %s to others"
                            .formatted(publication.ch, offset, epoch, known.mid, publication.mid),
                    record);
        }
    }

    private static Probe probe(JsonNode record) {
        Set<String> users = new HashSet<>();
        record.path("users").forEach(user -> users.add(user.asString("")));
        return new Probe(
                record.path("from").asDouble(time(record)),
                time(record),
                text(record, "ns"),
                text(record, "via"),
                users,
                record);
    }

    private void drained(JsonNode record) {
        count("drained");
        for (String what : List.of("sessions", "online", "numsub")) {
            long left = record.path(what).asLong(0);
            if (left == 0) continue;
            String sentence = switch (what) {
                case "sessions" -> "nodes still count %d sessions after every client has gone";
                case "online" -> "%d users are still online after every client has gone";
                default -> "%d subscriptions to channels are left in Redis after every client has gone";
            };
            violated(Invariant.I13, sentence.formatted(left), record);
        }
    }

    // ---- second pass: one client after the other

    private java.util.function.Consumer<JsonNode> clientOf(String actor) {
        return new Client(actor)::take;
    }

    private final class Client {
        private final String actor;
        private final Map<String, Place> placesOf = new HashMap<>();
        private final Set<String> ephemeral = new HashSet<>();
        private final Map<String, Long> lastOf = new HashMap<>();
        private String ns = "";
        private String user = "";
        private double opened = Double.NaN;
        private boolean ended;

        Client(String actor) {
            this.actor = actor;
        }

        void take(JsonNode record) {
            switch (text(record, "k")) {
                case "conn.open" -> {
                    ns = text(record, "ns");
                    user = text(record, "user");
                    opened = time(record);
                    ephemeral.clear();
                    lastOf.clear();
                    count("connections");
                }
                case "conn.close" -> closed(record);
                case "sub.ok" -> subscribed(record);
                case "resync" -> {
                    count("resyncs");
                    declared(record, "resync");
                }
                case "unsub" -> placesOf.remove(text(record, "ch"));
                case "msg" -> delivered(record);
                case "dup" -> {
                    count("repeated");
                    if (record.path("same").asBoolean(false)) {
                        violated(Invariant.I6, actor + " got an event twice on one connection", record);
                    }
                }
                case "ack" -> asked(record);
                case "client.end" -> ended(record);
                default -> {}
            }
        }

        /** An event came that asks for an acknowledgement, in its turn or once more. */
        private void asked(JsonNode record) {
            count(record.path("again").asBoolean(false) ? "asked_again" : "asked");
            Publication publication = publications.get(text(record, "mid"));
            if (publication == null) {
                violated(Invariant.I1, actor + " was asked to acknowledge what nobody published", record);
            } else if (!publication.ns.equals(ns) || !publication.ch.equals(text(record, "ch"))) {
                violated(
                        Invariant.I2,
                        "%s of %s was asked to acknowledge what was published on %s of %s"
                                .formatted(actor, ns, publication.ch, publication.ns),
                        record);
            } else if (!publication.ack) {
                violated(Invariant.I1, actor + " was asked to acknowledge what did not ask for it", record);
            } else if (publication.failed) {
                violated(Invariant.I7, actor + " was asked to acknowledge an event whose publish was refused", record);
            } else {
                publication.asked = true;
            }
        }

        private void closed(JsonNode record) {
            double at = time(record);
            if (!Double.isNaN(opened)) {
                online.computeIfAbsent(ns + '/' + user, key -> new ArrayList<>())
                        .add(new double[] {opened, at});
            }
            opened = Double.NaN;
            int code = record.path("code").asInt(1006);
            boolean unexplained = code == 1006 || code == 1005 || code == 1011;
            boolean own = text(record, "by").equals("client");
            if (unexplained && !own && !windows.touch(at, at, rules.grace())) {
                violated(
                        Invariant.I11,
                        actor + " lost its connection (%d) while nothing was broken".formatted(code),
                        record);
            }
        }

        private void subscribed(JsonNode record) {
            if (!record.has("recovered")) {
                Place place = new Place();
                set(place, record);
                placesOf.put(text(record, "ch"), place);
                return;
            }
            count("resumes");
            if (!record.path("recovered").asBoolean()) {
                count("unrecovered");
                declared(record, "recovered:false");
                return;
            }
            Place place = placesOf.get(text(record, "ch"));
            String epoch = text(record, "epoch");
            if (place == null) {
                violated(Invariant.I9, actor + " recovered a channel it never had", record);
            } else if (!place.epoch.equals(epoch) && !place.never && !epoch.isEmpty()) {
                violated(
                        Invariant.I9,
                        "%s is told recovered:true in %s, from epoch %s to %s"
                                .formatted(actor, text(record, "ch"), place.epoch, epoch),
                        record);
            } else {
                place.at = time(record);
            }
        }

        private void declared(JsonNode record, String word) {
            String channel = text(record, "ch");
            Place place = placesOf.computeIfAbsent(channel, key -> new Place());
            if (!windows.touch(place.at, time(record), rules.grace())) {
                violated(
                        Invariant.I9,
                        "%s is told %s in %s while nothing was broken since it was there last (%.1f s)"
                                .formatted(actor, word, channel, place.at),
                        record);
            }
            if (place.epoch.equals(text(record, "epoch"))) {
                long skipped = record.path("off").asLong() - place.offset;
                if (skipped > 0) figures.merge("skipped", skipped, Long::sum);
            }
            set(place, record);
        }

        private void set(Place place, JsonNode record) {
            String channel = ns + '/' + text(record, "ch");
            starts.merge(
                    channel + '/' + text(record, "epoch"), record.path("off").asLong(), Math::max);
            startTimes.computeIfAbsent(channel, key -> new ArrayList<>()).add(time(record));
            place.epoch = text(record, "epoch");
            place.offset = record.path("off").asLong();
            place.never = place.epoch.startsWith("~");
            place.at = time(record);
        }

        private void delivered(JsonNode record) {
            count("delivered");
            String mid = text(record, "mid");
            String channel = text(record, "ch");
            Publication publication = publications.get(mid);
            if (publication == null) {
                violated(Invariant.I1, actor + " got an event nobody published", record);
            } else {
                if (!publication.sha.equals(text(record, "sha"))) {
                    violated(Invariant.I1, actor + " got an event whose content is not what was published", record);
                }
                if (!publication.ns.equals(ns)) {
                    violated(
                            Invariant.I2,
                            "%s of namespace %s got an event of namespace %s".formatted(actor, ns, publication.ns),
                            record);
                } else if (!publication.ch.equals(channel)) {
                    violated(
                            Invariant.I2,
                            "%s got on %s what was published on %s".formatted(actor, channel, publication.ch),
                            record);
                }
                if (publication.failed) {
                    violated(Invariant.I7, actor + " got an event whose publish was refused", record);
                }
                publication.delivered = true;
            }
            String canary = canaries.get(ns);
            if (canary != null && !canary.equals(text(record, "canary"))) {
                violated(Invariant.I2, actor + " got content that carries another namespace's mark", record);
            }
            Double since = revoked.get(ns + '/' + user);
            if (since != null && time(record) > since + rules.revoked()) {
                violated(
                        Invariant.I15,
                        "%s got an event %.1f s after its user was revoked".formatted(actor, time(record) - since),
                        record);
            }
            if (record.has("off")) durable(record, channel, publication);
            else ephemeral(record, mid, channel);
        }

        private void durable(JsonNode record, String channel, @Nullable Publication publication) {
            String epoch = text(record, "epoch");
            long offset = record.path("off").asLong();
            if (publication != null && publication.ns.equals(ns) && publication.ch.equals(channel)) {
                place(publication, epoch, offset, record);
                if (publication.offset < 0) {
                    publication.epoch = epoch;
                    publication.offset = offset;
                }
            }
            Place place = placesOf.get(channel);
            if (place == null) {
                violated(Invariant.I2, actor + " got an event of a channel it is not in: " + channel, record);
                return;
            }
            boolean fresh = place.take(epoch, offset);
            if (!fresh) {
                violated(Invariant.I6, "%s got %s offset %d twice".formatted(actor, channel, offset), record);
                return;
            }
            if (place.epoch.equals(epoch)) {
                if (offset <= place.offset) {
                    violated(
                            Invariant.I4,
                            "%s got %s offset %d after %d".formatted(actor, channel, offset, place.offset),
                            record);
                    return;
                }
                if (offset != place.offset + 1) {
                    violated(
                            Invariant.I5,
                            "%s got %s offset %d after %d: %d missing, and nobody said so"
                                    .formatted(actor, channel, offset, place.offset, offset - place.offset - 1),
                            record);
                }
            } else if (place.never && place.offset == 0) {
                if (offset != 1) {
                    violated(
                            Invariant.I5,
                            "%s stood before the first event of %s and got offset %d".formatted(actor, channel, offset),
                            record);
                }
            } else if (offset == place.offset + 1 && windows.touch(place.at, time(record), rules.grace())) {
                count("relabelled");
                overLostTail(record, channel, place);
            } else {
                violated(
                        Invariant.I9,
                        "%s came in %s from epoch %s offset %d to epoch %s offset %d without a word"
                                .formatted(actor, channel, place.epoch, place.offset, epoch, offset),
                        record);
            }
            place.epoch = epoch;
            place.offset = offset;
            place.never = false;
            place.at = time(record);
        }

        /**
         * A node that listened all the time may carry on under a new epoch, unless the old one had acknowledged events
         * beyond it.
         */
        private void overLostTail(JsonNode record, String channel, Place place) {
            Map<Long, Publication> old = places.getOrDefault(ns + '/' + channel + '/' + place.epoch, Map.of());
            Publication lost = old.get(place.offset + 1);
            if (lost != null && !Double.isNaN(lost.acknowledged)) {
                violated(
                        Invariant.I5,
                        "%s passed over %s, acknowledged at %s offset %d of epoch %s, into epoch %s"
                                .formatted(
                                        actor, lost.mid, channel, place.offset + 1, place.epoch, text(record, "epoch")),
                        record);
            }
        }

        private void ephemeral(JsonNode record, String mid, String channel) {
            if (!ephemeral.add(mid)) {
                violated(Invariant.I6, "%s got ephemeral %s twice".formatted(actor, mid), record);
                return;
            }
            int dash = mid.lastIndexOf('-');
            if (dash < 0) return;
            long number = Long.parseLong(mid.substring(dash + 1));
            Long before = lastOf.put(mid.substring(0, dash) + '@' + channel, number);
            if (before != null && before > number) {
                violated(
                        Invariant.I4,
                        "%s got ephemeral %s after number %d of the same publisher".formatted(actor, mid, before),
                        record);
            }
        }

        /** What the client stands at when everything had time to arrive. */
        private void ended(JsonNode record) {
            if (ended || !record.path("live").asBoolean(false)) return;
            ended = true;
            count("live");
            placesOf.forEach((channel, place) -> {
                Head head = heads.get(ns + '/' + channel);
                if (head == null) return;
                boolean nothing = head.offset() == 0 && place.offset == 0;
                if (nothing || place.offset == head.offset() && place.epoch.equals(head.epoch())) return;
                if (place.offset == head.offset() && windows.touch(place.at, time(record), rules.grace())) return;
                violated(
                        Invariant.I5,
                        "%s stands in %s at offset %d of epoch %s; the head is %d of %s"
                                .formatted(actor, channel, place.offset, place.epoch, head.offset(), head.epoch()),
                        record);
            });
            if (!Double.isNaN(opened)) {
                online.computeIfAbsent(ns + '/' + user, key -> new ArrayList<>())
                        .add(new double[] {opened, time(record)});
            }
        }
    }

    // ---- over all of them

    /**
     * What was acknowledged was delivered to somebody, lies where clients were told to go on behind it, or stood at the
     * end of an epoch that something broke.
     */
    private void acknowledgedAreKept() {
        for (Publication publication : publications.values()) {
            if (!publication.durable || Double.isNaN(publication.acknowledged)) continue;
            if (publication.ack ? publication.asked : publication.delivered) continue;
            if (!heads.containsKey(publication.ns + '/' + publication.ch)) continue; // nobody subscribes
            // What asks for an acknowledgement comes all the same.
            if (!publication.ack && passed(publication)) {
                count("passed");
                continue;
            }
            double until = publication.acknowledged + (publication.queued ? 30 : 10);
            if (windows.losing(publication.invoked - 1, until)) {
                count("tail");
                continue;
            }
            violated(
                    publication.ack ? Invariant.I16 : Invariant.I5,
                    "%s was acknowledged at %.3f s on %s of %s (offset %d of %s) and never delivered to anybody"
                            .formatted(
                                    publication.mid,
                                    publication.acknowledged,
                                    publication.ch,
                                    publication.ns,
                                    publication.offset,
                                    publication.epoch));
        }
        long seen = publications.values().stream()
                .filter(p -> Double.isNaN(p.acknowledged) && !p.failed && p.durable && p.delivered)
                .count();
        figures.put("unknown_seen", seen);
    }

    /**
     * Whether clients began, or were told to go on, behind the event; those that were there before it are held to their
     * own places.
     */
    private boolean passed(Publication publication) {
        String channel = publication.ns + '/' + publication.ch;
        if (publication.epoch != null) {
            return starts.getOrDefault(channel + '/' + publication.epoch, -1L) >= publication.offset;
        }
        return startTimes.getOrDefault(channel, List.of()).stream()
                .anyMatch(at -> at >= publication.invoked && at <= publication.acknowledged + 30);
    }

    /** An event stands behind all that were acknowledged before it was sent. */
    private void realTime() {
        places.forEach((channel, events) -> {
            double newest = Double.NEGATIVE_INFINITY;
            Publication newestOf = null;
            for (Publication event : new TreeMap<>(events).values()) {
                // What waits in a stream is acknowledged before it has a place.
                if (event.queued) continue;
                if (newestOf != null && !Double.isNaN(event.acknowledged) && event.acknowledged < newest) {
                    violated(
                            Invariant.I8,
                            "%s was acknowledged at %.3f s, before %s was sent at %.3f s, but stands behind it on %s"
                                    .formatted(event.mid, event.acknowledged, newestOf.mid, newest, channel));
                }
                if (event.invoked > newest) {
                    newest = event.invoked;
                    newestOf = event;
                }
            }
        });
    }

    private void presence() {
        Set<String> reported = new HashSet<>();
        for (Probe probe : probes) {
            if (windows.touch(probe.from(), probe.at(), rules.presence())) continue;
            if (probe.at() > end) continue;
            count("probes");
            Set<String> users = new HashSet<>(probe.users());
            String prefix = probe.ns() + '/';
            for (String key : online.keySet()) {
                if (key.startsWith(prefix)) users.add(key.substring(prefix.length()));
            }
            for (String user : users) {
                List<double[]> connected = online.getOrDefault(prefix + user, List.of());
                double since = probe.from() - rules.stable();
                double covered = covered(connected, since, probe.at());
                boolean listed = probe.users().contains(user);
                double whole = probe.at() - since;
                if (!listed && covered >= whole - 1e-6 && reported.add("-" + prefix + user)) {
                    violated(
                            Invariant.I10,
                            "%s of %s has been online for %.0f s and is not listed (%s)"
                                    .formatted(user, probe.ns(), rules.stable(), probe.via()),
                            brief(probe));
                }
                // A session is listed before its client has the answer to its handshake.
                if (listed
                        && covered(connected, since, probe.at() + OPENING) <= 0
                        && reported.add("+" + prefix + user)) {
                    violated(
                            Invariant.I10,
                            "%s of %s has been gone for %.0f s and is still listed (%s)"
                                    .formatted(user, probe.ns(), rules.stable(), probe.via()),
                            brief(probe));
                }
            }
        }
    }

    private static JsonNode brief(Probe probe) {
        var brief = ((tools.jackson.databind.node.ObjectNode) probe.record()).deepCopy();
        brief.put("users", probe.users().size() + " users");
        return brief;
    }

    /** Seconds of this time in which the user had a connection. */
    private static double covered(List<double[]> intervals, double from, double to) {
        List<double[]> sorted = new ArrayList<>(intervals);
        sorted.sort((a, b) -> Double.compare(a[0], b[0]));
        double sum = 0;
        double reached = from;
        for (double[] one : sorted) {
            double start = Math.max(one[0], reached);
            double stop = Math.min(one[1], to);
            if (stop > start) {
                sum += stop - start;
                reached = stop;
            }
        }
        return sum;
    }
}
