package io.carillon.model.publish;

/** How an event is handed to Redis, which decides what is promised of it. */
public enum Way {
    /** {@code PUBLISH}: at most once, to whoever is online now. Needs the right to publish and nothing else. */
    PLAIN,
    /**
     * The publish script: kept in the channel's history once the call has returned, and once however often it is
     * repeated with the same id. For trusted services: they may write the channels' keys.
     */
    DURABLE,
    /**
     * An entry of the service's own ingress stream: durable once the call has returned, and published by a node a moment
     * later. Needs the right to add to that stream and nothing else.
     */
    INGRESS
}
