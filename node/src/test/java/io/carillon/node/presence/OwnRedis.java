package io.carillon.node.presence;

import static org.assertj.core.api.Assertions.assertThat;

import io.lettuce.core.RedisClient;
import io.lettuce.core.RedisURI;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.net.ServerSocket;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.TimeUnit;

/** A Redis of the test's own, which it may empty, kill and start again. Empty after each start. */
final class OwnRedis implements AutoCloseable {
    final int port;
    private final Path directory;
    private Process process;

    OwnRedis() {
        try (var socket = new ServerSocket(0)) {
            port = socket.getLocalPort();
            directory = Files.createTempDirectory("carillon-redis");
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
        start();
    }

    RedisURI uri() {
        return RedisURI.create("redis://127.0.0.1:" + port);
    }

    void start() {
        try {
            process = new ProcessBuilder(List.of(
                            "redis-server",
                            "--port",
                            Integer.toString(port),
                            "--bind",
                            "127.0.0.1",
                            "--save",
                            "",
                            "--appendonly",
                            "no",
                            "--dir",
                            directory.toString()))
                    .redirectErrorStream(true)
                    .redirectOutput(directory.resolve("log").toFile())
                    .start();
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
        Until.holds("Redis answers", Duration.ofSeconds(10), () -> {
            var client = RedisClient.create(uri());
            try (var connection = client.connect()) {
                return connection.sync().ping().equals("PONG");
            } catch (RuntimeException notYet) {
                return false;
            } finally {
                client.shutdown(Duration.ZERO, Duration.ZERO);
            }
        });
    }

    void kill() {
        process.destroyForcibly();
        try {
            assertThat(process.waitFor(10, TimeUnit.SECONDS)).isTrue();
        } catch (InterruptedException e) {
            throw new IllegalStateException(e);
        }
    }

    @Override
    public void close() {
        kill();
        try (var files = Files.walk(directory)) {
            files.sorted(java.util.Comparator.reverseOrder())
                    .forEach(file -> file.toFile().delete());
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }
}
