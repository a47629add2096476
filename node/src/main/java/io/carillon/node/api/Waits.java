package io.carillon.node.api;

import java.time.Duration;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;

/** Waits for what other rooms complete later: on virtual threads, and not for long. */
final class Waits {
    /** Leaves time to tell the caller within two seconds that Redis is away. */
    static final Duration LONGEST = Duration.ofMillis(1200);

    private Waits() {}

    static <T> T answer(CompletionStage<T> stage) {
        return answer(stage, LONGEST);
    }

    /** As {@link #answer(CompletionStage)} for what takes longer, and ends sooner by itself when Redis is away. */
    static <T> T answer(CompletionStage<T> stage, Duration longest) {
        try {
            return stage.toCompletableFuture().get(longest.toMillis(), TimeUnit.MILLISECONDS);
        } catch (TimeoutException e) {
            throw ApiException.unavailable(e);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw ApiException.unavailable(e);
        } catch (ExecutionException e) {
            if (e.getCause() instanceof RuntimeException cause) throw cause;
            throw new IllegalStateException(e.getCause());
        }
    }
}
