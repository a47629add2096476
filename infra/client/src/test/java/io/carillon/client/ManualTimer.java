package io.carillon.client;

import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;

/** Time that passes when the test says so. */
final class ManualTimer implements Timer {
    private record Task(long at, long number, Runnable run) {}

    private final List<Task> tasks = new ArrayList<>();
    private long now = 1_000_000;
    private long next;

    @Override
    public synchronized long now() {
        return now;
    }

    @Override
    public synchronized Runnable in(long millis, Runnable run) {
        var task = new Task(now + millis, next++, run);
        tasks.add(task);
        return () -> cancel(task);
    }

    private synchronized void cancel(Task task) {
        tasks.remove(task);
    }

    /** Lets time pass, and runs what falls due, in its order. */
    void pass(long millis) {
        long until = now() + millis;
        while (true) {
            Task due;
            synchronized (this) {
                due = tasks.stream()
                        .filter(task -> task.at <= until)
                        .min(Comparator.comparingLong(Task::at).thenComparingLong(Task::number))
                        .orElse(null);
                now = due == null ? until : Math.max(now, due.at);
                if (due == null) return;
                tasks.remove(due);
            }
            due.run.run();
        }
    }
}
