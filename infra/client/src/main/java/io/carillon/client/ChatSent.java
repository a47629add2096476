package io.carillon.client;

/**
 * A chat message that the cluster has.
 *
 * @param id the message's id
 * @param clientId the sender's own mark for it
 */
public record ChatSent(long id, String clientId) {}
