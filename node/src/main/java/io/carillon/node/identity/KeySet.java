package io.carillon.node.identity;

import com.google.errorprone.annotations.concurrent.GuardedBy;
import com.nimbusds.jose.JOSEException;
import com.nimbusds.jose.JWSAlgorithm;
import com.nimbusds.jose.JWSVerifier;
import com.nimbusds.jose.crypto.ECDSAVerifier;
import com.nimbusds.jose.crypto.RSASSAVerifier;
import com.nimbusds.jose.jwk.Curve;
import com.nimbusds.jose.jwk.ECKey;
import com.nimbusds.jose.jwk.JWK;
import com.nimbusds.jose.jwk.KeyUse;
import com.nimbusds.jose.jwk.RSAKey;
import java.io.IOException;
import java.net.InetAddress;
import java.net.URI;
import java.net.URISyntaxException;
import java.net.UnknownHostException;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.net.http.HttpResponse.BodyHandlers;
import java.text.ParseException;
import java.time.Duration;
import java.time.InstantSource;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import java.util.concurrent.locks.ReentrantLock;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;
import tools.jackson.core.JacksonException;
import tools.jackson.databind.JsonNode;

/**
 * Public keys of RS256 and ES256 tokens, from one configured address (RFC 7517). The address never comes from a token.
 *
 * <p>A set is fresh for 5 minutes; then the next look renews it without waiting. Where that fails, its keys hold for
 * an hour. A key id the set does not have is worth one renewal in 30 s, whoever asks and however often. An answer may
 * take 2 s and 64 KiB. Safe from any thread; one thread fetches at a time and the others wait for it.
 */
final class KeySet implements TokenKeys {
    private static final Logger log = LoggerFactory.getLogger(KeySet.class);

    static final Duration TIMEOUT = Duration.ofSeconds(2);
    static final int MAX_BYTES = 64 * 1024;
    static final Duration FRESH = Duration.ofMinutes(5);
    static final Duration STALE = Duration.ofHours(1);
    static final Duration BETWEEN_RENEWALS = Duration.ofSeconds(30);
    static final Duration AFTER_FAILURE = Duration.ofSeconds(2);

    private static final int MIN_RSA_BITS = 2048;
    private static final int MAX_KEYS = 100;
    private static final Pattern KID = Pattern.compile("[A-Za-z0-9._-]{1,64}");
    private static final Set<JWSAlgorithm> ALGORITHMS = Set.of(JWSAlgorithm.RS256, JWSAlgorithm.ES256);

    private final URI address;
    private final InstantSource clock;
    private final HttpClient http;
    private final ReentrantLock fetching = new ReentrantLock();
    private volatile @Nullable Keys keys;

    @GuardedBy("fetching")
    private long lastUnknown = Long.MIN_VALUE;

    @GuardedBy("fetching")
    private long lastFailure = Long.MIN_VALUE;

    /** When a renewal without waiting was last started; guarded by nothing: two at once do no harm. */
    private volatile long lastRenewal = Long.MIN_VALUE;

    private record Named(@Nullable String kid, JWSAlgorithm algorithm, JWSVerifier verifier) {}

    private record Keys(List<Named> all, long fetchedAt) {}

    /**
     * @throws UnsafeSettingsException when the address is neither https nor on loopback
     */
    KeySet(String address, InstantSource clock) {
        URI uri = safe(address);
        if (uri == null) {
            throw new UnsafeSettingsException(
                    "CARILLON_JWKS_URL must be an https address, or http on loopback: whoever can change the keys on their way can be any user.");
        }
        this.address = uri;
        this.clock = clock;
        this.http = HttpClient.newBuilder()
                .version(HttpClient.Version.HTTP_1_1)
                .followRedirects(HttpClient.Redirect.NEVER)
                .connectTimeout(TIMEOUT)
                .build();
    }

    private static @Nullable URI safe(String address) {
        try {
            URI uri = new URI(address);
            if (uri.getHost() == null) return null;
            if ("https".equalsIgnoreCase(uri.getScheme())) return uri;
            boolean local = "http".equalsIgnoreCase(uri.getScheme())
                    && InetAddress.getByName(uri.getHost()).isLoopbackAddress();
            return local ? uri : null;
        } catch (URISyntaxException | UnknownHostException e) {
            return null;
        }
    }

    @Override
    public Set<JWSAlgorithm> algorithms() {
        return ALGORITHMS;
    }

    @Override
    public boolean local() {
        return false;
    }

    @Override
    public Found find(JWSAlgorithm algorithm, @Nullable String kid) {
        long now = clock.millis();
        Keys known = keys;
        if (known != null && now - known.fetchedAt < STALE.toMillis()) {
            JWSVerifier verifier = pick(known, algorithm, kid);
            if (verifier != null) {
                if (now - known.fetchedAt >= FRESH.toMillis()) renewSoon(now);
                return new Found.Key(verifier);
            }
            if (kid == null || !KID.matcher(kid).matches()) return new Found.Unknown();
        }
        return fetchAndFind(algorithm, kid, known);
    }

    private Found fetchAndFind(JWSAlgorithm algorithm, @Nullable String kid, @Nullable Keys seen) {
        fetching.lock();
        try {
            long now = clock.millis();
            Keys known = keys;
            boolean usable = known != null && now - known.fetchedAt < STALE.toMillis();
            // Somebody else fetched while this thread waited for the lock.
            boolean renewed = known != null && known != seen;
            if (!renewed) {
                if (usable && !elapsed(lastUnknown, now, BETWEEN_RENEWALS)) return new Found.Unknown();
                if (!elapsed(lastFailure, now, AFTER_FAILURE)) {
                    return usable ? new Found.Unknown() : new Found.Unavailable();
                }
                if (usable) lastUnknown = now;
                known = fetch();
                if (known == null) {
                    lastFailure = clock.millis();
                    return usable ? new Found.Unknown() : new Found.Unavailable();
                }
                keys = known;
            }
            JWSVerifier verifier = known == null ? null : pick(known, algorithm, kid);
            return verifier == null ? new Found.Unknown() : new Found.Key(verifier);
        } finally {
            fetching.unlock();
        }
    }

    private void renewSoon(long now) {
        if (!elapsed(lastRenewal, now, BETWEEN_RENEWALS)) return;
        lastRenewal = now;
        Thread.ofVirtual().name("key-set").start(() -> {
            Keys fetched = fetch();
            if (fetched != null) keys = fetched;
        });
    }

    private static boolean elapsed(long since, long now, Duration atLeast) {
        return since == Long.MIN_VALUE || now - since >= atLeast.toMillis();
    }

    private static @Nullable JWSVerifier pick(Keys keys, JWSAlgorithm algorithm, @Nullable String kid) {
        JWSVerifier only = null;
        for (Named key : keys.all) {
            if (!key.algorithm.equals(algorithm)) continue;
            if (kid != null && kid.equals(key.kid)) return key.verifier;
            if (kid == null) {
                if (only != null) return null;
                only = key.verifier;
            }
        }
        return only;
    }

    private @Nullable Keys fetch() {
        var request = HttpRequest.newBuilder(address)
                .header("Accept", "application/jwk-set+json, application/json")
                .timeout(TIMEOUT)
                .GET()
                .build();
        CompletableFuture<HttpResponse<byte[]>> answer =
                http.sendAsync(request, BodyHandlers.limiting(BodyHandlers.ofByteArray(), MAX_BYTES));
        try {
            // The request's own timeout ends with the headers; this one holds for the body too.
            HttpResponse<byte[]> response = answer.get(TIMEOUT.toMillis(), TimeUnit.MILLISECONDS);
            if (response.statusCode() != 200) throw new IOException("HTTP status " + response.statusCode());
            return new Keys(read(response.body()), clock.millis());
        } catch (InterruptedException e) {
            answer.cancel(true);
            Thread.currentThread().interrupt();
        } catch (ExecutionException | TimeoutException | IOException | JacksonException e) {
            answer.cancel(true);
            Throwable cause = e instanceof ExecutionException && e.getCause() != null ? e.getCause() : e;
            log.warn(
                    "The key set could not be read: {} {}",
                    cause.getClass().getSimpleName(),
                    cause instanceof IOException ? cause.getMessage() : "");
        }
        return null;
    }

    private static List<Named> read(byte[] json) throws IOException {
        JsonNode set = Tokens.JSON.readTree(json).path("keys");
        if (!set.isArray()) throw new IOException("no array of keys");
        var keys = new ArrayList<Named>();
        for (JsonNode node : set) {
            if (keys.size() == MAX_KEYS) break;
            try {
                Named key = read(JWK.parse(node.toString()));
                if (key != null) keys.add(key);
            } catch (ParseException | JOSEException | IllegalArgumentException e) {
                log.warn("The key set holds a key that cannot be read; it is left out");
            }
        }
        return List.copyOf(keys);
    }

    /** The key, if it is one of ours: for signatures, of the right type and size. */
    private static @Nullable Named read(JWK key) throws JOSEException {
        if (key.getKeyUse() != null && !KeyUse.SIGNATURE.equals(key.getKeyUse())) return null;
        if (key instanceof RSAKey rsa && rsa.size() >= MIN_RSA_BITS && is(JWSAlgorithm.RS256, key)) {
            return new Named(key.getKeyID(), JWSAlgorithm.RS256, new RSASSAVerifier(rsa.toRSAPublicKey()));
        }
        if (key instanceof ECKey ec && Curve.P_256.equals(ec.getCurve()) && is(JWSAlgorithm.ES256, key)) {
            return new Named(key.getKeyID(), JWSAlgorithm.ES256, new ECDSAVerifier(ec.toECPublicKey()));
        }
        return null;
    }

    private static boolean is(JWSAlgorithm algorithm, JWK key) {
        return key.getAlgorithm() == null
                || algorithm.getName().equals(key.getAlgorithm().getName());
    }
}
