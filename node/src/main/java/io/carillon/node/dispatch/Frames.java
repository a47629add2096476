package io.carillon.node.dispatch;

import io.netty.buffer.ByteBuf;
import io.netty.buffer.ByteBufAllocator;
import io.netty.buffer.Unpooled;

/** Encodes text messages as WebSocket frames of a server: FIN, opcode 1, unmasked (RFC 6455 §5.2). */
public final class Frames {
    private Frames() {}

    /** A direct buffer with the one frame. */
    public static ByteBuf text(ByteBufAllocator allocator, byte[] json) {
        return text(allocator.directBuffer(json.length + 10), json);
    }

    /** The same in memory that needs no release, for a frame that is kept. */
    static ByteBuf textOnHeap(byte[] json) {
        return text(Unpooled.buffer(json.length + 10), json);
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
