/**
 * The event: one JSON object that every part of the cluster speaks (what services publish, what Redis carries, what
 * push clients receive).
 *
 * <p>In: bytes from clients, services and Redis. Out: immutable {@link io.carillon.model.event.Event} values, and bytes
 * again. Pure: no threads, no I/O.
 */
@NullMarked
package io.carillon.model.event;

import org.jspecify.annotations.NullMarked;
