package io.carillon.node.session;

import io.netty.buffer.ByteBuf;
import io.netty.util.concurrent.EventExecutor;
import io.netty.util.concurrent.ImmediateEventExecutor;
import java.util.ArrayList;
import java.util.List;

/** A socket whose client reads only when told to: it takes frames up to a high water mark, the kernel takes none. */
public final class StalledSocket implements Socket {
    private final EventExecutor loop;
    private final long highWater;
    private final List<byte[]> written = new ArrayList<>();
    private final List<CloseCode> closes = new ArrayList<>();
    private long pending;
    private int flushes;

    public StalledSocket(long highWater) {
        this(ImmediateEventExecutor.INSTANCE, highWater);
    }

    public StalledSocket(EventExecutor loop, long highWater) {
        this.loop = loop;
        this.highWater = highWater;
    }

    /** The client reads everything that was written so far. */
    public void read() {
        pending = 0;
    }

    /** The client reads some. */
    public void read(long bytes) {
        pending = Math.max(0, pending - bytes);
    }

    public List<byte[]> written() {
        return written;
    }

    public List<CloseCode> closes() {
        return closes;
    }

    public int flushes() {
        return flushes;
    }

    @Override
    public EventExecutor loop() {
        return loop;
    }

    @Override
    public String address() {
        return "127.0.0.1";
    }

    @Override
    public void write(ByteBuf frames) {
        byte[] bytes = new byte[frames.readableBytes()];
        frames.readBytes(bytes);
        frames.release();
        written.add(bytes);
        pending += bytes.length;
    }

    @Override
    public void flush() {
        flushes++;
    }

    @Override
    public boolean writable() {
        return pending < highWater;
    }

    @Override
    public long pendingBytes() {
        return pending;
    }

    @Override
    public void close(CloseCode code) {
        closes.add(code);
    }
}
