package io.carillon.node.edge;

/** What a request for a session comes to when only the request is looked at. */
sealed interface Knock permits Arrival, Refusal, Preflight {}
