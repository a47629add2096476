package io.carillon.node.testing;

import io.lettuce.core.RedisClient;
import io.lettuce.core.RedisURI;
import io.lettuce.core.api.sync.RedisCommands;
import io.lettuce.core.sentinel.api.sync.RedisSentinelCommands;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.net.InetSocketAddress;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import org.junit.jupiter.api.extension.AfterAllCallback;
import org.junit.jupiter.api.extension.BeforeAllCallback;
import org.junit.jupiter.api.extension.ExtensionContext;

/**
 * A primary, a replica and three Sentinels on free ports of loopback, with passwords of their own; use it as a static
 * {@code @RegisterExtension}. A primary that does not answer for 1.5 s is down.
 */
public final class RedisSentinels implements BeforeAllCallback, AfterAllCallback {
    public static final String NAME = "main";
    public static final String PASSWORD = "of-redis-0123456789";
    public static final String SENTINEL_PASSWORD = "of-the-sentinels-0123456789";

    private final List<RedisServer> servers = new ArrayList<>();
    private final List<Process> processes = new ArrayList<>();
    private final List<RedisURI> sentinels = new ArrayList<>();
    private Path directory;
    private RedisClient client;
    private RedisSentinelCommands<String, String> asked;

    @Override
    public void beforeAll(ExtensionContext context) throws Exception {
        directory = Files.createTempDirectory("carillon-test-sentinels");
        RedisServer first = RedisServer.own().password(PASSWORD).open();
        servers.add(first);
        String port = Integer.toString(first.uri().getPort());
        servers.add(RedisServer.own()
                .password(PASSWORD)
                .with("--replicaof", "127.0.0.1 " + port)
                .open());
        for (int i = 0; i < 3; i++) sentinel(i, port);
        client = RedisClient.create();
        asked = client.connectSentinel(sentinels.getFirst()).sync();
        Poll.until("the Sentinels know each other and the replica", Duration.ofSeconds(30), () -> {
            var seen = asked.master(NAME);
            return seen.get("num-other-sentinels").equals("2")
                    && seen.get("num-slaves").equals("1")
                    && seen.get("flags").equals("master")
                    && asked.replicas(NAME).getFirst().get("master-link-status").equals("ok");
        });
    }

    private void sentinel(int index, String primary) throws IOException {
        int port = RedisServer.freePort();
        Path settings = Files.writeString(directory.resolve("sentinel-" + index + ".conf"), """
                port %d
                bind 127.0.0.1
                dir %s
                requirepass %s
                sentinel sentinel-pass %s
                sentinel monitor main 127.0.0.1 %s 2
                sentinel auth-pass main %s
                sentinel down-after-milliseconds main 1500
                sentinel failover-timeout main 6000
                """.formatted(
                        port, directory, SENTINEL_PASSWORD, SENTINEL_PASSWORD, primary, PASSWORD));
        Path executable = Objects.requireNonNull(RedisServer.onPath(), "tests with Sentinels need redis-server");
        Process process = new ProcessBuilder(executable.toString(), settings.toString(), "--sentinel")
                .redirectErrorStream(true)
                .redirectOutput(directory.resolve("sentinel-" + index + ".log").toFile())
                .start();
        Runtime.getRuntime().addShutdownHook(new Thread(process::destroyForcibly));
        processes.add(process);
        RedisURI uri = RedisURI.create("127.0.0.1", port);
        uri.setAuthentication(SENTINEL_PASSWORD);
        sentinels.add(uri);
        Poll.until("a Sentinel listens", Duration.ofSeconds(10), () -> {
            try (var socket = new java.net.Socket("127.0.0.1", port)) {
                return socket.isConnected();
            }
        });
    }

    /** The Sentinels, with their password. */
    public List<RedisURI> sentinels() {
        return List.copyOf(sentinels);
    }

    /** What it takes to get into Redis; the address is nobody's. */
    public RedisURI access() {
        RedisURI uri = RedisURI.create("127.0.0.1", 1);
        uri.setAuthentication(PASSWORD);
        return uri;
    }

    public RedisSentinelCommands<String, String> sentinel() {
        return asked;
    }

    /** The server that the Sentinels call primary. */
    public RedisServer primary() {
        int port = ((InetSocketAddress) asked.getMasterAddrByName(NAME)).getPort();
        return servers.stream()
                .filter(server -> server.uri().getPort() == port)
                .findFirst()
                .orElseThrow();
    }

    /** The other one. */
    public RedisServer replica() {
        RedisServer primary = primary();
        return servers.stream().filter(server -> server != primary).findFirst().orElseThrow();
    }

    /** Waits until the replica follows and the next failover could take place. */
    public void awaitReplica() {
        Poll.until("the replica follows", Duration.ofSeconds(40), () -> {
            RedisCommands<String, String> commands = replica().commands();
            return commands.info("replication").contains("role:slave")
                    && commands.info("replication").contains("master_link_status:up")
                    && asked.master(NAME).get("flags").equals("master")
                    && asked.replicas(NAME).stream()
                            .anyMatch(one -> one.get("flags").equals("slave"));
        });
    }

    @Override
    public void afterAll(ExtensionContext context) {
        if (client != null) client.shutdown(Duration.ZERO, Duration.ofSeconds(1));
        processes.forEach(Process::destroyForcibly);
        servers.forEach(RedisServer::close);
        try {
            for (Process process : processes) process.waitFor();
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
        try {
            RedisServer.delete(directory);
        } catch (UncheckedIOException e) {
            throw new IllegalStateException("the Sentinels' files remain", e);
        }
    }
}
