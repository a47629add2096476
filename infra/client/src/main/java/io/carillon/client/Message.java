package io.carillon.client;

import io.carillon.model.channel.Ids;
import org.jspecify.annotations.Nullable;

/**
 * What a client sends: an event of some type to a user, to a room it is in, or to everyone.
 *
 * @param type 1 to 64 of {@code A-Za-z0-9_.:-}, and none that the dialect reserves
 * @param to the receiving user; null for a room or everyone
 * @param room the room; null for a user or everyone
 * @param content whatever Jackson writes, a {@code JsonNode} too; null for none
 * @param id the event's id, by which the cluster knows it again; null to have one made
 * @param durable whether it is kept for who is away, and waits here while there is no connection
 */
public record Message(
        String type,
        @Nullable String to,
        @Nullable String room,
        @Nullable Object content,
        @Nullable String id,
        boolean durable) {
    private static final String TYPING = "typing";

    /** @throws IllegalArgumentException if an id or the type breaks the rules, or there are two receivers */
    public Message {
        if (!wellFormed(type)) {
            throw new IllegalArgumentException("a type is 1 to 64 characters of A-Z a-z 0-9 _ . : -");
        }
        if (to != null && room != null) {
            throw new IllegalArgumentException("name either a user or a room, not both");
        }
        if (to != null) Ids.check(to, "user");
        if (room != null) Ids.check(room, "room");
        if (id != null) Ids.check(id, "event");
    }

    /** To all sessions of a user, and the sender's other ones. */
    public static Message toUser(String user, String type, @Nullable Object content) {
        return new Message(type, user, null, content, null, !type.equals(TYPING));
    }

    /** To a room, which the client must be in. */
    public static Message toRoom(String room, String type, @Nullable Object content) {
        return new Message(type, null, room, content, null, !type.equals(TYPING));
    }

    /** To everyone in the namespace, where the endpoint lets clients do that. */
    public static Message toEveryone(String type, @Nullable Object content) {
        return new Message(type, null, null, content, null, !type.equals(TYPING));
    }

    /** The same under an id of the application's own, which makes it one event however often it is sent. */
    public Message withId(String own) {
        return new Message(type, to, room, content, own, durable);
    }

    /** The same, not kept: for who is there now. Without a connection it fails at once. {@code typing} is so by itself. */
    public Message ephemeral() {
        return new Message(type, to, room, content, id, false);
    }

    private static boolean wellFormed(String type) {
        if (type.isEmpty() || type.length() > 64) return false;
        for (int i = 0; i < type.length(); i++) {
            char c = type.charAt(i);
            boolean letter = c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z';
            if (!letter && c != '_' && c != '.' && c != ':' && c != '-') return false;
        }
        return true;
    }
}
