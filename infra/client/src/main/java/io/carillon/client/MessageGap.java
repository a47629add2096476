package io.carillon.client;

/**
 * Messages of a conversation between these two are no longer kept, or there never were any: ids that the cluster leaves
 * out after the loss of a Redis primary cannot be told from that.
 *
 * @param after id of the last message before the gap
 * @param before id of the first behind it
 */
public record MessageGap(long after, long before) {}
