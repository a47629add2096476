/**
 * Clients for services and tests: {@link io.carillon.client.CarillonClient} of the {@code push} dialect, {@link
 * io.carillon.client.ChatClient} and {@link io.carillon.client.ConversationClient} of those with growing ids.
 *
 * <p>In: frames of a WebSocket, or of an event stream where a WebSocket cannot be had; pages of kept messages over HTTP. Out:
 * events and messages to handlers, each that is kept once and in order; messages to the cluster, each once; {@link
 * io.carillon.client.Gap} and {@link io.carillon.client.MessageGap} where something may be missing.
 *
 * <p>The client is what the application calls. Behind each, a {@code Dialer} opens one {@code Connection} after another over a
 * {@code Transport}, {@code Identity} has the token, and the {@code Inbox} calls the application. For push, {@code
 * Channels} knows how far each channel has come, {@code Messages} and {@code Questions} hold what has no answer, {@code
 * Handlers} acknowledges. For the others, {@code Feed} knows the last id and puts messages in order, {@code SendQueue}
 * holds what has no answer, {@code Requests} makes the calls, and a {@code FeedDialect} says what all that looks like.
 *
 * <p>Threads: a client's state is behind one lock, its {@code Guard}'s, held for moments and never while anything of the
 * application runs, but for a {@code FrameListener}, which sees frames in their order. The threads of the transport, of
 * calls and of the timer take frames, replies and times in; handlers run on one virtual thread of the client; futures are
 * completed on virtual threads of their own, so that a handler may wait for one.
 */
@NullMarked
package io.carillon.client;

import org.jspecify.annotations.NullMarked;
