package io.carillon.client;

/**
 * What a member of a chat said.
 *
 * @param id grows from message to message
 * @param userId who said it
 * @param username that member's name, escaped as the content is
 * @param content escaped by the cluster, unless its settings say otherwise: it may be shown as HTML, and has to be
 *     unescaped to be shown as text
 * @param createdAt when the cluster took it, ISO 8601, UTC
 */
public record ChatMessage(long id, String userId, String username, String content, String createdAt) {}
