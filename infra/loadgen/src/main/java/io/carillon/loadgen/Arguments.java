package io.carillon.loadgen;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/**
 * The {@code --name value} options of one command. An option that is missing or malformed is an
 * {@link IllegalArgumentException} that names it.
 */
public record Arguments(Map<String, String> values) {

    public Arguments {
        values = Map.copyOf(values);
    }

    public static Arguments parse(String... words) {
        Map<String, String> values = new LinkedHashMap<>();
        for (int i = 0; i < words.length; i++) {
            String word = words[i];
            if (!word.startsWith("--")) {
                throw new IllegalArgumentException("expected an option, got '" + word + "'");
            }
            int equals = word.indexOf('=');
            if (equals > 0) {
                values.put(word.substring(2, equals), word.substring(equals + 1));
            } else if (word.equals("--help")) {
                values.put("help", "true");
            } else if (i + 1 < words.length) {
                values.put(word.substring(2), words[++i]);
            } else {
                throw new IllegalArgumentException("option " + word + " needs a value");
            }
        }
        return new Arguments(values);
    }

    public boolean has(String name) {
        return values.containsKey(name);
    }

    public String text(String name, String fallback) {
        return values.getOrDefault(name, fallback);
    }

    public String required(String name) {
        String value = values.get(name);
        if (value == null || value.isEmpty()) {
            throw new IllegalArgumentException("option --" + name + " is required");
        }
        return value;
    }

    public int integer(String name, int fallback) {
        String value = values.get(name);
        try {
            return value == null ? fallback : Integer.parseInt(value);
        } catch (NumberFormatException e) {
            throw new IllegalArgumentException("option --" + name + " must be a whole number, got '" + value + "'", e);
        }
    }

    public double number(String name, double fallback) {
        String value = values.get(name);
        try {
            return value == null ? fallback : Double.parseDouble(value);
        } catch (NumberFormatException e) {
            throw new IllegalArgumentException("option --" + name + " must be a number, got '" + value + "'", e);
        }
    }

    boolean flag(String name, boolean fallback) {
        String value = values.get(name);
        return value == null ? fallback : Boolean.parseBoolean(value);
    }

    public List<String> list(String name) {
        List<String> items = new ArrayList<>();
        for (String item : text(name, "").split(",", -1)) {
            if (!item.isBlank()) {
                items.add(item.strip());
            }
        }
        return items;
    }

    /** The options as words again, for a second process. */
    List<String> words() {
        List<String> words = new ArrayList<>();
        values.forEach((name, value) -> {
            words.add("--" + name);
            words.add(value);
        });
        return words;
    }

    Arguments with(String name, String value) {
        Map<String, String> more = new LinkedHashMap<>(values);
        more.put(name, value);
        return new Arguments(more);
    }

    /** What {@code --label name=value,…} adds to a result. */
    Map<String, Object> labels() {
        Map<String, Object> labels = new LinkedHashMap<>();
        for (String label : list("label")) {
            int equals = label.indexOf('=');
            if (equals < 1) {
                throw new IllegalArgumentException("--label wants NAME=VALUE, got '" + label + "'");
            }
            labels.put(label.substring(0, equals), label.substring(equals + 1));
        }
        return labels;
    }

    /** Writes a result to the file {@code --out} names, else to the standard output. */
    void deliver(String text) throws IOException {
        if (has("out")) {
            Files.writeString(Path.of(required("out")), text);
        } else {
            System.out.print(text);
        }
    }

    /** The address of Redis: {@code --redis}, else the variable a node reads too. */
    String redis() {
        String fallback = System.getenv("CARILLON_REDIS_URL");
        return has("redis") || fallback == null ? required("redis") : fallback;
    }
}
