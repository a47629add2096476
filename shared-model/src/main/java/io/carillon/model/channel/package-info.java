/**
 * Where events are published: the namespace's broadcast, one user, or one room; and places in a channel's history.
 *
 * <p>In: ids from outside, checked here. Out: immutable values. Pure: no threads, no I/O.
 */
@NullMarked
package io.carillon.model.channel;

import org.jspecify.annotations.NullMarked;
