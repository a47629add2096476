package io.carillon.node.api;

import io.carillon.model.channel.InvalidIdException;
import io.carillon.model.event.InvalidEventException;
import io.carillon.node.backplane.BackplaneException;
import java.util.concurrent.CompletionException;
import java.util.concurrent.ThreadLocalRandom;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;
import org.springframework.beans.TypeMismatchException;
import org.springframework.dao.DataAccessException;
import org.springframework.http.HttpHeaders;
import org.springframework.http.HttpStatus;
import org.springframework.http.MediaType;
import org.springframework.http.ResponseEntity;
import org.springframework.http.converter.HttpMessageNotReadableException;
import org.springframework.web.ErrorResponse;

/** What callers are told when something is wrong: a fixed or written sentence, never the text of an exception. */
final class Problems {
    private static final Logger log = LoggerFactory.getLogger(Problems.class);

    private Problems() {}

    static ResponseEntity<Problem> of(Throwable failure) {
        Throwable cause =
                failure instanceof CompletionException && failure.getCause() != null ? failure.getCause() : failure;
        return switch (cause) {
            case ApiException refused -> of(refused.status(), refused.sentence());
            case InvalidIdException invalid -> of(400, String.valueOf(invalid.getMessage()));
            case InvalidEventException invalid ->
                of(invalid.code() == InvalidEventException.Code.TOO_LARGE ? 413 : 400, invalid.sentence());
            case BackplaneException away -> of(ApiException.unavailable(away));
            case DataAccessException away -> of(ApiException.unavailable(away));
            // Where Spring MVC runs the controllers, these say nothing of a status.
            case HttpMessageNotReadableException unreadable -> of(400, sentence(400));
            case TypeMismatchException mistyped when !(cause instanceof ErrorResponse) -> of(400, sentence(400));
            case ErrorResponse known -> {
                int status = known.getStatusCode().value();
                if (status >= 500) log.error("A call failed", cause);
                ResponseEntity<Problem> problem = of(status, sentence(status));
                yield ResponseEntity.status(status)
                        .headers(to -> {
                            to.putAll(known.getHeaders());
                            to.putAll(problem.getHeaders());
                        })
                        .body(problem.getBody());
            }
            default -> {
                log.error("A call failed", cause);
                yield of(500, sentence(500));
            }
        };
    }

    static ResponseEntity<Problem> of(int status, String sentence) {
        HttpStatus known = HttpStatus.resolve(status);
        var builder = ResponseEntity.status(status)
                .contentType(MediaType.APPLICATION_PROBLEM_JSON)
                .header(HttpHeaders.CACHE_CONTROL, "no-store");
        if (status == 503 || status == 429) {
            // Not all callers at the same moment again.
            builder.header(
                    HttpHeaders.RETRY_AFTER,
                    Integer.toString(ThreadLocalRandom.current().nextInt(1, 4)));
        }
        if (status == 401) builder.header(HttpHeaders.WWW_AUTHENTICATE, "Bearer realm=\"carillon\"");
        return builder.body(new Problem(known == null ? "Error" : known.getReasonPhrase(), status, sentence));
    }

    private static String sentence(int status) {
        return switch (status) {
            case 400 -> "the request is malformed or lacks something it needs";
            case 404 -> "there is nothing at this address";
            case 405 -> "this address does not take that method: see the Allow header";
            case 406 -> "the answer is JSON: accept application/json";
            case 413 -> "the body is larger than 1 MiB";
            case 415 -> "the body must be application/json";
            case 503 -> "the node cannot answer at the moment: try again";
            default -> status >= 500 ? "something went wrong inside the node" : "the request cannot be served";
        };
    }
}
