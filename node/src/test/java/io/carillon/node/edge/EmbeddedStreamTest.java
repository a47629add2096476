package io.carillon.node.edge;

import static java.util.Objects.requireNonNull;
import static org.assertj.core.api.Assertions.assertThat;

import io.carillon.node.edge.EchoNode.Ended;
import io.carillon.node.session.Session;
import jakarta.servlet.AsyncContext;
import java.nio.charset.StandardCharsets;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.ExtendWith;

/** Event streams in a servlet container. */
@ExtendWith(NoLeaks.class)
class EmbeddedStreamTest {
    @Test
    void aStreamWhoseExchangeTheContainerHasEndedIsGoneWithTheNextWrite() throws Exception {
        try (EchoNode node = EchoNode.embedded();
                RawClient client = node.connect()) {
            client.send("GET /api/ws/events?namespace=echo&channels=broadcast HTTP/1.1\r\nHost: a\r\n\r\n");
            assertThat(client.answerHead().status()).isEqualTo(200);
            Session session = node.echo.nextOpened();
            AsyncContext exchange = requireNonNull(node.echo.exchanges.poll(5, TimeUnit.SECONDS));
            // As it does when it sees the client go before the node does.
            exchange.complete();
            assertThat(client.rest()).isEmpty();
            session.socket().loop().execute(() -> {
                session.socket().write(EchoNode.frame("late".getBytes(StandardCharsets.UTF_8)));
                session.socket().flush();
            });
            assertThat(node.echo.nextEnded()).isEqualTo(new Ended("u1", 1006));
            node.awaitEmpty();
        }
    }
}
