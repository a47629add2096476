/** What operators need: health, metrics, the bundled Redis of a node alone. Uses every room; no room uses it. */
@NullMarked
package io.carillon.node.ops;

import org.jspecify.annotations.NullMarked;
