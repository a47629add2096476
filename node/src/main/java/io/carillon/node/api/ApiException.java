package io.carillon.node.api;

import org.jspecify.annotations.Nullable;

/** A call that is refused, with the sentence for its caller. */
final class ApiException extends RuntimeException {
    private static final long serialVersionUID = 1;

    private final int status;
    private final String sentence;

    ApiException(int status, String sentence) {
        this(status, sentence, null);
    }

    private ApiException(int status, String sentence, @Nullable Throwable cause) {
        super(sentence, cause, false, false);
        this.status = status;
        this.sentence = sentence;
    }

    static ApiException badRequest(String sentence) {
        return new ApiException(400, sentence);
    }

    /** Redis did not take the call, or not in time. */
    static ApiException unavailable(@Nullable Throwable cause) {
        return new ApiException(503, "the cluster has no Redis at the moment: try again", cause);
    }

    int status() {
        return status;
    }

    String sentence() {
        return sentence;
    }
}
