package io.carillon.node.ops;

import java.io.File;
import java.io.IOException;
import java.io.OutputStream;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.SecureRandom;
import java.util.HexFormat;
import java.util.concurrent.TimeUnit;
import redis.embedded.core.ExecutableProvider;

/**
 * The Redis that comes inside the node's jar, for a node alone: on loopback, with a password of its own, in memory. It
 * ends with the node.
 */
final class BundledRedis implements AutoCloseable {
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
        Process process = new ProcessBuilder(executable.getAbsolutePath(), "-")
                .directory(directory.toFile())
                .redirectErrorStream(true)
                .redirectOutput(ProcessBuilder.Redirect.DISCARD)
                .start();
        // Through its standard input: the password is in no file and in no list of processes.
        String settings = """
                bind 127.0.0.1
                port %d
                requirepass %s
                save ""
                appendonly no
                maxmemory-policy noeviction
                client-output-buffer-limit pubsub 256mb 64mb 60
                """.formatted(port, password);
        try (OutputStream in = process.getOutputStream()) {
            in.write(settings.getBytes(StandardCharsets.UTF_8));
        }
        var redis = new BundledRedis(process, port, password);
        redis.awaitUp();
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
        process.destroy();
    }
}
