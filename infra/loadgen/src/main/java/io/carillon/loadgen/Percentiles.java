package io.carillon.loadgen;

import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.HdrHistogram.Histogram;

/** A latency distribution as the results hold it, in milliseconds. */
final class Percentiles {

    private static final double[] CURVE = {
        0, 10, 25, 50, 60, 70, 80, 90, 95, 97.5, 99, 99.5, 99.75, 99.9, 99.95, 99.99, 99.999, 100
    };

    private Percentiles() {}

    static Map<String, Object> of(Histogram nanos, boolean curve) {
        Map<String, Object> result = new LinkedHashMap<>();
        result.put("samples", nanos.getTotalCount());
        result.put("mean", rounded(nanos.getTotalCount() == 0 ? 0 : nanos.getMean()));
        result.put("p50", at(nanos, 50));
        result.put("p90", at(nanos, 90));
        result.put("p99", at(nanos, 99));
        result.put("p999", at(nanos, 99.9));
        result.put("max", at(nanos, 100));
        if (curve) {
            List<List<Double>> points = new ArrayList<>();
            for (double percentile : CURVE) {
                points.add(List.of(percentile, at(nanos, percentile)));
            }
            result.put("curve", points);
        }
        return result;
    }

    private static double at(Histogram nanos, double percentile) {
        return nanos.getTotalCount() == 0 ? 0 : rounded(nanos.getValueAtPercentile(percentile));
    }

    private static double rounded(double nanos) {
        return Math.round(nanos / 1e3) / 1e3;
    }
}
