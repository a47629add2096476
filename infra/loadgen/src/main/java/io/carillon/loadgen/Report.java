package io.carillon.loadgen;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;

/**
 * {@code report}: a directory of measurements ({@code run-*.json}, each labelled with scenario, target and round) becomes
 * {@code results.json}, {@code table.md} and plots. A figure is the median of the rounds, with the smallest and the
 * largest beside it; a ratio is taken within each round, where both sides met the same machine, and then the median.
 */
final class Report {

    /**
     * One line of the table.
     *
     * @param path where the figure lies in a measurement, names joined by dots
     * @param limit the design's number; of the ratio to the floor if {@code limitsRatio}; NaN: none
     * @param atLeast whether more is better
     */
    private record Measure(
            String scenario,
            String title,
            String path,
            String unit,
            double scale,
            double limit,
            boolean atLeast,
            boolean limitsRatio) {

        static Measure of(String scenario, String title, String path, String unit) {
            return new Measure(scenario, title, path, unit, 1, Double.NaN, false, false);
        }

        Measure scaled(double factor) {
            return new Measure(scenario, title, path, unit, factor, limit, atLeast, limitsRatio);
        }

        Measure atMost(double most) {
            return new Measure(scenario, title, path, unit, scale, most, false, false);
        }

        Measure atLeast(double least) {
            return new Measure(scenario, title, path, unit, scale, least, true, false);
        }

        Measure floorTimes(double most) {
            return new Measure(scenario, title, path, unit, scale, most, false, true);
        }
    }

    private static final List<Measure> MEASURES = List.of(
            Measure.of("a", "Memory per idle connection (RSS)", "residentKbPerConnection", "KB")
                    .atMost(4),
            Measure.of("a", "Memory per idle connection (PSS)", "proportionalKbPerConnection", "KB"),
            Measure.of("a", "Process with 10,000 connections (RSS)", "residentKb", "MB")
                    .scaled(1 / 1024.0)
                    .atMost(200),
            Measure.of("b", "CPU per delivery, 50,000 deliveries/s", "cpuMicrosPerDelivery", "µs")
                    .floorTimes(1.3),
            Measure.of("b", "Latency p50", "latency.p50", "ms"),
            Measure.of("b", "Latency p99", "latency.p99", "ms"),
            Measure.of("b", "Deliveries missing", "missing", "").atMost(0),
            Measure.of("c", "Highest fan-out kept up with", "deliveriesPerSecond", "M/s")
                    .scaled(1e-6)
                    .atLeast(5),
            Measure.of("d1", "To one user, 5,000/s, one node: p50", "latency.p50", "ms"),
            Measure.of("d1", "p99", "latency.p99", "ms").atMost(3),
            Measure.of("d1", "p99.9", "latency.p999", "ms"),
            Measure.of("d1", "Node CPU per event", "cpuMicrosPerEvent", "µs").atMost(60),
            Measure.of("d1", "Deliveries missing", "missing", "").atMost(0),
            Measure.of("d3", "To one user, 5,000/s, three nodes: p50", "latency.p50", "ms"),
            Measure.of("d3", "p99", "latency.p99", "ms").atMost(3),
            Measure.of("d3", "p99.9", "latency.p999", "ms"),
            Measure.of("d3", "CPU per event, all nodes", "cpuMicrosPerEvent", "µs")
                    .atMost(60),
            Measure.of("d3", "Deliveries missing", "missing", "").atMost(0),
            Measure.of("e", "10,000 connects to a fresh process", "connectSeconds", "s")
                    .atMost(2),
            Measure.of("e", "CPU for them", "connectCpuSeconds", "s"),
            Measure.of("g", "Durable publish, inside Redis", "redisMicrosPerCall", "µs")
                    .atMost(25),
            Measure.of("g", "Durable publish, all of Redis' CPU", "redisCpuMicrosPerCall", "µs"),
            Measure.of("g", "Answer to the publisher p99", "answer.p99", "ms"),
            Measure.of("h", "Client to client, 2,000/s: p50", "latency.p50", "ms"),
            Measure.of("h", "p99", "latency.p99", "ms"),
            Measure.of("h", "Node CPU per event", "cpuMicrosPerEvent", "µs"),
            Measure.of("h", "Deliveries missing", "missing", "").atMost(0),
            Measure.of("s", "Memory per event stream (RSS)", "residentKbPerConnection", "KB"),
            Measure.of("s", "CPU per delivery to event streams, 50,000 deliveries/s", "cpuMicrosPerDelivery", "µs"),
            Measure.of("s", "Latency p50", "latency.p50", "ms"),
            Measure.of("s", "Latency p99", "latency.p99", "ms"),
            Measure.of("s", "Deliveries missing", "missing", "").atMost(0),
            Measure.of("i", "Chat, 10,000 members: process RSS", "residentKb", "MB")
                    .scaled(1 / 1024.0)
                    .atMost(500),
            Measure.of("i", "Deliveries", "deliveriesPerSecond", "/s").atLeast(10_000),
            Measure.of("i", "Latency, mean", "latency.mean", "ms").atMost(100),
            Measure.of("i", "p50", "latency.p50", "ms"),
            Measure.of("i", "p99", "latency.p99", "ms").atMost(100),
            Measure.of("i", "Node CPU per delivery", "cpuMicrosPerDelivery", "µs"),
            Measure.of("j", "To the handler of a Java client, 2,000/s to 1,000 of them: p50", "latency.p50", "ms"),
            Measure.of("j", "p99", "latency.p99", "ms"),
            Measure.of("j", "The client's CPU per event", "ownCpuMicrosPerDelivery", "µs"),
            Measure.of("j", "Deliveries missing", "missing", "").atMost(0),
            Measure.of("i", "Deliveries missing", "missing", "").atMost(0));

    private static final Map<String, String> SCENARIOS = scenarios();

    private final Path directory;
    private final List<Map<String, Object>> runs = new ArrayList<>();

    private Report(Path directory) {
        this.directory = directory;
    }

    private static Map<String, String> scenarios() {
        Map<String, String> titles = new LinkedHashMap<>();
        titles.put("a", "memory");
        titles.put("b", "broadcast");
        titles.put("c", "peak");
        titles.put("d1", "targeted, 1 node");
        titles.put("d3", "targeted, 3 nodes");
        titles.put("e", "connect");
        titles.put("g", "durable");
        titles.put("h", "client to client");
        titles.put("s", "event streams");
        titles.put("i", "chat");
        titles.put("j", "Java client");
        return titles;
    }

    static void run(Arguments arguments) throws IOException {
        Report report = new Report(Path.of(arguments.required("dir")));
        report.read();
        report.write(arguments);
    }

    private void read() throws IOException {
        List<Path> files;
        try (Stream<Path> all = Files.list(directory)) {
            files = all.filter(file -> file.getFileName().toString().matches("run-.*\\.json"))
                    .sorted()
                    .toList();
        }
        for (Path file : files) {
            runs.add(Json.map(Files.readString(file)));
        }
        if (runs.isEmpty()) {
            throw new IllegalStateException("no measurements in " + directory);
        }
    }

    private void write(Arguments arguments) throws IOException {
        List<Map<String, Object>> summary = new ArrayList<>();
        for (Measure measure : MEASURES) {
            Map<String, Object> line = line(measure);
            if (line != null) {
                summary.add(line);
            }
        }
        Map<String, Object> results = new LinkedHashMap<>();
        results.put("revision", arguments.text("revision", "unknown"));
        results.put("started", arguments.text("started", ""));
        results.put("machine", machine());
        results.put("summary", summary);
        results.put("runs", runs);
        Files.writeString(directory.resolve("results.json"), Json.pretty(results));
        String table = table(results, summary);
        Files.writeString(directory.resolve("table.md"), table);
        plots(summary);
        System.out.print(table);
    }

    private @Nullable Map<String, Object> line(Measure measure) {
        double[] node = values(measure, "node");
        double[] floor = values(measure, "floor");
        if (node.length + floor.length == 0) {
            return null;
        }
        Map<String, Object> line = new LinkedHashMap<>();
        line.put("scenario", measure.scenario());
        line.put("measure", measure.title());
        line.put("unit", measure.unit());
        if (node.length > 0) {
            line.put("node", spread(node));
        }
        double ratio = Double.NaN;
        if (floor.length > 0) {
            line.put("floor", spread(floor));
            List<Double> ratios = new ArrayList<>();
            Map<String, Double> floors = byRound(measure, "floor");
            byRound(measure, "node").forEach((round, value) -> {
                double beside = floors.getOrDefault(round, 0.0);
                if (beside > 0) {
                    ratios.add(value / beside);
                }
            });
            if (!ratios.isEmpty()) {
                ratio = median(ratios.stream().mapToDouble(Double::doubleValue).toArray());
                line.put("ratio", ratio);
            }
        }
        if (!Double.isNaN(measure.limit())) {
            double value = measure.limitsRatio() ? ratio : node.length > 0 ? median(node) : Double.NaN;
            line.put("limit", measure.limit());
            line.put(
                    "limitText",
                    (measure.atLeast() ? "≥ " : "≤ ")
                            + figure(measure.limit())
                            + (measure.limitsRatio() ? " × floor" : (" " + measure.unit()).stripTrailing()));
            if (!Double.isNaN(value)) {
                line.put("met", measure.atLeast() ? value >= measure.limit() : value <= measure.limit());
            }
        }
        return line;
    }

    private double[] values(Measure measure, String target) {
        return byRound(measure, target).values().stream()
                .mapToDouble(Double::doubleValue)
                .toArray();
    }

    private Map<String, Double> byRound(Measure measure, String target) {
        Map<String, Double> values = new LinkedHashMap<>();
        for (Map<String, Object> run : runs) {
            if (measure.scenario().equals(run.get("scenario"))
                    && target.equals(run.get("target"))
                    && at(run, measure.path()) instanceof Number value) {
                values.put(String.valueOf(run.get("round")), value.doubleValue() * measure.scale());
            }
        }
        return values;
    }

    private static @Nullable Object at(Map<?, ?> run, String path) {
        Object value = run;
        for (String name : path.split("\\.")) {
            value = value instanceof Map<?, ?> map ? map.get(name) : null;
        }
        return value;
    }

    private static Map<String, Object> spread(double[] values) {
        Map<String, Object> spread = new LinkedHashMap<>();
        spread.put("median", median(values));
        spread.put("min", Stream.of(box(values)).min(Comparator.naturalOrder()).orElse(0.0));
        spread.put("max", Stream.of(box(values)).max(Comparator.naturalOrder()).orElse(0.0));
        spread.put("rounds", values.length);
        return spread;
    }

    private static Double[] box(double[] values) {
        Double[] boxed = new Double[values.length];
        for (int i = 0; i < values.length; i++) {
            boxed[i] = values[i];
        }
        return boxed;
    }

    private static double median(double[] values) {
        double[] sorted = values.clone();
        java.util.Arrays.sort(sorted);
        int middle = sorted.length / 2;
        return sorted.length % 2 == 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
    }

    // --- the table ---------------------------------------------------------------------------------------------------

    private String table(Map<String, Object> results, List<Map<String, Object>> summary) {
        StringBuilder out = new StringBuilder("# Benchmark\n\n");
        if (results.get("machine") instanceof Map<?, ?> machine) {
            out.append(machine.get("cores"))
                    .append(" cores (")
                    .append(machine.get("processor"))
                    .append("), ")
                    .append(machine.get("memoryMb"))
                    .append(" MB, ")
                    .append(machine.get("system"))
                    .append(", Java ")
                    .append(machine.get("java"));
        }
        out.append("; revision ")
                .append(results.get("revision"))
                .append(", ")
                .append(results.get("started"))
                .append(
                        ".\nMedian of the rounds, smallest to largest in brackets. The floor is a bare Netty loop in the"
                                + " same round; servers, Redis, publishers and receivers share the machine.\n");
        out.append(neighbours());
        out.append("| scenario | measure | node | floor | ratio | wanted | |\n|---|---|---:|---:|---:|---:|---|\n");
        String last = "";
        for (Map<String, Object> line : summary) {
            String scenario = String.valueOf(line.get("scenario"));
            String unit = String.valueOf(line.get("unit"));
            Object met = line.get("met");
            out.append("| ")
                    .append(scenario.equals(last) ? "" : scenario + " " + SCENARIOS.getOrDefault(scenario, ""))
                    .append(" | ")
                    .append(line.get("measure"))
                    .append(" | ")
                    .append(cell(line.get("node"), unit))
                    .append(" | ")
                    .append(cell(line.get("floor"), unit))
                    .append(" | ")
                    .append(line.get("ratio") instanceof Double ratio ? figure(ratio) : "")
                    .append(" | ")
                    .append(line.getOrDefault("limitText", ""))
                    .append(" | ")
                    .append(met == null ? "" : met.equals(true) ? "met" : "**missed**")
                    .append(" |\n");
            last = scenario;
        }
        return out.toString();
    }

    /** How busy the machine was when measurements began: what others left of it, and of the measurement before. */
    private String neighbours() {
        double[] loads = runs.stream()
                .map(run -> run.get("loadAverage"))
                .filter(load -> load instanceof String)
                .mapToDouble(load -> Double.parseDouble((String) load))
                .sorted()
                .toArray();
        return loads.length == 0
                ? "\n"
                : "Load average at the start of the measurements: " + figure(loads[0]) + " to "
                        + figure(loads[loads.length - 1]) + ".\n\n";
    }

    private static String cell(@Nullable Object spread, String unit) {
        if (!(spread instanceof Map<?, ?> map)) {
            return "";
        }
        String text = figure(number(map.get("median"))) + (unit.isEmpty() ? "" : " " + unit);
        return number(map.get("rounds")) < 2
                ? text
                : text + " (" + figure(number(map.get("min"))) + "–" + figure(number(map.get("max"))) + ")";
    }

    private static double number(@Nullable Object value) {
        return value instanceof Number number ? number.doubleValue() : 0;
    }

    /** Three digits are as many as a shared machine can vouch for. */
    static String figure(double value) {
        double size = Math.abs(value);
        if (value == Math.rint(value) && size < 1e6) {
            return String.format(Locale.ROOT, "%,d", (long) value);
        }
        return String.format(
                Locale.ROOT, size >= 100 ? "%,.0f" : size >= 10 ? "%.1f" : size >= 0.1 ? "%.2f" : "%.3f", value);
    }

    // --- the plots ---------------------------------------------------------------------------------------------------

    private void plots(List<Map<String, Object>> summary) throws IOException {
        curves("latency-broadcast.svg", "Broadcast to 10,000 connections, 50,000 deliveries/s", List.of("b"));
        curves("latency-targeted.svg", "To single users", List.of("d1", "d3", "h"));
        List<Chart.Bar> bars = new ArrayList<>();
        for (Map<String, Object> line : summary) {
            if (line.get("floor") instanceof Map<?, ?> floor && line.get("node") instanceof Map<?, ?> node) {
                bars.add(new Chart.Bar(
                        line.get("measure") + ("".equals(line.get("unit")) ? "" : ", " + line.get("unit")),
                        number(node.get("median")),
                        number(floor.get("median")),
                        line.get("limit") instanceof Double limit
                                        && !String.valueOf(line.get("limitText"))
                                                .contains("floor")
                                ? limit
                                : Double.NaN));
            }
        }
        bars.removeIf(bar -> bar.node() == 0 && bar.floor() == 0);
        if (!bars.isEmpty()) {
            save("floor.svg", Chart.bars("A node beside the bare loop", bars));
        }
        List<Chart.Line> peaks = new ArrayList<>();
        for (String target : List.of("node", "floor")) {
            peak(target).ifPresent(peaks::add);
        }
        if (!peaks.isEmpty()) {
            save("peak.svg", Chart.rates("Fan-out to 10,000 connections", peaks));
        }
    }

    /** One line for each scenario and side: the round whose p99 is the median. */
    private void curves(String file, String title, List<String> scenarios) throws IOException {
        List<Chart.Line> lines = new ArrayList<>();
        for (String scenario : scenarios) {
            for (String target : List.of("node", "floor")) {
                List<Map<String, Object>> found = runs.stream()
                        .filter(run -> scenario.equals(run.get("scenario")) && target.equals(run.get("target")))
                        .filter(run -> at(run, "latency.curve") instanceof List<?>)
                        .sorted(Comparator.comparing(run -> number(at(run, "latency.p99"))))
                        .toList();
                if (!found.isEmpty()
                        && at(found.get((found.size() - 1) / 2), "latency.curve") instanceof List<?> points) {
                    String name = scenarios.size() == 1 ? target : SCENARIOS.getOrDefault(scenario, scenario);
                    lines.add(new Chart.Line(name, pairs(points)));
                }
            }
        }
        if (!lines.isEmpty()) {
            save(file, Chart.percentiles(title, lines));
        }
    }

    private java.util.Optional<Chart.Line> peak(String target) {
        List<Map<String, Object>> found = runs.stream()
                .filter(run -> "c".equals(run.get("scenario")) && target.equals(run.get("target")))
                .sorted(Comparator.comparing(run -> number(run.get("deliveriesPerSecond"))))
                .toList();
        if (found.isEmpty() || !(found.get((found.size() - 1) / 2).get("phases") instanceof List<?> phases)) {
            return java.util.Optional.empty();
        }
        List<double[]> points = new ArrayList<>();
        for (Object phase : phases) {
            if (phase instanceof Map<?, ?> map) {
                points.add(new double[] {
                    number(map.get("rate")) * number(at(found.getFirst(), "connections")) / 1e6,
                    number(map.get("deliveriesPerSecond")) / 1e6
                });
            }
        }
        return java.util.Optional.of(new Chart.Line(target, points));
    }

    private static List<double[]> pairs(List<?> points) {
        List<double[]> pairs = new ArrayList<>();
        for (Object point : points) {
            if (point instanceof List<?> pair) {
                pairs.add(new double[] {number(pair.get(0)), number(pair.get(1))});
            }
        }
        return pairs;
    }

    private void save(String name, String svg) throws IOException {
        Files.writeString(directory.resolve(name), svg, StandardCharsets.UTF_8);
    }

    // --- the machine -------------------------------------------------------------------------------------------------

    private static Map<String, Object> machine() {
        Map<String, Object> machine = new LinkedHashMap<>();
        machine.put("cores", Runtime.getRuntime().availableProcessors());
        machine.put("processor", field("/proc/cpuinfo", "model name\\s*:\\s*(.+)"));
        machine.put("memoryMb", (long) number(parse(field("/proc/meminfo", "MemTotal:\\s*(\\d+)"))) / 1024);
        machine.put("system", System.getProperty("os.name") + " " + System.getProperty("os.version"));
        machine.put("java", System.getProperty("java.version"));
        return machine;
    }

    private static @Nullable Object parse(String text) {
        return text.isEmpty() ? null : Long.valueOf(text);
    }

    private static String field(String file, String pattern) {
        try {
            Matcher matcher = Pattern.compile(pattern).matcher(Files.readString(Path.of(file)));
            return matcher.find() ? matcher.group(1) : "";
        } catch (IOException e) {
            return "";
        }
    }
}
