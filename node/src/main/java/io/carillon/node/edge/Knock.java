package io.carillon.node.edge;

/** What a handshake request comes to when only the request is looked at. */
sealed interface Knock permits Handshake, Refusal {}
