/**
 * The fabric between nodes: topics, histories and scripts in Redis behind one port.
 *
 * <p>In: subscriptions and events of this node. Out: every message of the subscribed channels, to the
 * {@link io.carillon.node.backplane.BackplaneListener}. Threads: calls are safe from any thread and never block; the
 * listener is called on the backplane's reader threads and must only hand on.
 *
 * <p>Within: links are connections that are made again when they are lost ({@code Link}, {@code CommandLink}; those to
 * one primary are a {@code Shard}); {@code Deployment}, {@code Sentinels}, {@code SlotMap} and {@code ClusterShards} say
 * where they lead; {@code Subscriptions} knows who is subscribed where.
 */
@NullMarked
package io.carillon.node.backplane;

import org.jspecify.annotations.NullMarked;
