package io.carillon.node.edge;

import io.carillon.node.identity.Credentials;

/** A well-formed request for a session, from a page that may have one. */
sealed interface Arrival extends Knock permits Handshake, StreamRequest {
    Entrance entrance();

    /** What it brought to say who it is from. */
    Credentials credentials();

    /** The client's address. */
    String address();
}
