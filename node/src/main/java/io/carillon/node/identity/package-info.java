/**
 * Who is it? Tokens, tickets and API keys in, a {@link io.carillon.node.identity.Principal} out.
 *
 * <p>In: credentials as the edge or an HTTP call found them. Out: a principal, or a refusal with its status and
 * sentence. Threads: verifying by the shared secret runs where it is asked; what may wait (tickets, key sets) runs on
 * virtual threads. Results are immutable.
 */
@NullMarked
package io.carillon.node.identity;

import org.jspecify.annotations.NullMarked;
