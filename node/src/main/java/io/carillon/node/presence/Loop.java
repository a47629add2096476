package io.carillon.node.presence;

import io.carillon.model.redis.Keys;
import io.carillon.model.redis.Script;
import io.carillon.node.backplane.BackplaneException;
import io.carillon.node.backplane.ScriptRunner;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.CompletionException;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.RejectedExecutionException;
import java.util.concurrent.ScheduledThreadPoolExecutor;
import java.util.concurrent.TimeUnit;
import java.util.function.Consumer;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The one thread that owns everything presence remembers. Answers of Redis are brought back onto it, so no state here
 * needs a lock, and nothing on it blocks.
 */
final class Loop {
    private static final Logger LOG = LoggerFactory.getLogger(RedisPresence.class);

    final Keys keys;
    final PresenceSettings settings;
    private final ScriptRunner scripts;
    private final ScheduledThreadPoolExecutor thread;

    Loop(String boot, Keys keys, ScriptRunner scripts, PresenceSettings settings) {
        this.keys = keys;
        this.settings = settings;
        this.scripts = scripts;
        thread = new ScheduledThreadPoolExecutor(
                1, task -> Thread.ofPlatform().daemon().name("presence-" + boot).unstarted(task));
        thread.setRemoveOnCancelPolicy(true);
        thread.setExecuteExistingDelayedTasksAfterShutdownPolicy(false);
    }

    /** Runs the task on the thread soon; dropped once the loop has ended. */
    void run(Runnable task) {
        try {
            thread.execute(guarded(task));
        } catch (RejectedExecutionException ended) {
            LOG.trace("presence has stopped", ended);
        }
    }

    void after(Duration delay, Runnable task) {
        try {
            var unused = thread.schedule(guarded(task), delay.toNanos(), TimeUnit.NANOSECONDS);
        } catch (RejectedExecutionException ended) {
            LOG.trace("presence has stopped", ended);
        }
    }

    void every(Duration period, Runnable task) {
        var unused = thread.scheduleWithFixedDelay(guarded(task), 0, period.toNanos(), TimeUnit.NANOSECONDS);
    }

    void end() {
        thread.shutdownNow();
    }

    /** Runs a script and brings what came of it back onto the thread. */
    void call(
            Script script,
            String key,
            List<String> arguments,
            Consumer<List<Object>> done,
            Consumer<BackplaneException> failed) {
        CompletionStage<List<Object>> stage;
        try {
            stage = scripts.run(script, key, arguments);
        } catch (RuntimeException refused) {
            run(() -> failed.accept(asBackplane(refused)));
            return;
        }
        stage.whenComplete((reply, failure) -> run(() -> {
            if (failure == null) done.accept(reply);
            else failed.accept(asBackplane(failure));
        }));
    }

    /** Counts a topic's subscribers and brings the count back onto the thread; -1 when it can't be had. */
    void subscribers(String topic, Consumer<Long> done) {
        scripts.subscribers(topic)
                .whenComplete((count, failure) -> run(() -> done.accept(failure == null ? count : -1L)));
    }

    static BackplaneException asBackplane(Throwable failure) {
        Throwable cause = failure;
        while (cause instanceof CompletionException && cause.getCause() != null) {
            cause = cause.getCause();
        }
        return cause instanceof BackplaneException known
                ? known
                : new BackplaneException("presence could not reach Redis", cause);
    }

    private static Runnable guarded(Runnable task) {
        return () -> {
            try {
                task.run();
            } catch (RuntimeException | Error bug) {
                LOG.error("presence met a bug and goes on", bug);
            }
        };
    }
}
