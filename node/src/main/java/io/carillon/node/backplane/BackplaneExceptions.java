package io.carillon.node.backplane;

import io.lettuce.core.RedisCommandExecutionException;
import io.lettuce.core.RedisCommandTimeoutException;
import java.util.concurrent.CompletionException;
import java.util.concurrent.ExecutionException;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import javax.net.ssl.SSLException;
import org.jspecify.annotations.Nullable;

/** Makes one exception out of everything Lettuce throws. */
final class BackplaneExceptions {
    /** How Redis 6.2 tells that a command of a script failed; 7.0 gives the command's own error. */
    private static final Pattern IN_SCRIPT =
            Pattern.compile("^ERR Error running script .*@user_script: ?\\d+: -?([A-Z].*)$");

    private BackplaneExceptions() {}

    static BackplaneException down() {
        return new BackplaneException("Redis is not connected");
    }

    static BackplaneException of(Throwable failure) {
        Throwable cause = unwrap(failure);
        return cause instanceof BackplaneException known ? known : new BackplaneException(text(cause), cause);
    }

    /** One sentence: what Redis said, or what went wrong on the way. */
    static String text(Throwable failure) {
        Throwable cause = unwrap(failure);
        if (cause instanceof RedisCommandTimeoutException) {
            return "Redis did not answer within " + RedisSettings.TIMEOUT.toSeconds() + " s";
        }
        if (cause instanceof BackplaneException || cause instanceof Disagreement) {
            return String.valueOf(cause.getMessage());
        }
        // A refused password, or one that is missing, is inside the failure to connect; so is a certificate.
        for (Throwable inner = cause; inner != null; inner = inner.getCause()) {
            if (inner instanceof RedisCommandExecutionException) return "Redis refused: " + inner.getMessage();
            if (inner instanceof SSLException) return "TLS with Redis failed: " + inner.getMessage();
        }
        String message = cause.getMessage();
        return "the connection to Redis broke" + (message == null ? "" : ": " + message);
    }

    /** Whether Redis answered with an error that starts with this word. */
    static boolean refusedWith(Throwable failure, String word) {
        Throwable cause = unwrap(failure);
        if (!(cause instanceof RedisCommandExecutionException) || cause.getMessage() == null) return false;
        String message = cause.getMessage();
        if (message.startsWith(word)) return true;
        Matcher inScript = IN_SCRIPT.matcher(message);
        return inScript.find() && inScript.group(1).startsWith(word);
    }

    /** The first of these words that Redis' refusal starts with; null when it is none. */
    static @Nullable String refusal(Throwable failure, String... words) {
        for (String word : words) {
            if (refusedWith(failure, word)) return word;
        }
        return null;
    }

    static Throwable unwrap(Throwable failure) {
        Throwable cause = failure;
        while ((cause instanceof CompletionException || cause instanceof ExecutionException)
                && cause.getCause() != null) {
            cause = cause.getCause();
        }
        return cause;
    }
}
