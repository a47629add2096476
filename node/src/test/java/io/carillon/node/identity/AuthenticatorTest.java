package io.carillon.node.identity;

import static org.assertj.core.api.Assertions.assertThat;

import io.carillon.model.redis.Keys;
import io.micrometer.core.instrument.simple.SimpleMeterRegistry;
import java.time.Duration;
import java.time.Instant;
import java.time.InstantSource;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.springframework.data.redis.core.StringRedisTemplate;

class AuthenticatorTest {
    private static final long NOW = 1_800_000_000L;
    private static final InstantSource CLOCK = InstantSource.fixed(Instant.ofEpochSecond(NOW));
    private static final Rule TAKES_QUERY = new Rule(true, "user_id");
    private static final Rule NO_QUERY = new Rule(false, "user_id");

    private final SimpleMeterRegistry registry = new SimpleMeterRegistry();
    private final Authenticator closed = authenticator(false);
    private final Authenticator open = authenticator(true);

    /** No Redis behind it: nothing here may ask for a ticket that could exist. */
    private Authenticator authenticator(boolean openIdentity) {
        return new Authenticator(
                new Tokens(new TokenKeys.Shared(Forge.SECRET), null, null, Duration.ZERO, CLOCK),
                new Tickets(new StringRedisTemplate(), Keys.DEFAULT),
                openIdentity,
                new IdentityMetrics(registry));
    }

    private static String token(String user) {
        return Forge.hs256("{\"sub\":\"" + user + "\",\"exp\":" + (NOW + 60) + "}");
    }

    private static Credentials query(String... pairs) {
        return new Credentials(null, List.of(), pairs(pairs));
    }

    private static Map<String, String> pairs(String... pairs) {
        return pairs.length == 0
                ? Map.of()
                : pairs.length == 2 ? Map.of(pairs[0], pairs[1]) : Map.of(pairs[0], pairs[1], pairs[2], pairs[3]);
    }

    @Test
    void theFirstCredentialPresentDecides() {
        var all = new Credentials(
                "Bearer " + token("header"),
                List.of("bearer", token("subprotocol")),
                Map.of("token", token("query"), "ticket", "t", "user_id", "open"));
        assertThat(user(open, all, TAKES_QUERY)).isEqualTo("header");

        var noHeader = new Credentials(null, all.subprotocols(), all.query());
        assertThat(user(open, noHeader, TAKES_QUERY)).isEqualTo("subprotocol");

        var noSubprotocol = new Credentials(null, List.of(), all.query());
        assertThat(reason(open, noSubprotocol, TAKES_QUERY)).isEqualTo("ticket");

        assertThat(user(open, query("token", token("query"), "user_id", "open"), TAKES_QUERY))
                .isEqualTo("query");
        assertThat(user(open, query("user_id", "open"), TAKES_QUERY)).isEqualTo("open");
    }

    @Test
    void aBadCredentialIsNotMadeUpForByAnother() {
        Map<String, String> good = Map.of("token", token("u1"), "user_id", "u1");
        for (String authorization : new String[] {"Basic dTE6eA==", "Bearer", "Bearer ", "Bearer x", "", token("u1")}) {
            assertThat(refused(open, new Credentials(authorization, List.of(), good), TAKES_QUERY)
                            .status())
                    .isEqualTo(401);
        }
        assertThat(refused(open, new Credentials(null, List.of("bearer"), good), TAKES_QUERY)
                        .status())
                .isEqualTo(401);
        assertThat(refused(open, new Credentials(null, List.of("bearer", "x"), good), TAKES_QUERY)
                        .status())
                .isEqualTo(401);
        assertThat(reason(open, query("token", "x", "user_id", "u1"), TAKES_QUERY))
                .isEqualTo("malformed");
        assertThat(reason(open, query("ticket", "x", "user_id", "u1"), TAKES_QUERY))
                .isEqualTo("ticket");
    }

    @Test
    void anEmptyQueryTokenIsAbsent() {
        assertThat(reason(closed, query("token", ""), TAKES_QUERY)).isEqualTo("none");
        assertThat(user(open, query("token", "", "user_id", "u1"), TAKES_QUERY)).isEqualTo("u1");
        assertThat(user(closed, query("ticket", "", "token", token("u1")), TAKES_QUERY))
                .isEqualTo("u1");
    }

    @Test
    void aQueryTokenIsRefusedWhereTheEndpointTakesNone() {
        assertThat(reason(open, query("token", token("u1"), "user_id", "u1"), NO_QUERY))
                .isEqualTo("scheme");
    }

    @Test
    void theSubprotocolIsAnsweredWithoutTheToken() {
        var offered = new Credentials(null, List.of("chat.v1", "bearer", token("u1")), Map.of());
        assertThat(granted(closed, offered, Rule.STRICT).subprotocol()).isEqualTo("bearer");

        var none = new Credentials("bearer " + token("u1"), List.of(), Map.of());
        assertThat(granted(closed, none, Rule.STRICT).subprotocol()).isNull();
    }

    @Test
    void withoutIdentityNobodyIsLetIn() {
        for (Authenticator authenticator : new Authenticator[] {open, closed}) {
            Verdict.Refused refused = refused(authenticator, query(), TAKES_QUERY);
            assertThat(refused.status()).isEqualTo(401);
            assertThat(refused.noCredential()).isTrue();
        }
        assertThat(refused(closed, query("user_id", "u1"), TAKES_QUERY).noCredential())
                .isTrue();
        assertThat(refused(open, query("user_id", "u1"), Rule.STRICT).status()).isEqualTo(401);
        assertThat(refused(open, query("user_id", ""), TAKES_QUERY).status()).isEqualTo(401);
    }

    @Test
    void openIdentityBelievesTheNamedParameters() {
        Principal plain = granted(open, query("user_id", "u1", "user_name", "Ada"), TAKES_QUERY)
                .principal();
        assertThat(plain).isEqualTo(new Principal("u1", "Ada", null, Set.of(), Long.MAX_VALUE, Map.of()));

        Rule two = new Rule(true, "user_type:user_id");
        assertThat(user(open, query("user_type", "2", "user_id", "7"), two)).isEqualTo("2:7");
        assertThat(reason(open, query("user_id", "7"), two)).isEqualTo("none");
    }

    @ParameterizedTest
    @CsvSource({"*", "a b", "ａ", "{}", "a/b"})
    void aMalformedOpenUserIsABadParameter(String user) {
        assertThat(refused(open, query("user_id", user), TAKES_QUERY).status()).isEqualTo(400);
    }

    @Test
    void aRefreshIsForTheSameUser() {
        Principal ada =
                granted(closed, query("token", token("ada")), TAKES_QUERY).principal();

        assertThat(closed.refresh(ada, token("ada"))).isInstanceOf(Verdict.Granted.class);
        assertThat(closed.refresh(ada, token("bob"))).isInstanceOfSatisfying(Verdict.Refused.class, refused -> {
            assertThat(refused.reason()).isEqualTo("user");
            assertThat(refused.temporary()).isFalse();
        });
        assertThat(closed.refresh(ada, "x")).isInstanceOf(Verdict.Refused.class);
        assertThat(closed.refreshAsync(ada, token("ada")).toCompletableFuture().join())
                .isInstanceOf(Verdict.Granted.class);
    }

    @Test
    void whatNeedsNoNetworkIsDecidedOnTheCallersThread() {
        assertThat(closed.authenticateAsync(query("token", token("u1")), TAKES_QUERY)
                        .toCompletableFuture()
                        .isDone())
                .isTrue();
        assertThat(open.authenticateAsync(query("user_id", "u1"), TAKES_QUERY)
                        .toCompletableFuture()
                        .isDone())
                .isTrue();
    }

    @Test
    void everyRefusalIsCountedOnce() {
        refused(closed, query(), TAKES_QUERY);
        refused(closed, query("token", "x"), TAKES_QUERY);
        refused(closed, query("token", "y"), TAKES_QUERY);

        assertThat(count("none")).isEqualTo(1);
        assertThat(count("malformed")).isEqualTo(2);
    }

    private double count(String reason) {
        return registry.get("carillon.auth.failures")
                .tag("reason", reason)
                .counter()
                .count();
    }

    private static Verdict.Granted granted(Authenticator authenticator, Credentials credentials, Rule rule) {
        Verdict verdict = authenticator.authenticate(credentials, rule);
        assertThat(verdict).isInstanceOf(Verdict.Granted.class);
        return (Verdict.Granted) verdict;
    }

    private static String user(Authenticator authenticator, Credentials credentials, Rule rule) {
        return granted(authenticator, credentials, rule).principal().user();
    }

    private static Verdict.Refused refused(Authenticator authenticator, Credentials credentials, Rule rule) {
        Verdict verdict = authenticator.authenticate(credentials, rule);
        assertThat(verdict).isInstanceOf(Verdict.Refused.class);
        return (Verdict.Refused) verdict;
    }

    private static String reason(Authenticator authenticator, Credentials credentials, Rule rule) {
        return refused(authenticator, credentials, rule).reason();
    }
}
