/**
 * The crossroads: commands of clients and of the HTTP API in, to the backplane; events of channels out, to the local
 * sessions, encoded once per dialect.
 *
 * <p>Threads: a session's commands run on its event loop; each event loop has one lane that fans events out to the
 * sessions of that loop and merges what goes to each into one write.
 */
@NullMarked
package io.carillon.node.dispatch;

import org.jspecify.annotations.NullMarked;
