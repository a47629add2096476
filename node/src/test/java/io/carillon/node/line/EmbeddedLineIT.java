package io.carillon.node.line;

import io.carillon.node.testing.Embedded;
import org.junit.jupiter.api.extension.ExtendWith;

/** Desks of the line, where every other node is inside a servlet application. */
@ExtendWith(Embedded.class)
class EmbeddedLineIT extends LineIT {}
