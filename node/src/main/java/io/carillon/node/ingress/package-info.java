/**
 * Streams of events that services put straight into Redis: {@code XADD carillon:ingress:{orders} * channel push:user:42
 * event {…}}. One worker in the cluster drains each, in order, exactly once into the histories (ADR 0013).
 *
 * <p>In: entries of streams. Out: events to {@link io.carillon.node.dispatch.Publisher}; what cannot be published, to the
 * dead letters. Threads: one virtual thread that finds streams and shares them among nodes, one for each stream this
 * node drains; both block, on nothing but Redis' answers.
 */
@NullMarked
package io.carillon.node.ingress;

import org.jspecify.annotations.NullMarked;
