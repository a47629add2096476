package io.carillon.chaos;

import java.io.BufferedWriter;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Collection;
import org.jspecify.annotations.Nullable;

/**
 * One actor's file of records, a JSON object a line: {@code {"k":"<kind>","t":<seconds>,...}}. Buffered; safe from any
 * thread, though most have one writer.
 */
final class Journal implements AutoCloseable {
    private final Moment clock;
    private final BufferedWriter out;
    private final StringBuilder line = new StringBuilder(256);
    private boolean closed;

    Journal(Path directory, String actor, Moment clock) {
        this.clock = clock;
        try {
            out = Files.newBufferedWriter(directory.resolve(actor + ".jsonl"));
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    /** Writes a record of now; {@code fields} are names and values in turn, a null value leaves its field out. */
    double write(String kind, @Nullable Object... fields) {
        double now = clock.now();
        writeAt(now, kind, fields);
        return now;
    }

    synchronized void writeAt(double at, String kind, @Nullable Object... fields) {
        if (closed) return;
        line.setLength(0);
        line.append("{\"k\":\"").append(kind).append("\",\"t\":").append(Math.round(at * 1e6) / 1e6);
        for (int i = 0; i < fields.length; i += 2) {
            Object value = fields[i + 1];
            if (value == null) continue;
            line.append(",\"").append(fields[i]).append("\":");
            value(value);
        }
        line.append("}\n");
        try {
            out.append(line);
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    private void value(Object value) {
        switch (value) {
            case Number number -> line.append(number);
            case Boolean truth -> line.append(truth);
            case Collection<?> many -> {
                line.append('[');
                String comma = "";
                for (Object one : many) {
                    line.append(comma);
                    value(one);
                    comma = ",";
                }
                line.append(']');
            }
            default -> text(value.toString());
        }
    }

    private void text(String text) {
        line.append('"');
        for (int i = 0; i < text.length(); i++) {
            char c = text.charAt(i);
            if (c == '"' || c == '\\') line.append('\\').append(c);
            else if (c < ' ') line.append(String.format("\\u%04x", (int) c));
            else line.append(c);
        }
        line.append('"');
    }

    synchronized void flush() {
        try {
            if (!closed) out.flush();
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    @Override
    public synchronized void close() {
        if (closed) return;
        closed = true;
        try {
            out.close();
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }
}
