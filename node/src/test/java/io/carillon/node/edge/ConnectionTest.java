package io.carillon.node.edge;

import static io.carillon.node.edge.RawClient.frame;
import static org.assertj.core.api.Assertions.assertThat;

import io.carillon.node.edge.RawClient.Frame;
import io.micrometer.core.instrument.MeterRegistry;
import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import org.junit.jupiter.api.Test;

/** A connection of a listener of the node's own, which reads every frame itself. */
class ConnectionTest extends ConnectionContract {
    @Override
    EchoNode start(String... settings) {
        return EchoNode.start(settings);
    }

    @Test
    void x5AFloodOfPingsIsClosedWith4510() throws Exception {
        try (RawClient client = node.open()) {
            client.sendWhatGoes(RawClient.repeat(frame(0x89, new byte[] {'x'}), 10_000));
            List<Frame> frames = client.rest();
            assertThat(frames.getLast().code()).isEqualTo(4510);
            assertThat(frames.size() - 1).isBetween(20, 30);
            assertThat(node.echo.nextEnded().code()).isEqualTo(4510);
        }
    }

    @Test
    void x7AMessageThatTricklesIsClosedWith1008() throws Exception {
        try (RawClient client = node.open()) {
            client.hex("81FF000000000007D000 00000000");
            // Whatever it sends on the way: the time counts from the message's first byte.
            CompletableFuture<Void> trickle = CompletableFuture.runAsync(() -> {
                for (int i = 0; i < 1_000; i++) {
                    client.sendWhatGoes(new byte[] {'a'});
                    java.util.concurrent.locks.LockSupport.parkNanos(2_000_000);
                }
            });
            assertThat(client.frame().code()).isEqualTo(1008);
            client.close();
            trickle.join();
        }
        assertThat(node.echo.nextEnded().code()).isEqualTo(1008);
    }

    @Test
    void aHeaderThatDoesNotEndIsClosedWith1008() throws Exception {
        try (RawClient client = node.open()) {
            client.hex("81");
            assertThat(client.frame().code()).isEqualTo(1008);
        }
    }

    @Test
    void whatHappensIsCounted() throws Exception {
        MeterRegistry registry = node.bean(MeterRegistry.class);
        double accepted = count(registry, "carillon.connects", "endpoint", "echo", "result", "accepted");
        double origin = count(registry, "carillon.connects", "endpoint", "echo", "result", "origin");
        double other = count(registry, "carillon.closes", "endpoint", "echo", "code", "other");
        double mask = count(registry, "carillon.protocol.errors", "kind", "unmasked");
        double in = registry.get("carillon.bytes")
                .tag("direction", "in")
                .functionCounter()
                .count();
        double out = registry.get("carillon.bytes")
                .tag("direction", "out")
                .functionCounter()
                .count();
        double frames = registry.get("carillon.frames")
                .tag("direction", "in")
                .functionCounter()
                .count();
        try (RawClient client = node.open();
                RawClient refused = node.connect();
                RawClient wrong = node.open()) {
            assertThat(registry.get("carillon.sessions")
                            .tag("endpoint", "echo")
                            .gauge()
                            .value())
                    .isEqualTo(2);
            client.send(RawClient.text("four"));
            assertThat(client.frame().text()).isEqualTo("four");
            refused.send(RawClient.request("/ws", "Origin: https://evil.example"));
            assertThat(refused.answer().status()).isEqualTo(403);
            wrong.send("\u0081\u0000".getBytes(StandardCharsets.ISO_8859_1));
            assertThat(wrong.frame().code()).isEqualTo(1002);
            client.send(frame(0x88, new byte[] {0x11, 0x11}));
            assertThat(client.frame().code()).isEqualTo(0x1111);
        }
        node.awaitEmpty();
        assertThat(count(registry, "carillon.connects", "endpoint", "echo", "result", "accepted") - accepted)
                .isEqualTo(2);
        assertThat(count(registry, "carillon.connects", "endpoint", "echo", "result", "origin") - origin)
                .isEqualTo(1);
        assertThat(count(registry, "carillon.closes", "endpoint", "echo", "code", "other") - other)
                .isEqualTo(1);
        assertThat(count(registry, "carillon.protocol.errors", "kind", "unmasked") - mask)
                .isEqualTo(1);
        assertThat(registry.get("carillon.bytes")
                                .tag("direction", "in")
                                .functionCounter()
                                .count()
                        - in)
                .isEqualTo(10 + 2 + 8);
        assertThat(registry.get("carillon.bytes")
                                .tag("direction", "out")
                                .functionCounter()
                                .count()
                        - out)
                .isEqualTo(6);
        assertThat(registry.get("carillon.frames")
                                .tag("direction", "in")
                                .functionCounter()
                                .count()
                        - frames)
                .isEqualTo(2);
    }

    private static double count(MeterRegistry registry, String name, String... tags) {
        var counter = registry.find(name).tags(tags).counter();
        return counter == null ? 0 : counter.count();
    }
}
