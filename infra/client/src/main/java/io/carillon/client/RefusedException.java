package io.carillon.client;

import java.util.concurrent.CompletableFuture;

/**
 * What a client asked for was not done, or it could not be learnt whether it was.
 *
 * <p>{@link #code} is the server's ({@code not_in_room}, {@code not_allowed}, …) or one of the client's own: {@code
 * queue_full}, {@code too_large}, {@code not_connected}, {@code connection_lost}, {@code no_websocket}, {@code
 * unreachable}, {@code timeout}, {@code in_doubt}, {@code closed}; or {@code http_<status>}, where an answer over HTTP
 * names none. After {@code timeout}, {@code in_doubt}, {@code closed} and {@code connection_lost} it may have been done all
 * the same.
 */
public final class RefusedException extends RuntimeException {
    private static final long serialVersionUID = 1;

    private final String code;

    RefusedException(String code, String sentence) {
        super(sentence);
        this.code = code;
    }

    /** A future that has failed with it. */
    static <T> CompletableFuture<T> future(String code, String sentence) {
        return CompletableFuture.failedFuture(new RefusedException(code, sentence));
    }

    /** Stable name of the reason. */
    public String code() {
        return code;
    }
}
