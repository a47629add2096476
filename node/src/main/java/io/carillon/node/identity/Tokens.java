package io.carillon.node.identity;

import com.nimbusds.jose.JOSEException;
import com.nimbusds.jose.JWSAlgorithm;
import com.nimbusds.jose.JWSHeader;
import com.nimbusds.jose.util.Base64URL;
import io.carillon.model.channel.Ids;
import io.carillon.node.identity.TokenKeys.Found;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.time.InstantSource;
import java.util.Base64;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.Locale;
import java.util.Map;
import java.util.Set;
import org.jspecify.annotations.Nullable;
import tools.jackson.core.JacksonException;
import tools.jackson.core.StreamReadConstraints;
import tools.jackson.core.StreamReadFeature;
import tools.jackson.core.json.JsonFactory;
import tools.jackson.databind.DeserializationFeature;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;

/**
 * Verifies JSON Web Tokens (RFC 7519, after RFC 8725): signed ones only, by the configured keys only. What the header
 * says about keys ({@code jwk}, {@code jku}, {@code x5u}, {@code x5c}) is not read; {@code kid} is a name to look up.
 * Stateless but for the key set; safe from any thread.
 */
final class Tokens {
    /** Longest token accepted, in characters. */
    static final int MAX_LENGTH = 4096;

    static final Duration SKEW = Duration.ofSeconds(30);

    /** Strict JSON: no duplicate names, nothing behind the value, bounded depth. */
    static final JsonMapper JSON = JsonMapper.builder(JsonFactory.builder()
                    .enable(StreamReadFeature.STRICT_DUPLICATE_DETECTION)
                    .streamReadConstraints(StreamReadConstraints.builder()
                            .maxNestingDepth(32)
                            .maxNumberLength(40)
                            .build())
                    .build())
            .enable(DeserializationFeature.FAIL_ON_TRAILING_TOKENS)
            .build();

    private static final Base64.Decoder BASE64URL = Base64.getUrlDecoder();
    private static final Set<String> TYPES = Set.of("JWT", "AT+JWT", "APPLICATION/JWT", "APPLICATION/AT+JWT");

    /** Claims that are fields of the principal, or said all they had to say when they were checked. */
    private static final Set<String> USED = Set.of("sub", "name", "kind", "rooms", "exp", "nbf", "iat");

    private final TokenKeys keys;
    private final @Nullable String issuer;
    private final @Nullable String audience;
    private final long maxLifeMillis;
    private final InstantSource clock;

    Tokens(TokenKeys keys, @Nullable String issuer, @Nullable String audience, Duration maxLife, InstantSource clock) {
        this.keys = keys;
        this.issuer = issuer;
        this.audience = audience;
        this.maxLifeMillis = maxLife.isZero() ? Long.MAX_VALUE : maxLife.toMillis();
        this.clock = clock;
    }

    /** The token of an {@code Authorization: Bearer} header; null when the header is of another scheme. */
    static @Nullable String bearer(String authorization) {
        String scheme = "Bearer ";
        if (!authorization.regionMatches(true, 0, scheme, 0, scheme.length())) return null;
        return authorization.substring(scheme.length()).strip();
    }

    /** Whether {@link #verify} never waits. */
    boolean local() {
        return keys.local();
    }

    /** Verifies a token. May wait for the key set, unless {@link #local}. */
    Verdict verify(String token) {
        if (token.length() > MAX_LENGTH) {
            return Reason.TOO_LONG.refuse("the token is longer than 4 KB");
        }
        String[] parts = token.split("\\.", -1);
        if (parts.length == 5) {
            return Reason.ALG.refuse("the token is encrypted: send a signed one");
        }
        if (parts.length != 3 || !base64url(parts[0]) || !base64url(parts[1])) return malformed();
        JsonNode header = json(parts[0]);
        if (header == null) return malformed();

        JWSAlgorithm algorithm = algorithm(header.get("alg"));
        if (algorithm == null) {
            return Reason.ALG.refuse("the token's algorithm is not accepted here");
        }
        if (header.has("crit")) {
            return Reason.CRIT.refuse("the token demands an extension (crit) that is not supported");
        }
        JsonNode type = header.get("typ");
        if (type != null
                && !(type.isString() && TYPES.contains(type.stringValue().toUpperCase(Locale.ROOT)))) {
            return Reason.CLAIMS.refuse("the token is of another type than JWT");
        }
        if (!base64url(parts[2])) return malformed();

        JsonNode kid = header.get("kid");
        if (kid != null && !kid.isString()) {
            return Reason.KEY.refuse("the token names its key by something else than a text");
        }
        return switch (keys.find(algorithm, kid == null ? null : kid.stringValue())) {
            case Found.Unknown ignored -> Reason.KEY.refuse("the token is signed with a key that is not known here");
            case Found.Unavailable ignored ->
                Reason.UNAVAILABLE.refuse("the keys for tokens cannot be had at the moment: try again");
            case Found.Key key ->
                signed(key, algorithm, parts)
                        ? claims(parts[1])
                        : Reason.SIGNATURE.refuse("the token's signature is wrong");
        };
    }

    private @Nullable JWSAlgorithm algorithm(@Nullable JsonNode name) {
        if (name == null || !name.isString()) return null;
        for (JWSAlgorithm algorithm : keys.algorithms()) {
            if (algorithm.getName().equals(name.stringValue())) return algorithm;
        }
        return null;
    }

    private static boolean signed(Found.Key key, JWSAlgorithm algorithm, String[] parts) {
        byte[] input = (parts[0] + '.' + parts[1]).getBytes(StandardCharsets.US_ASCII);
        try {
            // A header of our own: nothing the token says reaches the verifier but the name of an allowed algorithm.
            return key.verifier().verify(new JWSHeader(algorithm), input, new Base64URL(parts[2]));
        } catch (JOSEException e) {
            return false;
        }
    }

    private Verdict claims(String part) {
        JsonNode claims = json(part);
        if (claims == null) return malformed();
        long now = clock.millis();

        JsonNode exp = claims.get("exp");
        if (exp == null || !exp.isNumber()) {
            return Reason.CLAIMS.refuse("the token needs exp, a number of seconds since 1970");
        }
        long expiresAt = millis(exp);
        if (expiresAt <= now - SKEW.toMillis()) {
            return Reason.EXPIRED.refuse("the token has expired");
        }
        if (expiresAt > now && expiresAt - now > maxLifeMillis) {
            return Reason.CLAIMS.refuse("the token lives longer than is allowed here");
        }
        JsonNode nbf = claims.get("nbf");
        if (nbf != null) {
            if (!nbf.isNumber()) return Reason.CLAIMS.refuse("the token's nbf is not a number");
            if (millis(nbf) > now + SKEW.toMillis()) return Reason.NOT_YET.refuse("the token is not valid yet");
        }
        if (issuer != null && !issuer.equals(text(claims.get("iss")))) {
            return Reason.ISSUER.refuse("the token is from another issuer");
        }
        if (audience != null && !names(claims.get("aud"), audience)) {
            return Reason.AUDIENCE.refuse("the token is for another audience");
        }
        if (isRefreshToken(claims)) {
            return Reason.CLAIMS.refuse("this is a refresh token: send an access token");
        }
        String user = id(claims.get("sub"));
        if (user == null) {
            return Reason.SUB.refuse(
                    "the token's sub must be a user id: 1 to 128 characters of A-Z a-z 0-9 . _ : @ ~ + = -");
        }
        JsonNode kindClaim = claims.get("kind");
        String kind = id(kindClaim);
        if (kind == null && kindClaim != null && !kindClaim.isNull()) {
            return Reason.CLAIMS.refuse("the token's kind must be 1 to 128 characters of A-Z a-z 0-9 . _ : @ ~ + = -");
        }
        JsonNode roomsClaim = claims.get("rooms");
        var rooms = new HashSet<String>();
        if (roomsClaim != null && !roomsClaim.isNull()) {
            if (!roomsClaim.isArray()) return Reason.CLAIMS.refuse("the token's rooms must be an array of room ids");
            for (JsonNode room : roomsClaim) {
                String name = id(room);
                if (name == null) return Reason.CLAIMS.refuse("the token's rooms must be an array of room ids");
                rooms.add(name);
            }
        }
        // Within the skew the token is past its end by our clock and not yet by its issuer's.
        long end = expiresAt > now ? expiresAt : expiresAt + SKEW.toMillis();
        return new Verdict.Granted(
                new Principal(user, text(claims.get("name")), kind, rooms, end, others(claims)), null);
    }

    private static boolean isRefreshToken(JsonNode claims) {
        for (String claim : new String[] {"typ", "token_type", "token_use"}) {
            if ("refresh".equalsIgnoreCase(text(claims.get(claim)))) return true;
        }
        return false;
    }

    private static boolean names(@Nullable JsonNode aud, String wanted) {
        if (aud == null) return false;
        if (!aud.isArray()) return wanted.equals(text(aud));
        for (JsonNode one : aud) {
            if (wanted.equals(text(one))) return true;
        }
        return false;
    }

    private static @Nullable String text(@Nullable JsonNode node) {
        return node != null && node.isString() ? node.stringValue() : null;
    }

    /** An id, which tokens may carry as text or as a whole number; null when it is none. */
    private static @Nullable String id(@Nullable JsonNode node) {
        if (node == null) return null;
        String id = node.isString() ? node.stringValue() : node.isIntegralNumber() ? node.asString() : "";
        return Ids.valid(id) ? id : null;
    }

    /** Seconds to milliseconds; what does not fit becomes the nearest that does. */
    private static long millis(JsonNode seconds) {
        double millis = seconds.doubleValue() * 1000;
        return (long) millis;
    }

    private static Map<String, Object> others(JsonNode claims) {
        var others = new LinkedHashMap<String, Object>();
        for (Map.Entry<String, JsonNode> claim : claims.properties()) {
            if (USED.contains(claim.getKey()) || claim.getValue().isNull()) continue;
            others.put(claim.getKey(), JSON.convertValue(claim.getValue(), Object.class));
        }
        return others;
    }

    private static boolean base64url(String part) {
        if (part.isEmpty()) return false;
        for (int i = 0; i < part.length(); i++) {
            char c = part.charAt(i);
            if (!(c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '-' || c == '_')) {
                return false;
            }
        }
        return true;
    }

    /** The JSON object of a part; null when it is none. */
    private static @Nullable JsonNode json(String part) {
        try {
            JsonNode node = JSON.readTree(BASE64URL.decode(part));
            return node.isObject() ? node : null;
        } catch (IllegalArgumentException | JacksonException e) {
            return null;
        }
    }

    private static Verdict.Refused malformed() {
        return Reason.MALFORMED.refuse("this is not a signed JSON Web Token");
    }
}
