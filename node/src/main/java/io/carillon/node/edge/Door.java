package io.carillon.node.edge;

import io.carillon.node.session.Endpoint;
import io.netty.buffer.ByteBuf;
import io.netty.channel.Channel;
import io.netty.channel.ChannelDuplexHandler;
import io.netty.channel.ChannelHandler;
import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.ChannelPipeline;
import io.netty.channel.ChannelPromise;
import io.netty.handler.codec.http.HttpMethod;
import io.netty.handler.codec.http.HttpObject;
import io.netty.handler.codec.http.HttpRequest;
import io.netty.handler.codec.http.HttpResponse;
import io.netty.handler.codec.http.HttpServerCodec;
import io.netty.handler.codec.http.HttpStatusClass;
import io.netty.handler.codec.http.HttpUtil;
import io.netty.handler.codec.http.LastHttpContent;
import io.netty.handler.codec.http.TooLongHttpHeaderException;
import io.netty.handler.codec.http.TooLongHttpLineException;
import io.netty.handler.ssl.SslHandler;
import io.netty.util.ReferenceCountUtil;
import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.util.ArrayList;
import org.jspecify.annotations.Nullable;
import reactor.netty.NettyPipeline;
import reactor.netty.channel.ChannelOperations;

/**
 * Stands ahead of the HTTP server in every connection's pipeline. Lets HTTP pass, sees to its deadlines, and takes a
 * connection away from the server when a request is for an endpoint. Owned by the connection's loop.
 */
@SuppressWarnings("FutureReturnValueIgnored") // what fails closes the channel, which channelInactive sees
final class Door extends ChannelDuplexHandler implements Timed {
    /** What the connection is in the middle of. */
    private enum Phase {
        /** Nothing was asked yet: the first request has to be there in time. */
        FIRST,
        /** A request is coming in. */
        BODY,
        /** A request is in and not answered; that may take as long as it takes. */
        ANSWER,
        /** Everything asked is answered. */
        IDLE,
        /** A handshake; its end is awaited. */
        CLAIMED,
        /** Not the door's any more. */
        LEFT
    }

    private final Reception reception;
    private final EdgeLoop loop;
    private final Channel channel;
    private Phase phase = Phase.FIRST;
    private long deadline;
    private int slot = -1;

    /** Requests passed on and not yet answered to their end. */
    private int unanswered;

    private boolean informational;

    /** The connection ends with the answer that is being written. */
    private boolean last;

    private @Nullable Claim claim;

    /** The claim is in and waits for the answers before it. */
    private boolean asked;

    /** A request for a session, to answer once it is at an end. @param stream whether for an event stream */
    private record Claim(Knock knock, String endpoint, boolean body, boolean stream) {}

    Door(Reception reception, EdgeLoop loop, Channel channel) {
        this.reception = reception;
        this.loop = loop;
        this.channel = channel;
        this.deadline = loop.now() + reception.handshakeNanos;
        loop.add(this);
    }

    /** The connection is none of the door's business any more: it is closed, or speaks HTTP/2. */
    void leave() {
        phase = Phase.LEFT;
        loop.remove(this);
    }

    @Override
    public void channelRead(ChannelHandlerContext ctx, Object message) {
        if (phase == Phase.LEFT) {
            ReferenceCountUtil.release(message);
            return;
        }
        if (message instanceof HttpRequest request) {
            if (claim != null) {
                // Something behind a handshake that waits for its turn: no client does that.
                ReferenceCountUtil.release(message);
                cut();
                return;
            }
            claim = claim(request);
            if (claim != null) {
                if (phase != Phase.FIRST) deadline = loop.now() + reception.handshakeNanos;
                phase = Phase.CLAIMED;
                boolean whole = message instanceof LastHttpContent || claim.knock instanceof Refusal;
                ReferenceCountUtil.release(message);
                if (whole) asked(ctx, claim);
                return;
            }
            unanswered++;
            phase = Phase.BODY;
            deadline = loop.now() + reception.requestBodyNanos;
        } else if (phase == Phase.CLAIMED) {
            boolean whole = message instanceof LastHttpContent;
            ReferenceCountUtil.release(message);
            if (whole && claim != null) asked(ctx, claim);
            return;
        }
        if (message instanceof LastHttpContent && phase == Phase.BODY) {
            phase = Phase.ANSWER;
            idle();
        }
        ctx.fireChannelRead(message);
    }

    @Override
    public void write(ChannelHandlerContext ctx, Object message, ChannelPromise promise) {
        if (message instanceof HttpResponse response) {
            informational = response.status().codeClass() == HttpStatusClass.INFORMATIONAL;
            if (!informational && unanswered == 1 && reception.admission.draining()) {
                // Proxies find another node for the next request, before this one's listener is gone.
                HttpUtil.setKeepAlive(response, false);
                last = true;
            }
        }
        boolean end = message instanceof LastHttpContent && !informational;
        if (end && unanswered > 0) {
            unanswered--;
            idle();
        }
        if (end && last) ctx.write(message, promise.unvoid()).addListener(written -> cut());
        else ctx.write(message, promise);
        if (!end || last || unanswered > 0) return;
        // The server reads on by itself, unless this request had waited for its turn and was answered at once: then it
        // never does (reactor-netty issue 4361), and the connection would be dead.
        if (phase == Phase.IDLE) ctx.read();
        Claim waiting = asked ? claim : null;
        if (waiting != null) loop.executor().execute(() -> takeOver(ctx, waiting));
    }

    private void idle() {
        if (phase == Phase.ANSWER && unanswered == 0) {
            phase = Phase.IDLE;
            deadline = loop.now() + reception.keepAliveNanos;
        }
    }

    /** What the request comes to when it is for an endpoint, or not HTTP as it should be; null for the HTTP server's. */
    private @Nullable Claim claim(HttpRequest request) {
        boolean body = !request.method().equals(HttpMethod.HEAD);
        if (request.decoderResult().isFailure()) {
            return new Claim(undecodable(request), EdgeMetrics.NO_ENDPOINT, true, false);
        }
        if (request.headers().size() > reception.settings.headers()) {
            return new Claim(new Refusal(431, "too many headers", "malformed"), EdgeMetrics.NO_ENDPOINT, body, false);
        }
        String path = Handshake.path(request.uri());
        var head = new Head.OfNetty(request);
        if (path.equals(Endpoint.STREAMS)) return stream(head, body);
        Entrance entrance = reception.entrance(path);
        if (entrance == null) {
            boolean foreign = Handshake.upgrades(head) && !reception.settings.foreignUpgrades();
            return foreign ? new Claim(Refusal.NOT_FOUND, EdgeMetrics.NO_ENDPOINT, body, false) : null;
        }
        return new Claim(
                Handshake.read(head, entrance, reception.proxies, peer(), tls()),
                entrance.endpoint().name(),
                body,
                false);
    }

    private Claim stream(Head request, boolean body) {
        Knock knock = StreamRequest.read(request, reception, peer(), tls());
        String endpoint = knock instanceof StreamRequest found
                ? found.entrance().endpoint().name()
                : EdgeMetrics.NO_ENDPOINT;
        return new Claim(knock, endpoint, body, true);
    }

    private @Nullable InetAddress peer() {
        return channel.remoteAddress() instanceof InetSocketAddress remote ? remote.getAddress() : null;
    }

    private boolean tls() {
        return channel.pipeline().get(SslHandler.class) != null;
    }

    private static Refusal undecodable(HttpObject object) {
        return switch (object.decoderResult().cause()) {
            case TooLongHttpLineException e -> new Refusal(414, "the request line is too long", "malformed");
            case TooLongHttpHeaderException e -> new Refusal(431, "the headers are too long", "malformed");
            default -> Refusal.malformed("the request is not HTTP/1.1");
        };
    }

    /** A handshake is in. An answer before it may be at the client to its last byte, and not at its end here. */
    private void asked(ChannelHandlerContext ctx, Claim claimed) {
        if (unanswered > 0) asked = true;
        else takeOver(ctx, claimed);
    }

    /** Takes the connection away from the HTTP server: from here on it is bytes, and the gate's. */
    private void takeOver(ChannelHandlerContext ctx, Claim claimed) {
        if (phase != Phase.CLAIMED) return;
        ChannelPipeline pipeline = ctx.pipeline();
        ChannelHandlerContext codec = pipeline.context(HttpServerCodec.class);
        leave();
        if (codec == null) {
            ctx.close();
            return;
        }
        // Of an exchange before, answered from another thread, this may not be over yet.
        ChannelOperations<?, ?> before = ChannelOperations.get(channel);
        var gate = new Gate(reception, loop, claimed.stream);
        pipeline.addAfter(codec.name(), null, gate);
        boolean behind = false;
        for (String name : new ArrayList<>(pipeline.toMap().keySet())) {
            ChannelHandler handler = pipeline.get(name);
            if (behind && handler != null && !name.equals(NettyPipeline.HttpMetricsHandler)) pipeline.remove(name);
            if (handler == gate) behind = true;
        }
        // What it has read and not decoded, frames that came with the request, goes to the gate.
        pipeline.remove(codec.handler());
        channel.config().setAutoRead(false);
        if (before == null) {
            gate.answer(claimed.knock, claimed.endpoint, claimed.body);
        } else {
            Runnable answer =
                    () -> loop.executor().execute(() -> gate.answer(claimed.knock, claimed.endpoint, claimed.body));
            before.onTerminate().subscribe(nothing -> {}, failure -> answer.run(), answer);
        }
    }

    @Override
    public void channelInactive(ChannelHandlerContext ctx) {
        leave();
        ctx.fireChannelInactive();
    }

    @Override
    public void exceptionCaught(ChannelHandlerContext ctx, Throwable cause) {
        // A client that drops its connection is no news; the server behind would say so at length.
        if (cause instanceof IOException) ctx.close();
        else ctx.fireExceptionCaught(cause);
    }

    @Override
    public void tick(long now) {
        if (now - deadline < 0) return;
        switch (phase) {
            case FIRST, CLAIMED -> tooLate();
            case BODY -> {
                if (reception.requestBodyNanos > 0) cut();
            }
            case IDLE -> {
                if (reception.keepAliveNanos > 0) cut();
            }
            case ANSWER, LEFT -> {}
        }
    }

    private void tooLate() {
        leave();
        reception.metrics.connected(EdgeMetrics.NO_ENDPOINT, Refusal.TIMEOUT.reason());
        ChannelHandlerContext codec = channel.pipeline().context(HttpServerCodec.class);
        if (codec == null || unanswered > 0) {
            channel.close();
            return;
        }
        ByteBuf answer = Refusal.TIMEOUT.encode(channel.alloc(), reception.clock.millis(), true, false);
        codec.writeAndFlush(answer).addListener(written -> channel.close());
    }

    private void cut() {
        leave();
        channel.close();
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
