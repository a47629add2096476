package io.carillon.node.ops;

import java.io.File;
import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.security.SecureRandom;
import java.util.HexFormat;
import java.util.concurrent.TimeUnit;
import redis.embedded.core.ExecutableProvider;

/**
 * The Redis that comes inside the node's jar, for a node alone: on loopback, with a password of its own, in memory. It
 * ends with the node.
 */
final class BundledRedis implements AutoCloseable {
    /**
     * Keeps Redis in a session of its own, so that an interrupt at the terminal reaches the node alone, which says goodbye
     * first; and ends it with the pipe from this process, so that it does not outlive a node that was killed.
     */
    private static final String UNTIL_INPUT_ENDS = "\"$0\" \"$1\" & redis=$!; cat >/dev/null; kill $redis; wait $redis";

    private final Process process;
    private final int port;
    private final String password;

    private BundledRedis(Process process, int port, String password) {
        this.process = process;
        this.port = port;
        this.password = password;
    }

    /**
     * Starts it on a free port and waits until it accepts connections.
     *
     * @throws IOException when the binary does not run here or is not up within ten seconds
     */
    static BundledRedis start() throws IOException {
        Path directory = Files.createTempDirectory("carillon-redis");
        File executable =
                ExecutableProvider.newJarResourceProvider(directory.toFile()).get();
        byte[] random = new byte[32];
        new SecureRandom().nextBytes(random);
        String password = HexFormat.of().formatHex(random);
        int port;
        try (var probe = new ServerSocket(0, 1, InetAddress.getLoopbackAddress())) {
            port = probe.getLocalPort();
        }
        // In a file of its own for as long as Redis reads it: the password is in no list of processes.
        Path settings = Files.createFile(
                directory.resolve("redis.conf"),
                PosixFilePermissions.asFileAttribute(PosixFilePermissions.fromString("rw-------")));
        Files.writeString(settings, """
                bind 127.0.0.1
                port %d
                requirepass %s
                save ""
                appendonly no
                maxmemory-policy noeviction
                client-output-buffer-limit pubsub 256mb 64mb 60
                """.formatted(port, password));
        Process process = new ProcessBuilder(
                        "setsid", "sh", "-c", UNTIL_INPUT_ENDS, executable.getAbsolutePath(), settings.toString())
                .directory(directory.toFile())
                .redirectErrorStream(true)
                .redirectOutput(ProcessBuilder.Redirect.DISCARD)
                .start();
        var redis = new BundledRedis(process, port, password);
        redis.awaitUp();
        Files.delete(settings);
        return redis;
    }

    private void awaitUp() throws IOException {
        long deadline = System.nanoTime() + TimeUnit.SECONDS.toNanos(10);
        while (true) {
            try (var socket = new Socket()) {
                socket.connect(new InetSocketAddress(InetAddress.getLoopbackAddress(), port), 200);
                return;
            } catch (IOException e) {
                try {
                    if (process.waitFor(20, TimeUnit.MILLISECONDS) || System.nanoTime() > deadline) {
                        close();
                        throw new IOException("the bundled Redis did not start on this machine", e);
                    }
                } catch (InterruptedException interrupted) {
                    Thread.currentThread().interrupt();
                    throw new IOException("interrupted while the bundled Redis started", interrupted);
                }
            }
        }
    }

    int port() {
        return port;
    }

    /** How to reach it; holds its password. */
    String url() {
        return "redis://:" + password + "@127.0.0.1:" + port;
    }

    @Override
    public void close() {
        try {
            process.getOutputStream().close();
            if (!process.waitFor(5, TimeUnit.SECONDS)) process.destroyForcibly();
        } catch (IOException e) {
            process.destroy();
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
    }
}
