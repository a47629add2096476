package io.carillon.model.event;

/**
 * An event, frame or body that breaks the rules of the contract. The message is one sentence for whoever sent it: what
 * is wrong and what is right, never the data itself.
 */
public final class InvalidEventException extends Exception {
    private static final long serialVersionUID = 1;

    private final Code code;

    /** What kind of mistake it is; {@link #text} is the stable code clients see. */
    public enum Code {
        BAD_JSON("bad_json"),
        BAD_FRAME("bad_frame"),
        BAD_ID("bad_id"),
        UNKNOWN_TYPE("unknown_type"),
        TOO_LARGE("too_large");

        private final String text;

        Code(String text) {
            this.text = text;
        }

        public String text() {
            return text;
        }
    }

    public InvalidEventException(Code code, String sentence) {
        super(sentence, null, false, false);
        this.code = code;
    }

    public Code code() {
        return code;
    }

    /** The sentence for the sender. */
    public String sentence() {
        String message = getMessage();
        return message == null ? code.text : message;
    }
}
