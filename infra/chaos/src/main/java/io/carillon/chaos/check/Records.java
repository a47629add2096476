package io.carillon.chaos.check;

import java.io.BufferedReader;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.function.Consumer;
import java.util.stream.Stream;
import tools.jackson.core.JacksonException;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;

/** What the actors of one run wrote down: one sequence of records for each actor, in that actor's order. */
public interface Records {
    /** Runs through an actor's records; {@code only} limits them to these kinds, all of them where it is empty. */
    void each(String actor, List<String> only, Consumer<JsonNode> to);

    /** The actors, in a fixed order. */
    List<String> actors();

    /** Runs through the records of all actors, one actor after the other. */
    default void each(List<String> only, Consumer<JsonNode> to) {
        for (String actor : actors()) each(actor, only, to);
    }

    /** The {@code *.jsonl} files of a directory. A last line that was cut off is passed over. */
    static Records in(Path directory) {
        return new Records() {
            private final JsonMapper json = JsonMapper.shared();

            @Override
            public List<String> actors() {
                try (Stream<Path> files = Files.list(directory)) {
                    return files.map(file -> file.getFileName().toString())
                            .filter(name -> name.endsWith(".jsonl"))
                            .sorted()
                            .toList();
                } catch (IOException e) {
                    throw new UncheckedIOException(e);
                }
            }

            @Override
            public void each(String actor, List<String> only, Consumer<JsonNode> to) {
                List<String> starts =
                        only.stream().map(kind -> "{\"k\":\"" + kind + '"').toList();
                try (BufferedReader in = Files.newBufferedReader(directory.resolve(actor))) {
                    for (String line = in.readLine(); line != null; line = in.readLine()) {
                        if (!starts.isEmpty() && starts.stream().noneMatch(line::startsWith)) continue;
                        JsonNode record;
                        try {
                            record = json.readTree(line);
                        } catch (JacksonException e) {
                            if (in.readLine() == null) return;
                            throw new IllegalStateException(actor + " has a line that is not JSON: " + line, e);
                        }
                        to.accept(record);
                    }
                } catch (IOException e) {
                    throw new UncheckedIOException(e);
                }
            }
        };
    }

    /** Records in memory. */
    static Records of(Map<String, ? extends List<? extends JsonNode>> byActor) {
        return new Records() {
            @Override
            public List<String> actors() {
                return new ArrayList<>(byActor.keySet());
            }

            @Override
            public void each(String actor, List<String> only, Consumer<JsonNode> to) {
                List<? extends JsonNode> records = byActor.get(actor);
                if (records == null) return;
                for (JsonNode record : records) {
                    if (only.isEmpty() || only.contains(record.path("k").asString(""))) to.accept(record);
                }
            }
        };
    }
}
