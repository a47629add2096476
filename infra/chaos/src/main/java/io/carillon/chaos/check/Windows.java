package io.carillon.chaos.check;

import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import tools.jackson.databind.JsonNode;

/** When something was broken on purpose. */
public final class Windows {
    /**
     * One fault.
     *
     * @param healed when everything was put right again; infinite where it never was
     * @param loses whether it may cost acknowledged events
     */
    public record Fault(String id, String name, double from, double healed, boolean loses) {}

    private final Map<String, Fault> faults = new LinkedHashMap<>();

    /** Takes a {@code fault} or {@code heal} record. */
    public void take(JsonNode record) {
        String id = record.path("id").asString("");
        double at = record.path("t").asDouble();
        if (record.path("k").asString("").equals("fault")) {
            faults.put(
                    id,
                    new Fault(
                            id,
                            record.path("name").asString(""),
                            at,
                            Double.POSITIVE_INFINITY,
                            record.path("loses").asBoolean(false)));
        } else {
            faults.computeIfPresent(id, (key, f) -> new Fault(f.id(), f.name(), f.from(), at, f.loses()));
        }
    }

    /** All of them, in their order. */
    public List<Fault> all() {
        return new ArrayList<>(faults.values());
    }

    /** Whether anything was broken, or had been healed less than {@code grace} ago, at some moment of this time. */
    boolean touch(double from, double to, double grace) {
        for (Fault fault : faults.values()) {
            if (fault.from() <= to && fault.healed() + grace >= from) return true;
        }
        return false;
    }

    /** How long after it came back a primary may take events for its own, until it is told that it is none, seconds. */
    private static final double STALE = 10;

    /** Whether a fault that may cost acknowledged events was on in this time. */
    boolean losing(double from, double to) {
        for (Fault fault : faults.values()) {
            if (fault.loses() && fault.from() <= to && fault.healed() + STALE >= from) return true;
        }
        return false;
    }
}
