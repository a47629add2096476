package io.carillon.client;

import java.net.http.HttpClient;
import java.util.concurrent.Executors;
import java.util.concurrent.ScheduledExecutorService;
import java.util.concurrent.ScheduledThreadPoolExecutor;

/** Threads and connections that clients share unless they are given others. */
final class Shared {
    static final ScheduledExecutorService SCHEDULER = scheduler();
    static final HttpClient HTTP = HttpClient.newBuilder()
            .executor(Executors.newVirtualThreadPerTaskExecutor())
            .version(HttpClient.Version.HTTP_1_1)
            .build();

    private Shared() {}

    private static ScheduledExecutorService scheduler() {
        var scheduler = new ScheduledThreadPoolExecutor(
                1, Thread.ofPlatform().daemon().name("carillon-client-timer").factory());
        scheduler.setRemoveOnCancelPolicy(true);
        return scheduler;
    }
}
