package io.carillon.node.dialect.feedback;

import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * Somebody at a feedback desk. In the cluster he is the user {@code <type>:<id>}.
 *
 * @param type 1 user, 2 merchant, 3 admin
 * @param id unsigned 64 bits
 */
public record Person(int type, long id) {
    public static final String MERCHANT = "merchant";
    public static final String ADMIN = "admin";

    private static final List<String> KINDS = List.of("user", MERCHANT, ADMIN);

    /** Who the user of the cluster is; null when the id is not written as {@link #user} writes it. */
    public static @Nullable Person of(String user) {
        int colon = user.indexOf(':');
        if (colon < 0) return null;
        int type = type(user.substring(0, colon));
        Long id = id(user.substring(colon + 1));
        if (type == 0 || id == null) return null;
        var person = new Person(type, id);
        return person.user().equals(user) ? person : null;
    }

    /** Reads a type in decimal; 0 when it is none. */
    public static int type(String digits) {
        Long type = id(digits);
        return type == null || type < 1 || type > KINDS.size() ? 0 : type.intValue();
    }

    /** Reads an id in decimal; null when it is no unsigned number of 64 bits. */
    public static @Nullable Long id(String digits) {
        if (digits.isEmpty() || digits.length() > 64) return null;
        for (int i = 0; i < digits.length(); i++) {
            if (digits.charAt(i) < '0' || digits.charAt(i) > '9') return null;
        }
        try {
            return Long.parseUnsignedLong(digits);
        } catch (NumberFormatException e) {
            return null;
        }
    }

    /** The id of the user in the cluster. */
    public String user() {
        return type + ":" + number();
    }

    /** The kind of user. */
    public String kind() {
        return KINDS.get(type - 1);
    }

    /** What he is called who has no name. */
    public String name() {
        return "User-" + number();
    }

    /** The id in decimal. */
    String number() {
        return Long.toUnsignedString(id);
    }
}
