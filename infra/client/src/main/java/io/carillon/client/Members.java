package io.carillon.client;

import java.util.List;

/**
 * Who is in a room.
 *
 * @param count users, over all nodes
 * @param users the first 1,000 of them
 */
public record Members(String room, long count, List<String> users) {}
