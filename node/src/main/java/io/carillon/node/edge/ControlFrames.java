package io.carillon.node.edge;

import io.carillon.node.session.CloseCode;
import io.netty.buffer.ByteBuf;
import io.netty.buffer.ByteBufAllocator;
import java.nio.charset.StandardCharsets;

/** Control frames as the server sends them (RFC 6455 §5.5): unmasked. */
final class ControlFrames {
    private ControlFrames() {}

    /** Whether one of the server's own codes. */
    static boolean known(int code) {
        for (CloseCode known : CloseCode.values()) {
            if (known.code() == code) return true;
        }
        return false;
    }

    static ByteBuf close(ByteBufAllocator allocator, CloseCode code) {
        byte[] reason = code.reason().getBytes(StandardCharsets.UTF_8);
        return allocator
                .buffer(4 + reason.length)
                .writeByte(0x88)
                .writeByte(2 + reason.length)
                .writeShort(code.code())
                .writeBytes(reason);
    }

    /** The answer to a client's close frame: its own code; none for none. */
    static ByteBuf closeAnswer(ByteBufAllocator allocator, int code) {
        ByteBuf frame = allocator.buffer(4).writeByte(0x88);
        return code == FrameReader.NO_STATUS
                ? frame.writeByte(0)
                : frame.writeByte(2).writeShort(code);
    }

    static ByteBuf ping(ByteBufAllocator allocator) {
        return allocator.buffer(2).writeShort(0x8900);
    }

    static ByteBuf pong(ByteBufAllocator allocator, byte[] payload) {
        return allocator
                .buffer(2 + payload.length)
                .writeByte(0x8A)
                .writeByte(payload.length)
                .writeBytes(payload);
    }
}
