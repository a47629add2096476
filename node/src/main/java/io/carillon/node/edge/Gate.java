package io.carillon.node.edge;

import io.netty.buffer.ByteBuf;
import io.netty.buffer.ByteBufUtil;
import io.netty.channel.Channel;
import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.ChannelInboundHandlerAdapter;
import io.netty.util.ReferenceCountUtil;
import java.nio.charset.StandardCharsets;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Base64;
import java.util.List;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * A connection between its request for a session and the answer: the HTTP server's handlers are gone, the session is not
 * there yet. What the client sends early waits here. Answers with 101 and hands over to a {@link Connection}, with 200 to
 * an {@link EventStream}, or with a {@link Refusal} and waits for the client to leave. Owned by its loop.
 */
@SuppressWarnings("FutureReturnValueIgnored") // what fails closes the channel, which channelInactive sees
final class Gate extends ChannelInboundHandlerAdapter implements Timed, Interview.Applicant {
    private static final Logger log = LoggerFactory.getLogger(Gate.class);
    private static final byte[] GUID = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11".getBytes(StandardCharsets.US_ASCII);

    private final Reception reception;
    private final EdgeLoop loop;
    private final boolean stream;
    private final ArrayDeque<ByteBuf> early = new ArrayDeque<>(2);
    private long earlyBytes;

    @SuppressWarnings("NullAway.Init") // set before anything else is called
    private ChannelHandlerContext context;

    private long deadline;
    private int slot = -1;
    private boolean answered;
    private String endpoint = EdgeMetrics.NO_ENDPOINT;

    private @Nullable Interview interview;

    /** @param stream whether an event stream is asked for */
    Gate(Reception reception, EdgeLoop loop, boolean stream) {
        this.reception = reception;
        this.stream = stream;
        this.loop = loop;
        this.deadline = loop.now() + reception.handshakeNanos;
    }

    @Override
    public void handlerAdded(ChannelHandlerContext ctx) {
        context = ctx;
        loop.add(this);
    }

    /** Answers what the request came to. @param body whether an answer may have a body */
    void answer(Knock knock, String endpoint, boolean body) {
        this.endpoint = endpoint;
        // It may have left while an exchange before came to its end.
        if (answered || !context.channel().isActive()) return;
        switch (knock) {
            case Refusal refusal -> refuse(refusal, endpoint, body);
            case Preflight preflight -> {
                answered = true;
                deadline = loop.now() + reception.lingerNanos;
                Farewell.send(context, preflight.encode(context.alloc()));
                releaseEarly();
                context.channel().config().setAutoRead(true);
            }
            case Arrival arrival -> {
                interview = new Interview(reception, loop, arrival, this);
                interview.begin();
            }
        }
    }

    @Override
    public boolean waits() {
        return !answered && context.channel().isActive();
    }

    @Override
    public void refuse(Refusal refusal, String endpoint) {
        refuse(refusal, endpoint, true);
    }

    @Override
    public void accept(Interview.Accepted accepted) {
        Channel channel = context.channel();
        NettyCarrier connection = carrier(accepted);
        answered = true;
        ByteBuf answer = switch (accepted.arrival()) {
            case Handshake upgrade -> switching(upgrade.key(), accepted.subprotocol());
            case StreamRequest request -> request.accept(context.alloc());
        };
        context.write(answer, context.voidPromise());
        loop.remove(this);

        context.pipeline().addAfter(context.name(), null, connection);
        connection.open();
        // What came early comes first, and through the same door.
        List<ByteBuf> waiting = new ArrayList<>(early);
        early.clear();
        context.pipeline().remove(this);
        ChannelHandlerContext opened = context.pipeline().context(connection);
        if (opened == null) {
            waiting.forEach(ReferenceCountUtil::release);
            return;
        }
        connection.settled();
        try {
            for (ByteBuf bytes : waiting) connection.channelRead(opened, bytes);
            connection.channelReadComplete(opened);
        } catch (Exception e) {
            connection.exceptionCaught(opened, e);
        }
        opened.flush();
        // The last of all: Reactor's handlers have switched it, too.
        channel.config().setAutoRead(true);
    }

    private NettyCarrier carrier(Interview.Accepted accepted) {
        return accepted.trail() == null
                ? new Connection(reception, loop, accepted)
                : new EventStream(reception, loop, accepted);
    }

    private ByteBuf switching(String key, @Nullable String subprotocol) {
        byte[] ascii = key.getBytes(StandardCharsets.US_ASCII);
        byte[] joined = new byte[ascii.length + GUID.length];
        System.arraycopy(ascii, 0, joined, 0, ascii.length);
        System.arraycopy(GUID, 0, joined, ascii.length, GUID.length);
        var answer = new StringBuilder(192)
                .append("HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n")
                .append("Sec-WebSocket-Accept: ")
                .append(Base64.getEncoder().encodeToString(loop.sha1(joined)));
        if (subprotocol != null) answer.append("\r\nSec-WebSocket-Protocol: ").append(subprotocol);
        answer.append("\r\n\r\n");
        return ByteBufUtil.writeAscii(context.alloc(), answer);
    }

    private void refuse(Refusal refusal, String endpoint, boolean body) {
        if (answered || !context.channel().isActive()) return;
        answered = true;
        giveBack();
        reception.metrics.connected(endpoint, refusal.reason());
        deadline = loop.now() + reception.lingerNanos;
        Farewell.send(context, refusal.encode(context.alloc(), reception.clock.millis(), body, stream));
        releaseEarly();
        // To see the client leave; what it sends is thrown away.
        context.channel().config().setAutoRead(true);
    }

    @Override
    public void channelRead(ChannelHandlerContext ctx, Object message) {
        if (answered || !(message instanceof ByteBuf bytes)) {
            ReferenceCountUtil.release(message);
            return;
        }
        early.add(bytes);
        earlyBytes += bytes.readableBytes();
        if (earlyBytes > reception.settings.earlyBytes().toBytes()) {
            reception.metrics.failed("early");
            ctx.close();
        }
    }

    @Override
    public void channelReadComplete(ChannelHandlerContext ctx) {}

    @Override
    public void channelInactive(ChannelHandlerContext ctx) {
        loop.remove(this);
        answered = true;
        giveBack();
        releaseEarly();
        ctx.fireChannelInactive();
    }

    @Override
    public void exceptionCaught(ChannelHandlerContext ctx, Throwable cause) {
        if (log.isDebugEnabled()) log.debug("A handshake failed. cause={}", cause.toString());
        ctx.close();
    }

    @Override
    public void tick(long now) {
        if (now - deadline < 0) return;
        if (answered) context.close();
        else refuse(Refusal.UNDECIDED, endpoint, true);
    }

    private void giveBack() {
        if (interview != null) interview.end();
    }

    private void releaseEarly() {
        early.forEach(ReferenceCountUtil::release);
        early.clear();
    }

    @Override
    public int slot() {
        return slot;
    }

    @Override
    public void slot(int place) {
        slot = place;
    }
}
