/** The node: puts the rooms together and starts them. */
@NullMarked
package io.carillon.node;

import org.jspecify.annotations.NullMarked;
