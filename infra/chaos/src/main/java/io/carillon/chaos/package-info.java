/**
 * Chaos: a cluster of real processes (nodes, nginx, Redis), clients and publishers that write down everything they see,
 * and a schedule of faults that follows from a seed.
 *
 * <p>In: the command line ({@link io.carillon.chaos.Chaos}). Out: one JSON-lines file for each actor, which
 * {@link io.carillon.chaos.check} judges, a table of what each fault did, and plots.
 *
 * <p>Threads: every client, publisher and prober is one virtual thread that owns all of its state and is the only writer
 * of its file; the main thread carries out the schedule. Clients of the library are written about by the library's threads,
 * too.
 *
 * <p>Time: seconds since the run began, of {@link java.lang.System#nanoTime()}; all actors live in one process, so there
 * is one clock.
 */
@NullMarked
package io.carillon.chaos;

import org.jspecify.annotations.NullMarked;
