package io.carillon.node.backplane;

/** Lets the tests of other rooms work on streams without a Spring context. */
public final class TestStreams {
    private TestStreams() {}

    public static Streams of(RedisConnections connections) {
        return new RedisStreams(connections);
    }
}
