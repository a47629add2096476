package io.carillon.model.channel;

/** An id that breaks the rule of {@link Ids}. The message says which and what is allowed; it never repeats the value. */
public final class InvalidIdException extends IllegalArgumentException {
    private static final long serialVersionUID = 1;

    InvalidIdException(String what) {
        super("the " + what + " id must be 1 to " + Ids.MAX_LENGTH + " characters of A-Z a-z 0-9 . _ : @ ~ + = -");
    }
}
