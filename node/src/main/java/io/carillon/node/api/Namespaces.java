package io.carillon.node.api;

import io.carillon.model.channel.Namespace;
import io.carillon.model.event.Event;
import io.carillon.node.session.EndpointSettings;
import org.jspecify.annotations.Nullable;

/** The namespaces calls may name: those that have an endpoint. */
final class Namespaces {
    private final EndpointSettings endpoints;

    Namespaces(EndpointSettings endpoints) {
        this.endpoints = endpoints;
    }

    /**
     * @param name null for the default
     * @throws ApiException when there is no such namespace
     */
    Namespace named(@Nullable String name) {
        return named(name, Namespace.PUSH.name());
    }

    /** The same with a default of the caller's own. */
    Namespace named(@Nullable String name, String otherwise) {
        String wanted = name == null ? otherwise : name;
        if (!endpoints.serves(wanted)) throw new ApiException(404, "there is no such namespace");
        return new Namespace(wanted);
    }

    /** Whether there is a namespace of this name. */
    boolean serves(String name) {
        return endpoints.serves(name);
    }

    /** Whether the event is kept; {@link EndpointSettings#durable}. */
    boolean durable(Namespace namespace, Event event) {
        if (event.ack() && Boolean.FALSE.equals(event.durable())) {
            throw ApiException.badRequest("an event that is to be acknowledged is durable: leave out durable or ack");
        }
        return endpoints.durable(namespace, event);
    }
}
