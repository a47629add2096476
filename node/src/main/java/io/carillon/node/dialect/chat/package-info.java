/** A chat of everyone: messages in and out, acknowledged to their sender. Pure, as the room above says. */
@NullMarked
package io.carillon.node.dialect.chat;

import org.jspecify.annotations.NullMarked;
