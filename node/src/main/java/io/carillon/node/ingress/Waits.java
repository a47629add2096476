package io.carillon.node.ingress;

import io.carillon.node.backplane.BackplaneException;
import java.time.Duration;
import java.util.concurrent.CompletionException;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;

/** Waits for answers of Redis, on virtual threads. */
final class Waits {
    /** More than any command may take: the backplane fails those that take too long. */
    private static final Duration LONGEST = Duration.ofSeconds(5);

    private Waits() {}

    /** The answer; every failure as the backplane's own. */
    static <T> T answer(CompletionStage<T> stage) {
        try {
            return stage.toCompletableFuture().get(LONGEST.toMillis(), TimeUnit.MILLISECONDS);
        } catch (ExecutionException e) {
            throw of(e);
        } catch (TimeoutException e) {
            throw new BackplaneException("Redis did not answer", e);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new BackplaneException("the wait for Redis was interrupted", e);
        }
    }

    static BackplaneException of(Throwable failure) {
        Throwable cause = failure;
        while ((cause instanceof CompletionException || cause instanceof ExecutionException)
                && cause.getCause() != null) {
            cause = cause.getCause();
        }
        return cause instanceof BackplaneException known
                ? known
                : new BackplaneException("Redis could not be asked", cause);
    }
}
