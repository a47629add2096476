package io.carillon.client;

import io.carillon.client.CarillonClient.Builder;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.node.ObjectNode;

/**
 * Questions to the server that have no answer yet: each is asked on every connection that gets ready, and again where it
 * was refused for the moment, until it is answered, refused or too late.
 *
 * <p>Guarded by the client's lock, under which every method is called.
 */
final class Questions {
    private record Question(ObjectNode frame, CompletableFuture<JsonNode> future) {}

    private final Builder settings;
    private final Guard<PushConnection> guard;
    private final Timer timer;
    private final List<Question> waiting = new ArrayList<>();

    Questions(Builder settings, Guard<PushConnection> guard, Timer timer) {
        this.settings = settings;
        this.guard = guard;
        this.timer = timer;
    }

    CompletableFuture<JsonNode> ask(ObjectNode frame) {
        PushConnection open = guard.connection;
        if (open != null && open.stream && open.open()) {
            return RefusedException.future("no_websocket", PushConnection.NO_WEBSOCKET);
        }
        if (waiting.size() >= settings.maxQueued) {
            return RefusedException.future("queue_full", settings.maxQueued + " questions wait already");
        }
        var question = new Question(frame, new CompletableFuture<>());
        waiting.add(question);
        Runnable cancel = timer.in(
                settings.requestTimeout.toMillis(),
                () -> guard.locked(() -> {
                    if (waiting.remove(question)) guard.fail(question.future, "timeout", "no answer in time");
                }));
        var unused = question.future.whenComplete((answer, failure) -> cancel.run());
        if (open != null && open.ready()) put(open, question);
        return question.future.copy();
    }

    /** Asks all that wait. */
    void put(PushConnection on) {
        for (Question one : waiting) put(on, one);
    }

    private void put(PushConnection on, Question question) {
        on.ask(
                question.frame,
                answer -> {
                    if (waiting.remove(question)) guard.background(() -> question.future.complete(answer));
                },
                (code, sentence) -> {
                    if (Connection.passing(code) && waiting.contains(question)) on.soon(() -> put(on, question));
                    else if (waiting.remove(question)) guard.fail(question.future, code, sentence);
                });
    }

    /** Fails all that wait. */
    void fail(String code, String sentence) {
        for (Question one : List.copyOf(waiting)) guard.fail(one.future, code, sentence);
        waiting.clear();
    }
}
