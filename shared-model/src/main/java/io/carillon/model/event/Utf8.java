package io.carillon.model.event;

import java.lang.invoke.MethodHandles;
import java.lang.invoke.VarHandle;
import java.nio.ByteOrder;

/** Checks that bytes are UTF-8 as RFC 3629 §4 defines it: no overlong forms, no surrogates, nothing above U+10FFFF. */
public final class Utf8 {
    private static final VarHandle LONG = MethodHandles.byteArrayViewVarHandle(long[].class, ByteOrder.nativeOrder());
    private static final long HIGH_BITS = 0x8080808080808080L;

    private Utf8() {}

    /** Whether all of the bytes are well-formed UTF-8. */
    public static boolean valid(byte[] bytes) {
        int end = bytes.length;
        int i = 0;
        while (i < end) {
            // Nearly everything is ASCII: eight bytes at a time while it is.
            while (i + 8 <= end && ((long) LONG.get(bytes, i) & HIGH_BITS) == 0) i += 8;
            if (i == end) return true;
            int b = bytes[i];
            if (b >= 0) {
                i++;
                continue;
            }
            int length = sequence(bytes, i, end);
            if (length == 0) return false;
            i += length;
        }
        return true;
    }

    /** Length of the well-formed sequence of more than one byte that starts here; 0 if there is none. */
    private static int sequence(byte[] bytes, int i, int end) {
        int lead = bytes[i] & 0xff;
        if (lead < 0xc2 || lead > 0xf4) return 0;
        int length = lead < 0xe0 ? 2 : lead < 0xf0 ? 3 : 4;
        if (i + length > end) return 0;
        int second = bytes[i + 1] & 0xff;
        int least = lead == 0xe0 ? 0xa0 : lead == 0xf0 ? 0x90 : 0x80;
        int most = lead == 0xed ? 0x9f : lead == 0xf4 ? 0x8f : 0xbf;
        if (second < least || second > most) return 0;
        for (int k = 2; k < length; k++) {
            if ((bytes[i + k] & 0xc0) != 0x80) return 0;
        }
        return length;
    }
}
