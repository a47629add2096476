package io.carillon.node.identity;

import io.carillon.model.redis.Keys;
import io.micrometer.core.instrument.MeterRegistry;
import java.net.InetAddress;
import java.net.UnknownHostException;
import java.time.Clock;
import java.util.List;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;
import org.springframework.boot.context.properties.EnableConfigurationProperties;
import org.springframework.context.annotation.Bean;
import org.springframework.context.annotation.Configuration;
import org.springframework.core.env.Environment;
import org.springframework.data.redis.core.StringRedisTemplate;

/** Wires this room, and refuses to start it with settings that let strangers in. */
@Configuration(proxyBeanMethods = false)
@EnableConfigurationProperties(AuthSettings.class)
class IdentityConfiguration {
    private static final Logger log = LoggerFactory.getLogger(IdentityConfiguration.class);

    @Bean
    IdentityMetrics identityMetrics(MeterRegistry registry) {
        return new IdentityMetrics(registry);
    }

    @Bean
    Tickets tickets(StringRedisTemplate redis, Keys keys) {
        return new Tickets(redis, keys);
    }

    @Bean
    ApiKeys apiKeys(AuthSettings settings, IdentityMetrics metrics, Environment environment) {
        List<String> keys =
                settings.apiKeys().isEmpty() ? shortNamed(environment, "carillon.api-key") : settings.apiKeys();
        for (String key : keys) Secrets.check(key, "CARILLON_API_KEY");
        if (keys.isEmpty()) {
            log.warn("CARILLON_API_KEY is not set: the HTTP API answers 401 to every call");
        }
        return new ApiKeys(keys, metrics);
    }

    /** The values of a setting by the short name its environment variable has, such as {@code CARILLON_API_KEY}. */
    private static List<String> shortNamed(Environment environment, String name) {
        return Stream.of(environment.getProperty(name, "").split(","))
                .map(String::strip)
                .filter(value -> !value.isEmpty())
                .toList();
    }

    private static @Nullable String shortNamed(Environment environment, String name, @Nullable String value) {
        if (value != null) return value;
        String found = environment.getProperty(name, "").strip();
        return found.isEmpty() ? null : found;
    }

    @Bean
    Authenticator authenticator(
            AuthSettings settings, Tickets tickets, IdentityMetrics metrics, Clock clock, Environment environment) {
        if (settings.openIdentity()) {
            String address = environment.getProperty("server.address");
            if (!loopback(address)) {
                throw new UnsafeSettingsException(
                        "carillon.auth.open-identity is true, so anybody could be any user: it is allowed only where server.address is a loopback address such as 127.0.0.1.");
            }
            log.warn(
                    "Open identity is on: whoever reaches {} is believed to be the user he names. This is for trying things out on one machine.",
                    address);
        }
        return new Authenticator(tokens(settings, clock, environment), tickets, settings.openIdentity(), metrics);
    }

    private static @Nullable Tokens tokens(AuthSettings settings, Clock clock, Environment environment) {
        String secret = shortNamed(environment, "carillon.jwt-secret", settings.jwtSecret());
        String address = shortNamed(environment, "carillon.jwks-url", settings.jwksUrl());
        if (secret != null) Secrets.check(secret, "CARILLON_JWT_SECRET");
        TokenKeys keys;
        if (address != null) {
            if (secret != null) {
                log.info("CARILLON_JWKS_URL is set: tokens signed with CARILLON_JWT_SECRET are not accepted");
            }
            keys = new KeySet(address, clock);
        } else if (secret != null) {
            keys = new TokenKeys.Shared(secret);
        } else if (settings.openIdentity()) {
            return null;
        } else {
            throw new UnsafeSettingsException(
                    "CARILLON_JWT_SECRET is not set: set it to at least 32 random bytes, as `openssl rand -base64 48` prints, or set CARILLON_JWKS_URL to the address of a key set.");
        }
        return new Tokens(keys, settings.issuer(), settings.audience(), settings.maxTokenLife(), clock);
    }

    private static boolean loopback(@Nullable String address) {
        if (address == null || address.isBlank()) return false;
        try {
            return InetAddress.getByName(address).isLoopbackAddress();
        } catch (UnknownHostException e) {
            return false;
        }
    }
}
