package io.carillon.node.channel;
/** PLACEHOLDER. */
public interface ChannelListener {}
