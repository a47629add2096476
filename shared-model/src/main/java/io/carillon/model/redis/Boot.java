package io.carillon.model.redis;

import java.security.SecureRandom;

/**
 * One life of a node's process. Session ids start with it, and the node's own topic is named by it.
 *
 * @param id eight characters of {@code a-z0-9}, random
 */
public record Boot(String id) {
    private static final String LETTERS = "0123456789abcdefghijklmnopqrstuvwxyz";

    public Boot {
        if (!id.matches("[a-z0-9]{8}")) throw new IllegalArgumentException("a boot id is 8 characters of a-z 0-9");
    }

    /** A new one, drawn from 36^8. */
    public static Boot random() {
        var random = new SecureRandom();
        var id = new StringBuilder(8);
        for (int i = 0; i < 8; i++) id.append(LETTERS.charAt(random.nextInt(LETTERS.length())));
        return new Boot(id.toString());
    }

    @Override
    public String toString() {
        return id;
    }
}
