package io.carillon.loadgen;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * What Linux says of a process (proc(5)).
 *
 * @param name how the results call it
 */
record ProcessProbe(String name, long pid) {

    /** {@code USER_HZ}: 100 on every Linux that Java runs on. */
    private static final double TICKS_PER_SECOND = 100;

    /** {@code name=pid,name=pid}. */
    static List<ProcessProbe> parse(List<String> pairs) {
        List<ProcessProbe> probes = new ArrayList<>();
        for (String pair : pairs) {
            int equals = pair.indexOf('=');
            if (equals < 1) {
                throw new IllegalArgumentException("--watch wants NAME=PID, got '" + pair + "'");
            }
            probes.add(new ProcessProbe(pair.substring(0, equals), Long.parseLong(pair.substring(equals + 1))));
        }
        return probes;
    }

    static ProcessProbe self() {
        return new ProcessProbe("self", ProcessHandle.current().pid());
    }

    /** User and system time used so far, in seconds, in steps of a hundredth. */
    double cpuSeconds() {
        String stat = read("stat");
        String[] fields = stat.substring(stat.lastIndexOf(')') + 2).split(" ");
        return (Long.parseLong(fields[11]) + Long.parseLong(fields[12])) / TICKS_PER_SECOND;
    }

    /** Resident memory in KB. */
    long residentKb() {
        return kb("status", "VmRSS");
    }

    /** Proportional memory in KB, or -1 where the system does not let us see it. */
    long proportionalKb() {
        return kb("smaps_rollup", "Pss");
    }

    private long kb(String file, String field) {
        Matcher matcher = Pattern.compile("^" + field + ":\\s+(\\d+) kB", Pattern.MULTILINE)
                .matcher(read(file));
        return matcher.find() ? Long.parseLong(matcher.group(1)) : -1;
    }

    private String read(String file) {
        try {
            return Files.readString(Path.of("/proc", Long.toString(pid), file), StandardCharsets.US_ASCII);
        } catch (IOException e) {
            if (file.equals("smaps_rollup")) {
                return "";
            }
            throw new IllegalStateException("process " + name + " (" + pid + ") is gone", e);
        }
    }
}
