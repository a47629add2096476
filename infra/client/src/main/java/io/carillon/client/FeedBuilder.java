package io.carillon.client;

import static java.nio.charset.StandardCharsets.UTF_8;

import java.net.URI;
import java.net.URLEncoder;
import java.time.Duration;
import org.jspecify.annotations.Nullable;

/**
 * Settings of a client of messages with growing ids.
 *
 * @param <B> the builder itself
 */
abstract class FeedBuilder<B extends FeedBuilder<B>> extends ClientBuilder<B> {
    long afterId;
    int pageSize = 100;

    @Nullable
    Duration pollInterval = Duration.ofSeconds(3);

    Duration webSocketRetry = Duration.ofMinutes(1);
    String query = "";

    FeedBuilder(URI address, String path) {
        super(address, path, Duration.ofHours(12));
    }

    /** The last message that is known already: what came after it is read first. Default 0, all that is kept. */
    public B afterId(long id) {
        if (id < 0) throw new IllegalArgumentException("an id is 0 at least");
        afterId = id;
        return self();
    }

    /** Messages of one page, 1 to 1,000. Default 100. */
    public B pageSize(int messages) {
        if (messages > 1_000) throw new IllegalArgumentException("a page has 1,000 messages at most");
        pageSize = atLeastOne(messages);
        return self();
    }

    /** Between two looks while there is no WebSocket; null for no polling. Default 3 s. */
    public B pollInterval(@Nullable Duration value) {
        pollInterval = value == null ? null : positive(value);
        return self();
    }

    /** Between two tries of a WebSocket while polling serves: half to one and a half times as long. Default 1 min. */
    public B webSocketRetry(Duration value) {
        webSocketRetry = positive(value);
        return self();
    }

    /** The namespace of HTTP calls, where the endpoint that {@link #path} names is not in the dialect's usual one. */
    public B namespace(String name) {
        query = "namespace=" + URLEncoder.encode(name, UTF_8);
        return self();
    }
}
