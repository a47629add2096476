package io.carillon.node.backplane;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import ch.qos.logback.classic.Logger;
import ch.qos.logback.classic.spi.ILoggingEvent;
import ch.qos.logback.core.read.ListAppender;
import io.carillon.model.redis.Keys;
import io.carillon.node.testing.Poll;
import io.carillon.node.testing.SecuredRedis;
import io.lettuce.core.KillArgs;
import io.lettuce.core.RedisClient;
import io.lettuce.core.RedisURI;
import io.lettuce.core.SslOptions;
import io.lettuce.core.api.sync.RedisCommands;
import java.time.Duration;
import java.time.InstantSource;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.Collectors;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.RegisterExtension;
import org.slf4j.LoggerFactory;

/** The contract over TLS as the user of {@code infra/redis/acl/node.acl}, who may do what a node does and no more. */
class SecuredBackplaneIT extends BackplaneContract {
    @RegisterExtension
    static final SecuredRedis redis = new SecuredRedis();

    private final List<RedisConnections> connections = new ArrayList<>();

    @Override
    Backplane node(String boot) {
        return new RedisBackplane(connections(redis.uri(), boot), InstantSource.system());
    }

    private RedisConnections connections(RedisURI uri, String boot) {
        var trusting = SslOptions.builder()
                .trustManager(redis.certificateFile().toFile())
                .build();
        return connections(uri, boot, trusting);
    }

    private RedisConnections connections(RedisURI uri, String boot, SslOptions ssl) {
        var made = new RedisConnections(new RedisSettings(
                new Deployment.Standalone(uri), Keys.DEFAULT, boot, Duration.ofMillis(50), 50_000, null, ssl));
        connections.add(made);
        return made;
    }

    @AfterEach
    void closeConnections() {
        connections.forEach(RedisConnections::close);
    }

    @Override
    void breakLinks() {
        redis.server().commands().clientKill(KillArgs.Builder.typePubsub());
    }

    @Override
    void takeDown() {
        redis.server().stop();
    }

    @Override
    void restore() {
        redis.server().start();
    }

    @Test
    void noCommandOfANodeIsRefusedAndTheFunctionIsLoaded() {
        redis.server().commands().aclLogReset();
        Recorder recorder = new Recorder();
        Backplane node = started(fresh("a"), recorder);
        node.deadLetter("test", "no reason", bytes("{}"));
        Poll.until(
                "the dead letter is kept", SOON, () -> redis.server().commands().xlen(Keys.DEFAULT.deadLetters()) > 0);
        assertThat(redis.server().commands().functionList("carillon")).hasSize(1);
        assertThat(redis.server().commands().aclLog()).isEmpty();
    }

    @Test
    void aWrongPasswordIsToldWithoutTellingItAndTriedOn() {
        String said = warnings(() -> {
            var refused = connections(redis.uri("a-wrong-password-of-somebody"), fresh("a"));
            refused.start();
            refused.awaitAgreement(Duration.ofMillis(500));
            assertThat(refused.allOpen()).isFalse();
        });
        assertThat(said).contains("WRONGPASS").doesNotContain("a-wrong-password-of-somebody");
    }

    @Test
    void aCertificateThatNobodyVouchesForIsRefused() {
        String said = warnings(() -> {
            var refused = connections(redis.uri(), fresh("a"), SslOptions.create());
            refused.start();
            refused.awaitAgreement(Duration.ofMillis(500));
            assertThat(refused.allOpen()).isFalse();
        });
        assertThat(said).contains("TLS with Redis failed").doesNotContain(SecuredRedis.PASSWORD);
    }

    private static String warnings(Runnable work) {
        var log = (Logger) LoggerFactory.getLogger(Link.class);
        var lines = new ListAppender<ILoggingEvent>();
        lines.start();
        log.addAppender(lines);
        try {
            work.run();
            Poll.until("a word in the log", SOON, () -> !lines.list.isEmpty());
            return List.copyOf(lines.list).stream()
                    .map(ILoggingEvent::getFormattedMessage)
                    .collect(Collectors.joining("\n"));
        } finally {
            log.detachAppender(lines);
        }
    }

    @Test
    void aNodeMayDoNothingElse() {
        as(SecuredRedis.USER, node -> {
            refused(() -> node.get("another:key"));
            refused(() -> node.flushall());
            refused(() -> node.configGet("*"));
            refused(() -> node.keys("*"));
        });
    }

    private static void refused(Runnable call) {
        assertThatThrownBy(call::run).hasMessageStartingWith("NOPERM");
    }

    private static void as(String user, java.util.function.Consumer<RedisCommands<String, String>> work) {
        RedisURI uri = RedisURI.builder(redis.server().uri())
                .withAuthentication(user, SecuredRedis.PASSWORD.toCharArray())
                .build();
        try (var client = RedisClient.create(uri);
                var connection = client.connect()) {
            work.accept(connection.sync());
        }
    }
}
