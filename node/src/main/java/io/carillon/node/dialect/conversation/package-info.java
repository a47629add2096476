/**
 * Visitors and agents in conversations: a session is told new messages and sends next to nothing. Pure, as the room
 * above says.
 */
@NullMarked
package io.carillon.node.dialect.conversation;

import org.jspecify.annotations.NullMarked;
