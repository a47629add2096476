package io.carillon.node.identity;

import static org.assertj.core.api.Assertions.assertThat;

import io.carillon.model.redis.Keys;
import io.carillon.node.testing.RedisServer;
import io.micrometer.core.instrument.simple.SimpleMeterRegistry;
import java.time.Duration;
import java.time.Instant;
import java.time.InstantSource;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.atomic.AtomicLong;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.springframework.data.redis.connection.RedisStandaloneConfiguration;
import org.springframework.data.redis.connection.lettuce.LettuceClientConfiguration;
import org.springframework.data.redis.connection.lettuce.LettuceConnectionFactory;
import org.springframework.data.redis.core.StringRedisTemplate;

@Timeout(30)
class TicketsIT {
    private static final RedisServer SERVER = RedisServer.running();
    private static LettuceConnectionFactory connections;

    private final AtomicLong now = new AtomicLong(1_800_000_000_000L);
    private final InstantSource clock = () -> Instant.ofEpochMilli(now.get());
    private final StringRedisTemplate redis = new StringRedisTemplate(connections);
    private final Tickets tickets = new Tickets(redis, Keys.DEFAULT);
    private final Authenticator authenticator = new Authenticator(
            new Tokens(new TokenKeys.Shared(Forge.SECRET), null, null, Duration.ZERO, clock),
            tickets,
            false,
            new IdentityMetrics(new SimpleMeterRegistry()));
    private final String token =
            Forge.hs256("{\"sub\":\"u1\",\"name\":\"Ada\",\"group_id\":7,\"exp\":" + (now.get() / 1000 + 20) + "}");

    @BeforeAll
    static void connect() {
        connections = new LettuceConnectionFactory(
                new RedisStandaloneConfiguration(
                        "127.0.0.1", Integer.parseInt(SERVER.url().replaceAll(".*:", ""))),
                LettuceClientConfiguration.builder()
                        .commandTimeout(Duration.ofMillis(500))
                        .build());
        connections.afterPropertiesSet();
        connections.start();
    }

    @AfterAll
    static void stop() {
        connections.destroy();
        SERVER.close();
    }

    private Verdict use(String ticket) {
        return authenticator.authenticate(new Credentials(null, List.of(), Map.of("ticket", ticket)), Rule.STRICT);
    }

    @Test
    void aTicketStandsForItsTokenWithAllClaims() {
        Verdict verdict = use(tickets.mint(token));

        assertThat(verdict)
                .isEqualTo(new Verdict.Granted(
                        new Principal("u1", "Ada", null, Set.of(), now.get() + 20_000, Map.of("group_id", 7)), null));
    }

    @Test
    void aTicketIsGoodOnceHoweverManyTry() {
        String ticket = tickets.mint(token);
        var tries = new ArrayList<CompletableFuture<Verdict>>();
        for (int i = 0; i < 100; i++) {
            var answer = new CompletableFuture<Verdict>();
            tries.add(answer);
            Thread.startVirtualThread(() -> answer.complete(use(ticket)));
        }

        assertThat(tries.stream().map(CompletableFuture::join).filter(Verdict.Granted.class::isInstance))
                .hasSize(1);
        assertThat(use(ticket)).isInstanceOfSatisfying(Verdict.Refused.class, refused -> {
            assertThat(refused.status()).isEqualTo(401);
            assertThat(refused.reason()).isEqualTo("ticket");
        });
    }

    @Test
    void aTicketLivesThirtySecondsAndRedisDoesNotKnowIt() {
        String ticket = tickets.mint(token);

        Set<String> keys = redis.keys("carillon:ticket:*");
        assertThat(keys).isNotEmpty().noneMatch(key -> key.contains(ticket));
        for (String key : keys) assertThat(redis.getExpire(key)).isBetween(1L, 30L);
        assertThat(ticket).matches("[A-Za-z0-9_-]{43}");
        use(ticket);
    }

    @Test
    void theEndOfTheTokenHolds() {
        String ticket = tickets.mint(token);
        now.addAndGet(60_000);

        assertThat(use(ticket))
                .isInstanceOfSatisfying(
                        Verdict.Refused.class,
                        refused -> assertThat(refused.reason()).isEqualTo("expired"));
    }

    @Test
    void whatIsNoTicketIsRefused() {
        for (String ticket : new String[] {"x", "*", "a".repeat(43), "a".repeat(10_000), "é".repeat(43)}) {
            assertThat(use(ticket))
                    .isInstanceOfSatisfying(
                            Verdict.Refused.class,
                            refused -> assertThat(refused.status()).isEqualTo(401));
        }
    }

    @Test
    void aTicketThatCannotBeCheckedMayBeTriedAgain() {
        SERVER.freeze();
        try {
            Verdict verdict = authenticator
                    .authenticateAsync(new Credentials(null, List.of(), Map.of("ticket", "a".repeat(43))), Rule.STRICT)
                    .toCompletableFuture()
                    .join();
            assertThat(verdict).isInstanceOfSatisfying(Verdict.Refused.class, refused -> {
                assertThat(refused.status()).isEqualTo(503);
                assertThat(refused.temporary()).isTrue();
            });
        } finally {
            SERVER.thaw();
        }
    }
}
