package io.carillon.node.backplane;

import io.carillon.model.redis.Boot;
import io.carillon.model.redis.Keys;
import io.lettuce.core.RedisURI;
import io.lettuce.core.SslOptions;
import io.netty.channel.EventLoopGroup;
import io.netty.util.concurrent.EventExecutor;
import java.time.Clock;
import java.time.Duration;
import java.util.List;
import org.jspecify.annotations.Nullable;
import org.springframework.beans.factory.annotation.Qualifier;
import org.springframework.boot.data.redis.autoconfigure.DataRedisConnectionDetails;
import org.springframework.boot.data.redis.autoconfigure.DataRedisConnectionDetails.Node;
import org.springframework.boot.ssl.SslBundle;
import org.springframework.context.SmartLifecycle;
import org.springframework.context.annotation.Bean;
import org.springframework.context.annotation.Configuration;

/** Wires this room with the Redis that Spring Data is configured for, so that both talk to the same one. */
@Configuration(proxyBeanMethods = false)
class BackplaneConfiguration {
    /** How long a start waits for Redis to say whether this node may share it. */
    private static final Duration AGREEMENT = Duration.ofSeconds(5);

    @Bean(destroyMethod = "close")
    RedisConnections redisConnections(
            DataRedisConnectionDetails details,
            Keys keys,
            Boot boot,
            @Qualifier("nodeLoops") EventLoopGroup nodeLoops) {
        int threads = 0;
        for (EventExecutor unused : nodeLoops) threads++;
        SslBundle bundle = details.getSslBundle();
        return new RedisConnections(new RedisSettings(
                deployment(details),
                keys,
                boot.id(),
                Duration.ofMillis(500),
                50_000,
                new SharedLoops(nodeLoops, threads),
                bundle == null ? null : ssl(bundle)));
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

    /** Before anything listens: a node that must not share this Redis does not start. */
    @Bean
    SmartLifecycle agreementLifecycle(RedisConnections connections) {
        return new SmartLifecycle() {
            private volatile boolean running;

            @Override
            public void start() {
                connections.start();
                connections.awaitAgreement(AGREEMENT);
                running = true;
            }

            @Override
            public void stop() {
                running = false;
            }

            @Override
            public boolean isRunning() {
                return running;
            }

            @Override
            public int getPhase() {
                return 0;
            }
        };
    }

    private static Deployment deployment(DataRedisConnectionDetails details) {
        String user = details.getUsername();
        String password = details.getPassword();
        boolean tls = details.getSslBundle() != null;
        DataRedisConnectionDetails.@Nullable Cluster cluster = details.getCluster();
        if (cluster != null) {
            return new Deployment.Cluster(addresses(cluster.getNodes(), user, password, tls));
        }
        DataRedisConnectionDetails.@Nullable Sentinel sentinel = details.getSentinel();
        if (sentinel != null) {
            return new Deployment.Sentinel(
                    sentinel.getMaster(),
                    addresses(sentinel.getNodes(), sentinel.getUsername(), sentinel.getPassword(), tls),
                    address("unknown", 0, user, password, tls, sentinel.getDatabase()));
        }
        DataRedisConnectionDetails.@Nullable Standalone standalone = details.getStandalone();
        if (standalone == null) {
            throw new IllegalArgumentException(
                    "Carillon needs a Redis: set CARILLON_REDIS_URL (redis://[user:password@]host[:port][/database]),"
                            + " spring.data.redis.sentinel.* or spring.data.redis.cluster.nodes");
        }
        return new Deployment.Standalone(
                address(standalone.getHost(), standalone.getPort(), user, password, tls, standalone.getDatabase()));
    }

    private static List<RedisURI> addresses(
            List<Node> nodes, @Nullable String user, @Nullable String password, boolean tls) {
        return nodes.stream()
                .map(node -> address(node.host(), node.port(), user, password, tls, 0))
                .toList();
    }

    private static RedisURI address(
            String host, int port, @Nullable String user, @Nullable String password, boolean tls, int database) {
        RedisURI.Builder uri = RedisURI.builder()
                .withHost(host)
                .withPort(port)
                .withDatabase(database)
                .withSsl(tls);
        uri.withTimeout(RedisSettings.TIMEOUT);
        if (password != null && user != null) uri.withAuthentication(user, password.toCharArray());
        else if (password != null) uri.withPassword(password.toCharArray());
        return uri.build();
    }

    private static SslOptions ssl(SslBundle bundle) {
        SslOptions.Builder options = SslOptions.builder()
                .keyManager(bundle.getManagers().getKeyManagerFactory())
                .trustManager(bundle.getManagers().getTrustManagerFactory());
        String[] ciphers = bundle.getOptions().getCiphers();
        String[] protocols = bundle.getOptions().getEnabledProtocols();
        if (ciphers != null) options.cipherSuites(ciphers);
        if (protocols != null) options.protocols(protocols);
        return options.build();
    }
}
