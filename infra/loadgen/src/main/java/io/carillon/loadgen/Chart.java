package io.carillon.loadgen;

import java.util.List;
import java.util.Locale;

/** Draws plots as SVG, without a library: lines over a logarithmic or a plain axis, and bars. */
public final class Chart {

    /** A named series of points. */
    public record Line(String name, List<double[]> points) {
        public Line {
            points = List.copyOf(points);
        }
    }

    /**
     * One measure of both sides.
     *
     * @param limit where the mark of the wanted figure stands; NaN: none
     */
    record Bar(String name, double node, double floor, double limit) {}

    /** A stretch of time with a name. */
    public record Band(String name, double from, double to) {}

    private static final List<String> COLOURS = List.of("#1f5fbf", "#d9822b", "#3a8f5c", "#8a4fb3");
    private static final String NODE = COLOURS.getFirst();
    private static final String FLOOR = "#9aa4b2";
    private static final int WIDTH = 860;
    private static final int HEIGHT = 460;
    private static final int LEFT = 80;
    private static final int RIGHT = 150;
    private static final int TOP = 56;
    private static final int BOTTOM = 64;

    private final StringBuilder out = new StringBuilder();

    private Chart(String title, int height) {
        this(title, WIDTH, height);
    }

    private Chart(String title, int width, int height) {
        out.append("<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 ")
                .append(width)
                .append(' ')
                .append(height)
                .append("\" width=\"")
                .append(width)
                .append("\" height=\"")
                .append(height)
                .append("\" font-family=\"system-ui, sans-serif\" font-size=\"12\" fill=\"#333\">\n<rect width=\"100%\""
                        + " height=\"100%\" fill=\"#fff\"/>\n");
        out.append("<text x=\"24\" y=\"30\" font-size=\"16\" font-weight=\"600\">")
                .append(escaped(title))
                .append("</text>\n");
    }

    /** Latency over percentiles: both axes logarithmic, so that the tail has as much room as the body. */
    static String percentiles(String title, List<Line> lines) {
        Chart chart = new Chart(title, HEIGHT);
        double lowest = Double.MAX_VALUE;
        double highest = 0;
        for (Line line : lines) {
            for (double[] point : line.points()) {
                if (point[1] > 0 && point[0] >= 10) {
                    lowest = Math.min(lowest, point[1]);
                }
                highest = Math.max(highest, point[1]);
            }
        }
        int from = (int) Math.floor(Math.log10(Math.max(lowest, 1e-3)));
        int to = Math.max(from + 1, (int) Math.ceil(Math.log10(Math.max(highest, 1e-3))));
        for (int decade = from; decade <= to; decade++) {
            double y = chart.y((decade - from) / (double) (to - from));
            chart.grid(LEFT, y, WIDTH - RIGHT, y);
            chart.text(LEFT - 8, y + 4, "end", trimmed(Math.pow(10, decade)));
            for (int part : to - from <= 3 && decade < to ? new int[] {2, 5} : new int[0]) {
                double between = chart.y((decade - from + Math.log10(part)) / (to - from));
                chart.grid(LEFT, between, WIDTH - RIGHT, between);
                chart.text(LEFT - 8, between + 4, "end", trimmed(part * Math.pow(10, decade)));
            }
        }
        double[] ticks = {0, 50, 90, 99, 99.9, 99.99};
        for (double tick : ticks) {
            double x = tailX(tick);
            chart.grid(x, TOP, x, HEIGHT - BOTTOM);
            chart.text(x, HEIGHT - BOTTOM + 18, "middle", trimmed(tick) + " %");
        }
        chart.text((LEFT + WIDTH - RIGHT) / 2.0, HEIGHT - 20, "middle", "share of deliveries that are faster");
        chart.upright("milliseconds from the scheduled time");
        for (int i = 0; i < lines.size(); i++) {
            StringBuilder path = new StringBuilder();
            double lastY = 0;
            for (double[] point : lines.get(i).points()) {
                if (point[0] < 10 || point[0] > 99.995) {
                    continue;
                }
                lastY = chart.y((Math.log10(Math.max(point[1], 1e-3)) - from) / (to - from));
                path.append(path.isEmpty() ? "M" : "L")
                        .append(at(tailX(point[0])))
                        .append(' ')
                        .append(at(lastY));
            }
            chart.path(path.toString(), colour(lines.get(i).name(), i));
            chart.legend(i, lines.get(i).name());
        }
        return chart.end();
    }

    /** What arrived over what was due; a server that keeps up stays on the diagonal. */
    static String rates(String title, List<Line> lines) {
        Chart chart = new Chart(title, HEIGHT);
        double highest = lines.stream()
                .flatMap(line -> line.points().stream())
                .mapToDouble(point -> Math.max(point[0], point[1]))
                .max()
                .orElse(1);
        double step = step(highest / 5);
        double most = Math.ceil(highest / step) * step;
        for (double tick = 0; tick <= most + step / 2; tick += step) {
            double y = chart.y(tick / most);
            double x = LEFT + tick / most * (WIDTH - RIGHT - LEFT);
            chart.grid(LEFT, y, WIDTH - RIGHT, y);
            chart.text(LEFT - 8, y + 4, "end", trimmed(tick));
            chart.text(x, HEIGHT - BOTTOM + 18, "middle", trimmed(tick));
        }
        chart.out
                .append("<path d=\"M")
                .append(LEFT)
                .append(' ')
                .append(HEIGHT - BOTTOM)
                .append('L')
                .append(WIDTH - RIGHT)
                .append(' ')
                .append(TOP)
                .append("\" stroke=\"#bbb\" stroke-dasharray=\"4 4\" fill=\"none\"/>\n");
        chart.text((LEFT + WIDTH - RIGHT) / 2.0, HEIGHT - 20, "middle", "million deliveries a second due");
        chart.upright("million a second delivered");
        for (int i = 0; i < lines.size(); i++) {
            String colour = colour(lines.get(i).name(), i);
            StringBuilder path = new StringBuilder();
            for (double[] point : lines.get(i).points()) {
                double x = LEFT + point[0] / most * (WIDTH - RIGHT - LEFT);
                double y = chart.y(point[1] / most);
                path.append(path.isEmpty() ? "M" : "L")
                        .append(at(x))
                        .append(' ')
                        .append(at(y));
                chart.out
                        .append("<circle cx=\"")
                        .append(at(x))
                        .append("\" cy=\"")
                        .append(at(y))
                        .append("\" r=\"3.5\" fill=\"")
                        .append(colour)
                        .append("\"/>\n");
            }
            chart.path(path.toString(), colour);
            chart.legend(i, lines.get(i).name());
        }
        return chart.end();
    }

    /** Two bars for each measure, each measure on a scale of its own; a tick marks the wanted figure. */
    static String bars(String title, List<Bar> bars) {
        int row = 58;
        int height = TOP + bars.size() * row + 24;
        int left = 330;
        Chart chart = new Chart(title, height);
        chart.swatch(WIDTH - 330, 22, NODE, "node");
        chart.swatch(WIDTH - 250, 22, FLOOR, "bare loop");
        chart.out
                .append("<path d=\"M")
                .append(WIDTH - 145)
                .append(" 18v14\" stroke=\"#c0392b\" stroke-width=\"2\"/>\n");
        chart.text(WIDTH - 136, 30, "start", "wanted");
        for (int i = 0; i < bars.size(); i++) {
            Bar bar = bars.get(i);
            double limit = Double.isNaN(bar.limit()) ? 0 : bar.limit();
            double most = Math.max(Math.max(bar.node(), bar.floor()), Math.max(limit, 1e-9));
            int y = TOP + i * row;
            double scale = (WIDTH - left - 110) / most;
            chart.text(left - 12, y + 26, "end", bar.name());
            // The tick stands over the bars and under their figures.
            chart.bar(left, y + 4, bar.node() * scale, NODE);
            chart.bar(left, y + 24, bar.floor() * scale, FLOOR);
            if (limit > 0) {
                chart.out
                        .append("<path d=\"M")
                        .append(at(left + limit * scale))
                        .append(' ')
                        .append(y)
                        .append("v44\" stroke=\"#c0392b\"" + " stroke-width=\"2\"/>\n");
            }
            chart.figure(left, y + 4, bar.node() * scale, Report.figure(bar.node()));
            chart.figure(left, y + 24, bar.floor() * scale, Report.figure(bar.floor()));
        }
        return chart.end();
    }

    /** Lines over seconds, each on a scale of its own, and named stretches of time behind them. */
    public static String timeline(String title, List<Band> bands, List<Line> lines) {
        int plot = 190;
        int width = 1500;
        int height = TOP + lines.size() * plot + 30;
        Chart chart = new Chart(title, width, height);
        double end = lines.stream()
                .flatMap(line -> line.points().stream())
                .mapToDouble(point -> point[0])
                .max()
                .orElse(1);
        double scale = (width - LEFT - 20) / Math.max(end, 1);
        for (Band band : bands) {
            double x = LEFT + band.from() * scale;
            chart.out
                    .append("<rect x=\"")
                    .append(at(x))
                    .append("\" y=\"")
                    .append(TOP)
                    .append("\" width=\"")
                    .append(at(Math.max(1.5, (band.to() - band.from()) * scale)))
                    .append("\" height=\"")
                    .append(lines.size() * plot - 24)
                    .append("\" fill=\"#f6d7d2\"/>\n<g font-size=\"9\" transform=\"translate(")
                    .append(at(x + 9))
                    .append(' ')
                    .append(TOP + 4)
                    .append(") rotate(90)\">");
            chart.text(0, 0, "start", band.name());
            chart.out.append("</g>\n");
        }
        for (int i = 0; i < lines.size(); i++) {
            int bottom = TOP + (i + 1) * plot - 24;
            double highest = lines.get(i).points().stream()
                    .mapToDouble(point -> point[1])
                    .max()
                    .orElse(1);
            double step = step(Math.max(highest, 1) / 3);
            double most = Math.ceil(Math.max(highest, 1) / step) * step;
            for (double tick = 0; tick <= most + step / 2; tick += step) {
                double y = bottom - tick / most * (plot - 50);
                chart.grid(LEFT, y, width - 20, y);
                chart.text(LEFT - 8, y + 4, "end", trimmed(tick));
            }
            StringBuilder path = new StringBuilder();
            for (double[] point : lines.get(i).points()) {
                path.append(path.isEmpty() ? "M" : "L")
                        .append(at(LEFT + point[0] * scale))
                        .append(' ')
                        .append(at(bottom - point[1] / most * (plot - 50)));
            }
            chart.path(path.toString(), colour(lines.get(i).name(), i));
            chart.swatch(
                    LEFT + 12,
                    bottom - plot + 32,
                    colour(lines.get(i).name(), i),
                    lines.get(i).name());
        }
        double seconds = step(Math.max(end, 1) / 12);
        for (double tick = 0; tick <= end; tick += seconds) {
            chart.text(LEFT + tick * scale, height - 14, "middle", trimmed(tick) + " s");
        }
        return chart.end();
    }

    private static double tailX(double percentile) {
        double share = Math.log10(100 / Math.max(100 - percentile, 0.01)) / 4;
        return LEFT + share * (WIDTH - RIGHT - LEFT);
    }

    private double y(double share) {
        return HEIGHT - BOTTOM - share * (HEIGHT - BOTTOM - TOP);
    }

    private static double step(double rough) {
        double magnitude = Math.pow(10, Math.floor(Math.log10(rough)));
        double rest = rough / magnitude;
        return magnitude * (rest > 5 ? 10 : rest > 2 ? 5 : rest > 1 ? 2 : 1);
    }

    private static String colour(String name, int index) {
        return name.equals("floor") ? FLOOR : COLOURS.get(index % COLOURS.size());
    }

    private void grid(double x1, double y1, double x2, double y2) {
        out.append("<path d=\"M")
                .append(at(x1))
                .append(' ')
                .append(at(y1))
                .append('L')
                .append(at(x2))
                .append(' ')
                .append(at(y2))
                .append("\" stroke=\"#e6e6e6\"/>\n");
    }

    private void path(String path, String colour) {
        out.append("<path d=\"")
                .append(path)
                .append("\" fill=\"none\" stroke=\"")
                .append(colour)
                .append("\" stroke-width=\"2.2\" stroke-linejoin=\"round\"/>\n");
    }

    private void text(double x, double y, String anchor, String text) {
        out.append("<text x=\"")
                .append(at(x))
                .append("\" y=\"")
                .append(at(y))
                .append("\" text-anchor=\"")
                .append(anchor)
                .append("\">")
                .append(escaped(text))
                .append("</text>\n");
    }

    private void upright(String text) {
        out.append("<text transform=\"translate(22 ")
                .append((TOP + HEIGHT - BOTTOM) / 2)
                .append(") rotate(-90)\" text-anchor=\"middle\">")
                .append(escaped(text))
                .append("</text>\n");
    }

    private void legend(int index, String name) {
        swatch(WIDTH - RIGHT + 16, TOP + 4 + index * 22, colour(name, index), name);
    }

    private void swatch(int x, int y, String colour, String name) {
        out.append("<rect x=\"")
                .append(x)
                .append("\" y=\"")
                .append(y - 2)
                .append("\" width=\"14\" height=\"10\" rx=\"2\" fill=\"")
                .append(colour)
                .append("\"/>\n");
        text(x + 20, y + 8, "start", name);
    }

    private void bar(int x, int y, double width, String colour) {
        out.append("<rect x=\"")
                .append(x)
                .append("\" y=\"")
                .append(y)
                .append("\" width=\"")
                .append(at(Math.max(1, width)))
                .append("\" height=\"16\" rx=\"2\" fill=\"")
                .append(colour)
                .append("\"/>\n");
    }

    private void figure(int x, int y, double width, String label) {
        out.append("<g stroke=\"#fff\" stroke-width=\"4\" paint-order=\"stroke\">");
        text(x + Math.max(1, width) + 8, y + 12.5, "start", label);
        out.append("</g>\n");
    }

    private String end() {
        return out.append("</svg>\n").toString();
    }

    private static String at(double value) {
        return String.format(Locale.ROOT, "%.1f", value);
    }

    private static String trimmed(double value) {
        String text = String.format(Locale.ROOT, "%.3f", value);
        return text.replaceAll("0+$", "").replaceAll("\\.$", "");
    }

    private static String escaped(String text) {
        return text.replace("&", "&amp;").replace("<", "&lt;");
    }
}
