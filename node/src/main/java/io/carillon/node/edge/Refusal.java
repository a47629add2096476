package io.carillon.node.edge;

import io.netty.buffer.ByteBuf;
import io.netty.buffer.ByteBufAllocator;
import io.netty.buffer.ByteBufUtil;
import io.netty.handler.codec.DateFormatter;
import io.netty.handler.codec.http.HttpResponseStatus;
import java.nio.charset.StandardCharsets;
import java.util.Date;
import java.util.concurrent.ThreadLocalRandom;
import java.util.function.BiConsumer;

/**
 * A handshake answered with plain HTTP.
 *
 * @param status HTTP status
 * @param sentence what was wrong, for whoever asked; never data of the request
 * @param reason one of a closed set of words, for the metric
 */
record Refusal(int status, String sentence, String reason) implements Knock {
    static final Refusal NOT_FOUND = new Refusal(404, "no such endpoint", "not_found");
    static final Refusal NOT_WEBSOCKET =
            new Refusal(426, "this address takes WebSocket connections (RFC 6455, version 13) only", "not_websocket");
    static final Refusal METHOD = new Refusal(405, "a WebSocket handshake is a GET request", "not_websocket");
    static final Refusal STREAM_METHOD = new Refusal(405, "an event stream is asked for with GET", "method");
    static final Refusal NO_NAMESPACE = new Refusal(404, "no such namespace", "not_found");
    static final Refusal NOT_YOURS = new Refusal(
            403, "a user's channel is for that user alone, a private room for those whose token names it", "forbidden");
    static final Refusal ORIGIN = new Refusal(403, "pages of this origin may not connect", "origin");
    static final Refusal DRAINING = new Refusal(503, "the node is draining, try again", "draining");
    static final Refusal BUSY = new Refusal(503, "too many handshakes at once, try again", "busy");
    static final Refusal FULL = new Refusal(503, "the node is full, try again", "full");
    static final Refusal ADDRESS = new Refusal(429, "too many sessions of this address", "address");
    static final Refusal USER = new Refusal(429, "too many sessions of this user", "user");
    static final Refusal UNDECIDED = new Refusal(503, "the identity cannot be checked now, try again", "undecided");
    static final Refusal TIMEOUT = new Refusal(408, "the request took too long", "timeout");

    static Refusal malformed(String sentence) {
        return new Refusal(400, sentence, "malformed");
    }

    /**
     * The whole answer (RFC 9112 §6), after which the connection is closed.
     *
     * @param body whether it may have one
     * @param problem whether it is one of the HTTP API (RFC 9457)
     */
    ByteBuf encode(ByteBufAllocator allocator, long now, boolean body, boolean problem) {
        byte[] json = json(problem);
        var head = new StringBuilder(320);
        head.append("HTTP/1.1 ").append(status).append(' ').append(title());
        head.append("\r\nContent-Length: ").append(json.length);
        head.append(status == 426 ? "\r\nConnection: close, Upgrade" : "\r\nConnection: close");
        headers(
                problem,
                (name, value) -> head.append("\r\n").append(name).append(": ").append(value));
        head.append("\r\nDate: ").append(DateFormatter.format(new Date(now)));
        head.append("\r\n\r\n");
        ByteBuf answer = allocator.buffer(head.length() + json.length);
        ByteBufUtil.writeAscii(answer, head);
        if (body) answer.writeBytes(json);
        return answer;
    }

    private String title() {
        return HttpResponseStatus.valueOf(status).reasonPhrase();
    }

    /** The body. */
    byte[] json(boolean problem) {
        String more = problem ? "\"title\":\"" + title() + "\",\"status\":" + status + "," : "";
        return ("{" + more + "\"error\":\"" + escape(sentence) + "\"}").getBytes(StandardCharsets.UTF_8);
    }

    /** The headers that say what it is; those of the connection are for whoever writes to it. */
    void headers(boolean problem, BiConsumer<String, String> set) {
        set.accept("Content-Type", problem ? "application/problem+json" : "application/json");
        set.accept("Cache-Control", "no-store");
        switch (status) {
            // RFC 9110 §15.5.22 and RFC 6455 §4.4: what to upgrade to, and which version.
            case 426 -> {
                set.accept("Upgrade", "websocket");
                set.accept("Sec-WebSocket-Version", "13");
            }
            case 405 -> set.accept("Allow", problem ? "GET, OPTIONS" : "GET");
            case 401 -> set.accept("WWW-Authenticate", "Bearer");
            // Spread, so that those refused together do not come back together.
            case 429, 503 ->
                set.accept(
                        "Retry-After",
                        Integer.toString(ThreadLocalRandom.current().nextInt(1, 6)));
            default -> {}
        }
    }

    private static String escape(String text) {
        StringBuilder escaped = null;
        for (int i = 0; i < text.length(); i++) {
            char c = text.charAt(i);
            boolean plain = c >= ' ' && c != '"' && c != '\\';
            if (plain && escaped == null) continue;
            if (escaped == null) escaped = new StringBuilder(text.length() + 16).append(text, 0, i);
            if (plain) escaped.append(c);
            else escaped.append(String.format("\\u%04x", (int) c));
        }
        return escaped == null ? text : escaped.toString();
    }
}
