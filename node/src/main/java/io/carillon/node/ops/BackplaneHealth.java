package io.carillon.node.ops;

import io.carillon.node.backplane.Backplane;
import io.carillon.node.presence.Presence;
import org.springframework.boot.autoconfigure.condition.ConditionalOnClass;
import org.springframework.boot.health.contributor.Health;
import org.springframework.boot.health.contributor.HealthIndicator;
import org.springframework.stereotype.Component;

/**
 * Part of readiness: down while the node's probe through Redis does not come back, or while Redis has not
 * its lease, so that the front door sends clients
 * elsewhere. Sessions that are here stay.
 */
@Component("backplaneHealthIndicator")
@ConditionalOnClass(HealthIndicator.class)
final class BackplaneHealth implements HealthIndicator {
    private final Backplane backplane;
    private final Presence presence;

    BackplaneHealth(Backplane backplane, Presence presence) {
        this.backplane = backplane;
        this.presence = presence;
    }

    @Override
    public Health health() {
        return backplane.connected()
                ? Health.up().build()
                : Health.outOfService().build();
    }
}
