package io.carillon.node.edge;

import io.carillon.node.session.Endpoint;

/** An endpoint and what the door made ready for it. */
record Entrance(Endpoint endpoint, Origins origins) {}
