/**
 * Scenarios: the packaged node behind nginx, started and stopped by {@code scripts/}, seen from outside only. In: a
 * checkout with a built node. Out: nothing; every cluster is stopped, its directory under {@code target/scenario} stays
 * where a scenario failed. Run by {@code scripts/test} (profile {@code scenario}), one at a time.
 */
@NullMarked
package io.carillon.node.scenario;

import org.jspecify.annotations.NullMarked;
