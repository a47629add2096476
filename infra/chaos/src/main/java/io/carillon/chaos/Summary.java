package io.carillon.chaos;

import io.carillon.chaos.check.Records;
import io.carillon.chaos.check.Verdict;
import io.carillon.chaos.check.Windows;
import io.carillon.chaos.check.Windows.Fault;
import io.carillon.loadgen.Chart;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;
import java.util.function.ToLongFunction;
import tools.jackson.databind.JsonNode;

/** What each kind of fault did to those who use the cluster, from the same records that the checker judges. */
final class Summary {
    /** How long after healing a silence is still put down to the fault. */
    private static final double AFTER = 10;
    /** Nothing is said about users who came or went this recently. */
    private static final double SETTLED = 1.5;

    /** One fault's effects; the silences are one for each client. */
    private static final class Effect {
        final Fault fault;
        final Map<String, Double> silences = new HashMap<>();
        long missed;
        long failed;
        long repeated;
        long unrecovered;
        long resyncs;
        long closes;
        double presenceWrong;
        boolean presenceSeen;

        Effect(Fault fault) {
            this.fault = fault;
        }
    }

    private final Windows windows = new Windows();
    private final List<Effect> effects = new ArrayList<>();
    private final Map<String, List<double[]>> online = new HashMap<>();
    private final Map<String, TreeSet<Long>> acknowledged = new HashMap<>();
    private final Map<Integer, Integer> deliveredAt = new HashMap<>();
    private final Map<Integer, Integer> publishedAt = new HashMap<>();
    private final Map<Integer, Integer> connectedAt = new HashMap<>();
    private double end;

    private Summary() {}

    static Summary of(Records records) {
        Summary summary = new Summary();
        records.each(List.of("fault", "heal", "end", "pub.ok"), summary::control);
        summary.windows.all().forEach(fault -> summary.effects.add(new Effect(fault)));
        for (String actor : records.actors()) {
            var client = summary.new Client(actor);
            records.each(
                    actor,
                    List.of("conn.open", "conn.close", "client.end", "msg", "dup", "resync", "sub.ok", "pub.info"),
                    client::take);
        }
        records.each(List.of("presence"), summary::probe);
        return summary;
    }

    private void control(JsonNode record) {
        switch (record.path("k").asString("")) {
            case "end" -> end = record.path("t").asDouble();
            case "pub.ok" -> {
                publishedAt.merge((int) record.path("t").asDouble(), 1, Integer::sum);
                if (record.has("off")) {
                    acknowledged
                            .computeIfAbsent(place(record), key -> new TreeSet<>())
                            .add(record.path("off").asLong());
                }
            }
            default -> windows.take(record);
        }
    }

    private static String place(JsonNode record) {
        return record.path("ns").asString("")
                + '/'
                + record.path("ch").asString("")
                + '/'
                + record.path("epoch").asString("");
    }

    /** The fault that struck last before a moment. */
    private Effect at(double time) {
        Effect found = null;
        for (Effect effect : effects) if (effect.fault.from() <= time) found = effect;
        return found == null ? new Effect(new Fault("", "", 0, 0, false)) : found;
    }

    private final class Client {
        private final String actor;
        private double last = Double.NaN;
        private double opened = Double.NaN;
        private String key = "";
        private String ns = "";
        private final Map<String, JsonNode> stands = new HashMap<>();

        Client(String actor) {
            this.actor = actor;
        }

        void take(JsonNode record) {
            double at = record.path("t").asDouble();
            switch (record.path("k").asString("")) {
                case "conn.open" -> {
                    opened = at;
                    key = record.path("ns").asString("")
                            + '/'
                            + record.path("user").asString("");
                }
                case "conn.close" -> {
                    closed(at);
                    if (record.path("by").asString("").equals("client")) last = Double.NaN;
                    else at(at).closes++;
                }
                case "client.end" -> closed(at);
                case "dup" -> at(at).repeated++;
                case "pub.info" -> at(at).failed++;
                case "resync" -> {
                    at(at).resyncs++;
                    missed(record, at);
                }
                case "sub.ok" -> {
                    if (!record.has("recovered")) {
                        stands.put(record.path("ch").asString(""), record);
                    } else if (!record.path("recovered").asBoolean()) {
                        at(at).unrecovered++;
                        missed(record, at);
                    }
                }
                default -> {
                    deliveredAt.merge((int) at, 1, Integer::sum);
                    if (!Double.isNaN(last)) silence(last, at);
                    last = at;
                    if (record.has("off")) stands.put(record.path("ch").asString(""), record);
                }
            }
        }

        /** Acknowledged events between where the client stood and where it is told to go on. */
        private void missed(JsonNode to, double at) {
            JsonNode from = stands.put(to.path("ch").asString(""), to);
            if (from == null) return;
            String channel = ns + '/' + to.path("ch").asString("") + '/';
            TreeSet<Long> none = new TreeSet<>();
            TreeSet<Long> old =
                    acknowledged.getOrDefault(channel + from.path("epoch").asString(""), none);
            TreeSet<Long> now =
                    acknowledged.getOrDefault(channel + to.path("epoch").asString(""), none);
            long left = from.path("off").asLong();
            long reached = to.path("off").asLong();
            boolean same = from.path("epoch").equals(to.path("epoch"));
            if (same && reached <= left) return;
            at(at).missed += same
                    ? now.subSet(left, false, reached, true).size()
                    : old.tailSet(left, false).size()
                            + now.headSet(reached, true).size();
        }

        private void closed(double at) {
            if (Double.isNaN(opened)) return;
            online.computeIfAbsent(key, k -> new ArrayList<>()).add(new double[] {opened, at});
            for (int second = (int) opened; second <= (int) at; second++) connectedAt.merge(second, 1, Integer::sum);
            opened = Double.NaN;
        }

        private void silence(double from, double to) {
            for (Effect effect : effects) {
                Fault fault = effect.fault;
                if (from <= fault.healed() + AFTER && to >= fault.from()) {
                    effect.silences.merge(actor, to - from, Math::max);
                }
            }
        }
    }

    private void probe(JsonNode record) {
        double at = record.path("t").asDouble();
        double from = record.path("from").asDouble(at);
        if (at > end) return;
        Effect effect = at(from);
        if (effect.fault.id().isEmpty()) return;
        effect.presenceSeen = true;
        Set<String> listed = new HashSet<>();
        record.path("users").forEach(user -> listed.add(user.asString("")));
        String prefix = record.path("ns").asString("") + '/';
        for (var entry : online.entrySet()) {
            if (!entry.getKey().startsWith(prefix)) continue;
            boolean always = false;
            boolean ever = false;
            for (double[] one : entry.getValue()) {
                if (one[0] <= from - SETTLED && one[1] >= at) always = true;
                if (one[0] <= at && one[1] >= from - SETTLED) ever = true;
            }
            boolean is = listed.contains(entry.getKey().substring(prefix.length()));
            if (always && !is || !ever && is) {
                effect.presenceWrong = Math.max(effect.presenceWrong, at - effect.fault.from());
            }
        }
    }

    String table(Verdict verdict) {
        Map<String, List<Effect>> byName = new LinkedHashMap<>();
        for (Effect effect : effects) {
            byName.computeIfAbsent(effect.fault.name(), name -> new ArrayList<>())
                    .add(effect);
        }
        var text = new StringBuilder();
        String row = "%-17s %5s %7s %7s %7s %10s %7s %8s %8s %15s %9s%n";
        text.append(String.format(
                Locale.ROOT,
                "%n" + row,
                "fault",
                "count",
                "held",
                "closes",
                "failed",
                "recovered",
                "resync",
                "declared",
                "repeats",
                "silence s",
                "presence"));
        text.append(String.format(
                Locale.ROOT, row, "", "", "s", "", "tries", ":false", "", "lost", "dropped", "p50 / max", "right s"));
        byName.forEach((name, all) -> {
            double[] silences = all.stream()
                    .flatMap(effect -> effect.silences.values().stream())
                    .mapToDouble(Double::doubleValue)
                    .sorted()
                    .toArray();
            double held = all.stream()
                    .mapToDouble(effect -> effect.fault.healed() - effect.fault.from())
                    .max()
                    .orElse(0);
            double right = all.stream()
                    .mapToDouble(effect -> effect.presenceWrong)
                    .max()
                    .orElse(0);
            text.append(String.format(
                    Locale.ROOT,
                    row,
                    name,
                    all.size(),
                    String.format(Locale.ROOT, "%.1f", held),
                    sum(all, effect -> effect.closes),
                    sum(all, effect -> effect.failed),
                    sum(all, effect -> effect.unrecovered),
                    sum(all, effect -> effect.resyncs),
                    sum(all, effect -> effect.missed),
                    sum(all, effect -> effect.repeated),
                    silences.length == 0
                            ? "-"
                            : String.format(
                                    Locale.ROOT, "%.2f / %.2f", percentile(silences, 0.5), percentile(silences, 1)),
                    right == 0 ? "at once" : String.format(Locale.ROOT, "%.1f", right)));
        });
        text.append(String.format(
                Locale.ROOT,
                "%nacknowledged %d, refused %d, unknown attempts %d (of those never learnt %d arrived)%n",
                verdict.figure("acknowledged"),
                verdict.figure("refused"),
                verdict.figure("unknown"),
                verdict.figure("unknown_seen")));
        text.append(String.format(
                Locale.ROOT,
                "delivered %d over %d connections, %d live at the end; resumes %d, of them declared lost %d; resyncs %d%n",
                verdict.figure("delivered"),
                verdict.figure("connections"),
                verdict.figure("live"),
                verdict.figure("resumes"),
                verdict.figure("unrecovered"),
                verdict.figure("resyncs")));
        text.append(String.format(
                Locale.ROOT,
                "lost in silence %d, delivered twice %d, acknowledged and gone with Redis' data %d, carried on under a new epoch %d, presence probes held to the truth %d%n%n",
                verdict.counts().getOrDefault(io.carillon.chaos.check.Invariant.I5, 0),
                verdict.counts().getOrDefault(io.carillon.chaos.check.Invariant.I6, 0),
                verdict.figure("tail"),
                verdict.figure("relabelled"),
                verdict.figure("probes")));
        return text.toString();
    }

    private static long sum(List<Effect> all, ToLongFunction<Effect> figure) {
        return all.stream().mapToLong(figure).sum();
    }

    private static double percentile(double[] sorted, double share) {
        return sorted[(int) Math.min(sorted.length - 1, Math.floor(share * sorted.length))];
    }

    /** Deliveries, publishes and connections over time, the faults behind them. */
    String chart() {
        List<Chart.Band> bands = new ArrayList<>();
        for (Effect effect : effects) {
            Fault fault = effect.fault;
            bands.add(new Chart.Band(fault.name(), fault.from(), Math.min(fault.healed(), end)));
        }
        return Chart.timeline(
                "What arrived while things broke",
                bands,
                Arrays.asList(
                        line("deliveries a second", deliveredAt),
                        line("acknowledged a second", publishedAt),
                        line("clients connected", connectedAt)));
    }

    private Chart.Line line(String name, Map<Integer, Integer> at) {
        List<double[]> points = new ArrayList<>();
        for (int second = 0; second < (int) end; second++)
            points.add(new double[] {second, at.getOrDefault(second, 0)});
        return new Chart.Line(name, points);
    }
}
