package io.carillon.node.testing;

import java.io.File;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.concurrent.TimeUnit;
import java.util.stream.Stream;
import redis.embedded.core.ExecutableProvider;

/**
 * A Redis of the test's own, which it may stop and start: {@code redis-server} of the machine, or else the binary that
 * comes with the build. On loopback, in memory.
 */
public final class OwnRedis implements AutoCloseable {
    private final int port;
    private final String executable;
    private final Path directory;
    private Process process;

    public OwnRedis() {
        try (var probe = new ServerSocket(0, 1, InetAddress.getLoopbackAddress())) {
            directory = Files.createTempDirectory("carillon-test-redis");
            port = probe.getLocalPort();
            executable = executable(directory);
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
        Runtime.getRuntime().addShutdownHook(new Thread(this::close));
        start();
    }

    private static String executable(Path directory) throws IOException {
        String path = System.getenv().getOrDefault("PATH", "");
        return Stream.of(path.split(File.pathSeparator))
                .map(folder -> new File(folder, "redis-server"))
                .filter(File::canExecute)
                .findFirst()
                .orElse(ExecutableProvider.newJarResourceProvider(directory.toFile())
                        .get())
                .getAbsolutePath();
    }

    public String url() {
        return "redis://127.0.0.1:" + port;
    }

    /** Starts it, empty, on the same port; returns when it accepts connections. */
    public void start() {
        try {
            process = new ProcessBuilder(
                            executable,
                            "--port",
                            Integer.toString(port),
                            "--bind",
                            "127.0.0.1",
                            "--save",
                            "",
                            "--appendonly",
                            "no",
                            "--dir",
                            directory.toString())
                    .redirectErrorStream(true)
                    .redirectOutput(ProcessBuilder.Redirect.DISCARD)
                    .start();
            long deadline = System.nanoTime() + TimeUnit.SECONDS.toNanos(10);
            while (true) {
                try (var socket = new Socket()) {
                    socket.connect(new InetSocketAddress(InetAddress.getLoopbackAddress(), port), 200);
                    return;
                } catch (IOException e) {
                    if (System.nanoTime() > deadline || !process.isAlive()) throw e;
                    Thread.onSpinWait();
                }
            }
        } catch (IOException e) {
            throw new UncheckedIOException("no redis-server runs here", e);
        }
    }

    /** Stops it at once; what it held is gone. */
    public void stop() {
        process.destroyForcibly();
        process.onExit().join();
    }

    /** Stops it from answering while its connections stay open (SIGSTOP), and lets it go on (SIGCONT). */
    public void frozen(boolean frozen) {
        try {
            new ProcessBuilder("kill", frozen ? "-STOP" : "-CONT", Long.toString(process.pid()))
                    .start()
                    .onExit()
                    .join();
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    @Override
    public void close() {
        process.destroyForcibly();
    }
}
