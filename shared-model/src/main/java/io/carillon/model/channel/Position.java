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
        if (!epoch.matches("[A-Za-z0-9~._-]{1,64}")) {
            throw new IllegalArgumentException("an epoch is 1 to 64 characters of A-Z a-z 0-9 ~ . _ -");
        }
    }
}
