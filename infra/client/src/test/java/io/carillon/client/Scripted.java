package io.carillon.client;

import static org.assertj.core.api.Assertions.assertThat;

import io.carillon.client.ScriptedServer.Line;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.locks.LockSupport;
import java.util.function.BooleanSupplier;
import java.util.random.RandomGenerator;

/** What tests of clients have in their hands: time, chance, sockets and HTTP. */
abstract class Scripted {
    final ManualTimer timer = new ManualTimer();
    final ScriptedServer sockets = new ScriptedServer();
    final ScriptedCalls http = new ScriptedCalls();
    final ConcurrentLinkedQueue<String> got = new ConcurrentLinkedQueue<>();

    /** The share of each window that chance gives. */
    double share = 0.5;

    final RandomGenerator random = new RandomGenerator() {
        @Override
        public long nextLong() {
            return 0;
        }

        @Override
        public long nextLong(long bound) {
            return (long) (share * (bound - 1));
        }
    };

    /** Lets time pass until the client tries again by WebSocket. */
    Line again() {
        int before = sockets.lines.size();
        for (int i = 0; i < 12_000 && sockets.lines.size() == before; i++) timer.pass(10);
        assertThat(sockets.lines).as("another attempt").hasSize(before + 1);
        return sockets.last();
    }

    /** Lets time pass until there is another call. */
    ScriptedCalls.Asked untilAsked() {
        int before = http.all.size();
        for (int i = 0; i < 12_000 && http.all.size() == before; i++) timer.pass(10);
        assertThat(http.all).as("another call").hasSize(before + 1);
        return http.all.getLast();
    }

    static void await(String what, BooleanSupplier condition) {
        long deadline = System.nanoTime() + Duration.ofSeconds(10).toNanos();
        while (!condition.getAsBoolean()) {
            if (System.nanoTime() > deadline) throw new AssertionError("not in time: " + what);
            LockSupport.parkNanos(1_000_000);
        }
    }

    void awaitGot(String... expected) {
        try {
            await("messages", () -> List.of(expected).equals(List.copyOf(got)));
        } catch (AssertionError e) {
            assertThat(got).containsExactly(expected);
            throw e;
        }
    }

    static String code(CompletableFuture<?> future) {
        assertThat(future).isCompletedExceptionally();
        return ((RefusedException) future.exceptionNow()).code();
    }

    static String reason(CompletableFuture<RefusedException> closed) {
        assertThat(closed).isCompleted();
        return closed.join().code();
    }

    /** Notes what a tap is told; of frames whether they are of the type. */
    static FrameListener noting(List<String> seen, String type) {
        return new FrameListener() {
            @Override
            public void opened() {
                seen.add("opened");
            }

            @Override
            public void frame(String text) {
                seen.add(text.contains(type) ? type : "other");
            }

            @Override
            public void closed(int code) {
                seen.add("closed " + code);
            }

            @Override
            public void refused(int status) {
                seen.add("refused " + status);
            }
        };
    }
}
