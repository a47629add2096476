package io.carillon.node.session;

import io.carillon.node.identity.Principal;

/** One authenticated connection. Its state is touched by its event loop only, except where a field says otherwise. */
public final class Session {
    private final String id;
    private final Endpoint endpoint;
    private final Socket socket;
    private final long since;
    private Principal principal;

    /**
     * @param id {@code <boot>-<random>}, unguessable but no credential
     * @param since when it opened, milliseconds since the epoch
     */
    public Session(String id, Endpoint endpoint, Principal principal, Socket socket, long since) {
        this.id = id;
        this.endpoint = endpoint;
        this.principal = principal;
        this.socket = socket;
        this.since = since;
    }

    public String id() {
        return id;
    }

    public Endpoint endpoint() {
        return endpoint;
    }

    public Socket socket() {
        return socket;
    }

    public Principal principal() {
        return principal;
    }

    /** Replaces the principal after a refresh; same user. */
    public void principal(Principal fresh) {
        principal = fresh;
    }

    public long since() {
        return since;
    }

    /** The socket takes more again: what waits in the outbox can go. Called by the edge. */
    public void writable() {}
}
