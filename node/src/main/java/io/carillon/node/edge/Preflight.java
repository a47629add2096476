package io.carillon.node.edge;

import io.netty.buffer.ByteBuf;
import io.netty.buffer.ByteBufAllocator;
import io.netty.buffer.ByteBufUtil;
import java.util.function.BiConsumer;

/**
 * A browser's question whether a page may ask for an event stream with an {@code Authorization} header (WHATWG Fetch
 * §4.8), or a plain {@code OPTIONS}.
 *
 * @param origin the page's, which may; empty for none
 */
record Preflight(String origin) implements Knock {
    /** The whole answer, after which the connection is closed. */
    ByteBuf encode(ByteBufAllocator allocator) {
        var head = new StringBuilder(256).append("HTTP/1.1 204 No Content\r\nConnection: close\r\n");
        headers((name, value) -> head.append(name).append(": ").append(value).append("\r\n"));
        return ByteBufUtil.writeAscii(allocator, head.append("\r\n"));
    }

    void headers(BiConsumer<String, String> set) {
        set.accept("Allow", "GET, OPTIONS");
        if (origin.isEmpty()) return;
        set.accept("Access-Control-Allow-Origin", origin);
        set.accept("Access-Control-Allow-Methods", "GET");
        set.accept("Access-Control-Allow-Headers", "authorization, last-event-id, cache-control");
        set.accept("Access-Control-Max-Age", "600");
        set.accept("Vary", "Origin");
    }
}
