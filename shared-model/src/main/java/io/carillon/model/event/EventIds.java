package io.carillon.model.event;

import java.security.SecureRandom;
import java.util.HexFormat;

/** Makes event ids: UUIDs of version 7 (RFC 9562 §5.7), whose first 48 bits are the time, so that they sort by age. */
public final class EventIds {
    private static final SecureRandom RANDOM = new SecureRandom();
    private static final HexFormat HEX = HexFormat.of();

    private EventIds() {}

    /** A new id. Safe from any thread. */
    public static String next(long epochMillis) {
        byte[] b = new byte[16];
        RANDOM.nextBytes(b);
        for (int i = 0; i < 6; i++) b[i] = (byte) (epochMillis >>> (40 - 8 * i));
        b[6] = (byte) (0x70 | b[6] & 0x0f);
        b[8] = (byte) (0x80 | b[8] & 0x3f);
        String h = HEX.formatHex(b);
        return h.substring(0, 8)
                + '-'
                + h.substring(8, 12)
                + '-'
                + h.substring(12, 16)
                + '-'
                + h.substring(16, 20)
                + '-'
                + h.substring(20);
    }
}
