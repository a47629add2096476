package io.carillon.client;

import static java.nio.charset.StandardCharsets.UTF_8;

import java.net.URI;
import java.net.URLEncoder;
import java.util.List;
import java.util.Objects;
import org.jspecify.annotations.Nullable;

/**
 * Opens connections of the {@code push} dialect, by WebSocket or as an event stream, and knows where the next stream goes on.
 *
 * <p>Guarded by the client's lock, under which every method is called.
 */
final class PushOpener implements Opener {
    private final CarillonClient client;
    private final CarillonClient.Builder settings;
    private final Transport sockets;
    private final Transport streams;
    private @Nullable String lastEventId;
    private boolean streamed;
    private long nextRef;

    PushOpener(CarillonClient client, Transport sockets, Transport streams) {
        this.client = client;
        this.settings = client.settings;
        this.sockets = sockets;
        this.streams = streams;
    }

    @Override
    public void open(Dialer dialer, boolean stream) {
        String token = client.identity.token();
        var opening = new PushConnection(client, this, dialer, stream);
        client.guard.connection = opening;
        opening.hurry();
        opening.link(
                stream
                        ? streams.open(streamAddress(), token, lastEventId, opening)
                        : sockets.open(settings.socketAddress(), token, null, opening));
    }

    private URI streamAddress() {
        List<String> named = client.channels.named(client.identity.userOrSubject());
        String path = Objects.requireNonNull(settings.streamPath);
        return URI.create(settings.base()
                + path
                + (path.contains("?") ? "&" : "?")
                + "channels="
                + URLEncoder.encode(String.join(",", named), UTF_8));
    }

    @Override
    public boolean fallsBack() {
        return settings.streamPath != null;
    }

    @Override
    public void over(String code, String sentence) {
        client.messages.fail(code, sentence);
        client.questions.fail(code, sentence);
        client.channels.fail(code, sentence);
    }

    /** A name for a question, other than all before it on any connection. */
    String nextRef() {
        return Long.toString(++nextRef, 36);
    }

    /** A WebSocket has said where its channels are: the place of a stream before it is of no more use. */
    void welcomed() {
        streamed = false;
        lastEventId = null;
    }

    /** An event stream flows. */
    void streaming() {
        streamed = true;
    }

    /** Whether the last connection that came to something was an event stream. */
    boolean streamed() {
        return streamed;
    }

    /** Where the next event stream goes on. */
    void mark(String eventId) {
        lastEventId = eventId;
    }
}
