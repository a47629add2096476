package io.carillon.node.conversation;

import io.carillon.node.testing.Embedded;
import org.junit.jupiter.api.extension.ExtendWith;

/** Conversations, where every other node is inside a servlet application. */
@ExtendWith(Embedded.class)
class EmbeddedConversationIT extends ConversationIT {}
