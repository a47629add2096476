package io.carillon.node.identity;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatCode;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.micrometer.core.instrument.simple.SimpleMeterRegistry;
import java.time.Duration;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class SecretsTest {
    @ParameterizedTest
    @ValueSource(
            strings = {
                "",
                "changeme",
                "secret",
                "your-256-bit-secret",
                "a-string-secret-at-least-256-bits-long",
                "A-String-Secret-At-Least-256-Bits-Long",
                "your-super-secret-jwt-token-with-at-least-32-characters-long",
                "CHANGE_ME_TO_A_COMPLEX_RANDOM_SECRET",
                "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
                "abababababababababababababababababababab",
                "aabbccddeeffgaabbccddeeffgaabbccddeeffg",
                "changemechangemechangemechangeme",
                "changeme-changeme-changeme-change",
                "f0a1Zk83Lq-Rt5xWnB2vYc7uHs9Jd4M",
                "1111111111111111111111111111111111111111112345"
            })
    void weakSecretsAreRefusedByTheNameOfTheirVariable(String secret) {
        assertThatThrownBy(() -> Secrets.check(secret, "CARILLON_JWT_SECRET"))
                .isInstanceOf(UnsafeSettingsException.class)
                .hasMessageStartingWith("CARILLON_JWT_SECRET ")
                .extracting(Throwable::getMessage)
                .matches(
                        sentence -> secret.length() < 10 || !sentence.toString().contains(secret));
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "f0a1Zk83Lq-Rt5xWnB2vYc7uHs9Jd4M6",
                "0b5c7f3a9e1d4826c0b5c7f3a9e1d48261f2e3d4c5b6a798",
                "ünïcode-bytes-count-not-letters"
            })
    void otherSecretsAreAccepted(String secret) {
        assertThatCode(() -> Secrets.check(secret, "X")).doesNotThrowAnyException();
    }

    @Test
    void callersOfTheApiAreKnownByTheirKeyInEitherHeader() {
        var registry = new SimpleMeterRegistry();
        var keys = new ApiKeys(List.of("key-one", "key-two"), new IdentityMetrics(registry));

        assertThat(keys.caller("Bearer key-one", null)).matches("[0-9a-f]{16}").isEqualTo(keys.caller(null, "key-one"));
        assertThat(keys.caller("bearer key-two", null)).isNotNull().isNotEqualTo(keys.caller(null, "key-one"));
        assertThat(keys.caller(null, null)).isNull();
        assertThat(keys.caller(null, "")).isNull();
        assertThat(keys.caller("Basic key-one", "key-one")).isNull();
        assertThat(keys.caller("Bearer key-on", null)).isNull();
        assertThat(keys.caller("Bearer wrong", "key-one")).isNull();
        assertThat(keys.caller(null, "k".repeat(100_000))).isNull();
        assertThat(registry.get("carillon.auth.failures")
                        .tag("reason", "api_key")
                        .counter()
                        .count())
                .isEqualTo(3);
        assertThat(registry.get("carillon.auth.failures").counters()).hasSize(Reason.values().length);
    }

    @Test
    void nothingShowsASecret() {
        var settings = new AuthSettings(Forge.SECRET, null, null, null, List.of("key-one"), false, Duration.ZERO);

        assertThat(settings.toString()).doesNotContain(Forge.SECRET).doesNotContain("key-one");
        assertThat(new Credentials("Bearer x.y.z", List.of("bearer", "x.y.z"), java.util.Map.of("token", "x.y.z"))
                        .toString())
                .doesNotContain("x.y.z");
    }
}
