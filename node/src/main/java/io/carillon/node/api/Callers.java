package io.carillon.node.api;

import io.carillon.node.dispatch.Application;
import io.carillon.node.dispatch.Applications;
import io.carillon.node.identity.ApiKeys;
import io.carillon.node.identity.Authenticator;
import io.carillon.node.identity.Credentials;
import io.carillon.node.identity.Principal;
import io.carillon.node.identity.Verdict;
import io.carillon.node.session.Endpoint;
import io.carillon.node.session.EndpointSettings;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/** Says who makes the HTTP calls that belong to a dialect's application: by the very rule of its handshake. */
final class Callers {
    private final Applications applications;
    private final List<Endpoint> endpoints;
    private final Authenticator authenticator;
    private final ApiKeys keys;

    Callers(Applications applications, EndpointSettings endpoints, Authenticator authenticator, ApiKeys keys) {
        this.applications = applications;
        this.endpoints = endpoints.list();
        this.authenticator = authenticator;
        this.keys = keys;
    }

    /** An application as it is served in one namespace. */
    record Served<A extends Application>(A application, Endpoint endpoint) {}

    /**
     * The application in the namespace.
     *
     * @param named null for the one that is called as the dialect
     * @throws ApiException 404 when no endpoint of the namespace speaks the dialect
     */
    <A extends Application> Served<A> served(Class<A> type, String dialect, @Nullable String named) {
        String namespace = named == null ? dialect : named;
        for (Endpoint endpoint : endpoints) {
            if (!endpoint.dialect().equals(dialect)
                    || !endpoint.namespace().name().equals(namespace)) continue;
            Application application = applications.of(endpoint);
            if (type.isInstance(application)) return new Served<>(type.cast(application), endpoint);
        }
        throw new ApiException(404, "there is no such namespace");
    }

    /**
     * Who calls. May block.
     *
     * @param query as it would be in the address of a handshake
     * @throws ApiException with the handshake's own refusal
     */
    Principal client(Served<?> served, @Nullable String authorization, Map<String, String> query) {
        Verdict verdict = Waits.answer(served.application()
                .admit(served.endpoint(), new Credentials(authorization, List.of(), query), authenticator));
        return switch (verdict) {
            case Verdict.Granted granted -> granted.principal();
            case Verdict.Refused refused -> throw new ApiException(refused.status(), refused.sentence());
        };
    }

    /**
     * Whether a service calls, with an API key; otherwise a client does.
     *
     * @throws ApiException 401 when {@code X-API-Key} is what decides, and is wrong
     */
    boolean service(@Nullable String authorization, @Nullable String apiKey) {
        if (authorization != null) return keys.holds(authorization);
        if (apiKey == null) return false;
        if (keys.caller(null, apiKey) == null) throw new ApiException(401, "the API key is not one of this cluster");
        return true;
    }
}
