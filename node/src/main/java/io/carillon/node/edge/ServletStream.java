package io.carillon.node.edge;

import io.carillon.node.session.CloseCode;
import io.netty.buffer.ByteBuf;
import jakarta.servlet.AsyncContext;
import jakarta.servlet.ServletOutputStream;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.util.concurrent.atomic.AtomicBoolean;

/**
 * A session's event stream (WHATWG HTML §9.2) in a servlet container: the body of an answer that does not end. That the
 * client is gone is seen when it can be sent nothing.
 */
final class ServletStream extends QueuedCarrier {
    private static final byte[] COMMENT = ": ping\n\n".getBytes(StandardCharsets.US_ASCII);

    private final AsyncContext exchange;
    private final ServletOutputStream out;
    private final AtomicBoolean complete = new AtomicBoolean();

    ServletStream(
            Reception reception,
            EdgeLoop loop,
            Interview.Accepted accepted,
            AsyncContext exchange,
            ServletOutputStream out) {
        super(reception, loop, accepted);
        this.exchange = exchange;
        this.out = out;
    }

    @Override
    void send(ByteBuf blocks) throws IOException {
        byte[] bytes = new byte[Math.min(blocks.readableBytes(), 8192)];
        blocks.readBytes(bytes);
        out.write(bytes);
        out.flush();
    }

    @Override
    void sendPing() throws IOException {
        out.write(COMMENT);
        out.flush();
        // A client that takes comments is there.
        onLoop(this::heard);
    }

    @Override
    void sendGoodbye(CloseCode code) throws IOException {
        out.write(EventStream.goodbye(code).getBytes(StandardCharsets.US_ASCII));
        out.flush();
        hangUp();
        onLoop(() -> gone(code.code()));
    }

    @Override
    void hangUp() {
        if (!complete.compareAndSet(false, true)) return;
        try {
            exchange.complete();
        } catch (IllegalStateException e) {
            // The container has seen the client go before, and ends the exchange itself.
        }
    }

    @Override
    void look(long now) {}

    @Override
    void deafen() {}
}
