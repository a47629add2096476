/**
 * The door: one Netty listener for HTTP and WebSocket. It takes upgrades for Carillon's endpoints over from the HTTP
 * server, does the handshake, admits or refuses, reads and validates frames, pings, and closes.
 *
 * <p>In: bytes of clients. Out: {@link io.carillon.node.session.Session}s and their messages, to the
 * {@link io.carillon.node.session.SessionListener}; frames to the socket. Threads: a connection lives on its event loop.
 */
@NullMarked
package io.carillon.node.edge;

import org.jspecify.annotations.NullMarked;
