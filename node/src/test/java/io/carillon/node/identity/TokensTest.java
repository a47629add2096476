package io.carillon.node.identity;

import static org.assertj.core.api.Assertions.assertThat;

import java.lang.management.ManagementFactory;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.time.Instant;
import java.time.InstantSource;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;

class TokensTest {
    private static final long NOW = 1_800_000_000L;
    private static final InstantSource CLOCK = InstantSource.fixed(Instant.ofEpochSecond(NOW));
    private static final byte[] KEY = Forge.SECRET.getBytes(StandardCharsets.UTF_8);
    private static final String HS256 = "{\"alg\":\"HS256\",\"typ\":\"JWT\"}";
    private static final String GOOD = "{\"sub\":\"u1\",\"exp\":" + (NOW + 60) + "}";

    private final Tokens tokens = tokens(null, null, Duration.ZERO);

    private static Tokens tokens(String issuer, String audience, Duration maxLife) {
        return new Tokens(new TokenKeys.Shared(Forge.SECRET), issuer, audience, maxLife, CLOCK);
    }

    private static String claims(String more) {
        return "{\"sub\":\"u1\",\"exp\":" + (NOW + 60) + "," + more + "}";
    }

    private static Arguments row(String what, String reason, String token) {
        return Arguments.of(what, reason, token);
    }

    private static Arguments header(String what, String reason, String header) {
        return row(what, reason, Forge.hs256(header, GOOD, KEY));
    }

    private static Arguments body(String what, String reason, String claims) {
        return row(what, reason, Forge.hs256(claims));
    }

    static Stream<Arguments> refused() {
        String[] good = Forge.hs256(GOOD).split("\\.");
        return Stream.of(
                // no signature, or another kind of token
                row("alg none", "alg", Forge.base64("{\"alg\":\"none\"}") + '.' + good[1] + '.'),
                row("alg None", "alg", Forge.base64("{\"alg\":\"None\"}") + '.' + good[1] + '.'),
                row("alg nOnE", "alg", Forge.base64("{\"alg\":\"nOnE\"}") + '.' + good[1] + '.'),
                row("alg none, signed", "alg", Forge.hs256("{\"alg\":\"none\"}", GOOD, KEY)),
                row("empty signature", "malformed", good[0] + '.' + good[1] + '.'),
                row("no signature part", "malformed", good[0] + '.' + good[1]),
                row("encrypted around an unsigned one", "alg", "a.b.c.d.e"),
                header("alg missing", "alg", "{\"typ\":\"JWT\"}"),
                header("alg a number", "alg", "{\"alg\":256}"),
                header("alg an array", "alg", "{\"alg\":[\"HS256\"]}"),
                header("alg in lower case", "alg", "{\"alg\":\"hs256\"}"),
                header("alg twice", "malformed", "{\"alg\":\"HS256\",\"alg\":\"none\"}"),
                // another family
                header("alg RS256 signed with the secret", "alg", "{\"alg\":\"RS256\"}"),
                header("alg ES256 signed with the secret", "alg", "{\"alg\":\"ES256\"}"),
                row("HS384", "alg", Forge.mac("HmacSHA384", "{\"alg\":\"HS384\"}", GOOD, KEY)),
                row("HS512", "alg", Forge.mac("HmacSHA512", "{\"alg\":\"HS512\"}", GOOD, KEY)),
                header("dir", "alg", "{\"alg\":\"dir\",\"enc\":\"A256GCM\"}"),
                // extensions and types
                header("crit of a known name", "crit", "{\"alg\":\"HS256\",\"crit\":[\"exp\"]}"),
                header("crit empty", "crit", "{\"alg\":\"HS256\",\"crit\":[]}"),
                header("crit of b64", "crit", "{\"alg\":\"HS256\",\"b64\":false,\"crit\":[\"b64\"]}"),
                header("typ of another kind", "claims", "{\"alg\":\"HS256\",\"typ\":\"logout+jwt\"}"),
                header("kid not a text", "key", "{\"alg\":\"HS256\",\"kid\":{}}"),
                // signatures
                row(
                        "another secret",
                        "signature",
                        Forge.hs256(HS256, GOOD, "x".repeat(40).getBytes(StandardCharsets.UTF_8))),
                row("the empty key", "signature", Forge.hs256(HS256, GOOD, new byte[1])),
                row(
                        "changed claims",
                        "signature",
                        good[0] + '.' + Forge.base64(claims("\"kind\":\"agent\"")) + '.' + good[2]),
                row("cut signature", "signature", good[0] + '.' + good[1] + '.' + good[2].substring(0, 20)),
                row("longer signature", "signature", good[0] + '.' + good[1] + '.' + good[2] + "AAAA"),
                // forms
                row("nothing", "malformed", ""),
                row("words", "malformed", "not a token"),
                row("dots", "malformed", ".."),
                row("padding", "malformed", good[0] + "=." + good[1] + '.' + good[2]),
                row("plain base64", "malformed", good[0] + '.' + good[1] + ".++//"),
                row("line break", "malformed", good[0] + '.' + good[1] + '\n' + '.' + good[2]),
                row("header not JSON", "malformed", Forge.hs256("alg", GOOD, KEY)),
                row("header an array", "malformed", Forge.hs256("[]", GOOD, KEY)),
                row("claims not JSON", "malformed", Forge.hs256("sub")),
                row("claims an array", "malformed", Forge.hs256("[1]")),
                row("claims with something behind", "malformed", Forge.hs256(GOOD + "{}")),
                body("sub twice", "malformed", "{\"sub\":\"u1\",\"sub\":\"u2\",\"exp\":" + (NOW + 60) + "}"),
                row("claims 40 deep", "malformed", Forge.hs256(claims("\"x\":" + "[".repeat(40) + "]".repeat(40)))),
                row("4 KB and one", "too_long", "a".repeat(4097)),
                // times
                body("exp missing", "claims", "{\"sub\":\"u1\"}"),
                body("exp null", "claims", "{\"sub\":\"u1\",\"exp\":null}"),
                body("exp a text", "claims", "{\"sub\":\"u1\",\"exp\":\"" + (NOW + 60) + "\"}"),
                body("exp true", "claims", "{\"sub\":\"u1\",\"exp\":true}"),
                body("exp 30 s ago", "expired", "{\"sub\":\"u1\",\"exp\":" + (NOW - 30) + "}"),
                body("exp a year ago", "expired", "{\"sub\":\"u1\",\"exp\":" + (NOW - 31_536_000) + "}"),
                body("exp 0", "expired", "{\"sub\":\"u1\",\"exp\":0}"),
                body("exp negative", "expired", "{\"sub\":\"u1\",\"exp\":-1e30}"),
                body("nbf in an hour", "not_yet", claims("\"nbf\":" + (NOW + 3600))),
                body("nbf in 31 s", "not_yet", claims("\"nbf\":" + (NOW + 31))),
                body("nbf a text", "claims", claims("\"nbf\":\"0\"")),
                // who
                body("sub missing", "sub", "{\"exp\":" + (NOW + 60) + "}"),
                body("sub null", "sub", "{\"sub\":null,\"exp\":" + (NOW + 60) + "}"),
                body("sub empty", "sub", "{\"sub\":\"\",\"exp\":" + (NOW + 60) + "}"),
                body("sub an array", "sub", "{\"sub\":[\"u1\"],\"exp\":" + (NOW + 60) + "}"),
                body("sub an object", "sub", "{\"sub\":{},\"exp\":" + (NOW + 60) + "}"),
                body("sub true", "sub", "{\"sub\":true,\"exp\":" + (NOW + 60) + "}"),
                body("sub a fraction", "sub", "{\"sub\":1.5,\"exp\":" + (NOW + 60) + "}"),
                body("sub with a star", "sub", "{\"sub\":\"*\",\"exp\":" + (NOW + 60) + "}"),
                body("sub with braces", "sub", "{\"sub\":\"}{\",\"exp\":" + (NOW + 60) + "}"),
                body("sub with a line break", "sub", "{\"sub\":\"a\\r\\nb\",\"exp\":" + (NOW + 60) + "}"),
                body("sub of 129", "sub", "{\"sub\":\"" + "a".repeat(129) + "\",\"exp\":" + (NOW + 60) + "}"),
                body("sub full width", "sub", "{\"sub\":\"ａ\",\"exp\":" + (NOW + 60) + "}"),
                body("kind with a star", "claims", claims("\"kind\":\"*\"")),
                body("kind an object", "claims", claims("\"kind\":{}")),
                body("rooms a text", "claims", claims("\"rooms\":\"private-a\"")),
                body("rooms of objects", "claims", claims("\"rooms\":[{}]")),
                body("a refresh token by typ", "claims", claims("\"typ\":\"Refresh\"")),
                body("a refresh token by token_use", "claims", claims("\"token_use\":\"refresh\"")));
    }

    @ParameterizedTest(name = "{0}")
    @MethodSource("refused")
    void isRefused(String what, String reason, String token) {
        Verdict verdict = tokens.verify(token);

        assertThat(verdict).isInstanceOf(Verdict.Refused.class);
        var refused = (Verdict.Refused) verdict;
        assertThat(refused.reason()).isEqualTo(reason);
        assertThat(refused.status()).isEqualTo(401);
        if (token.length() > 8) assertThat(refused.sentence()).doesNotContain(token);
    }

    static Stream<Arguments> granted() {
        return Stream.of(
                Arguments.of("as usual", Forge.hs256(GOOD), "u1"),
                Arguments.of("no typ", Forge.hs256("{\"alg\":\"HS256\"}", GOOD, KEY), "u1"),
                Arguments.of("typ at+jwt", Forge.hs256("{\"alg\":\"HS256\",\"typ\":\"at+jwt\"}", GOOD, KEY), "u1"),
                Arguments.of("any kid", Forge.hs256("{\"alg\":\"HS256\",\"kid\":\"../../dev/null\"}", GOOD, KEY), "u1"),
                Arguments.of(
                        "an address for keys, not read",
                        Forge.hs256("{\"alg\":\"HS256\",\"jku\":\"http://127.0.0.1:1/\",\"x5c\":7}", GOOD, KEY),
                        "u1"),
                Arguments.of("sub a number", Forge.hs256("{\"sub\":42,\"exp\":" + (NOW + 1) + "}"), "42"),
                Arguments.of(
                        "sub of unsigned 64 bits",
                        Forge.hs256("{\"sub\":18446744073709551615,\"exp\":" + (NOW + 1) + "}"),
                        "18446744073709551615"),
                Arguments.of("sub with a colon", Forge.hs256("{\"sub\":\"1:7\",\"exp\":" + (NOW + 1) + "}"), "1:7"),
                Arguments.of("exp 29 s ago", Forge.hs256("{\"sub\":\"u1\",\"exp\":" + (NOW - 29) + "}"), "u1"),
                Arguments.of("exp a fraction", Forge.hs256("{\"sub\":\"u1\",\"exp\":" + NOW + ".5}"), "u1"),
                Arguments.of("exp in the year 9999", Forge.hs256("{\"sub\":\"u1\",\"exp\":253402300799}"), "u1"),
                Arguments.of("exp beyond any calendar", Forge.hs256("{\"sub\":\"u1\",\"exp\":1e30}"), "u1"),
                Arguments.of("nbf in 30 s", Forge.hs256(claims("\"nbf\":" + (NOW + 30))), "u1"),
                Arguments.of("kind and rooms null", Forge.hs256(claims("\"kind\":null,\"rooms\":null")), "u1"));
    }

    @ParameterizedTest(name = "{0}")
    @MethodSource("granted")
    void isGranted(String what, String token, String user) {
        assertThat(principal(tokens.verify(token)).user()).isEqualTo(user);
    }

    @Test
    void claimsAreKept() {
        Principal principal = principal(
                tokens.verify(
                        Forge.hs256(
                                claims(
                                        "\"iat\":1,\"name\":\"Ada\",\"kind\":\"agent\",\"rooms\":[\"private-a\",7],\"group_id\":1,\"x\":{\"y\":[true]},\"none\":null"))));

        assertThat(principal)
                .isEqualTo(new Principal(
                        "u1",
                        "Ada",
                        "agent",
                        Set.of("private-a", "7"),
                        (NOW + 60) * 1000,
                        Map.of("group_id", 1, "x", Map.of("y", List.of(true)))));
        assertThat(principal.mayJoin("private-a")).isTrue();
        assertThat(principal.mayJoin("private-b")).isFalse();
    }

    @Test
    void tokenWithinTheSkewEndsWithTheSkew() {
        Principal principal = principal(tokens.verify(Forge.hs256("{\"sub\":\"u1\",\"exp\":" + (NOW - 10) + "}")));

        assertThat(principal.expiresAt()).isEqualTo((NOW + 20) * 1000);
    }

    @Test
    void issuerIsCheckedWhereConfigured() {
        Tokens strict = tokens("https://issuer.example", null, Duration.ZERO);

        assertThat(reason(strict.verify(Forge.hs256(GOOD)))).isEqualTo("issuer");
        assertThat(reason(strict.verify(Forge.hs256(claims("\"iss\":\"https://issuer.example/\"")))))
                .isEqualTo("issuer");
        assertThat(reason(strict.verify(Forge.hs256(claims("\"iss\":[\"https://issuer.example\"]")))))
                .isEqualTo("issuer");
        assertThat(strict.verify(Forge.hs256(claims("\"iss\":\"https://issuer.example\""))))
                .isInstanceOf(Verdict.Granted.class);
    }

    @Test
    void audienceIsCheckedWhereConfigured() {
        Tokens strict = tokens(null, "carillon", Duration.ZERO);

        assertThat(reason(strict.verify(Forge.hs256(GOOD)))).isEqualTo("audience");
        assertThat(reason(strict.verify(Forge.hs256(claims("\"aud\":\"billing\"")))))
                .isEqualTo("audience");
        assertThat(reason(strict.verify(Forge.hs256(claims("\"aud\":[\"billing\",7]")))))
                .isEqualTo("audience");
        assertThat(strict.verify(Forge.hs256(claims("\"aud\":\"carillon\"")))).isInstanceOf(Verdict.Granted.class);
        assertThat(strict.verify(Forge.hs256(claims("\"aud\":[\"billing\",\"carillon\"]"))))
                .isInstanceOf(Verdict.Granted.class);
    }

    @Test
    void tooLongALifeIsRefusedWhereLimited() {
        Tokens strict = tokens(null, null, Duration.ofHours(24));

        assertThat(reason(strict.verify(Forge.hs256("{\"sub\":\"u1\",\"exp\":253402300799}"))))
                .isEqualTo("claims");
        assertThat(strict.verify(Forge.hs256("{\"sub\":\"u1\",\"exp\":" + (NOW + 86_400) + "}")))
                .isInstanceOf(Verdict.Granted.class);
    }

    @Test
    void tenThousandTokensTakeFarLessThanTheTwoSecondsOfTheirConnects() {
        String[] mine = new String[10_000];
        for (int i = 0; i < mine.length; i++) {
            mine[i] = Forge.hs256("{\"sub\":\"user-" + i + "\",\"iat\":1,\"exp\":" + (NOW + 3600) + "}");
        }
        // The thread's own time: whatever else the machine does. Cold, as after a start.
        var threads = ManagementFactory.getThreadMXBean();
        long start = threads.getCurrentThreadCpuTime();
        int granted = 0;
        for (String token : mine) {
            if (tokens.verify(token) instanceof Verdict.Granted) granted++;
        }
        long millis = (threads.getCurrentThreadCpuTime() - start) / 1_000_000;

        System.out.println("10,000 HS256 tokens verified on one thread in " + millis + " ms of its time");
        assertThat(granted).isEqualTo(mine.length);
        assertThat(millis).isLessThan(1000);
    }

    private static Principal principal(Verdict verdict) {
        assertThat(verdict).isInstanceOf(Verdict.Granted.class);
        return ((Verdict.Granted) verdict).principal();
    }

    private static String reason(Verdict verdict) {
        assertThat(verdict).isInstanceOf(Verdict.Refused.class);
        return ((Verdict.Refused) verdict).reason();
    }
}
