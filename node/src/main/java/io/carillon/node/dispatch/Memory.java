package io.carillon.node.dispatch;

import io.netty.buffer.PooledByteBufAllocator;
import io.netty.util.internal.PlatformDependent;

/**
 * How much memory frames may take that wait for clients of this node, over all sessions and loops. Frames are shared, so
 * what counts is what the allocator has given out, not what sessions wait for. Safe from any thread.
 */
final class Memory {
    /** A look at the allocator costs a microsecond: one in so many nanoseconds is enough. */
    private static final long STALE = 2_000_000;

    private final PooledByteBufAllocator allocator;
    private final long budget;
    private volatile long used;
    private volatile long lookedAt = System.nanoTime() - STALE;

    /** @param budget bytes; 0 = half of the direct memory this process may have */
    Memory(PooledByteBufAllocator allocator, long budget) {
        this.allocator = allocator;
        this.budget = budget > 0 ? budget : Math.max(1, PlatformDependent.maxDirectMemory() / 2);
    }

    long used() {
        long now = System.nanoTime();
        if (now - lookedAt >= STALE) {
            used = allocator.pinnedDirectMemory();
            lookedAt = now;
        }
        return used;
    }

    /** Whether there is room for another event: the last quarter is for those that are kept. */
    boolean takes(boolean durable) {
        return used() <= (durable ? budget : budget / 4 * 3);
    }

    /** Whether some of it has to be given up. */
    boolean exceeded() {
        return used() > budget;
    }
}
