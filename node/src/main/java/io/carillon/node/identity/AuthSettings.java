package io.carillon.node.identity;

import jakarta.validation.constraints.NotNull;
import java.time.Duration;
import java.util.List;
import org.jspecify.annotations.Nullable;
import org.springframework.boot.context.properties.ConfigurationProperties;
import org.springframework.boot.context.properties.bind.DefaultValue;
import org.springframework.validation.annotation.Validated;

/**
 * Who is believed. Tokens are verified by the shared secret or by the key set, never by both: where a key set is
 * configured the secret is not used. {@link #toString} shows no secret.
 *
 * <p>{@code CARILLON_JWT_SECRET}, {@code CARILLON_JWKS_URL} and {@code CARILLON_API_KEY} (comma-separated) are read where
 * the settings here leave these three out.
 *
 * @param jwtSecret shared secret of HS256 tokens; the UTF-8 bytes are the key, at least 32
 * @param jwksUrl address of the key set of RS256 and ES256 tokens; https, or http on loopback
 * @param issuer the {@code iss} every token must have; null = not looked at
 * @param audience the value every token's {@code aud} must hold; null = not looked at
 * @param apiKeys keys of services and operators, at least 32 bytes each; none = the HTTP API answers nobody
 * @param openIdentity whether {@code ?user_id=} alone is believed; only on a loopback address
 * @param maxTokenLife longest time from now to {@code exp}; 0 = no limit
 */
@Validated
@ConfigurationProperties("carillon.auth")
public record AuthSettings(
        @Nullable String jwtSecret,
        @Nullable String jwksUrl,
        @Nullable String issuer,
        @Nullable String audience,
        @NotNull @DefaultValue List<String> apiKeys,
        @DefaultValue("false") boolean openIdentity,
        @NotNull @DefaultValue("0s") Duration maxTokenLife) {

    public AuthSettings {
        jwtSecret = blankIsNull(jwtSecret);
        jwksUrl = blankIsNull(jwksUrl);
        issuer = blankIsNull(issuer);
        audience = blankIsNull(audience);
        apiKeys = apiKeys.stream().filter(key -> !key.isBlank()).toList();
    }

    private static @Nullable String blankIsNull(@Nullable String text) {
        return text == null || text.isBlank() ? null : text;
    }

    @Override
    public String toString() {
        return "AuthSettings[jwtSecret=" + (jwtSecret == null ? "none" : "…") + ", jwksUrl=" + jwksUrl + ", issuer="
                + issuer + ", audience=" + audience + ", apiKeys=" + apiKeys.size() + ", openIdentity=" + openIdentity
                + ", maxTokenLife=" + maxTokenLife + ']';
    }
}
