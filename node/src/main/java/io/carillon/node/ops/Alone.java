package io.carillon.node.ops;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.nio.file.attribute.PosixFilePermissions;
import java.security.SecureRandom;
import java.util.Base64;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;
import org.springframework.boot.SpringApplication;
import org.springframework.boot.env.YamlPropertySourceLoader;
import org.springframework.context.ApplicationContextInitializer;
import org.springframework.context.ConfigurableApplicationContext;
import org.springframework.core.env.ConfigurableEnvironment;
import org.springframework.core.env.MapPropertySource;
import org.springframework.core.env.PropertySource;
import org.springframework.core.env.StandardEnvironment;
import org.springframework.core.io.ClassPathResource;

/**
 * What a node does for itself when it is started with nothing configured: the bundled Redis, secrets of its own, the
 * settings of the quick start. Each thing that is configured is left as it is.
 */
public final class Alone implements ApplicationContextInitializer<ConfigurableApplicationContext> {
    private static final Logger log = LoggerFactory.getLogger(Alone.class);
    private static final Path SECRETS = Path.of(".carillon", "node.env");

    @Override
    public void initialize(ConfigurableApplicationContext context) {
        ConfigurableEnvironment environment = context.getEnvironment();
        String url = environment.getProperty("carillon.redis.url", "");
        if (!url.isBlank()) {
            add(environment, Map.of("spring.data.redis.url", url));
            return;
        }
        for (String configured : List.of("url", "host", "sentinel.master", "cluster.nodes")) {
            if (environment.containsProperty("spring.data.redis." + configured)) return;
        }
        try {
            BundledRedis redis = BundledRedis.start();
            // After the node has said goodbye to it.
            SpringApplication.getShutdownHandlers().add(redis::close);
            log.warn(
                    "No Redis is configured: started the bundled one on 127.0.0.1:{}. It keeps nothing after this"
                            + " process; set CARILLON_REDIS_URL for a cluster.",
                    redis.port());
            var own = new LinkedHashMap<String, Object>();
            own.put("spring.data.redis.url", redis.url());
            if (loopback(environment)) secrets(environment, own);
            add(environment, own);
        } catch (IOException e) {
            throw new IllegalStateException(
                    "no Redis is configured and the bundled one does not run here; set CARILLON_REDIS_URL", e);
        }
    }

    private static void secrets(ConfigurableEnvironment environment, Map<String, Object> own) throws IOException {
        boolean identity = configured(environment, "carillon.auth.jwt-secret")
                || configured(environment, "carillon.auth.jwks-url");
        boolean keys = configured(environment, "carillon.auth.api-keys");
        if (identity && keys) return;
        var lines = new StringBuilder();
        if (!identity) {
            String secret = random();
            own.put("carillon.auth.jwt-secret", secret);
            lines.append("CARILLON_JWT_SECRET=").append(secret).append('\n');
            for (PropertySource<?> local : new YamlPropertySourceLoader()
                    .load("quick start", new ClassPathResource("carillon/application-local.yml"))) {
                environment
                        .getPropertySources()
                        .addAfter(StandardEnvironment.SYSTEM_ENVIRONMENT_PROPERTY_SOURCE_NAME, local);
            }
        }
        if (!keys) {
            String key = random();
            own.put("carillon.auth.api-keys", key);
            lines.append("CARILLON_API_KEY=").append(key).append('\n');
        }
        Files.createDirectories(SECRETS.getParent());
        Files.deleteIfExists(SECRETS);
        Files.createFile(SECRETS, PosixFilePermissions.asFileAttribute(PosixFilePermissions.fromString("rw-------")));
        Files.writeString(SECRETS, lines, StandardOpenOption.TRUNCATE_EXISTING);
        log.warn("No secrets are configured: made some for this run. They are in {}.", SECRETS);
    }

    private static boolean configured(ConfigurableEnvironment environment, String name) {
        return !environment.getProperty(name, "").isBlank();
    }

    private static boolean loopback(ConfigurableEnvironment environment) {
        String host = environment.getProperty("server.address", "");
        return host.startsWith("127.") || host.equals("localhost") || host.equals("::1");
    }

    private static String random() {
        byte[] bytes = new byte[32];
        new SecureRandom().nextBytes(bytes);
        return Base64.getUrlEncoder().withoutPadding().encodeToString(bytes);
    }

    private static void add(ConfigurableEnvironment environment, Map<String, Object> properties) {
        environment.getPropertySources().addFirst(new MapPropertySource("carillon", properties));
    }
}
