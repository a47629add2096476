package io.carillon.node.feedback;

import io.carillon.node.testing.Embedded;
import org.junit.jupiter.api.extension.ExtendWith;

/** Feedback, where every other node is inside a servlet application. */
@ExtendWith(Embedded.class)
class EmbeddedFeedbackIT extends FeedbackIT {}
