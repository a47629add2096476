/**
 * Wire formats: bytes of a client to a {@link io.carillon.node.dialect.Command}, events and notices to frames. One
 * sub-package for each dialect.
 *
 * <p>Pure: no threads, no I/O, no state.
 */
@NullMarked
package io.carillon.node.dialect;

import org.jspecify.annotations.NullMarked;
