/**
 * The node: puts the rooms together and starts them, in a process of its own or inside a servlet application.
 *
 * <p>In: settings; inside an application its requests, through one filter. Out: nothing. Threads: none of its own.
 */
@NullMarked
package io.carillon.node;

import org.jspecify.annotations.NullMarked;
