package io.carillon.client;

import java.util.List;

/**
 * Who is online in a chat.
 *
 * @param count users, over all nodes
 * @param users the first 1,000 of them
 */
public record OnlineUsers(long count, List<User> users) {
    /** @param name escaped as messages are */
    public record User(String id, String name) {}
}
