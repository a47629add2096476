/**
 * A client of the {@code push} dialect, for services and tests: {@link io.carillon.client.CarillonClient}.
 *
 * <p>In: frames of a WebSocket, or of an event stream where a WebSocket cannot be had. Out: events to handlers, each
 * durable one once and in its channel's order; messages to the cluster, each once; {@link io.carillon.client.Gap} where
 * neither can be proven.
 *
 * <p>Threads: a client's state is behind one lock, held for moments and never while anything of the application runs.
 * The transport's threads and the timer's take frames and times in; handlers run on one virtual thread of the client;
 * futures are completed on virtual threads of their own, so that a handler may wait for one.
 */
@NullMarked
package io.carillon.client;

import org.jspecify.annotations.NullMarked;
