/** What tests of several rooms share: a real Redis, and waiting for something to become true. */
@NullMarked
package io.carillon.node.testing;

import org.jspecify.annotations.NullMarked;
