package io.carillon.model.channel;

/**
 * A place in a channel's history. Offsets grow by one within an epoch and compare only within it.
 *
 * @param epoch id of one life of the history; for a channel never used, the text Redis gave for "empty so far"
 * @param offset number of the last event seen, 0 before the first
 */
public record Position(String epoch, long offset) {
    public Position {
        if (offset < 0) throw new IllegalArgumentException("an offset is not negative");
        if (!validEpoch(epoch)) {
            throw new IllegalArgumentException("an epoch is 1 to 64 characters of A-Z a-z 0-9 ~ . _ -");
        }
    }

    /** Whether the text is a well-formed epoch. One position is made per durable event, so this is a loop. */
    public static boolean validEpoch(CharSequence epoch) {
        int length = epoch.length();
        if (length == 0 || length > 64) return false;
        for (int i = 0; i < length; i++) {
            char c = epoch.charAt(i);
            boolean letter = c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z';
            if (!letter && c != '~' && c != '.' && c != '_' && c != '-') return false;
        }
        return true;
    }
}
