/**
 * HTTP for services and operators: publishing, who is online, rooms, nodes.
 *
 * <p>In: requests with an API key, from WebFlux or, inside a servlet application, from a dispatcher of this room's own. Out:
 * plain values as JSON, problems as {@code application/problem+json}. Threads: controllers block, on virtual threads or on
 * those of the servlet container.
 */
@NullMarked
package io.carillon.node.api;

import org.jspecify.annotations.NullMarked;
