package io.carillon.node.testing;

import com.redis.testcontainers.RedisContainer;
import io.lettuce.core.RedisClient;
import io.lettuce.core.RedisURI;
import io.lettuce.core.api.StatefulRedisConnection;
import io.lettuce.core.api.sync.RedisCommands;
import java.io.File;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.extension.AfterAllCallback;
import org.junit.jupiter.api.extension.BeforeAllCallback;
import org.junit.jupiter.api.extension.ExtensionContext;
import org.testcontainers.DockerClientFactory;
import redis.embedded.core.ExecutableProvider;

/**
 * A real Redis for the tests of one class; use it as a static {@code @RegisterExtension}. It prints which one it is.
 *
 * <p>{@link #any} takes what there is: the server that {@code -Dredis.url} names, else a container if Docker answers,
 * else {@code redis-server} from the PATH, else the binary that embedded-redis brings. {@link #own} is a process of this
 * test, which may be stopped, started again and frozen. Tests never skip for want of a Redis.
 */
public final class RedisServer implements BeforeAllCallback, AfterAllCallback, AutoCloseable {
    private enum Choice {
        ANY,
        OWN,
        BUNDLED
    }

    private final Choice choice;
    private final List<String> settings = new ArrayList<>(List.of("--appendonly", "no"));
    private @Nullable RedisURI uri;
    private @Nullable RedisContainer container;
    private @Nullable Process process;
    private @Nullable Path executable;
    private @Nullable Path directory;
    private @Nullable String password;
    private @Nullable RedisClient client;
    private @Nullable StatefulRedisConnection<String, String> connection;

    private RedisServer(Choice choice) {
        this.choice = choice;
    }

    /** Whatever Redis there is; it may be shared with others, so keys need a prefix of their own. */
    public static RedisServer any() {
        return new RedisServer(Choice.ANY);
    }

    /** A process of this test: from the PATH, else the bundled one. */
    public static RedisServer own() {
        return new RedisServer(Choice.OWN);
    }

    /** A process of this test: the binary that embedded-redis brings, 6.2. */
    public static RedisServer bundled() {
        return new RedisServer(Choice.BUNDLED);
    }

    /** Keeps what is written over a restart. Only for a process of the test. */
    public RedisServer persistent() {
        settings.set(1, "yes");
        settings.addAll(List.of("--appendfsync", "always"));
        return this;
    }

    /** Adds to the server's settings, as on its command line. Only for a process of the test, before it starts. */
    public RedisServer with(String... more) {
        settings.addAll(List.of(more));
        return this;
    }

    /** Asks for a password, of replicas and primaries too. Only for a process of the test, before it starts. */
    public RedisServer password(String secret) {
        password = secret;
        return with("--requirepass", secret, "--masterauth", secret);
    }

    /** Starts it, where it is no extension of a test class. To be closed. */
    public RedisServer open() {
        prepare();
        return this;
    }

    /** A process of this test, started; for tests that need one in the middle. To be closed. */
    public static RedisServer running() {
        var server = own();
        server.prepare();
        return server;
    }

    @Override
    public void beforeAll(ExtensionContext context) {
        prepare();
    }

    private void prepare() {
        String url = System.getProperty("redis.url", "");
        if (choice == Choice.ANY && !url.isBlank()) {
            uri = RedisURI.create(url);
            say("the server of -Dredis.url");
        } else if (choice == Choice.ANY && docker()) {
            container = new RedisContainer(RedisContainer.DEFAULT_IMAGE_NAME.withTag("7.4-alpine"));
            container.start();
            uri = RedisURI.create(container.getRedisURI());
            say("a container");
        } else {
            Path found = choice == Choice.BUNDLED ? null : onPath();
            try {
                directory = Files.createTempDirectory("carillon-test-redis");
                executable = found != null ? found : unpacked(directory);
                uri = RedisURI.create("127.0.0.1", freePort());
                if (password != null) uri.setAuthentication(password);
            } catch (IOException e) {
                throw new UncheckedIOException(e);
            }
            start();
            say(found != null ? "redis-server from the PATH" : "the bundled binary");
        }
    }

    @Override
    public void afterAll(ExtensionContext context) {
        close();
    }

    @Override
    public void close() {
        disconnect();
        if (container != null) container.stop();
        if (process != null) stop();
        if (directory != null) delete(directory);
    }

    /** Where it listens. */
    public RedisURI uri() {
        if (uri == null) throw new IllegalStateException("the server is not started yet");
        return uri;
    }

    /** The same as text. */
    public String url() {
        return "redis://" + uri().getHost() + ":" + uri().getPort();
    }

    /** Commands on a connection of the test's own, made on first use after each start. */
    public RedisCommands<String, String> commands() {
        if (connection == null) {
            // One client also where it takes several attempts: each has threads of its own.
            if (client == null) client = RedisClient.create(uri());
            connection = client.connect();
        }
        return connection.sync();
    }

    /** Its version, as {@code 7.0.15}. */
    public String version() {
        for (String line : commands().info("server").split("\r\n")) {
            if (line.startsWith("redis_version:")) return line.substring(14);
        }
        throw new IllegalStateException("the server does not tell its version");
    }

    /** Starts the process of the test again, on the same port. */
    public void start() {
        if (executable == null || directory == null) throw new IllegalStateException("not a process of this test");
        List<String> command = new ArrayList<>(List.of(
                executable.toString(),
                "--port",
                Integer.toString(uri().getPort()),
                "--bind",
                "127.0.0.1",
                "--save",
                ""));
        command.addAll(settings);
        try {
            process = new ProcessBuilder(command)
                    .directory(directory.toFile())
                    .redirectErrorStream(true)
                    .redirectOutput(directory.resolve("redis.log").toFile())
                    .start();
            // Also when the tests are interrupted, nothing is left running.
            Process started = process;
            Runtime.getRuntime().addShutdownHook(new Thread(started::destroyForcibly));
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
        Poll.until(
                "Redis answers",
                Duration.ofSeconds(20),
                () -> "PONG".equals(commands().ping()));
    }

    /** Ends the process of the test at once, as a crash does. */
    public void stop() {
        Process running = process();
        disconnect();
        running.destroyForcibly();
        try {
            if (!running.waitFor(10, TimeUnit.SECONDS)) throw new IllegalStateException("Redis does not end");
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
        process = null;
    }

    /** Stops it from running without closing anything: it answers nothing until {@link #thaw}. */
    public void freeze() {
        signal("-STOP");
    }

    public void thaw() {
        signal("-CONT");
    }

    private void signal(String signal) {
        try {
            int answer = new ProcessBuilder(
                            "kill", signal, Long.toString(process().pid()))
                    .start()
                    .waitFor();
            if (answer != 0) throw new IllegalStateException("kill " + signal + " answered " + answer);
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
    }

    private Process process() {
        if (process == null) throw new IllegalStateException("not a running process of this test");
        return process;
    }

    private void disconnect() {
        if (connection != null) connection.close();
        if (client != null) client.shutdown(Duration.ZERO, Duration.ofSeconds(1));
        connection = null;
        client = null;
    }

    private void say(String what) {
        System.out.println("Redis of this test: " + what + ", version " + version());
    }

    private static boolean docker() {
        try {
            return DockerClientFactory.instance().isDockerAvailable();
        } catch (RuntimeException e) {
            return false;
        }
    }

    static @Nullable Path onPath() {
        for (String folder : System.getenv().getOrDefault("PATH", "").split(File.pathSeparator)) {
            Path candidate = Path.of(folder, "redis-server");
            if (Files.isExecutable(candidate)) return candidate;
        }
        return null;
    }

    private static Path unpacked(Path directory) throws IOException {
        return ExecutableProvider.newJarResourceProvider(directory.toFile())
                .get()
                .toPath();
    }

    /** A free port below 55,000: Redis 6.2 takes the one 10,000 above for its cluster bus. */
    static int freePort() throws IOException {
        while (true) {
            try (var socket = new ServerSocket(0, 1, InetAddress.getLoopbackAddress())) {
                if (socket.getLocalPort() < 55_000) return socket.getLocalPort();
            }
        }
    }

    static void delete(Path directory) {
        try (var files = Files.walk(directory)) {
            for (Path file : files.sorted(Comparator.reverseOrder()).toList()) Files.deleteIfExists(file);
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }
}
