package io.carillon.node.chat;

import io.carillon.node.testing.Embedded;
import org.junit.jupiter.api.extension.ExtendWith;

/** The chat, where every other node is inside a servlet application. */
@ExtendWith(Embedded.class)
class EmbeddedChatIT extends ChatIT {}
