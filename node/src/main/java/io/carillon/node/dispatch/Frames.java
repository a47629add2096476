package io.carillon.node.dispatch;

import io.carillon.node.dialect.Dialect;
import io.netty.buffer.ByteBuf;
import io.netty.buffer.ByteBufAllocator;
import io.netty.buffer.Unpooled;
import java.nio.charset.StandardCharsets;
import org.jspecify.annotations.Nullable;

/**
 * Encodes text messages as WebSocket frames of a server: FIN, opcode 1, unmasked (RFC 6455 §5.2); and puts blocks of
 * server-sent events together (WHATWG HTML §9.2).
 */
public final class Frames {
    private Frames() {}

    private static final byte[] BLANK = {'\n'};

    /** Beneath this many bytes a copy is cheaper than a second buffer. */
    private static final int COPIED = 2048;

    /** What a dialect wrote, as it goes over its connections: a frame, or the lines of a block without its end. */
    static ByteBuf of(Dialect dialect, ByteBufAllocator allocator, byte[] text) {
        return dialect.stream() ? allocator.directBuffer(text.length).writeBytes(text) : text(allocator, text);
    }

    /** Ends a block of server-sent events, whose lines may be shared, for one stream. @param id null for none */
    static ByteBuf end(ByteBufAllocator allocator, ByteBuf lines, @Nullable String id) {
        byte[] end = id == null ? BLANK : ("id: " + id + "\n\n").getBytes(StandardCharsets.US_ASCII);
        int size = lines.readableBytes();
        if (size > COPIED) {
            return allocator
                    .compositeBuffer(2)
                    .addComponents(
                            true, lines, allocator.directBuffer(end.length).writeBytes(end));
        }
        try {
            return allocator
                    .directBuffer(size + end.length)
                    .writeBytes(lines, lines.readerIndex(), size)
                    .writeBytes(end);
        } finally {
            lines.release();
        }
    }

    /** A direct buffer with the one frame. */
    public static ByteBuf text(ByteBufAllocator allocator, byte[] json) {
        return text(allocator.directBuffer(json.length + 10), json);
    }

    /** As {@link #of}, in memory that needs no release: for what is kept. */
    static ByteBuf onHeap(Dialect dialect, byte[] text) {
        return dialect.stream() ? Unpooled.wrappedBuffer(text) : text(Unpooled.buffer(text.length + 10), text);
    }

    private static ByteBuf text(ByteBuf frame, byte[] json) {
        int length = json.length;
        frame.writeByte(0x81);
        if (length < 126) {
            frame.writeByte(length);
        } else if (length < 65_536) {
            frame.writeByte(126).writeShort(length);
        } else {
            frame.writeByte(127).writeLong(length);
        }
        return frame.writeBytes(json);
    }
}
