package io.carillon.node.edge;

import static org.assertj.core.api.Assertions.assertThat;

import io.carillon.node.edge.RawClient.Answer;
import io.carillon.node.edge.RawClient.Frame;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.ExtendWith;

/** A node that stops says goodbye to everybody, on either transport. */
@ExtendWith(NoLeaks.class)
abstract class DrainContract {
    abstract EchoNode start(String... settings);

    @Test
    void x11EverybodyGets1012AndASlowRequestItsAnswer() throws Exception {
        EchoNode node = start("server.shutdown=graceful", "carillon.edge.drain-window=500ms");
        var clients = new ArrayList<RawClient>();
        try {
            for (int i = 0; i < 100; i++) clients.add(node.open());
            RawClient slow = node.connect();
            clients.add(slow);
            slow.send("GET /slow HTTP/1.1\r\nHost: a\r\n\r\n");
            assertThat(slow.silentFor(100)).isTrue();

            long begun = System.nanoTime();
            CompletableFuture<Void> stopped = CompletableFuture.runAsync(node::close);
            var closedAt = new ArrayList<Long>();
            for (RawClient client : clients.subList(0, 100)) {
                Frame close = client.frame();
                assertThat(close.code()).isEqualTo(1012);
                closedAt.add(System.nanoTime() - begun);
                client.send(RawClient.frame(0x88, new byte[] {0x03, (byte) 0xF4}));
                assertThat(client.rest()).isEmpty();
            }
            node.pages().slow.countDown();
            assertThat(slow.answer().body()).isEqualTo("slow");
            stopped.get(10, java.util.concurrent.TimeUnit.SECONDS);
            assertThat(node.echo.announced).isEqualTo(Duration.ofMillis(500));
            // Spread over the window: not all in its first tenth, none long after it.
            assertThat(closedAt.getLast())
                    .isBetween(
                            Duration.ofMillis(300).toNanos(),
                            Duration.ofSeconds(4).toNanos());
            assertThat(node.echo.ended).hasSize(100).allMatch(ended -> ended.code() == 1012);
        } finally {
            for (RawClient client : clients) client.close();
        }
    }

    @Test
    void aDrainingNodeRefusesAndAClientThatDoesNotAnswerIsDropped() throws Exception {
        try (EchoNode node = start();
                RawClient deaf = node.open()) {
            Edge edge = node.bean(Edge.class);
            CompletableFuture<Void> drained = edge.drain();
            assertThat(edge.drain()).isSameAs(drained);
            assertThat(edge.draining()).isTrue();
            try (RawClient late = node.connect()) {
                late.send(RawClient.request("/ws"));
                Answer answer = late.answer();
                assertThat(answer.status()).isEqualTo(503);
                assertThat(answer.body()).contains("draining");
                assertThat(answer.header("Retry-After")).isNotNull();
            }
            List<Frame> frames = deaf.rest();
            assertThat(frames).singleElement().extracting(Frame::code).isEqualTo(1012);
            drained.get(5, java.util.concurrent.TimeUnit.SECONDS);
            node.awaitEmpty();
        }
    }

    @Test
    void anEmptyNodeStopsAtOnce() {
        EchoNode node = start("carillon.edge.drain-window=30s");
        long begun = System.nanoTime();
        node.close();
        assertThat(Duration.ofNanos(System.nanoTime() - begun)).isLessThan(Duration.ofSeconds(5));
    }
}
