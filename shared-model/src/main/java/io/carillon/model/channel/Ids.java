package io.carillon.model.channel;

/**
 * The rule for ids of users, rooms, services and namespaces: 1 to 128 of {@code A-Za-z0-9._:@~+=-}. The set holds no
 * character that means something to Redis patterns, hash tags, JSON or HTML, so ids go into names and frames as they are.
 */
public final class Ids {
    /** Longest id accepted, in characters. */
    public static final int MAX_LENGTH = 128;

    private static final boolean[] ALLOWED = new boolean[128];

    static {
        for (char c = '0'; c <= '9'; c++) ALLOWED[c] = true;
        for (char c = 'A'; c <= 'Z'; c++) ALLOWED[c] = true;
        for (char c = 'a'; c <= 'z'; c++) ALLOWED[c] = true;
        for (char c : "._:@~+=-".toCharArray()) ALLOWED[c] = true;
    }

    private Ids() {}

    /** Whether the text is a well-formed id. */
    public static boolean valid(CharSequence id) {
        int length = id.length();
        if (length == 0 || length > MAX_LENGTH) return false;
        for (int i = 0; i < length; i++) {
            char c = id.charAt(i);
            if (c >= 128 || !ALLOWED[c]) return false;
        }
        return true;
    }

    /**
     * Returns the id, checked.
     *
     * @param what what the id names, for the message: "user", "room"
     * @throws InvalidIdException if it is not well-formed
     */
    public static String check(String id, String what) {
        if (!valid(id)) throw new InvalidIdException(what);
        return id;
    }
}
