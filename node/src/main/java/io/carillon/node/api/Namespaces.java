package io.carillon.node.api;

import io.carillon.model.channel.Namespace;
import io.carillon.model.event.Event;
import io.carillon.node.session.Endpoint;
import java.util.Collection;
import java.util.HashMap;
import java.util.HashSet;
import java.util.Map;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/** The namespaces calls may name: those that have an endpoint. */
final class Namespaces {
    private final Map<String, Set<String>> ephemeralTypes = new HashMap<>();

    Namespaces(Collection<Endpoint> endpoints) {
        for (Endpoint endpoint : endpoints) {
            ephemeralTypes
                    .computeIfAbsent(endpoint.namespace().name(), name -> new HashSet<>())
                    .addAll(endpoint.ephemeralTypes());
        }
    }

    /**
     * @param name null for the default
     * @throws ApiException when there is no such namespace
     */
    Namespace named(@Nullable String name) {
        String wanted = name == null ? Namespace.PUSH.name() : name;
        if (!ephemeralTypes.containsKey(wanted)) throw new ApiException(404, "there is no such namespace");
        return new Namespace(wanted);
    }

    /**
     * Whether the event is kept: as its publisher said, or else if it asks for an acknowledgement, or else by its type.
     */
    boolean durable(Namespace namespace, Event event) {
        Boolean said = event.durable();
        if (event.ack() && Boolean.FALSE.equals(said)) {
            throw ApiException.badRequest("an event that is to be acknowledged is durable: leave out durable or ack");
        }
        if (event.ack()) return true;
        if (said != null) return said;
        return !ephemeralTypes.getOrDefault(namespace.name(), Set.of()).contains(event.type());
    }
}
