package io.carillon.node.backplane;

import io.carillon.model.redis.Boot;
import io.carillon.model.redis.Keys;
import io.lettuce.core.RedisURI;
import io.netty.channel.EventLoopGroup;
import io.netty.util.concurrent.EventExecutor;
import java.time.Clock;
import java.time.Duration;
import org.jspecify.annotations.Nullable;
import org.springframework.beans.factory.annotation.Qualifier;
import org.springframework.boot.data.redis.autoconfigure.DataRedisConnectionDetails;
import org.springframework.context.annotation.Bean;
import org.springframework.context.annotation.Configuration;

/** Wires this room with the Redis that Spring Data is configured for, so that both talk to the same one. */
@Configuration(proxyBeanMethods = false)
class BackplaneConfiguration {
    @Bean(destroyMethod = "close")
    RedisConnections redisConnections(
            DataRedisConnectionDetails details,
            Keys keys,
            Boot boot,
            @Qualifier("nodeLoops") EventLoopGroup nodeLoops) {
        int threads = 0;
        for (EventExecutor unused : nodeLoops) threads++;
        var settings = new RedisSettings(
                uri(details), keys, boot.id(), Duration.ofMillis(500), 50_000, new SharedLoops(nodeLoops, threads));
        return new RedisConnections(settings);
    }

    @Bean(destroyMethod = "")
    RedisBackplane backplane(RedisConnections connections, Clock clock) {
        return new RedisBackplane(connections, clock);
    }

    @Bean
    Streams streams(RedisConnections connections) {
        return new RedisStreams(connections);
    }

    @Bean
    DeadLetters deadLetters(ScriptRunner scripts, Keys keys, Clock clock) {
        return new DeadLetters(scripts, keys, clock);
    }

    private static RedisURI uri(DataRedisConnectionDetails details) {
        DataRedisConnectionDetails.@Nullable Standalone standalone = details.getStandalone();
        if (standalone == null) {
            throw new IllegalArgumentException(
                    "Carillon needs one Redis: set CARILLON_REDIS_URL, redis://[user:password@]host[:port][/database]");
        }
        RedisURI.Builder uri = RedisURI.builder()
                .withHost(standalone.getHost())
                .withPort(standalone.getPort())
                .withDatabase(standalone.getDatabase())
                .withSsl(details.getSslBundle() != null);
        String password = details.getPassword();
        String user = details.getUsername();
        if (password != null && user != null) uri.withAuthentication(user, password.toCharArray());
        else if (password != null) uri.withPassword(password.toCharArray());
        return uri.build();
    }
}
