package io.carillon.node.edge;

import java.lang.invoke.MethodHandles;
import java.lang.invoke.VarHandle;
import java.nio.ByteOrder;

/**
 * UTF-8 (RFC 3629) checked as it comes, in pieces cut anywhere: overlong forms, surrogates and values above U+10FFFF are
 * found at the first byte that makes them so.
 *
 * <p>The state between two pieces is one number: how many bytes of a character are missing (bits 0 to 7), and the lowest
 * (8 to 15) and highest (16 to 23) value its next byte may have.
 */
final class Utf8 {
    /** Between two characters. */
    static final int COMPLETE = 0;

    /** Not UTF-8, whatever follows. */
    static final int INVALID = -1;

    private static final VarHandle LONGS = MethodHandles.byteArrayViewVarHandle(long[].class, ByteOrder.nativeOrder());
    private static final long NOT_ASCII = 0x8080808080808080L;

    private Utf8() {}

    /** The state after these bytes. */
    static int check(int state, byte[] bytes, int from, int to) {
        int missing = state & 0xFF;
        int low = state >>> 8 & 0xFF;
        int high = state >>> 16 & 0xFF;
        int i = from;
        while (i < to) {
            if (missing == 0) {
                while (i + 8 <= to && ((long) LONGS.get(bytes, i) & NOT_ASCII) == 0) i += 8;
                if (i == to) return COMPLETE;
                int lead = bytes[i++];
                if (lead >= 0) continue;
                lead &= 0xFF;
                low = 0x80;
                high = 0xBF;
                if (lead < 0xC2) {
                    return INVALID;
                } else if (lead < 0xE0) {
                    missing = 1;
                } else if (lead < 0xF0) {
                    missing = 2;
                    if (lead == 0xE0) low = 0xA0;
                    else if (lead == 0xED) high = 0x9F;
                } else if (lead < 0xF5) {
                    missing = 3;
                    if (lead == 0xF0) low = 0x90;
                    else if (lead == 0xF4) high = 0x8F;
                } else {
                    return INVALID;
                }
            } else {
                int next = bytes[i++] & 0xFF;
                if (next < low || next > high) return INVALID;
                low = 0x80;
                high = 0xBF;
                missing--;
            }
        }
        return missing == 0 ? COMPLETE : missing | low << 8 | high << 16;
    }
}
