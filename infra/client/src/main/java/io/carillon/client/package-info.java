/**
 * A client of the {@code push} dialect, for services and tests: {@link io.carillon.client.CarillonClient}.
 *
 * <p>In: frames of a WebSocket, or of an event stream where a WebSocket cannot be had. Out: events to handlers, each
 * durable one once and in its channel's order; messages to the cluster, each once; {@link io.carillon.client.Gap} where
 * neither can be proven.
 *
 * <p>The client is what the application calls. Behind it {@code Dialer} opens one {@code Connection} after another over a
 * {@code Transport}; {@code Channels} knows how far each channel has come, {@code Messages} and {@code Questions} hold
 * what has no answer, {@code Handlers} calls the application, {@code Identity} has the token.
 *
 * <p>Threads: a client's state is behind one lock, its {@code Guard}'s, held for moments and never while anything of the
 * application runs, but for a {@code FrameListener}, which sees frames in their order. The transport's threads and the timer's take frames and times in; handlers run on one virtual thread
 * of the client; futures are completed on virtual threads of their own, so that a handler may wait for one.
 */
@NullMarked
package io.carillon.client;

import org.jspecify.annotations.NullMarked;
