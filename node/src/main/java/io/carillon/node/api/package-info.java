/**
 * HTTP for services and operators: publishing, who is online, rooms, nodes.
 *
 * <p>In: requests with an API key. Out: plain values as JSON, problems as {@code application/problem+json}. Threads:
 * controllers block, on virtual threads.
 */
@NullMarked
package io.carillon.node.api;

import org.jspecify.annotations.NullMarked;
