package io.carillon.client;

/**
 * What was said in a conversation.
 *
 * @param id grows by one from message to message
 * @param conversation the conversation's number, unsigned
 * @param byAgent whether an agent said it, else the visitor
 * @param createdAt when the cluster took it, ISO 8601, UTC
 */
public record ConversationMessage(long id, long conversation, String content, boolean byAgent, String createdAt) {}
