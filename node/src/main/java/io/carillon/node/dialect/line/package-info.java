/**
 * The formats of the customer-acquisition desks: {@code line-windows} for the clients that report, {@code line-dashboard}
 * for the pages that watch. Both are written alike: {@code {"type":…,"data":…}}.
 */
@NullMarked
package io.carillon.node.dialect.line;

import org.jspecify.annotations.NullMarked;
