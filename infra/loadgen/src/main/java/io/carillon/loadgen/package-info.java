/**
 * The load generator: opens real sockets to a cluster, publishes to it, and says what a delivery costs.
 *
 * <p>In: the command line ({@link io.carillon.loadgen.LoadGenerator}), {@code /proc} of the processes it is told to
 * watch. Out: one JSON object per measurement, and the table and plots made of them.
 *
 * <p>Threads: Netty event loops own the sockets and the {@link io.carillon.loadgen.Tally} of their loop; clients of the
 * Java library, where they receive, share one under its monitor; one pacing thread per publisher decides when an event is
 * due; the main thread runs the phases of a measurement.
 *
 * <p>Time: latency counts from the moment an event was <em>scheduled</em>, not from when it left, so a stalled publisher
 * cannot hide its own queue (coordinated omission). The scheduled time travels in the event's content as
 * {@link java.lang.System#nanoTime()}, which on Linux is {@code CLOCK_MONOTONIC}: one clock for every process of the
 * machine, hence publishers and receivers must share a machine.
 */
@NullMarked
package io.carillon.loadgen;

import org.jspecify.annotations.NullMarked;
