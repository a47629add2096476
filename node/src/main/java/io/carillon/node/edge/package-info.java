/**
 * The door: one Netty listener for HTTP and WebSocket. It takes upgrades for Carillon's endpoints over from the HTTP
 * server, does the handshake, admits or refuses, reads and validates frames, pings, and closes. Inside a servlet
 * application it stands ahead of the servlets instead, and sessions ride on spring-websocket; who may come in, and what
 * becomes of a session, is decided by the same code.
 *
 * <p>In: bytes of clients. Out: {@link io.carillon.node.session.Session}s and their messages, to the
 * {@link io.carillon.node.session.SessionListener}; frames to the socket. Threads: a connection lives on its event loop.
 * In a servlet container a request waits on the container's thread, a message is put together there, and a virtual thread
 * writes while there is something to write; all else is the loop's.
 */
@NullMarked
package io.carillon.node.edge;

import org.jspecify.annotations.NullMarked;
