package io.carillon.node.edge;

import io.netty.buffer.ByteBuf;
import io.netty.buffer.ByteBufAllocator;
import io.netty.buffer.ByteBufUtil;

/**
 * A browser's question whether a page may ask for an event stream with an {@code Authorization} header (WHATWG Fetch
 * §4.8), or a plain {@code OPTIONS}.
 *
 * @param origin the page's, which may; empty for none
 */
record Preflight(String origin) implements Knock {
    /** The whole answer, after which the connection is closed. */
    ByteBuf encode(ByteBufAllocator allocator) {
        var head = new StringBuilder(256)
                .append("HTTP/1.1 204 No Content\r\nAllow: GET, OPTIONS\r\nConnection: close\r\n");
        if (!origin.isEmpty()) {
            head.append("Access-Control-Allow-Origin: ").append(origin);
            head.append("\r\nAccess-Control-Allow-Methods: GET\r\n")
                    .append("Access-Control-Allow-Headers: authorization, last-event-id, cache-control\r\n")
                    .append("Access-Control-Max-Age: 600\r\nVary: Origin\r\n");
        }
        return ByteBufUtil.writeAscii(allocator, head.append("\r\n"));
    }
}
