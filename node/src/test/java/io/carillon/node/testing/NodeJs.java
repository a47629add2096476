package io.carillon.node.testing;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.TimeUnit;

/** Node.js, for the tests of the client library in {@code node/src/test/js}. */
public final class NodeJs {
    private static final String VERSION =
            "const [a, b] = process.versions.node.split('.').map(Number); console.log(a > 20 || a === 20 && b >= 10 ? typeof WebSocket : 'old')";

    private NodeJs() {}

    /** Where the tests lie. */
    public static Path tests() {
        Path here = Path.of("src/test/js").toAbsolutePath();
        return Files.isDirectory(here) ? here : Path.of("node/src/test/js").toAbsolutePath();
    }

    /** The library, as a node serves it. */
    public static Path library() {
        return tests().resolve("../../main/resources/carillon/static/client").normalize();
    }

    /** The command that runs Node with a WebSocket of its own; Node 20 has one that has to be asked for. */
    public static List<String> command(String... arguments) throws Exception {
        String found;
        try {
            found = run(tests(), Map.of(), List.of("node", "-e", VERSION)).strip();
        } catch (IOException e) {
            throw new AssertionError("Node.js is missing on this machine; install nodejs, 20.10 or later", e);
        }
        if (found.equals("old")) throw new AssertionError("Node.js on this machine is older than 20.10");
        var command = new ArrayList<>(List.of("node"));
        if (found.equals("undefined")) command.addAll(List.of("--experimental-websocket", "--no-warnings"));
        command.addAll(List.of(arguments));
        return command;
    }

    /** Runs a command that must end well; what it printed. */
    public static String run(Path directory, Map<String, String> environment, List<String> command) throws Exception {
        Path output = Files.createTempFile("node", ".out");
        try {
            var builder = new ProcessBuilder(command)
                    .directory(directory.toFile())
                    .redirectErrorStream(true)
                    .redirectInput(Path.of("/dev/null").toFile())
                    .redirectOutput(output.toFile());
            builder.environment().putAll(environment);
            Process process = builder.start();
            boolean ended = process.waitFor(4, TimeUnit.MINUTES);
            if (!ended) process.destroyForcibly().waitFor();
            String printed = Files.readString(output);
            if (!ended || process.exitValue() != 0) {
                throw new AssertionError(String.join(" ", command) + " failed:\n" + printed);
            }
            return printed;
        } finally {
            Files.delete(output);
        }
    }
}
