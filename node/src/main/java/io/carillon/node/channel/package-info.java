/**
 * What this node knows of each channel its sessions want: subscribed or not, its position, what is held back until that
 * is known.
 *
 * <p>In: messages of the backplane, sessions that attach and detach. Out: events in order, to the
 * {@link io.carillon.node.channel.ChannelListener}. Threads: each channel belongs to one event loop, by hash; its state
 * is touched there only.
 */
@NullMarked
package io.carillon.node.channel;

import org.jspecify.annotations.NullMarked;
