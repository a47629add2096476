package io.carillon.node.dialect;

import static java.nio.charset.StandardCharsets.UTF_8;

import java.io.IOException;
import java.io.InputStream;
import java.util.List;

/** Golden frames: lines of {@code what => what it becomes} in {@code src/test/resources/dialect}. */
public final class Golden {
    private Golden() {}

    public static List<String[]> lines(String file) throws IOException {
        try (InputStream in = Golden.class.getResourceAsStream("/dialect/" + file)) {
            return new String(in.readAllBytes(), UTF_8)
                    .lines()
                    .filter(line -> !line.startsWith("#") && !line.isBlank())
                    .map(line -> line.split(" => ", 2))
                    .toList();
        }
    }

    /** A command of a dialect whose clients send little, in words. */
    public static String describe(Command command) {
        String ref = command.ref() == null ? "" : " ref=" + command.ref();
        return switch (command) {
            case Command.Publish publish ->
                "Publish " + publish.event().type() + " content="
                        + new String(publish.event().content().bytes(), UTF_8) + ref;
            case Command.Invalid invalid -> "Invalid " + invalid.code() + ref;
            default -> command.getClass().getSimpleName() + ref;
        };
    }
}
