package io.carillon.loadgen;

import io.netty.buffer.ByteBuf;
import io.netty.channel.ChannelHandlerContext;
import io.netty.handler.codec.ByteToMessageDecoder;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * Decodes RESP2 replies (redis.io/docs/latest/develop/reference/protocol-spec): a {@link Long}, a {@code byte[]} for
 * texts, a {@link Failure}, a {@link Nothing}, or a {@link List} of these.
 */
final class RedisReplies extends ByteToMessageDecoder {

    /** An error reply. */
    record Failure(String message) {}

    /** A null reply. */
    enum Nothing {
        NOTHING
    }

    private int at;

    @Override
    protected void decode(ChannelHandlerContext ctx, ByteBuf in, List<Object> out) {
        at = in.readerIndex();
        Object reply = reply(in);
        if (reply != null) {
            in.readerIndex(at);
            out.add(reply);
        }
    }

    /** The reply that starts at {@code at}, which moves behind it; null if it isn't whole yet. */
    private @Nullable Object reply(ByteBuf in) {
        int end = in.indexOf(at, in.writerIndex(), (byte) '\r');
        if (end < 0 || end + 2 > in.writerIndex()) {
            return null;
        }
        byte kind = in.getByte(at);
        int start = at + 1;
        at = end + 2;
        return switch (kind) {
            case '+' -> in.toString(start, end - start, StandardCharsets.UTF_8).getBytes(StandardCharsets.UTF_8);
            case '-' -> new Failure(in.toString(start, end - start, StandardCharsets.UTF_8));
            case ':' -> number(in, start, end);
            case '$' -> bulk(in, (int) number(in, start, end));
            case '*' -> array(in, (int) number(in, start, end));
            default -> throw new IllegalStateException("not a RESP2 reply: " + (char) kind);
        };
    }

    private @Nullable Object bulk(ByteBuf in, int size) {
        if (size < 0) {
            return Nothing.NOTHING;
        }
        if (in.writerIndex() - at < size + 2) {
            return null;
        }
        byte[] data = new byte[size];
        in.getBytes(at, data);
        at += size + 2;
        return data;
    }

    private @Nullable Object array(ByteBuf in, int size) {
        if (size < 0) {
            return Nothing.NOTHING;
        }
        List<Object> items = new ArrayList<>(size);
        for (int i = 0; i < size; i++) {
            Object item = reply(in);
            if (item == null) {
                return null;
            }
            items.add(item);
        }
        return items;
    }

    private static long number(ByteBuf in, int start, int end) {
        long value = 0;
        boolean negative = in.getByte(start) == '-';
        for (int i = negative ? start + 1 : start; i < end; i++) {
            value = value * 10 + (in.getByte(i) - '0');
        }
        return negative ? -value : value;
    }
}
