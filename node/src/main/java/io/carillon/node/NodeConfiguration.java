package io.carillon.node;

import io.carillon.model.channel.Namespace;
import io.carillon.model.redis.Boot;
import io.carillon.model.redis.Keys;
import io.carillon.node.backplane.Backplane;
import io.carillon.node.dispatch.Application;
import io.carillon.node.dispatch.Applications;
import io.carillon.node.dispatch.Dispatch;
import io.carillon.node.edge.DrainListener;
import io.carillon.node.edge.Gatekeeper;
import io.carillon.node.edge.SessionIds;
import io.carillon.node.edge.UserSessions;
import io.carillon.node.identity.Authenticator;
import io.carillon.node.identity.Rule;
import io.carillon.node.identity.UnsafeSettingsException;
import io.carillon.node.identity.Verdict;
import io.carillon.node.presence.NodeState;
import io.carillon.node.presence.Presence;
import io.carillon.node.session.Endpoint;
import io.carillon.node.session.EndpointSettings;
import java.time.Clock;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import org.springframework.beans.factory.annotation.Value;
import org.springframework.boot.data.redis.autoconfigure.DataRedisConnectionDetails;
import org.springframework.context.annotation.Bean;
import org.springframework.context.annotation.Configuration;

/** Joins the rooms that must not know each other, and makes what all of them share. */
@Configuration(proxyBeanMethods = false)
class NodeConfiguration {
    @Bean
    Boot boot() {
        return Boot.random();
    }

    /** Presence is partitioned in Redis Cluster only. */
    @Bean
    Keys keys(
            @Value("${carillon.redis.prefix:carillon}") String prefix,
            @Value("${carillon.presence.partitions:0}") int partitions,
            DataRedisConnectionDetails redis) {
        boolean cluster = redis.getCluster() != null;
        if (partitions < 0 || partitions > 1024 || !cluster && partitions > 1) {
            throw new UnsafeSettingsException(
                    "CARILLON_PRESENCE_PARTITIONS must be 1 to 1024 in Redis Cluster, and 1 or unset elsewhere, where"
                            + " presence is one part");
        }
        return new Keys(prefix, !cluster ? 0 : partitions == 0 ? Keys.CLUSTER_PARTITIONS : partitions);
    }

    @Bean
    Clock clock() {
        return Clock.systemUTC();
    }

    /** The applications this node serves. */
    @Bean
    List<Namespace> servedNamespaces(EndpointSettings endpoints) {
        return endpoints.list().stream().map(Endpoint::namespace).distinct().toList();
    }

    @Bean
    SessionIds sessionIds(Boot boot) {
        return new SessionIds(boot.id());
    }

    /**
     * Without Redis a session could neither be welcomed nor reached, and with too much waiting for those that are here
     * one more would only wait, too: the client tries another node.
     */
    @Bean
    Gatekeeper gatekeeper(
            Authenticator authenticator, Applications applications, Backplane backplane, Dispatch dispatch) {
        var away = new Verdict.Refused(503, "this node has no Redis at the moment; try again shortly", "unavailable");
        var busy = new Verdict.Refused(503, "this node has too much to send at the moment; try again shortly", "busy");
        return (endpoint, credentials, address) -> {
            if (!backplane.connected()) return CompletableFuture.completedFuture(away);
            if (dispatch.overloaded()) return CompletableFuture.completedFuture(busy);
            Application application = applications.of(endpoint);
            return application == null
                    ? authenticator.authenticateAsync(credentials, new Rule(endpoint.queryToken(), "user_id"))
                    : application.admit(endpoint, credentials, authenticator);
        };
    }

    @Bean
    UserSessions userSessions(Presence presence) {
        return presence::sessionsOf;
    }

    @Bean
    DrainListener drainListener(Dispatch dispatch, NodeState state) {
        return new DrainListener() {
            @Override
            public void begun() {
                state.drain();
            }

            @Override
            public void announce(Duration window) {
                dispatch.announceDrain(window);
            }
        };
    }
}
