package io.carillon.model.redis;

import java.nio.charset.StandardCharsets;

/**
 * Hash slots of Redis Cluster: CRC-16/XMODEM of the key, or of what stands between its first braces, modulo 16384
 * (Redis Cluster specification, "Key distribution model").
 */
public final class Slots {
    public static final int COUNT = 16384;

    private static final int[] TABLE = new int[256];

    static {
        for (int i = 0; i < 256; i++) {
            int crc = i << 8;
            for (int bit = 0; bit < 8; bit++) crc = (crc & 0x8000) != 0 ? crc << 1 ^ 0x1021 : crc << 1;
            TABLE[i] = crc & 0xffff;
        }
    }

    private Slots() {}

    /** The slot of a key or a shard channel. */
    public static int of(String key) {
        return of(key.getBytes(StandardCharsets.UTF_8));
    }

    /** The slot of a key or a shard channel. */
    public static int of(byte[] key) {
        int start = indexOf(key, '{', 0);
        if (start >= 0) {
            int end = indexOf(key, '}', start + 1);
            if (end > start + 1) return crc(key, start + 1, end) % COUNT;
        }
        return crc(key, 0, key.length) % COUNT;
    }

    private static int indexOf(byte[] key, char wanted, int from) {
        for (int i = from; i < key.length; i++) {
            if (key[i] == wanted) return i;
        }
        return -1;
    }

    private static int crc(byte[] key, int from, int to) {
        int crc = 0;
        for (int i = from; i < to; i++) crc = crc << 8 & 0xffff ^ TABLE[crc >> 8 ^ key[i] & 0xff];
        return crc;
    }
}
