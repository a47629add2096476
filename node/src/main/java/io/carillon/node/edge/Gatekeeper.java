package io.carillon.node.edge;

import io.carillon.node.identity.Credentials;
import io.carillon.node.identity.Verdict;
import io.carillon.node.session.Endpoint;
import java.util.concurrent.CompletionStage;

/** Decides who may come in. The edge asks once for each handshake that is well-formed and within the limits. */
@FunctionalInterface
public interface Gatekeeper {
    /**
     * Checks parameters and identity. Called on an event loop: must not block; the stage may complete on any thread. A
     * stage that fails, or takes longer than the handshake may, is answered 503.
     *
     * @param credentials what the request brought, its query parameters included
     * @param address the client's address
     */
    CompletionStage<Verdict> admit(Endpoint endpoint, Credentials credentials, String address);
}
