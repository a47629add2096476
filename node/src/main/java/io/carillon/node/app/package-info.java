/**
 * What the applications behind the dialects do and store: {@link io.carillon.node.dispatch.Application}s, one for each
 * dialect that is more than passing events on. In come handshakes, commands and events of their sessions; out go
 * answers, events, and what is kept in Redis by their scripts.
 *
 * <p>The line application is two, one for each kind of its clients ({@code LineWindows}, {@code LineDashboard}), over
 * what they share: the groups in Redis ({@code LineGroups}) and the activation codes.
 *
 * <p>Called on the sessions' loops and the channels' workers, so nothing here blocks; what waits for Redis comes back by
 * {@link io.carillon.node.dispatch.Desk#run}.
 */
@NullMarked
package io.carillon.node.app;

import org.jspecify.annotations.NullMarked;
