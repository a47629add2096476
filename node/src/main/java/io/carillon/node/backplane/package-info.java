/**
 * The fabric between nodes: topics, histories and scripts in Redis behind one port.
 *
 * <p>In: subscriptions and events of this node. Out: every message of the subscribed channels, to the
 * {@link io.carillon.node.backplane.BackplaneListener}. Within: links are connections that are made again
 * ({@code Link}, {@code CommandLink}, {@code Shard}); {@code Deployment}, {@code Sentinels}, {@code SlotMap} and
 * {@code ClusterShards} say where they lead; {@code Subscriptions} knows who is subscribed where. Threads: calls are safe from any thread and never block; the
 * listener is called on the backplane's reader threads and must only hand on.
 */
@NullMarked
package io.carillon.node.backplane;

import org.jspecify.annotations.NullMarked;
