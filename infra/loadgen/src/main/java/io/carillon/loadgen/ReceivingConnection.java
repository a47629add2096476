package io.carillon.loadgen;

import io.netty.buffer.ByteBuf;
import io.netty.buffer.Unpooled;
import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.ChannelInboundHandlerAdapter;
import java.nio.charset.StandardCharsets;
import org.jspecify.annotations.Nullable;

/**
 * One connection of a client: a WebSocket (RFC 6455), which is the upgrade and then frames walked in place, or an event
 * stream (WHATWG HTML §9.2), which is an answer of lines. Made for counting: it looks
 * at headers, finds the scheduled time in the events it samples, answers pings, and copies only a frame or line that is
 * cut by the end of a read. All fields belong to the connection's event loop.
 */
@SuppressWarnings("FutureReturnValueIgnored") // void promises carry no outcome; a failure closes the channel
final class ReceivingConnection extends ChannelInboundHandlerAdapter {

    /** Told how a connection fares; called on its event loop. */
    interface Listener {
        /** The server said 101 or 200, or with {@code welcome} its first frame or line came. */
        void ready(ReceivingConnection connection);

        /** It ended; {@code code} is the close code, 0 without a close frame; the answer if it was never upgraded. */
        void closed(ReceivingConnection connection, int code, @Nullable String refusal);
    }

    private static final int LARGEST_ANSWER = 16 * 1024;
    private static final String END = "\r\n\r\n";

    /** {@code data}, as the four bytes of an int. */
    private static final int DATA = 0x64617461;

    private final byte[] request;
    private final boolean stream;
    private final boolean awaitFrame;
    private final Tally tally;
    private final int sample;
    private final Listener listener;

    private @Nullable ByteBuf carry;
    private @Nullable ChannelHandlerContext context;
    private @Nullable String refusal;
    private boolean upgraded;
    private boolean ready;
    private int closeCode;
    private int markOffset;
    private int untilSample = 1;
    private long eventsRead;
    private long bytesRead;
    private long readAt;

    ReceivingConnection(
            byte[] request, boolean stream, boolean awaitFrame, Tally tally, int sample, Listener listener) {
        this.request = request;
        this.stream = stream;
        this.awaitFrame = awaitFrame;
        this.tally = tally;
        this.sample = sample;
        this.listener = listener;
    }

    /** The upgrade request; the key is the sample of RFC 6455 §1.3, the same for all, and its answer isn't checked. */
    static byte[] request(String host, int port, String path, @Nullable String token) {
        return ("GET " + path + " HTTP/1.1\r\nHost: " + host + ":" + port
                        + "\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13"
                        + "\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=="
                        + (token == null ? "" : "\r\nAuthorization: Bearer " + token) + END)
                .getBytes(StandardCharsets.US_ASCII);
    }

    /** The request of an event stream. */
    static byte[] streamRequest(String host, int port, String path, @Nullable String token) {
        return ("GET " + path + " HTTP/1.1\r\nHost: " + host + ":" + port + "\r\nAccept: text/event-stream"
                        + (token == null ? "" : "\r\nAuthorization: Bearer " + token) + END)
                .getBytes(StandardCharsets.US_ASCII);
    }

    @Override
    public void channelActive(ChannelHandlerContext ctx) {
        context = ctx;
        ctx.writeAndFlush(Unpooled.wrappedBuffer(request), ctx.voidPromise());
    }

    /** Sends one text frame; safe from the event loop only. */
    void send(byte[] text, boolean flush) {
        ChannelHandlerContext ctx = context;
        if (ctx != null && ctx.channel().isActive()) {
            ctx.write(Frames.masked(ctx.alloc(), Frames.TEXT, text), ctx.voidPromise());
            if (flush) {
                ctx.flush();
            }
        }
    }

    void close() {
        ChannelHandlerContext ctx = context;
        if (ctx != null) {
            ctx.close();
        }
    }

    @Override
    public void channelRead(ChannelHandlerContext ctx, Object message) {
        ByteBuf in = (ByteBuf) message;
        try {
            readAt = System.nanoTime();
            if (!upgraded && !upgrade(ctx, in)) {
                return;
            }
            if (stream) {
                lines(in);
            } else {
                finishCarried(ctx, in);
                walk(ctx, in);
            }
        } finally {
            in.release();
            if (eventsRead > 0) {
                tally.add(eventsRead, bytesRead);
                eventsRead = 0;
                bytesRead = 0;
            }
        }
    }

    private boolean upgrade(ChannelHandlerContext ctx, ByteBuf in) {
        ByteBuf answer = carry();
        int before = answer.readableBytes();
        int taken = Math.min(in.readableBytes(), LARGEST_ANSWER);
        answer.writeBytes(in, in.readerIndex(), taken);
        String text = answer.toString(StandardCharsets.ISO_8859_1);
        int end = text.indexOf(END);
        if (end < 0) {
            if (text.length() >= LARGEST_ANSWER) {
                refusal = "an answer without end";
                ctx.close();
            }
            return false;
        }
        if (!text.startsWith(stream ? "HTTP/1.1 200" : "HTTP/1.1 101")) {
            refusal = text.lines().findFirst().orElse("") + " " + text.substring(end + END.length());
            ctx.close();
            return false;
        }
        in.skipBytes(end + END.length() - before);
        answer.release();
        carry = null;
        upgraded = true;
        if (!awaitFrame) {
            becomeReady();
        }
        return true;
    }

    private void becomeReady() {
        if (!ready) {
            ready = true;
            listener.ready(this);
        }
    }

    private ByteBuf carry() {
        ByteBuf held = carry;
        if (held == null) {
            held = Unpooled.buffer(512);
            carry = held;
        }
        return held;
    }

    private void finishCarried(ChannelHandlerContext ctx, ByteBuf in) {
        ByteBuf held = carry;
        while (held != null && held.isReadable() && in.isReadable()) {
            long length = Frames.length(held, 0, held.readableBytes());
            long wanted = length < 0 ? 1 : length - held.readableBytes();
            held.writeBytes(in, (int) Math.min(wanted, in.readableBytes()));
            if (length == held.readableBytes()
                    || Frames.length(held, 0, held.readableBytes()) == held.readableBytes()) {
                frame(ctx, held, 0, held.readableBytes());
                held.clear();
                if (held.capacity() > 4096) {
                    held.release();
                    carry = null;
                    held = null;
                }
            }
        }
    }

    private void lines(ByteBuf in) {
        while (in.isReadable()) {
            int end = in.indexOf(in.readerIndex(), in.writerIndex(), (byte) '\n');
            ByteBuf held = carry;
            if (end < 0) {
                carry().writeBytes(in);
            } else if (held != null && held.isReadable()) {
                held.writeBytes(in, end + 1 - in.readerIndex());
                line(held, 0, held.readableBytes() - 1);
                held.release();
                carry = null;
            } else {
                line(in, in.readerIndex(), end - in.readerIndex());
                in.readerIndex(end + 1);
            }
        }
    }

    private void line(ByteBuf in, int at, int size) {
        if (size > 5 && in.getInt(at) == DATA) {
            text(in, at, size);
        }
        if (!ready) {
            becomeReady();
        }
    }

    private void walk(ChannelHandlerContext ctx, ByteBuf in) {
        int at = in.readerIndex();
        int end = in.writerIndex();
        while (at < end) {
            long length = Frames.length(in, at, end - at);
            if (length < 0 || length > end - at) {
                carry().writeBytes(in, at, end - at);
                return;
            }
            frame(ctx, in, at, (int) length);
            at += (int) length;
        }
    }

    private void frame(ChannelHandlerContext ctx, ByteBuf in, int at, int length) {
        int opcode = in.getByte(at) & 0x0f;
        int payload = at + Frames.header(in, at);
        int size = at + length - payload;
        if (opcode == Frames.TEXT) {
            text(in, payload, size);
            if (!ready) {
                becomeReady();
            }
        } else if (opcode == Frames.PING) {
            byte[] data = new byte[size];
            in.getBytes(payload, data);
            ctx.writeAndFlush(Frames.masked(ctx.alloc(), Frames.PONG, data), ctx.voidPromise());
        } else if (opcode == Frames.CLOSE) {
            closeCode = size >= 2 ? in.getUnsignedShort(payload) : 1005;
            ctx.close();
        }
    }

    private void text(ByteBuf in, int payload, int size) {
        int offset = markOffset;
        if (offset + 16 > size || !marked(in.getLong(payload + offset))) {
            offset = find(in, payload, size);
            if (offset < 0) {
                return;
            }
            markOffset = offset;
        }
        eventsRead++;
        bytesRead += size;
        if (--untilSample == 0) {
            untilSample = sample;
            tally.latency(readAt - number(in, payload + offset + Long.BYTES, payload + size));
        }
    }

    private static boolean marked(long bytes) {
        return bytes == EventText.MARK || bytes == EventText.PLAIN_MARK;
    }

    private static int find(ByteBuf in, int payload, int size) {
        for (int i = 0; i + 16 <= size; i++) {
            if (marked(in.getLong(payload + i))) {
                return i;
            }
        }
        return -1;
    }

    private static long number(ByteBuf in, int from, int end) {
        long value = 0;
        for (int i = from; i < end; i++) {
            int digit = in.getByte(i) - '0';
            if (digit < 0 || digit > 9) {
                break;
            }
            value = value * 10 + digit;
        }
        return value;
    }

    @Override
    public void channelInactive(ChannelHandlerContext ctx) {
        String answer = refusal;
        if (answer == null && !ready) {
            answer = upgraded ? "closed with " + closeCode + " before its first frame" : "closed before an answer";
        }
        ByteBuf held = carry;
        if (held != null) {
            held.release();
            carry = null;
        }
        listener.closed(this, closeCode, ready ? null : answer);
    }

    @Override
    public void exceptionCaught(ChannelHandlerContext ctx, Throwable cause) {
        if (!upgraded && refusal == null) {
            refusal = String.valueOf(cause);
        }
        ctx.close();
    }
}
