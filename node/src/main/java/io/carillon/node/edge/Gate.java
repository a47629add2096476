package io.carillon.node.edge;

import io.carillon.model.channel.ChannelName;
import io.carillon.node.identity.Principal;
import io.carillon.node.identity.Verdict;
import io.carillon.node.session.Endpoint;
import io.carillon.node.session.Trail;
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
import java.util.concurrent.CompletionException;
import java.util.concurrent.CompletionStage;
import java.util.function.BiConsumer;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * A connection between its request for a session and the answer: the HTTP server's handlers are gone, the session is not
 * there yet. What the client sends early waits here. Answers with 101 and hands over to a {@link Connection}, with 200 to
 * an {@link EventStream}, or with a {@link Refusal} and waits for the client to leave. Owned by its loop.
 */
@SuppressWarnings("FutureReturnValueIgnored") // what fails closes the channel, which channelInactive sees
final class Gate extends ChannelInboundHandlerAdapter implements Timed {
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

    /** Whom the admission counted in; null when nobody. */
    private @Nullable String admitted;

    /** What an event stream asked for. */
    private @Nullable Trail trail;

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
                Refusal refusal = reception.admission.admit(arrival.address(), loop.exactly());
                if (refusal != null) {
                    refuse(refusal, endpoint, true);
                    return;
                }
                admitted = arrival.address();
                if (arrival instanceof StreamRequest request && !readTrail(request)) return;
                identify(arrival);
            }
        }
    }

    /** Whether the request says in an understandable way what it wants; if not, it is answered. */
    private boolean readTrail(StreamRequest request) {
        Endpoint endpoint = request.entrance().endpoint();
        try {
            trail = Trail.read(endpoint.namespace(), request.channels(), request.lastEventId());
            return true;
        } catch (IllegalArgumentException e) {
            refuse(Refusal.malformed(String.valueOf(e.getMessage())), endpoint.name(), true);
            return false;
        }
    }

    private static boolean mayHave(Trail trail, Principal principal) {
        for (ChannelName channel : trail.channels()) {
            boolean may = switch (channel.kind()) {
                case USER -> channel.id().equals(principal.user());
                case BROADCAST -> true;
                case ROOM -> principal.mayJoin(channel.id());
            };
            if (!may) return false;
        }
        return true;
    }

    private void identify(Arrival handshake) {
        Endpoint endpoint = handshake.entrance().endpoint();
        CompletionStage<Verdict> verdict;
        try {
            verdict = reception.gatekeeper.admit(endpoint, handshake.credentials(), handshake.address());
        } catch (RuntimeException e) {
            if (reception.mayLog()) log.error("Identities cannot be checked. endpoint={}", endpoint.name(), e);
            refuse(Refusal.UNDECIDED, endpoint.name(), true);
            return;
        }
        onLoop(verdict, (given, failure) -> {
            if (given == null) {
                if (reception.mayLog()) {
                    log.warn("An identity could not be checked. endpoint={} cause={}", endpoint.name(), cause(failure));
                }
                refuse(Refusal.UNDECIDED, endpoint.name(), true);
                return;
            }
            switch (given) {
                case Verdict.Refused refused ->
                    refuse(
                            new Refusal(refused.status(), refused.sentence(), reason(refused.status())),
                            endpoint.name(),
                            true);
                case Verdict.Granted granted -> count(handshake, granted);
            }
        });
    }

    /** Words for the metric: the identity room counts its own, finer ones. */
    private static String reason(int status) {
        return switch (status) {
            case 400 -> "parameters";
            case 401 -> "identity";
            case 403 -> "forbidden";
            default -> "undecided";
        };
    }

    private void count(Arrival handshake, Verdict.Granted granted) {
        Endpoint endpoint = handshake.entrance().endpoint();
        Trail asked = trail;
        if (asked != null && !mayHave(asked, granted.principal())) {
            refuse(Refusal.NOT_YOURS, endpoint.name(), true);
            return;
        }
        int most = endpoint.sessionsPerUser();
        if (most > 0 && endpoint.overLimit().code() != null) {
            // The oldest goes when this one is in.
            reception.admission.enter(endpoint.namespace(), granted.principal().user());
            accept(handshake, granted);
            return;
        }
        if (most == 0) {
            accept(handshake, granted);
            return;
        }
        String user = granted.principal().user();
        if (reception.admission.enter(endpoint.namespace(), user) > most) {
            reception.admission.leave(endpoint.namespace(), user);
            refuse(Refusal.USER, endpoint.name(), true);
            return;
        }
        UserSessions everywhere = reception.userSessions;
        if (everywhere == null) {
            accept(handshake, granted);
            return;
        }
        // Counted in from here on: whatever comes of it, accept() hands it to the session or this gives it back.
        CompletionStage<Long> count;
        try {
            count = everywhere.sessionsOf(endpoint.namespace(), user);
        } catch (RuntimeException e) {
            reception.admission.leave(endpoint.namespace(), user);
            if (reception.mayLog()) log.error("Sessions of a user cannot be counted. endpoint={}", endpoint.name(), e);
            refuse(Refusal.UNDECIDED, endpoint.name(), true);
            return;
        }
        BiConsumer<@Nullable Long, @Nullable Throwable> counted = (others, failure) -> {
            if (answered || !context.channel().isActive()) {
                reception.admission.leave(endpoint.namespace(), user);
            } else if (others != null && others >= most) {
                reception.admission.leave(endpoint.namespace(), user);
                refuse(Refusal.USER, endpoint.name(), true);
            } else {
                // Where the cluster cannot be asked, this node's own count has to do.
                accept(handshake, granted);
            }
        };
        onLoopAlways(count, counted);
    }

    private void accept(Arrival handshake, Verdict.Granted granted) {
        Endpoint endpoint = handshake.entrance().endpoint();
        Principal principal = granted.principal();
        String address = admitted;
        Channel channel = context.channel();
        if (reception.admission.draining() || address == null || !channel.isActive()) {
            if (endpoint.sessionsPerUser() > 0) reception.admission.leave(endpoint.namespace(), principal.user());
            refuse(Refusal.DRAINING, endpoint.name(), true);
            return;
        }
        Carrier connection = carrier(handshake, principal, address);
        answered = true;
        admitted = null;
        reception.metrics.connected(endpoint.name(), "accepted");
        ByteBuf answer = switch (handshake) {
            case Handshake upgrade -> switching(upgrade.key(), granted.subprotocol());
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

    private Carrier carrier(Arrival arrival, Principal principal, String address) {
        Endpoint endpoint = arrival.entrance().endpoint();
        Trail asked = trail;
        return asked == null
                ? new Connection(reception, loop, endpoint, principal, address)
                : new EventStream(reception, loop, endpoint, principal, address, asked);
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
        String address = admitted;
        admitted = null;
        if (address != null) reception.admission.release(address);
    }

    private void releaseEarly() {
        early.forEach(ReferenceCountUtil::release);
        early.clear();
    }

    private <T> void onLoop(CompletionStage<T> stage, BiConsumer<@Nullable T, @Nullable Throwable> then) {
        onLoopAlways(stage, (result, failure) -> {
            if (!answered && context.channel().isActive()) then.accept(result, failure);
        });
    }

    private <T> void onLoopAlways(CompletionStage<T> stage, BiConsumer<@Nullable T, @Nullable Throwable> then) {
        stage.whenComplete((result, failure) -> {
            if (loop.executor().inEventLoop()) then.accept(result, failure);
            else loop.executor().execute(() -> then.accept(result, failure));
        });
    }

    private static String cause(@Nullable Throwable failure) {
        Throwable cause = failure instanceof CompletionException wrapped && wrapped.getCause() != null
                ? wrapped.getCause()
                : failure;
        return String.valueOf(cause);
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
