package io.carillon.node.backplane;

/** The backplane could not do what was asked: the link is down, Redis refused, or the answer did not come in time. */
public final class BackplaneException extends RuntimeException {
    private static final long serialVersionUID = 1;

    public BackplaneException(String sentence, Throwable cause) {
        super(sentence, cause);
    }

    public BackplaneException(String sentence) {
        super(sentence);
    }

    /** Whether Redis answered with an error that starts with this word: {@code CARILLONMETA}, {@code WRONGTYPE}. */
    public boolean refusedWith(String word) {
        return getCause() != null && BackplaneExceptions.refusedWith(getCause(), word);
    }
}
