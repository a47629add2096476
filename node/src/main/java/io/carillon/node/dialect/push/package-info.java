/**
 * The native dialect: frames are the events themselves. Pure, as the room above says.
 */
@NullMarked
package io.carillon.node.dialect.push;

import org.jspecify.annotations.NullMarked;
