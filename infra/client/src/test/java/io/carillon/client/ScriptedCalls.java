package io.carillon.client;

import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CopyOnWriteArrayList;
import org.jspecify.annotations.Nullable;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;

/** HTTP whose other end is the test. */
final class ScriptedCalls implements Calls {
    private static final JsonMapper JSON = JsonMapper.shared();

    /** One call, and what becomes of it. */
    static final class Asked {
        final Call call;
        final CompletableFuture<Answer> future = new CompletableFuture<>();

        Asked(Call call) {
            this.call = call;
        }

        String path() {
            return call.address().getRawPath()
                    + (call.address().getRawQuery() == null
                            ? ""
                            : "?" + call.address().getRawQuery());
        }

        @Nullable
        String token() {
            return call.headers().get("Authorization");
        }

        @Nullable
        String key() {
            return call.headers().get("Idempotency-Key");
        }

        JsonNode body() {
            return JSON.readTree(Objects.requireNonNull(call.body()));
        }

        /** Answers; apostrophes stand for quotes. */
        void answers(int status, String body) {
            answers(status, 0, body);
        }

        void answers(int status, long retryAfter, String body) {
            future.complete(new Answer(status, retryAfter, JSON.readTree(body.replace('\'', '"'))));
        }

        /** Answers with a page of messages that have their ids for content. */
        void page(boolean more, long... ids) {
            var messages = new ArrayList<String>();
            for (long id : ids) messages.add("{'id':" + id + ",'content':'" + id + "'}");
            answers(200, "{'messages':[" + String.join(",", messages) + "],'has_more':" + more + "}");
        }

        void fails() {
            future.completeExceptionally(new IOException("cut"));
        }
    }

    /** The handlers' thread asks, too. */
    final List<Asked> all = new CopyOnWriteArrayList<>();

    /** Whether every GET is answered at once, with nothing new. */
    boolean quiet;

    @Override
    public CompletableFuture<Answer> make(Call call) {
        var asked = new Asked(call);
        all.add(asked);
        if (quiet && call.body() == null) asked.answers(200, "{'messages':[],'has_more':false,'users':[]}");
        return asked.future;
    }

    List<Asked> gets() {
        return all.stream().filter(one -> one.call.body() == null).toList();
    }

    List<Asked> posts() {
        return all.stream().filter(one -> one.call.body() != null).toList();
    }

    /** The last GET; of those that were asked, none was after it. */
    Asked get() {
        return gets().getLast();
    }

    Asked post() {
        return posts().getLast();
    }
}
