package io.carillon.model.channel;

import org.jspecify.annotations.Nullable;

/**
 * The name of a channel: a namespace's broadcast, one user's channel, or one room.
 *
 * @param namespace the application it belongs to
 * @param kind which of the three
 * @param id the user or room id; the namespace's name for the broadcast
 */
public record ChannelName(Namespace namespace, Kind kind, String id) {
    /** The three kinds of channel; {@link #word} is how names spell them. */
    public enum Kind {
        USER("user"),
        ROOM("room"),
        BROADCAST("broadcast");

        private final String word;

        Kind(String word) {
            this.word = word;
        }

        public String word() {
            return word;
        }
    }

    public ChannelName {
        Ids.check(id, kind.word());
    }

    public static ChannelName user(Namespace namespace, String user) {
        return new ChannelName(namespace, Kind.USER, user);
    }

    public static ChannelName room(Namespace namespace, String room) {
        return new ChannelName(namespace, Kind.ROOM, room);
    }

    public static ChannelName broadcast(Namespace namespace) {
        return new ChannelName(namespace, Kind.BROADCAST, namespace.name());
    }

    /** The name clients and HTTP callers see inside one namespace: {@code user:u1}, {@code room:7}, {@code broadcast}. */
    public String label() {
        return kind == Kind.BROADCAST ? kind.word : kind.word + ":" + id;
    }

    /** Reads a {@link #label}; null when it is none. */
    public static @Nullable ChannelName parse(Namespace namespace, String label) {
        if (label.equals("broadcast")) return broadcast(namespace);
        int colon = label.indexOf(':');
        if (colon < 0) return null;
        String id = label.substring(colon + 1);
        if (!Ids.valid(id)) return null;
        return switch (label.substring(0, colon)) {
            case "user" -> user(namespace, id);
            case "room" -> room(namespace, id);
            default -> null;
        };
    }

    @Override
    public String toString() {
        return namespace + "/" + label();
    }
}
