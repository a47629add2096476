package io.carillon.chaos;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.TimeUnit;

/**
 * The processes of a run, by name. Each is remembered in a file as {@code <pid> <start time>}, so that whoever started
 * the run can end what is left even if this process was killed; a process id used again is never taken for ours. Safe
 * from any thread.
 */
final class Processes implements AutoCloseable {
    private final Path remembered;
    private final Path logs;
    private final Map<String, Process> running = new LinkedHashMap<>();
    private boolean closed;

    Processes(Path directory) throws IOException {
        remembered = Files.createDirectories(directory.resolve("processes"));
        logs = Files.createDirectories(directory.resolve("logs"));
    }

    synchronized Process start(String name, List<String> command, Map<String, String> environment) throws IOException {
        if (closed) throw new IOException("the run is over");
        var builder = new ProcessBuilder(command)
                .redirectErrorStream(true)
                .redirectInput(ProcessBuilder.Redirect.from(Path.of("/dev/null").toFile()))
                .redirectOutput(ProcessBuilder.Redirect.appendTo(
                        logs.resolve(name + ".log").toFile()));
        builder.environment().putAll(environment);
        Process process = builder.start();
        running.put(name, process);
        Files.writeString(remembered.resolve(name), process.pid() + " " + startTime(process.pid()) + "\n");
        return process;
    }

    /** A field of {@code /proc/<pid>/stat}; the command's name may hold anything, so fields count from behind it. */
    private static String startTime(long pid) throws IOException {
        String stat = Files.readString(Path.of("/proc/" + pid + "/stat"));
        return stat.substring(stat.lastIndexOf(')') + 2).split(" ", -1)[19];
    }

    synchronized Process of(String name) {
        Process process = running.get(name);
        if (process == null) throw new IllegalStateException("no process " + name);
        return process;
    }

    /** Sends a signal, named without SIG; a process that has ended is left alone. */
    void signal(String name, String signal) throws IOException, InterruptedException {
        Process process = of(name);
        if (!process.isAlive()) return;
        new ProcessBuilder("kill", "-" + signal, Long.toString(process.pid()))
                .redirectErrorStream(true)
                .start()
                .waitFor();
    }

    /** Kills it and waits until it has gone. */
    void kill(String name) throws InterruptedException {
        of(name).destroyForcibly().waitFor();
    }

    /** Asks it to end; its exit code, or -1 where it had to be killed. */
    int stop(String name, long seconds) throws InterruptedException {
        Process process = of(name);
        process.destroy();
        if (process.waitFor(seconds, TimeUnit.SECONDS)) return process.exitValue();
        process.destroyForcibly().waitFor();
        return -1;
    }

    long descriptors(String name) {
        try (var files = Files.list(Path.of("/proc/" + of(name).pid() + "/fd"))) {
            return files.count();
        } catch (IOException e) {
            return -1;
        }
    }

    /** Ends all of them, nginx first by its own way, since its workers outlive a master that was killed. */
    @Override
    public synchronized void close() {
        if (closed) return;
        closed = true;
        running.forEach((name, process) -> {
            if (name.equals("nginx")) process.destroy();
            else process.destroyForcibly();
        });
        running.forEach((name, process) -> {
            try {
                if (!process.waitFor(5, TimeUnit.SECONDS))
                    process.destroyForcibly().waitFor(5, TimeUnit.SECONDS);
            } catch (InterruptedException e) {
                Thread.currentThread().interrupt();
            }
        });
    }
}
