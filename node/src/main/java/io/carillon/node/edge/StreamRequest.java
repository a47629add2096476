package io.carillon.node.edge;

import io.carillon.node.identity.Credentials;
import io.netty.buffer.ByteBuf;
import io.netty.buffer.ByteBufAllocator;
import io.netty.buffer.ByteBufUtil;
import java.net.InetAddress;
import java.util.List;
import java.util.function.BiConsumer;
import org.jspecify.annotations.Nullable;

/**
 * A well-formed request for an event stream.
 *
 * @param channels the channels asked for, not looked at yet
 * @param lastEventId where to go on, not looked at yet; null to begin
 * @param origin the page's; empty for none
 */
record StreamRequest(
        Entrance entrance,
        Credentials credentials,
        String address,
        @Nullable String channels,
        @Nullable String lastEventId,
        String origin)
        implements Arrival {
    private static final String DEFAULT_NAMESPACE = "push";

    /** Shows no secret. */
    @Override
    public String toString() {
        return "StreamRequest[" + entrance.endpoint().name() + " " + address + "]";
    }

    /** Reads the request, in the order in which a client is to be told what is wrong. */
    static Knock read(Head request, Reception reception, @Nullable InetAddress peer, boolean tls) {
        boolean asks = request.method().equals("OPTIONS");
        if (!asks && !request.method().equals("GET")) return Refusal.STREAM_METHOD;
        if (Handshake.hasBody(request)) return Refusal.malformed("a request for an event stream has no body");
        return Handshake.visitor(
                request,
                query -> reception.streams(query.getOrDefault("namespace", DEFAULT_NAMESPACE)),
                Refusal.NO_NAMESPACE,
                reception.proxies,
                peer,
                tls,
                (entrance, visitor) -> {
                    if (asks) return new Preflight(visitor.origin());
                    // In a header from browsers, which keep it by themselves; in the query from those that cannot.
                    List<String> ids = request.all("last-event-id");
                    if (ids.size() > 1) return Refusal.malformed("at most one Last-Event-ID header is allowed");
                    String id = ids.isEmpty() ? visitor.credentials().query().get("last_event_id") : ids.getFirst();
                    return new StreamRequest(
                            entrance,
                            visitor.credentials(),
                            visitor.address(),
                            visitor.credentials().query().get("channels"),
                            id == null ? null : id.trim(),
                            visitor.origin());
                });
    }

    /** The head of the answer; what follows ends with the connection (RFC 9112 §6.3). */
    ByteBuf accept(ByteBufAllocator allocator) {
        var head = new StringBuilder(256).append("HTTP/1.1 200 OK\r\nConnection: close\r\n");
        headers((name, value) -> head.append(name).append(": ").append(value).append("\r\n"));
        return ByteBufUtil.writeAscii(allocator, head.append("\r\n"));
    }

    void headers(BiConsumer<String, String> set) {
        set.accept("Content-Type", "text/event-stream");
        set.accept("Cache-Control", "no-store");
        set.accept("X-Accel-Buffering", "no");
        set.accept("X-Content-Type-Options", "nosniff");
        if (origin.isEmpty()) return;
        set.accept("Access-Control-Allow-Origin", origin);
        set.accept("Vary", "Origin");
    }
}
