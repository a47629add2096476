package io.carillon.node.edge;

import io.carillon.node.session.Bucket;
import io.carillon.node.session.CloseCode;
import io.netty.buffer.ByteBuf;
import jakarta.websocket.CloseReason;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.concurrent.Semaphore;
import java.util.concurrent.TimeUnit;
import org.apache.tomcat.websocket.Constants;
import org.apache.tomcat.websocket.WsSession;
import org.jspecify.annotations.Nullable;
import org.springframework.util.ClassUtils;
import org.springframework.web.socket.BinaryMessage;
import org.springframework.web.socket.CloseStatus;
import org.springframework.web.socket.PingMessage;
import org.springframework.web.socket.PongMessage;
import org.springframework.web.socket.TextMessage;
import org.springframework.web.socket.WebSocketHandler;
import org.springframework.web.socket.WebSocketMessage;
import org.springframework.web.socket.WebSocketSession;
import org.springframework.web.socket.adapter.NativeWebSocketSession;

/**
 * A session's WebSocket connection in a servlet container, through spring-websocket. The container reads frames, answers
 * pings and closes, and checks UTF-8; a message comes from it in parts, on one of its threads at a time, is put together
 * there and handled on the loop.
 */
final class SpringConnection extends QueuedCarrier implements WebSocketHandler {
    /** Messages on their way to the loop; the container reads no more of the client before some are handled. */
    private static final int AHEAD = 16;

    private static final boolean TOMCAT =
            ClassUtils.isPresent("org.apache.tomcat.websocket.WsSession", SpringConnection.class.getClassLoader());

    private volatile @Nullable WebSocketSession container;

    // Owned by the container's thread that reads.
    private byte[] text = new byte[0];
    private int size;
    private int fragments;
    private final Semaphore ahead = new Semaphore(AHEAD);

    /** Whether part of a message has come, and since when, on the loop's clock. */
    private volatile boolean assembling;

    private volatile long since;
    private volatile boolean deaf;

    /** When the bucket of the client's pongs is full. Owned by the loop. */
    private long controls;

    SpringConnection(Reception reception, EdgeLoop loop, Interview.Accepted accepted) {
        super(reception, loop, accepted);
        this.controls = loop.exactly();
    }

    // What the container says.

    @Override
    public void afterConnectionEstablished(WebSocketSession opened) {
        if (TOMCAT) Tomcat.prepare(opened, reception);
        container = opened;
        onLoop(this::open);
    }

    @Override
    public void handleMessage(WebSocketSession from, WebSocketMessage<?> message) {
        switch (message) {
            case TextMessage part -> part(part.getPayload(), part.isLast(), from.getTextMessageSizeLimit());
            case BinaryMessage unwanted -> failSoon(CloseCode.UNSUPPORTED_DATA, "binary");
            case PongMessage pong -> onLoop(this::pong);
            default -> {}
        }
    }

    /** @param room characters the container gives at once; a part with fewer ends with its fragment */
    private void part(String part, boolean last, int room) {
        if (deaf) return;
        byte[] bytes = part.getBytes(StandardCharsets.UTF_8);
        if (bytes.length > session.endpoint().maxMessage() - size) {
            failSoon(CloseCode.TOO_BIG, "too_big");
            return;
        }
        if (last || part.length() < room) fragments += part.isEmpty() && !last ? 2 : 1;
        if (fragments > reception.settings.fragments()) {
            failSoon(CloseCode.POLICY, "fragments");
            return;
        }
        if (last && size == 0) {
            fragments = 0;
            assembling = false;
            hand(bytes);
            return;
        }
        if (!assembling) {
            since = loop.exactly();
            assembling = true;
        }
        int whole = size + bytes.length;
        if (text.length < whole) {
            text = Arrays.copyOf(text, Math.min(session.endpoint().maxMessage(), last ? whole : 2 * whole));
        }
        System.arraycopy(bytes, 0, text, size, bytes.length);
        size = whole;
        if (!last) return;
        byte[] message = text.length == size ? text : Arrays.copyOf(text, size);
        text = new byte[0];
        size = 0;
        fragments = 0;
        assembling = false;
        hand(message);
    }

    /** Gives a whole message to the loop; waits where the loop has enough of this client. */
    private void hand(byte[] message) {
        ahead.acquireUninterruptibly();
        onLoop(() -> {
            ahead.release();
            heard();
            loop.framesIn++;
            loop.bytesIn += message.length;
            if (isOpen()) reception.received(session, message);
        });
    }

    private void failSoon(CloseCode code, String kind) {
        deaf = true;
        onLoop(() -> fail(code, kind));
    }

    @Override
    public void handleTransportError(WebSocketSession from, Throwable cause) {
        // The end of the connection follows, and that is counted.
    }

    @Override
    public void afterConnectionClosed(WebSocketSession from, CloseStatus status) {
        onLoop(() -> gone(status.getCode()));
    }

    @Override
    public boolean supportsPartialMessages() {
        return true;
    }

    // On the loop.

    private void fail(CloseCode code, String kind) {
        if (!isOpen()) return;
        reception.metrics.failed(kind);
        close(code);
    }

    private void pong() {
        if (!session.endpoint().mustSpeak()) heard();
        loop.framesIn++;
        if (reception.controlNanos == 0) return;
        long next = Bucket.take(controls, loop.exactly(), reception.controlNanos, reception.settings.controlBurst());
        if (next == controls) fail(CloseCode.ABUSE, "control_flood");
        controls = next;
    }

    @Override
    void look(long now) {
        if (assembling && now - since >= reception.assemblyNanos) fail(CloseCode.POLICY, "assembly");
    }

    @Override
    void deafen() {
        deaf = true;
    }

    // On the writer.

    /** One frame of the server (RFC 6455 §5.2), which is unmasked and whole, as one message. */
    @Override
    void send(ByteBuf frames) throws IOException {
        frames.skipBytes(1);
        int length = frames.readUnsignedByte();
        if (length == 126) length = frames.readUnsignedShort();
        else if (length == 127) length = Math.toIntExact(frames.readLong());
        byte[] payload = new byte[length];
        frames.readBytes(payload);
        to().sendMessage(new TextMessage(payload));
    }

    @Override
    void sendPing() throws IOException {
        to().sendMessage(new PingMessage());
    }

    @Override
    void sendGoodbye(CloseCode code) throws IOException {
        to().close(new CloseStatus(code.code(), code.reason()));
        // The container says now that it is closed, and nothing when the client has answered, or has not.
        onLoop(() -> {
            var unused = loop.executor()
                    .schedule(
                            () -> Thread.startVirtualThread(this::hangUp),
                            reception.closingNanos,
                            TimeUnit.NANOSECONDS);
        });
    }

    @Override
    void hangUp() {
        WebSocketSession open = container;
        if (open == null) return;
        try {
            if (TOMCAT && Tomcat.drop(open)) return;
            open.close(CloseStatus.SERVER_ERROR);
        } catch (IOException | RuntimeException e) {
            // It is closed, then.
        }
    }

    /** What Jakarta WebSocket has no word for. */
    private static final class Tomcat {
        static void prepare(WebSocketSession opened, Reception reception) {
            if (!(opened instanceof NativeWebSocketSession known
                    && known.getNativeSession() instanceof WsSession session)) return;
            long closing = reception.settings.closing().toMillis();
            // How long to wait for the client's close frame; and for one that does not read, unless told before.
            session.getUserProperties().put(Constants.SESSION_CLOSE_TIMEOUT_PROPERTY, closing);
            session.getUserProperties()
                    .put(
                            Constants.BLOCKING_SEND_TIMEOUT_PROPERTY,
                            reception.outbox.age().toMillis() + 2 * closing);
        }

        /** Closes TCP whether the client has answered a close frame or not; false where it is not Tomcat's. */
        static boolean drop(WebSocketSession open) {
            if (!(open instanceof NativeWebSocketSession known
                    && known.getNativeSession() instanceof WsSession session)) return false;
            session.onClose(new CloseReason(CloseReason.CloseCodes.CLOSED_ABNORMALLY, ""));
            return true;
        }
    }

    private WebSocketSession to() throws IOException {
        WebSocketSession open = container;
        if (open == null) throw new IOException("the connection is not there");
        return open;
    }
}
