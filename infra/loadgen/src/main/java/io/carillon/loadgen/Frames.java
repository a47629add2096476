package io.carillon.loadgen;

import io.netty.buffer.ByteBuf;
import io.netty.buffer.ByteBufAllocator;

/** The frame layout of RFC 6455 §5.2, as far as a load client and a fan-out need it. */
final class Frames {

    static final int TEXT = 1;
    static final int CLOSE = 8;
    static final int PING = 9;
    static final int PONG = 10;

    private static final int FINAL = 0x80;
    private static final int MASKED = 0x80;

    private Frames() {}

    /** Length of the frame at {@code at}, header included, or -1 if {@code available} bytes don't tell it. */
    static long length(ByteBuf in, int at, int available) {
        if (available < 2) {
            return -1;
        }
        int second = in.getByte(at + 1);
        int mask = (second & MASKED) == 0 ? 0 : 4;
        int size = second & 0x7f;
        if (size < 126) {
            return 2L + mask + size;
        }
        if (size == 126) {
            return available < 4 ? -1 : 4L + mask + in.getUnsignedShort(at + 2);
        }
        return available < 10 ? -1 : 10L + mask + in.getLong(at + 2);
    }

    /** Length of the header of a frame that is complete. */
    static int header(ByteBuf in, int at) {
        int second = in.getByte(at + 1);
        int size = second & 0x7f;
        return (size < 126 ? 2 : size == 126 ? 4 : 10) + ((second & MASKED) == 0 ? 0 : 4);
    }

    /** A client's frame. The mask is zero: masking protects proxies from scripts in browsers, and there are none. */
    static ByteBuf masked(ByteBufAllocator allocator, int opcode, byte[] payload) {
        ByteBuf out = allocator.buffer(payload.length + 14);
        head(out, opcode, payload.length, MASKED);
        out.writeInt(0);
        return out.writeBytes(payload);
    }

    /** Appends a server's text frame. */
    static void text(ByteBuf out, byte[] payload) {
        head(out, TEXT, payload.length, 0);
        out.writeBytes(payload);
    }

    private static void head(ByteBuf out, int opcode, int size, int mask) {
        out.writeByte(FINAL | opcode);
        if (size < 126) {
            out.writeByte(mask | size);
        } else if (size < 65_536) {
            out.writeByte(mask | 126).writeShort(size);
        } else {
            out.writeByte(mask | 127).writeLong(size);
        }
    }
}
