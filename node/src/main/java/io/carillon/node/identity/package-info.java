/**
 * Who is it? Tokens, tickets and API keys in, a {@link io.carillon.node.identity.Principal} out.
 *
 * <p>In: credentials as the edge or an HTTP call found them. Out: a principal, or a refusal with its status and
 * sentence. Threads: verification runs on virtual threads, since a key set may have to be fetched; results are
 * immutable.
 */
@NullMarked
package io.carillon.node.identity;

import org.jspecify.annotations.NullMarked;
