package io.carillon.model.channel;

/**
 * One isolated application in the cluster: its users, rooms, presence and history are never seen from another.
 *
 * @param name 1 to 32 of {@code a-z0-9-}; a part of every key and topic of the application
 */
public record Namespace(String name) {
    /** The namespace of the push dialect, and the default of every HTTP call. */
    public static final Namespace PUSH = new Namespace("push");

    public Namespace {
        if (!name.matches("[a-z0-9-]{1,32}")) {
            throw new IllegalArgumentException("a namespace is 1 to 32 characters of a-z 0-9 -");
        }
    }

    @Override
    public String toString() {
        return name;
    }
}
