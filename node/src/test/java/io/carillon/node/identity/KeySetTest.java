package io.carillon.node.identity;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.nimbusds.jose.jwk.Curve;
import com.nimbusds.jose.jwk.ECKey;
import com.nimbusds.jose.jwk.JWK;
import com.nimbusds.jose.jwk.RSAKey;
import com.nimbusds.jose.jwk.gen.ECKeyGenerator;
import com.nimbusds.jose.jwk.gen.RSAKeyGenerator;
import com.sun.net.httpserver.HttpServer;
import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.URI;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.time.Instant;
import java.util.Arrays;
import java.util.Base64;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.Executors;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicLong;
import java.util.stream.Collectors;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

@Timeout(30)
class KeySetTest {
    private static final RSAKey RSA = rsa("rsa-1", 2048);
    private static final RSAKey FOREIGN = rsa("rsa-1", 2048);
    private static final ECKey EC = ec("ec-1");

    private final AtomicLong now = new AtomicLong(1_800_000_000_000L);
    private final AtomicInteger hits = new AtomicInteger();
    private final AtomicInteger foreignHits = new AtomicInteger();
    private final CountDownLatch release = new CountDownLatch(1);
    private volatile String body = set(RSA, EC);
    private volatile int status = 200;
    private volatile boolean stall;
    private HttpServer server;
    private Tokens tokens;

    @BeforeEach
    void start() throws IOException {
        server = HttpServer.create(new InetSocketAddress(InetAddress.getLoopbackAddress(), 0), 0);
        server.setExecutor(Executors.newVirtualThreadPerTaskExecutor());
        server.createContext("/keys", exchange -> {
            hits.incrementAndGet();
            byte[] bytes = body.getBytes(StandardCharsets.UTF_8);
            exchange.sendResponseHeaders(status, bytes.length);
            if (stall) {
                try {
                    release.await();
                } catch (InterruptedException e) {
                    Thread.currentThread().interrupt();
                }
            }
            exchange.getResponseBody().write(bytes);
            exchange.close();
        });
        server.createContext("/elsewhere", exchange -> {
            exchange.getResponseHeaders().add("Location", address("/keys").toString());
            exchange.sendResponseHeaders(302, -1);
            exchange.close();
        });
        server.createContext("/foreign", exchange -> {
            foreignHits.incrementAndGet();
            byte[] bytes = set(FOREIGN).getBytes(StandardCharsets.UTF_8);
            exchange.sendResponseHeaders(200, bytes.length);
            exchange.getResponseBody().write(bytes);
            exchange.close();
        });
        server.start();
        tokens = tokens("/keys");
    }

    @AfterEach
    void stop() {
        release.countDown();
        server.stop(0);
    }

    @Test
    void tokensOfBothPublicAlgorithmsAreGranted() {
        assertGranted(rs256(RSA, "{\"alg\":\"RS256\",\"kid\":\"rsa-1\"}"));
        assertGranted(es256("{\"alg\":\"ES256\",\"kid\":\"ec-1\"}"));
        assertGranted(rs256(RSA, "{\"alg\":\"RS256\"}"));
        assertThat(hits).hasValue(1);
    }

    @Test
    void thePublicKeyIsNoSecret() throws Exception {
        byte[] der = RSA.toRSAPublicKey().getEncoded();
        String pem = "-----BEGIN PUBLIC KEY-----\n"
                + Base64.getMimeEncoder(64, "\n".getBytes(StandardCharsets.US_ASCII))
                        .encodeToString(der)
                + "\n-----END PUBLIC KEY-----";
        for (byte[] key : new byte[][] {
            der,
            pem.getBytes(StandardCharsets.US_ASCII),
            (pem + "\n").getBytes(StandardCharsets.US_ASCII),
            RSA.toPublicJWK().toJSONString().getBytes(StandardCharsets.US_ASCII)
        }) {
            assertRefused("alg", Forge.hs256("{\"alg\":\"HS256\",\"kid\":\"rsa-1\"}", claims(), key));
        }
        assertThat(hits).hasValue(0);
    }

    @Test
    void aKeyIsOnlyUsedForItsOwnAlgorithm() {
        assertRefused("key", rs256(RSA, "{\"alg\":\"ES256\",\"kid\":\"rsa-1\"}"));
        assertRefused("key", es256("{\"alg\":\"RS256\",\"kid\":\"ec-1\"}"));
    }

    @Test
    void keysInTheTokenAreNotLookedAt() {
        String jku = address("/foreign").toString();
        assertRefused("signature", rs256(FOREIGN, "{\"alg\":\"RS256\",\"kid\":\"rsa-1\",\"jku\":\"" + jku + "\"}"));
        assertRefused("signature", rs256(FOREIGN, "{\"alg\":\"RS256\",\"kid\":\"rsa-1\",\"x5u\":\"" + jku + "\"}"));
        assertRefused(
                "signature",
                rs256(
                        FOREIGN,
                        "{\"alg\":\"RS256\",\"kid\":\"rsa-1\",\"jwk\":"
                                + FOREIGN.toPublicJWK().toJSONString() + "}"));
        assertRefused(
                "signature",
                rs256(FOREIGN, "{\"alg\":\"RS256\",\"kid\":\"rsa-1\",\"x5c\":[\"" + "MIIB".repeat(20) + "\"]}"));
        assertThat(foreignHits).hasValue(0);
        assertThat(hits).hasValue(1);
    }

    @Test
    void aThousandUnknownKeyIdsCostOneFetchInThirtySeconds() {
        assertGranted(rs256(RSA, "{\"alg\":\"RS256\",\"kid\":\"rsa-1\"}"));
        for (int i = 0; i < 1000; i++) {
            assertRefused("key", Forge.base64("{\"alg\":\"RS256\",\"kid\":\"k" + i + "\"}") + ".e30.AAAA");
        }
        for (String kid : new String[] {"../../../../dev/null", "' OR 1=1--", "a\\r\\nb", "k".repeat(2000)}) {
            assertRefused("key", Forge.base64("{\"alg\":\"RS256\",\"kid\":\"" + kid + "\"}") + ".e30.AAAA");
        }
        assertThat(hits).hasValue(2);

        now.addAndGet(30_000);
        assertRefused("key", Forge.base64("{\"alg\":\"RS256\",\"kid\":\"k\"}") + ".e30.AAAA");
        assertThat(hits).hasValue(3);
    }

    @Test
    void aRotatedKeyIsFoundAtOnce() {
        assertGranted(rs256(RSA, "{\"alg\":\"RS256\",\"kid\":\"rsa-1\"}"));
        RSAKey next = rsa("rsa-2", 2048);
        body = set(RSA, next);

        assertGranted(rs256(next, "{\"alg\":\"RS256\",\"kid\":\"rsa-2\"}"));
    }

    @Test
    void knownKeysHoldAnHourWhileTheSetIsAway() {
        assertGranted(rs256(RSA, "{\"alg\":\"RS256\",\"kid\":\"rsa-1\"}"));
        status = 500;

        now.addAndGet(Duration.ofMinutes(59).toMillis());
        assertGranted(rs256(RSA, "{\"alg\":\"RS256\",\"kid\":\"rsa-1\"}"));
        now.addAndGet(Duration.ofMinutes(1).toMillis());
        assertRefused("unavailable", rs256(RSA, "{\"alg\":\"RS256\",\"kid\":\"rsa-1\"}"));
    }

    @Test
    void aSetThatCannotBeReadIsUnavailableAndAskedAgainAfterAPause() {
        for (String bad :
                new String[] {"", "[]", "{\"keys\":7}", "{\"keys\":[", "{\"keys\":[]} x", " ".repeat(65537)}) {
            body = bad;
            int before = hits.get();
            assertRefused("unavailable", rs256(RSA, "{\"alg\":\"RS256\",\"kid\":\"rsa-1\"}"));
            assertRefused("unavailable", rs256(RSA, "{\"alg\":\"RS256\",\"kid\":\"rsa-1\"}"));
            assertThat(hits).hasValue(before + 1);
            now.addAndGet(2_000);
        }
        body = set(RSA);
        assertGranted(rs256(RSA, "{\"alg\":\"RS256\",\"kid\":\"rsa-1\"}"));
    }

    @Test
    void redirectsAreNotFollowed() {
        assertRefused("unavailable", tokens("/elsewhere"), rs256(RSA, "{\"alg\":\"RS256\",\"kid\":\"rsa-1\"}"));
        assertThat(hits).hasValue(0);
    }

    @Test
    void aSetThatStallsInItsBodyIsGivenUpAfterTwoSeconds() {
        stall = true;
        long start = System.nanoTime();

        assertRefused("unavailable", rs256(RSA, "{\"alg\":\"RS256\",\"kid\":\"rsa-1\"}"));
        assertThat(System.nanoTime() - start).isBetween(1_900_000_000L, 5_000_000_000L);
    }

    @Test
    void keysForOtherUsesAndOfOtherSizesAreLeftOut() throws Exception {
        RSAKey small = new RSAKeyGenerator(1024, true).keyID("small").generate();
        RSAKey encryption = new RSAKey.Builder(RSA)
                .keyID("enc")
                .keyUse(com.nimbusds.jose.jwk.KeyUse.ENCRYPTION)
                .build();
        String secret = "{\"kty\":\"oct\",\"kid\":\"oct\",\"k\":\"" + Forge.base64(Forge.SECRET) + "\"}";
        body = "{\"keys\":[{\"kty\":\"??\"},7," + secret + ','
                + small.toPublicJWK().toJSONString() + ','
                + encryption.toPublicJWK().toJSONString() + ','
                + RSA.toPublicJWK().toJSONString() + "]}";

        assertRefused("key", rs256(RSA, "{\"alg\":\"RS256\",\"kid\":\"enc\"}"));
        assertRefused("key", Forge.base64("{\"alg\":\"RS256\",\"kid\":\"small\"}") + ".e30.AAAA");
        assertRefused(
                "alg",
                Forge.hs256(
                        "{\"alg\":\"HS256\",\"kid\":\"oct\"}",
                        claims(),
                        Forge.SECRET.getBytes(StandardCharsets.UTF_8)));
        assertGranted(rs256(RSA, "{\"alg\":\"RS256\",\"kid\":\"rsa-1\"}"));
    }

    @Test
    void theAddressMustBeSafe() {
        for (String address : new String[] {
            "http://keys.invalid/jwks",
            "http://169.254.169.254/latest",
            "file:///etc/passwd",
            "ftp://127.0.0.1/x",
            "keys"
        }) {
            assertThatThrownBy(() -> new KeySet(address, () -> Instant.EPOCH))
                    .isInstanceOf(UnsafeSettingsException.class)
                    .hasMessageContaining("CARILLON_JWKS_URL");
        }
        assertThat(new KeySet("https://keys.invalid/jwks", () -> Instant.EPOCH).local())
                .isFalse();
    }

    private Tokens tokens(String path) {
        return new Tokens(
                new KeySet(address(path).toString(), () -> Instant.ofEpochMilli(now.get())),
                null,
                null,
                Duration.ZERO,
                () -> Instant.ofEpochMilli(now.get()));
    }

    private URI address(String path) {
        return URI.create("http://127.0.0.1:" + server.getAddress().getPort() + path);
    }

    private String claims() {
        return "{\"sub\":\"u1\",\"exp\":" + (now.get() / 1000 + 60) + "}";
    }

    private String rs256(RSAKey key, String header) {
        return Forge.rs256(header, claims(), key);
    }

    private String es256(String header) {
        return Forge.es256(header, claims(), EC);
    }

    private void assertGranted(String token) {
        assertThat(tokens.verify(token)).isInstanceOf(Verdict.Granted.class);
    }

    private void assertRefused(String reason, String token) {
        assertRefused(reason, tokens, token);
    }

    private static void assertRefused(String reason, Tokens tokens, String token) {
        assertThat(tokens.verify(token)).isInstanceOfSatisfying(Verdict.Refused.class, refused -> {
            assertThat(refused.reason()).isEqualTo(reason);
            assertThat(refused.temporary()).isEqualTo(reason.equals("unavailable"));
        });
    }

    private static String set(JWK... keys) {
        return Arrays.stream(keys)
                .map(key -> key.toPublicJWK().toJSONString())
                .collect(Collectors.joining(",", "{\"keys\":[", "]}"));
    }

    private static RSAKey rsa(String kid, int bits) {
        try {
            return new RSAKeyGenerator(bits).keyID(kid).generate();
        } catch (com.nimbusds.jose.JOSEException e) {
            throw new AssertionError(e);
        }
    }

    private static ECKey ec(String kid) {
        try {
            return new ECKeyGenerator(Curve.P_256).keyID(kid).generate();
        } catch (com.nimbusds.jose.JOSEException e) {
            throw new AssertionError(e);
        }
    }
}
