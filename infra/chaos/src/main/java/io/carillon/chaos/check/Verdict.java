package io.carillon.chaos.check;

import java.util.EnumMap;
import java.util.List;
import java.util.Map;

/**
 * What the checker found.
 *
 * @param violations the first ones of each invariant, with the records that show them
 * @param counts how often each invariant was violated
 * @param invalid why the run proves nothing; empty where it does
 * @param figures what was counted on the way, by name
 */
public record Verdict(
        List<Violation> violations, Map<Invariant, Integer> counts, List<String> invalid, Map<String, Long> figures) {

    /**
     * One record, or a few, that cannot be where the promise holds.
     *
     * @param sentence what is wrong, in words
     * @param evidence the records as they were written
     */
    public record Violation(Invariant invariant, String sentence, List<String> evidence) {
        public Violation {
            evidence = List.copyOf(evidence);
        }

        @Override
        public String toString() {
            return invariant + " " + sentence + (evidence.isEmpty() ? "" : "\n    " + String.join("\n    ", evidence));
        }
    }

    public Verdict {
        violations = List.copyOf(violations);
        counts = counts.isEmpty() ? Map.of() : new EnumMap<>(counts);
        invalid = List.copyOf(invalid);
        figures = Map.copyOf(figures);
    }

    /** 0 clean, 1 violated, 2 invalid. A violation counts whether or not the run was long enough. */
    public int exitCode() {
        if (!violations.isEmpty()) return 1;
        return invalid.isEmpty() ? 0 : 2;
    }

    /** A figure; 0 where nothing was counted. */
    public long figure(String name) {
        return figures.getOrDefault(name, 0L);
    }
}
