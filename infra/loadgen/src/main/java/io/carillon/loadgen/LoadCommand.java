package io.carillon.loadgen;

import io.netty.channel.Channel;
import java.io.IOException;
import java.net.InetSocketAddress;
import java.net.URI;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import org.HdrHistogram.Histogram;
import org.jspecify.annotations.Nullable;

/** {@code load}: connects, lets a second process publish, and measures what arrives and what it cost. */
final class LoadCommand {

    /** A phase has kept up if the last event arrived within this time of the last publish. */
    private static final double KEPT_UP_SECONDS = 1;

    /** And if the slowest hundredth of its deliveries took less than this. */
    private static final double KEPT_UP_MILLIS = 2_000;

    private final Arguments arguments;
    private final List<ProcessProbe> watched;
    private final String subject;
    private final Map<String, Object> result = new LinkedHashMap<>();

    private LoadCommand(Arguments arguments) {
        this.arguments = arguments;
        this.watched = ProcessProbe.parse(arguments.list("watch"));
        this.subject = arguments.text("subject", "node");
    }

    static void run(Arguments arguments) throws Exception {
        LoadCommand command = new LoadCommand(arguments);
        try {
            command.measure();
        } finally {
            arguments.deliver(Json.pretty(command.result));
        }
    }

    static List<URI> urls(Arguments arguments) {
        arguments.required("urls");
        return arguments.list("urls").stream().map(URI::create).toList();
    }

    private Receivers receivers(Transport transport, int connections) {
        Fleet.Plan plan = plan(
                urls(arguments), connections, arguments.text("await", "welcome").equals("welcome"));
        return switch (arguments.text("receivers", "raw")) {
            case "raw" -> new Fleet(transport, plan);
            case "library" -> new Applications(plan);
            default -> throw new IllegalArgumentException("--receivers is raw or library");
        };
    }

    private Fleet.Plan plan(List<URI> urls, int connections, boolean welcome) {
        String secret = System.getenv("CARILLON_JWT_SECRET");
        return new Fleet.Plan(
                urls,
                connections,
                arguments.integer("window", 256),
                arguments.integer("sources", 0),
                arguments.text("user-prefix", "u"),
                welcome,
                arguments.integer("sample", 1),
                secret == null ? null : new Tokens(secret));
    }

    private void measure() throws Exception {
        result.putAll(arguments.labels());
        result.put("loadAverage", Files.readString(Path.of("/proc/loadavg")).split(" ", 2)[0]);
        Transport transport = Transport.open(arguments.integer("loops", 1), "load");
        int connections = arguments.integer("connections", 1000);
        warmUp(arguments.integer("warm-client", 0));
        int rehearsed = arguments.integer("rehearse", 0);
        if (rehearsed > 0) {
            result.put("coldResidentKb", residentKb());
            Receivers rehearsal = receivers(transport, rehearsed);
            rehearsal.open(60);
            rehearsal.close();
            Thread.sleep(2_000);
        }
        Receivers receivers = receivers(transport, connections);
        connect(receivers, connections);
        if (!arguments.text("publish", "none").equals("none")) {
            publish(receivers, connections);
        }
        result.put("closedByServer", receivers.counts().closedByServer());
        receivers.close();
    }

    /** Connects to a server of our own first, so that a cold server is not measured by a cold client. */
    private void warmUp(int connections) throws InterruptedException {
        if (connections == 0) {
            return;
        }
        Transport transport = Transport.open(1, "warm-up");
        Channel server = FloorServer.silent(transport);
        try {
            int port = ((InetSocketAddress) server.localAddress()).getPort();
            for (int i = 0; i < 3; i++) {
                List<URI> urls = List.of(URI.create("ws://127.0.0.1:" + port + "/"));
                Fleet fleet = new Fleet(transport, plan(urls, connections, false));
                fleet.open(60);
                fleet.close();
            }
        } finally {
            server.close().sync();
            transport.group().shutdownGracefully(0, 1, TimeUnit.SECONDS).sync();
        }
    }

    private void connect(Receivers receivers, int connections) throws Exception {
        long residentBefore = residentKb();
        long proportionalBefore = proportionalKb();
        Map<String, Double> cpuBefore = cpu();
        long start = System.nanoTime();
        receivers.open(120);
        double seconds = (System.nanoTime() - start) / 1e9;
        double cpu = used(cpuBefore, subject);
        result.put("connections", receivers.counts().ready());
        result.put("refused", receivers.counts().refused());
        if (receivers.counts().firstRefusal() != null) {
            result.put("firstRefusal", receivers.counts().firstRefusal());
        }
        result.put("connectSeconds", round(seconds));
        result.put("connectCpuSeconds", round(cpu));
        sleep(arguments.number("settle", 2));
        long resident = residentKb();
        result.put("residentBeforeKb", residentBefore);
        result.put("residentKb", resident);
        result.put(
                "residentKbPerConnection",
                round((resident - residentBefore)
                        / (double) Math.max(1, receivers.counts().ready())));
        if (proportionalBefore >= 0) {
            result.put("proportionalKb", proportionalKb());
            result.put(
                    "proportionalKbPerConnection",
                    round((proportionalKb() - proportionalBefore)
                            / (double) Math.max(1, receivers.counts().ready())));
        }
        if (receivers.counts().ready() < connections) {
            throw new IllegalStateException("only " + receivers.counts().ready() + " of " + connections + " connected: "
                    + receivers.counts().firstRefusal());
        }
    }

    private void publish(Receivers receivers, int connections) throws Exception {
        Arguments publishing = publishing(connections);
        boolean broadcast = publishing.text("to", "broadcast").equals("broadcast");
        long fanOut = broadcast ? connections : 1;
        double seconds = arguments.number("seconds", 10);
        List<Double> rates = arguments
                .text("rate", "5")
                .lines()
                .flatMap(line -> List.of(line.split(",")).stream())
                .map(Double::parseDouble)
                .toList();
        List<Map<String, Object>> phases = new ArrayList<>();
        try (PublishCommand.Child publisher = new PublishCommand.Child(publishing)) {
            double warmup = arguments.number("warmup", 5);
            if (warmup > 0) {
                publisher.run(rates.getFirst(), warmup);
                settle(receivers, 10);
            }
            for (double rate : rates) {
                Map<String, Object> phase = phase(receivers, publisher, rate, seconds, fanOut);
                phases.add(phase);
                System.err.printf(
                        "  %s events/s: %,.0f deliveries/s, p50 %s ms, p99 %s ms, %s%n",
                        phase.get("rate"),
                        number(phase.get("deliveriesPerSecond")).doubleValue(),
                        latency(phase, "p50"),
                        latency(phase, "p99"),
                        Boolean.TRUE.equals(phase.get("keptUp")) ? "kept up" : "fell behind");
                if (rates.size() > 1 && Boolean.FALSE.equals(phase.get("keptUp"))) {
                    break;
                }
            }
        }
        if (phases.size() == 1) {
            result.putAll(phases.getFirst());
        } else {
            result.put("phases", phases);
            Map<String, Object> best = null;
            for (Map<String, Object> phase : phases) {
                if (Boolean.TRUE.equals(phase.get("keptUp"))) {
                    best = phase;
                }
            }
            if (best != null) {
                result.putAll(best);
            }
        }
    }

    /** What of our own options the publisher takes over. */
    private Arguments publishing(int connections) {
        Map<String, String> values = new HashMap<>(arguments.values());
        for (String ours : List.of(
                "connections",
                "window",
                "sources",
                "await",
                "receivers",
                "loops",
                "watch",
                "subject",
                "settle",
                "rehearse",
                "warm-client",
                "publish",
                "rate",
                "seconds",
                "warmup",
                "sample",
                "label",
                "out")) {
            values.remove(ours);
        }
        values.put("via", arguments.required("publish"));
        values.putIfAbsent("users", String.valueOf(connections));
        return new Arguments(values);
    }

    private Map<String, Object> phase(
            Receivers receivers, PublishCommand.Child publisher, double rate, double seconds, long fanOut)
            throws IOException, InterruptedException {
        receivers.tallies().forEach(Tally::takeLatencies);
        long eventsBefore = receivers.events();
        long bytesBefore = receivers.bytes();
        Map<String, Double> cpuBefore = cpu();
        double ownBefore = ProcessProbe.self().cpuSeconds();
        long start = System.nanoTime();
        Map<String, Object> published = publisher.run(rate, seconds);
        double window = (System.nanoTime() - start) / 1e9;
        long inWindow = receivers.events() - eventsBefore;
        long due = number(published.get("published")).longValue() * fanOut;
        for (int i = 0; i < 1_000 && receivers.events() - eventsBefore < due; i++) {
            long seen = receivers.events();
            Thread.sleep(i < 100 ? 10 : 50);
            if (i > 150 && receivers.events() == seen) {
                break;
            }
        }
        double drained = (System.nanoTime() - start) / 1e9;
        long events = receivers.events() - eventsBefore;
        Histogram latency = new Histogram(1_000, Tally.LONGEST, 3);
        for (Tally tally : receivers.tallies()) {
            latency.add(tally.takeLatencies());
        }
        Map<String, Object> phase = new LinkedHashMap<>();
        phase.put("rate", rate);
        phase.put("published", published.get("published"));
        phase.put("due", due);
        phase.put("delivered", events);
        phase.put("missing", due - events);
        phase.put("deliveriesPerSecond", round(inWindow / window));
        phase.put("drainedAfterSeconds", round(drained - window));
        phase.put("bytesPerDelivery", events == 0 ? 0 : (receivers.bytes() - bytesBefore) / events);
        double cpu = used(cpuBefore, subject);
        phase.put("cpuMicrosPerDelivery", round(cpu * 1e6 / Math.max(1, events)));
        phase.put(
                "cpuMicrosPerEvent",
                round(cpu * 1e6 / Math.max(1, number(published.get("published")).doubleValue())));
        phase.put("cpuShare", round(cpu / drained));
        Map<String, Object> shares = new LinkedHashMap<>();
        for (ProcessProbe probe : watched) {
            shares.put(probe.name(), round(used(cpuBefore, probe.name()) / drained));
        }
        double own = ProcessProbe.self().cpuSeconds() - ownBefore;
        shares.put("loadgen", round(own / drained));
        phase.put("ownCpuMicrosPerDelivery", round(own * 1e6 / Math.max(1, events)));
        phase.put("cpuShares", shares);
        phase.put("latency", Percentiles.of(latency, true));
        phase.put("publisher", published);
        phase.put(
                "keptUp",
                events >= due
                        && drained - window < KEPT_UP_SECONDS
                        && latency.getValueAtPercentile(99) / 1e6 < KEPT_UP_MILLIS
                        && receivers.counts().closedByServer().isEmpty());
        return phase;
    }

    /** Waits until nothing arrives any more, at most {@code seconds}. */
    private static void settle(Receivers receivers, int seconds) throws InterruptedException {
        long seen = -1;
        for (int i = 0; i < seconds * 2 && receivers.events() != seen; i++) {
            seen = receivers.events();
            Thread.sleep(500);
        }
    }

    private Map<String, Double> cpu() {
        Map<String, Double> used = new HashMap<>();
        for (ProcessProbe probe : watched) {
            used.put(probe.name(), probe.cpuSeconds());
        }
        return used;
    }

    private double used(Map<String, Double> before, String prefix) {
        double seconds = 0;
        for (ProcessProbe probe : watched) {
            if (probe.name().startsWith(prefix)) {
                seconds += probe.cpuSeconds() - before.getOrDefault(probe.name(), 0.0);
            }
        }
        return seconds;
    }

    private long residentKb() {
        return watched.stream()
                .filter(probe -> probe.name().startsWith(subject))
                .mapToLong(ProcessProbe::residentKb)
                .sum();
    }

    private long proportionalKb() {
        long sum = 0;
        for (ProcessProbe probe : watched) {
            if (probe.name().startsWith(subject)) {
                long kb = probe.proportionalKb();
                if (kb < 0) {
                    return -1;
                }
                sum += kb;
            }
        }
        return sum;
    }

    private static void sleep(double seconds) throws InterruptedException {
        Thread.sleep((long) (seconds * 1000));
    }

    private static Number number(@Nullable Object value) {
        return value instanceof Number number ? number : 0;
    }

    private static @Nullable Object latency(Map<String, Object> phase, String percentile) {
        return phase.get("latency") instanceof Map<?, ?> latency ? latency.get(percentile) : null;
    }

    private static double round(double value) {
        return Math.round(value * 1000) / 1000.0;
    }
}
