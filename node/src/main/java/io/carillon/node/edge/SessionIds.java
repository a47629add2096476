package io.carillon.node.edge;

import java.security.SecureRandom;

/** Makes session ids, {@code <boot>-<24 random letters and digits>}: 120 random bits. Safe from any thread. */
public final class SessionIds {
    private static final String ALPHABET = "abcdefghijklmnopqrstuvwxyz234567";

    private final SecureRandom random = new SecureRandom();
    private final String prefix;

    /** @param boot the node process's id, by which other nodes find it */
    public SessionIds(String boot) {
        this.prefix = boot + "-";
    }

    String next() {
        byte[] bytes = new byte[15];
        random.nextBytes(bytes);
        var id = new StringBuilder(prefix.length() + 24).append(prefix);
        for (int i = 0; i < 15; i += 5) {
            long five = 0;
            for (int j = 0; j < 5; j++) five = five << 8 | bytes[i + j] & 0xFF;
            for (int shift = 35; shift >= 0; shift -= 5) id.append(ALPHABET.charAt((int) (five >>> shift) & 31));
        }
        return id.toString();
    }
}
