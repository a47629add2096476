/**
 * Who is online and who is in which room, over all nodes: leases of nodes, the sets in Redis, and the reaper for the
 * sessions of a dead node.
 *
 * <p>In: sessions of this node opening, closing, joining, leaving. Out: sets, hashes and the presence log in Redis;
 * announcements on room channels. Threads: calls are safe from any thread and never block; everything remembered belongs
 * to one thread, {@code presence-<boot>}, and stages complete on it; queries are blocking and for virtual threads.
 */
@NullMarked
package io.carillon.node.presence;

import org.jspecify.annotations.NullMarked;
