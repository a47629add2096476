package io.carillon.model.redis;

/** PLACEHOLDER for the signatures; being implemented: the Lua scripts. */
public enum Script {
    /** Atomic durable publish of one event on one channel. */
    PUBLISH,
    /** What follows a position. */
    READ,
    /** Users and their sessions. */
    PRESENCE,
    /** Leases of nodes. */
    NODE,
    /** Users of a room. */
    ROOM
}
