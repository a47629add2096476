package io.carillon.node.testing;

import static java.util.Objects.requireNonNull;

import com.example.host.HostApplication;
import io.carillon.node.CarillonNode;
import java.io.IOException;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Base64;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.function.IntPredicate;
import javax.crypto.Mac;
import javax.crypto.spec.SecretKeySpec;
import org.springframework.boot.SpringApplication;
import org.springframework.context.ApplicationContext;
import org.springframework.context.ConfigurableApplicationContext;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;

/** Real nodes in this JVM, on free ports, over one real Redis. */
public final class Nodes implements AutoCloseable {
    public static final String JWT_SECRET = "a-secret-of-the-tests-0123456789abcdef";
    public static final String API_KEY = "a-key-of-the-tests-0123456789abcdefgh";

    /** What an application sets to have a node inside. */
    public static final Map<String, String> HOST = Map.ofEntries(
            Map.entry("carillon.enabled", "true"),
            Map.entry("server.port", "0"),
            Map.entry("server.address", "127.0.0.1"),
            Map.entry("server.shutdown", "graceful"),
            Map.entry("management.server.port", "0"),
            Map.entry("management.endpoint.health.probes.enabled", "true"),
            Map.entry("management.endpoint.health.show-components", "always"),
            Map.entry("management.endpoint.health.group.readiness.include", "readinessState,carillon"),
            Map.entry("management.endpoints.web.exposure.include", "health,prometheus"),
            // The quick start's settings, which a node of its own has by its profile.
            Map.entry("spring.config.import", "classpath:/carillon/application-local.yml"));

    private static final JsonMapper JSON = JsonMapper.shared();
    private static final HttpClient HTTP = HttpClient.newHttpClient();

    private final List<ConfigurableApplicationContext> nodes = new ArrayList<>();
    private final String redisUrl;
    private final Map<String, String> settings;
    private final IntPredicate embedded;

    /** @param settings what differs from the quick start */
    public Nodes(String redisUrl, int count, Map<String, String> settings) {
        this(redisUrl, count, settings, node -> Embedded.everyOther && node % 2 == 1);
    }

    /** @param embedded which of the nodes are inside an application of somebody else */
    public Nodes(String redisUrl, int count, Map<String, String> settings, IntPredicate embedded) {
        this.redisUrl = redisUrl;
        this.settings = Map.copyOf(settings);
        this.embedded = embedded;
        for (int i = 0; i < count; i++) add();
    }

    public void add() {
        boolean inside = embedded.test(nodes.size());
        var all = new LinkedHashMap<>(Map.of(
                "carillon.redis.url",
                redisUrl,
                "carillon.auth.jwt-secret",
                JWT_SECRET,
                "carillon.auth.api-keys",
                API_KEY,
                "carillon.ops.warm-up",
                "0",
                "carillon.edge.drain-notice",
                "0",
                "carillon.edge.drain-window",
                "500ms"));
        if (inside) {
            // Where the application's Redis is, is where the node's is.
            all.put("spring.data.redis.url", requireNonNull(all.remove("carillon.redis.url")));
            all.putAll(HOST);
        } else {
            all.putAll(Map.of("carillon.port", "0", "carillon.management-port", "0"));
        }
        all.putAll(settings);
        var arguments = new ArrayList<String>();
        all.forEach((name, value) -> arguments.add("--" + name + "=" + value));
        SpringApplication node = inside ? new SpringApplication(HostApplication.class) : CarillonNode.application();
        if (!inside) node.setAdditionalProfiles("local");
        nodes.add(node.run(arguments.toArray(String[]::new)));
        int added = nodes.size() - 1;
        Poll.until("the node is ready", Duration.ofSeconds(20), () -> ready(added));
    }

    /** Whether the node's readiness answers 200. */
    public boolean ready(int node) throws IOException, InterruptedException {
        var request = HttpRequest.newBuilder(URI.create(managementUrl(node) + "/actuator/health/readiness"));
        return HTTP.send(request.build(), HttpResponse.BodyHandlers.discarding())
                        .statusCode()
                == 200;
    }

    /** Address of the node, {@code http://127.0.0.1:port}. */
    public String url(int node) {
        return "http://127.0.0.1:" + nodes.get(node).getEnvironment().getProperty("local.server.port");
    }

    public String managementUrl(int node) {
        return "http://127.0.0.1:" + nodes.get(node).getEnvironment().getProperty("local.management.port");
    }

    /** The context of the node's process: the application's, where it is inside one. */
    public ApplicationContext context(int node) {
        return nodes.get(node);
    }

    public <T> T bean(int node, Class<T> type) {
        return nodes.get(node).getBean(type);
    }

    /** Stops the node as SIGTERM does. */
    public void stop(int node) {
        nodes.get(node).close();
    }

    /** Whether the node has not ended. */
    public boolean running(int node) {
        return nodes.get(node).isActive();
    }

    /** Calls the HTTP API of the first node with the key of a service; null body for none. */
    public HttpResponse<String> call(String method, String path, String body) throws IOException, InterruptedException {
        return call(0, method, path, body);
    }

    /** The same of any node. */
    public HttpResponse<String> call(int node, String method, String path, String body)
            throws IOException, InterruptedException {
        var request = HttpRequest.newBuilder(URI.create(url(node) + path)).header("X-API-Key", API_KEY);
        if (body == null) request.method(method, HttpRequest.BodyPublishers.noBody());
        else {
            request.method(method, HttpRequest.BodyPublishers.ofString(body))
                    .header("Content-Type", "application/json");
        }
        return HTTP.send(request.build(), HttpResponse.BodyHandlers.ofString());
    }

    public JsonNode get(String path) throws IOException, InterruptedException {
        return JSON.readTree(call("GET", path, null).body());
    }

    /** A token of these nodes, HS256; {@code claims} are further claims as JSON, such as {@code "kind":"agent"}. */
    public static String token(String user, long expiresAtSeconds, String claims) {
        String more = claims.isEmpty() ? "" : "," + claims;
        String header = encode("{\"alg\":\"HS256\",\"typ\":\"JWT\"}".getBytes(StandardCharsets.UTF_8));
        String payload = encode(("{\"sub\":\"" + user + "\",\"exp\":" + expiresAtSeconds + more + "}")
                .getBytes(StandardCharsets.UTF_8));
        try {
            Mac mac = Mac.getInstance("HmacSHA256");
            mac.init(new SecretKeySpec(JWT_SECRET.getBytes(StandardCharsets.UTF_8), "HmacSHA256"));
            String signed = header + "." + payload;
            return signed + "." + encode(mac.doFinal(signed.getBytes(StandardCharsets.UTF_8)));
        } catch (java.security.GeneralSecurityException e) {
            throw new IllegalStateException(e);
        }
    }

    private static String encode(byte[] bytes) {
        return Base64.getUrlEncoder().withoutPadding().encodeToString(bytes);
    }

    @Override
    public void close() {
        nodes.forEach(ConfigurableApplicationContext::close);
        // Tests keep this in a static field, and with it whatever is in here for as long as the JVM lives.
        nodes.clear();
    }
}
