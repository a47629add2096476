package io.carillon.node.edge;

import io.carillon.node.session.CloseCode;
import io.netty.buffer.ByteBuf;
import java.lang.invoke.MethodHandles;
import java.lang.invoke.VarHandle;
import java.nio.ByteOrder;
import java.util.Arrays;
import org.jspecify.annotations.Nullable;

/**
 * Reads a client's frames (RFC 6455 §5) from a stream of bytes cut anywhere. Everything a header says is checked before
 * a byte of payload is kept, and text is checked as it comes, so a bad frame is told at the first byte that makes it so.
 * Between messages it keeps nothing; while one comes in, at most twice the bytes that came.
 *
 * <p>After a failure, a close frame or {@link #stop} it reads nothing more. Owned by the connection's loop.
 */
final class FrameReader {
    /** What the frames come to. */
    interface Sink {
        /** A whole text message, valid UTF-8. */
        void message(byte[] text);

        void ping(byte[] payload);

        void pong();

        /** The client's close frame. @param code its code; 1005 when it has none */
        void closed(int code);

        /** The client broke the protocol. @param kind one of a closed set of words, for the metric */
        void failed(CloseCode code, String kind);
    }

    static final int NO_STATUS = 1005;

    private static final VarHandle LONGS = MethodHandles.byteArrayViewVarHandle(long[].class, ByteOrder.BIG_ENDIAN);

    private static final int CONTINUATION = 0;
    private static final int TEXT = 1;
    private static final int BINARY = 2;
    private static final int CLOSE = 8;
    private static final int PING = 9;
    private static final int PONG = 10;

    // Stages: what the next bytes are.
    private static final byte START = 0;
    private static final byte HEAD = 1;
    private static final byte LENGTH = 2;
    private static final byte WIDE = 3;
    private static final byte KEY = 4;
    private static final byte PAYLOAD = 5;
    private static final byte DONE = 6;

    private static final int LEAST = 64;

    private final Sink sink;
    private final int maxMessage;
    private final int maxFragments;

    // The frame being read.
    private byte stage = START;
    private byte opcode;
    private boolean fin;
    private byte missing;
    private long number;
    private int rest;
    private int key;
    private byte @Nullable [] control;

    // The message being put together.
    private boolean open;
    private boolean discarding;
    private int fragments;
    private int utf8;
    private int size;
    private byte @Nullable [] message;
    private long since;

    FrameReader(Sink sink, int maxMessage, int maxFragments) {
        this.sink = sink;
        this.maxMessage = maxMessage;
        this.maxFragments = maxFragments;
    }

    /** Whether a message or frame has begun and not ended. */
    boolean assembling() {
        return stage != DONE && (open || stage != START);
    }

    /** When what is being put together began, in the time given to {@link #read}. */
    long since() {
        return since;
    }

    /** From now on only a close frame is of interest. */
    void discard() {
        discarding = true;
        message = null;
        size = 0;
    }

    /** Nothing more is read. */
    void stop() {
        stage = DONE;
        message = null;
        control = null;
    }

    /** Reads what is there. The buffer stays the caller's. */
    void read(ByteBuf in, long now) {
        while (true) {
            switch (stage) {
                case START -> {
                    if (!in.isReadable()) return;
                    if (!open) since = now;
                    expect(HEAD, 2);
                }
                case HEAD -> {
                    if (!take(in)) return;
                    head((int) number);
                }
                case LENGTH, WIDE -> {
                    if (!take(in)) return;
                    length(number);
                }
                case KEY -> {
                    if (!take(in)) return;
                    key = (int) number;
                    stage = PAYLOAD;
                }
                case PAYLOAD -> {
                    if (rest > 0 && !in.isReadable()) return;
                    if (opcode >= CLOSE) control(in);
                    else data(in);
                    if (stage == PAYLOAD && rest > 0) return;
                }
                default -> {
                    return;
                }
            }
        }
    }

    private void expect(byte next, int bytes) {
        stage = next;
        missing = (byte) bytes;
        number = 0;
    }

    /** Reads the bytes of a number, however they are cut; whether it is whole. */
    private boolean take(ByteBuf in) {
        while (missing > 0) {
            if (!in.isReadable()) return false;
            number = number << 8 | in.readByte() & 0xFF;
            missing--;
        }
        return true;
    }

    private void head(int two) {
        fin = (two & 0x8000) != 0;
        opcode = (byte) (two >>> 8 & 0x0F);
        int length = two & 0x7F;
        if ((two & 0x7000) != 0) {
            fail(CloseCode.PROTOCOL_ERROR, "reserved_bits");
        } else if (opcode > BINARY && opcode < CLOSE || opcode > PONG) {
            fail(CloseCode.PROTOCOL_ERROR, "opcode");
        } else if ((two & 0x80) == 0) {
            fail(CloseCode.PROTOCOL_ERROR, "unmasked");
        } else if (opcode >= CLOSE && (!fin || length > 125)) {
            fail(CloseCode.PROTOCOL_ERROR, "control");
        } else if (opcode < CLOSE && open != (opcode == CONTINUATION)) {
            fail(CloseCode.PROTOCOL_ERROR, "fragment");
        } else if (length == 126) {
            expect(LENGTH, 2);
        } else if (length == 127) {
            expect(WIDE, 8);
        } else {
            sized(length);
        }
    }

    private void length(long length) {
        // The shortest form must be used, and the highest bit be clear (RFC 6455 §5.2).
        if (length < 126 || stage == WIDE && length <= 0xFFFF) fail(CloseCode.PROTOCOL_ERROR, "length");
        else sized(length);
    }

    private void sized(long length) {
        if (opcode < CLOSE) {
            if (length > maxMessage - (discarding ? 0 : size)) {
                fail(CloseCode.TOO_BIG, "too_big");
                return;
            }
            if (opcode == BINARY) {
                fail(CloseCode.UNSUPPORTED_DATA, "binary");
                return;
            }
            if (opcode == TEXT) {
                open = true;
                fragments = 0;
                utf8 = Utf8.COMPLETE;
            }
            fragments += length == 0 && !fin ? 2 : 1;
            if (fragments > maxFragments) {
                fail(CloseCode.POLICY, "fragments");
                return;
            }
        }
        rest = (int) length;
        expect(KEY, 4);
    }

    private void data(ByteBuf in) {
        int count = Math.min(rest, in.readableBytes());
        if (discarding) {
            in.skipBytes(count);
            rest -= count;
        } else {
            byte[] text = room(count);
            in.readBytes(text, size, count);
            unmask(text, size, count, key);
            key = Integer.rotateLeft(key, (count & 3) << 3);
            utf8 = Utf8.check(utf8, text, size, size + count);
            size += count;
            rest -= count;
            if (utf8 == Utf8.INVALID) {
                fail(CloseCode.INVALID_UTF8, "utf8");
                return;
            }
        }
        if (rest > 0) return;
        stage = START;
        if (!fin) return;
        byte[] text = message;
        int length = size;
        open = false;
        message = null;
        size = 0;
        if (discarding) return;
        if (utf8 != Utf8.COMPLETE) {
            fail(CloseCode.INVALID_UTF8, "utf8");
            return;
        }
        if (text == null) text = new byte[0];
        sink.message(text.length == length ? text : Arrays.copyOf(text, length));
    }

    /** The message's bytes, with room for {@code count} more. */
    private byte[] room(int count) {
        byte[] text = message;
        int least = size + count;
        // What is known to come at most: exact for a message that ends with this frame.
        int most = fin ? size + rest : maxMessage;
        if (text == null) {
            text = new byte[fin && rest == count ? least : Math.min(most, Math.max(least, LEAST))];
            message = text;
        } else if (text.length < least) {
            text = Arrays.copyOf(text, Math.min(most, 2 * least));
            message = text;
        }
        return text;
    }

    private void control(ByteBuf in) {
        byte[] payload = control;
        if (payload == null) {
            payload = new byte[rest];
            control = payload;
        }
        int from = payload.length - rest;
        int count = Math.min(rest, in.readableBytes());
        in.readBytes(payload, from, count);
        rest -= count;
        if (rest > 0) return;
        control = null;
        unmask(payload, 0, payload.length, key);
        stage = START;
        switch (opcode) {
            case PING -> sink.ping(payload);
            case PONG -> sink.pong();
            default -> close(payload);
        }
    }

    private void close(byte[] payload) {
        if (payload.length == 0) {
            stop();
            sink.closed(NO_STATUS);
            return;
        }
        int code = payload.length == 1 ? 0 : (payload[0] & 0xFF) << 8 | payload[1] & 0xFF;
        if (!mayBeSent(code)) {
            fail(CloseCode.PROTOCOL_ERROR, "close");
        } else if (Utf8.check(Utf8.COMPLETE, payload, 2, payload.length) != Utf8.COMPLETE) {
            fail(CloseCode.INVALID_UTF8, "utf8");
        } else {
            stop();
            sink.closed(code);
        }
    }

    /** Whether a close frame may carry the code (RFC 6455 §7.4, and the registry that goes with it). */
    static boolean mayBeSent(int code) {
        return code >= 3000 && code <= 4999 || code >= 1000 && code <= 1003 || code >= 1007 && code <= 1014;
    }

    private void fail(CloseCode code, String kind) {
        stop();
        sink.failed(code, kind);
    }

    /** Unmasks in place, eight bytes at a time (RFC 6455 §5.3). */
    static void unmask(byte[] bytes, int from, int count, int key) {
        if (key == 0) return;
        long twice = (key & 0xFFFFFFFFL) << 32 | key & 0xFFFFFFFFL;
        int i = from;
        int end = from + count;
        for (; i + 8 <= end; i += 8) LONGS.set(bytes, i, (long) LONGS.get(bytes, i) ^ twice);
        for (int shift = 24; i < end; i++, shift = shift - 8 & 31) bytes[i] ^= (byte) (key >>> shift);
    }
}
