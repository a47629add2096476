package io.carillon.node.testing;

import java.io.File;
import java.io.IOException;
import java.net.ServerSocket;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import java.util.stream.Stream;

/**
 * An application with a node inside, in a process of its own, which can be killed; with what such an application has on its
 * class path and no more: nothing of WebFlux, no actuator, no springdoc, no bundled Redis.
 */
public final class HostProcess implements AutoCloseable {
    /** What the node's pom calls optional or has for its tests, and what comes with it. */
    private static final Pattern NOT_THERE = Pattern.compile("(spring-webflux|spring-boot-(starter-)?webflux"
            + "|spring-boot-(starter-)?reactor-netty|reactor-netty-http|netty-codec-http2"
            + "|spring-boot-(starter-)?actuator|spring-boot-actuator-autoconfigure|spring-boot-health"
            + "|spring-boot-(starter-)?micrometer-.*|micrometer-registry-prometheus|prometheus-metrics-.*"
            + "|springdoc-.*|swagger-.*|embedded-redis)-[0-9v].*\\.jar");

    public final String url;
    private final Process process;

    public HostProcess(String redisUrl) throws IOException {
        int port;
        try (var probe = new ServerSocket(0)) {
            port = probe.getLocalPort();
        }
        url = "http://127.0.0.1:" + port;
        var settings = new LinkedHashMap<>(Nodes.HOST);
        settings.keySet().removeIf(name -> name.startsWith("management."));
        settings.putAll(Map.of(
                "server.port",
                Integer.toString(port),
                "carillon.redis.url",
                redisUrl,
                "carillon.auth.jwt-secret",
                Nodes.JWT_SECRET,
                "carillon.auth.api-keys",
                Nodes.API_KEY));
        var command = new ArrayList<>(List.of(
                Path.of(System.getProperty("java.home"), "bin", "java").toString(),
                "-Xmx128m",
                "-XX:+UseSerialGC",
                "-XX:TieredStopAtLevel=1",
                "-cp",
                classPath(),
                "com.example.host.HostApplication"));
        settings.forEach((name, value) -> command.add("--" + name + "=" + value));
        process = new ProcessBuilder(command)
                .redirectErrorStream(true)
                .redirectOutput(Path.of("target", "host.log").toFile())
                .start();
        Runtime.getRuntime().addShutdownHook(new Thread(process::destroyForcibly));
        Poll.until("the application to serve (see target/host.log)", Duration.ofSeconds(60), () -> {
            if (!process.isAlive()) throw new IllegalStateException("it has ended");
            return hello() == 200;
        });
    }

    private static String classPath() throws IOException {
        String application = application().toString();
        return Arrays.stream(System.getProperty("java.class.path").split(File.pathSeparator))
                .filter(entry -> !NOT_THERE.matcher(new File(entry).getName()).matches())
                .map(entry -> entry.endsWith("test-classes") ? application : entry)
                .collect(Collectors.joining(File.pathSeparator));
    }

    /** Its own classes, without the tests they lie beside. */
    private static Path application() throws IOException {
        Path tests = Path.of("target", "test-classes");
        Path alone = Path.of("target", "host-classes").toAbsolutePath();
        try (Stream<Path> all = Files.walk(tests.resolve("com/example/host"))) {
            for (Path one : all.filter(Files::isRegularFile).toList()) {
                Path to = alone.resolve(tests.relativize(one).toString());
                Files.createDirectories(to.getParent());
                Files.copy(one, to, StandardCopyOption.REPLACE_EXISTING);
            }
        }
        return alone;
    }

    private int hello() throws IOException, InterruptedException {
        return HttpClient.newHttpClient()
                .send(
                        HttpRequest.newBuilder(URI.create(url + "/hello")).build(),
                        HttpResponse.BodyHandlers.discarding())
                .statusCode();
    }

    /** Ends it as a crash does. */
    public void kill() throws InterruptedException {
        process.destroyForcibly().waitFor();
    }

    @Override
    public void close() throws InterruptedException {
        process.destroy();
        if (!process.waitFor(30, TimeUnit.SECONDS)) process.destroyForcibly();
    }
}
