package io.carillon.node.identity;

import static org.assertj.core.api.Assertions.assertThat;

import io.carillon.model.redis.Keys;
import io.micrometer.core.instrument.MeterRegistry;
import io.micrometer.core.instrument.simple.SimpleMeterRegistry;
import java.time.Clock;
import org.junit.jupiter.api.Test;
import org.springframework.boot.diagnostics.FailureAnalysis;
import org.springframework.boot.test.context.runner.ApplicationContextRunner;
import org.springframework.data.redis.core.StringRedisTemplate;

class IdentityConfigurationTest {
    private static final String KEYS = "9hQ2vK7xW4bT1nR8mZ5cY3jL6pD0sF-gA,uE4tB9kX2wN7qV5hM8zC1rJ6yG3dP0o_L";
    private static final String SECRET = "carillon.auth.jwt-secret=" + Forge.SECRET;

    private final ApplicationContextRunner runner = new ApplicationContextRunner()
            .withBean(MeterRegistry.class, SimpleMeterRegistry::new)
            .withBean(Clock.class, Clock::systemUTC)
            .withBean(Keys.class, () -> Keys.DEFAULT)
            .withBean(StringRedisTemplate.class, StringRedisTemplate::new, bean -> bean.setLazyInit(true))
            .withInitializer(context -> context.getBeanFactory().addBeanPostProcessor(new UnconnectedRedis()))
            .withUserConfiguration(IdentityConfiguration.class);

    /** Lets the template be made without a connection: these tests never ask Redis. */
    private static final class UnconnectedRedis implements org.springframework.beans.factory.config.BeanPostProcessor {
        @Override
        public Object postProcessBeforeInitialization(Object bean, String name) {
            if (bean instanceof StringRedisTemplate redis) {
                redis.setConnectionFactory(
                        new org.springframework.data.redis.connection.lettuce.LettuceConnectionFactory());
            }
            return bean;
        }
    }

    @Test
    void startsWithASecret() {
        runner.withPropertyValues(SECRET, "carillon.auth.api-keys=" + Forge.SECRET)
                .run(context -> assertThat(context).hasNotFailed().hasSingleBean(Authenticator.class));
    }

    @Test
    void startsWithAKeySet() {
        runner.withPropertyValues("carillon.auth.jwks-url=https://keys.invalid/jwks")
                .run(context -> assertThat(context).hasNotFailed());
    }

    @Test
    void secretsAreReadByTheNamesOfTheirVariables() {
        runner.withPropertyValues("carillon.jwt-secret=" + Forge.SECRET, "carillon.api-key=" + KEYS)
                .run(context -> {
                    assertThat(context).hasNotFailed();
                    for (String key : KEYS.split(",")) {
                        assertThat(context.getBean(ApiKeys.class).caller(null, key))
                                .isNotNull();
                    }
                });
        runner.withPropertyValues("carillon.jwks-url=https://keys.invalid/jwks")
                .run(context -> assertThat(context).hasNotFailed());
        stops("CARILLON_API_KEY", SECRET, "carillon.api-key=secret");
    }

    @Test
    void doesNotStartWithoutAnyKey() {
        stops("CARILLON_JWT_SECRET is not set");
        stops("CARILLON_JWT_SECRET is not set", "carillon.auth.jwt-secret= ", "carillon.auth.jwks-url=");
    }

    @Test
    void doesNotStartWithAWeakSecret() {
        stops("CARILLON_JWT_SECRET", "carillon.auth.jwt-secret=changeme");
        stops("CARILLON_JWT_SECRET", "carillon.auth.jwt-secret=" + "a".repeat(32));
        stops("CARILLON_API_KEY", SECRET, "carillon.auth.api-keys=secret");
        stops("CARILLON_JWKS_URL", "carillon.auth.jwks-url=http://keys.invalid/jwks");
    }

    @Test
    void openIdentityNeedsALoopbackAddress() {
        stops("carillon.auth.open-identity", SECRET, "carillon.auth.open-identity=true");
        stops("carillon.auth.open-identity", SECRET, "carillon.auth.open-identity=true", "server.address=0.0.0.0");
        stops("carillon.auth.open-identity", SECRET, "carillon.auth.open-identity=true", "server.address=192.0.2.1");
        for (String address : new String[] {"127.0.0.1", "::1", "localhost"}) {
            runner.withPropertyValues("carillon.auth.open-identity=true", "server.address=" + address)
                    .run(context -> assertThat(context).hasNotFailed());
        }
    }

    private void stops(String variable, String... properties) {
        runner.withPropertyValues(properties).run(context -> {
            assertThat(context).hasFailed();
            Throwable failure = context.getStartupFailure();
            FailureAnalysis analysis = new UnsafeSettingsAnalyzer().analyze(failure);
            assertThat(analysis).isNotNull();
            assertThat(analysis.getDescription()).startsWith(variable);
            assertThat(((UnsafeSettingsException) analysis.getCause()).getExitCode())
                    .isEqualTo(78);
        });
    }
}
