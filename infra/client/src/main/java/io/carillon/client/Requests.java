package io.carillon.client;

import java.net.URI;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;
import tools.jackson.databind.node.MissingNode;
import tools.jackson.databind.node.ObjectNode;

/**
 * HTTP calls in the name of a client: with its token, a fresh one where the last was refused, and for a limited time.
 *
 * <p>Every method is called under the client's lock, and so are those who wait for a reply.
 */
final class Requests {
    private final Core<?> core;
    private final Calls calls;
    private final String query;

    /** @param query what every call names too, such as {@code namespace=second}; empty for nothing */
    Requests(Core<?> core, Calls calls, String query) {
        this.core = core;
        this.calls = calls;
        this.query = query;
    }

    void get(String path, Consumer<Reply> then) {
        call(path, null, null, then);
    }

    /** @param key under which a repetition is known; null for none */
    void post(String path, ObjectNode body, @Nullable String key, Consumer<Reply> then) {
        call(path, body.toString(), key, then);
    }

    private void call(String path, @Nullable String body, @Nullable String key, Consumer<Reply> then) {
        if (!core.identity.wanting()) {
            make(path, body, key, then);
            return;
        }
        core.identity.ask(fresh -> {
            if (fresh == null) then.accept(Reply.NONE);
            else make(path, body, key, then);
        });
    }

    private void make(String path, @Nullable String body, @Nullable String key, Consumer<Reply> then) {
        String token = core.identity.token();
        Map<String, String> headers = new LinkedHashMap<>();
        if (token != null) headers.put("Authorization", "Bearer " + token);
        if (key != null) headers.put("Idempotency-Key", key);
        String more = query.isEmpty() ? "" : (path.contains("?") ? "&" : "?") + query;
        CompletableFuture<Calls.Answer> answer;
        try {
            answer = calls.make(new Calls.Call(URI.create(core.settings.base() + path + more), headers, body));
        } catch (IllegalArgumentException e) {
            // What it says may hold the token.
            then.accept(new Reply(400, 0, MissingNode.getInstance(), false));
            return;
        }
        Runnable late = core.timer.in(core.settings.requestTimeout.toMillis(), () -> answer.cancel(true));
        var _ = answer.whenComplete((given, failure) -> {
            late.run();
            core.guard.locked(() -> then.accept(failure != null ? Reply.NONE : reply(given, token)));
        });
    }

    private Reply reply(Calls.Answer answer, @Nullable String token) {
        boolean renewable = answer.status() == 401 && core.identity.denied(token);
        return new Reply(answer.status(), answer.retryAfter(), answer.body(), renewable);
    }
}
