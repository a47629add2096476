/**
 * Sessions: one per WebSocket connection, owned by the event loop of its socket.
 *
 * <p>In: what the edge read from the socket, frames from dispatch. Out: frames to the socket through the bounded
 * {@link io.carillon.node.session.Outbox}; lifecycle calls to the {@link io.carillon.node.session.SessionListener}.
 * Threads: a session's state is touched by its event loop only.
 */
@NullMarked
package io.carillon.node.session;

import org.jspecify.annotations.NullMarked;
