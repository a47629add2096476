/**
 * How a Spring service publishes: {@code publisher.toUser("push", "u1", "order_status", content)}.
 *
 * <p>In: events of a service, checked here before anything is sent. Out: commands to the Redis that Spring Data is
 * configured for. Threads: calls block until Redis has answered, and are safe from any thread. Everything but
 * {@link io.carillon.model.publish.EventPublisher} and what it needs is optional: without Spring on the class path the
 * shared model stays as light as it is.
 */
@NullMarked
package io.carillon.model.publish;

import org.jspecify.annotations.NullMarked;
