package io.carillon.loadgen;

import io.netty.buffer.ByteBuf;
import io.netty.buffer.Unpooled;
import io.netty.channel.EventLoop;
import java.nio.charset.StandardCharsets;
import java.util.ArrayDeque;
import java.util.Deque;
import java.util.List;

/**
 * Publishes straight to Redis, all events due at one moment in one pipelined write.
 *
 * <pre>
 * PUBLISH &lt;channel&gt; &lt;event&gt;                              → receivers
 * FCALL carillon_publish 1 &lt;channel&gt; &lt;event&gt; &lt;id&gt;          → [offset, epoch, duplicate, receivers]
 * </pre>
 */
final class RedisSink implements Sink {

    private static final byte[] PUBLISH = "PUBLISH".getBytes(StandardCharsets.US_ASCII);
    private static final byte[] FCALL = "FCALL".getBytes(StandardCharsets.US_ASCII);
    private static final byte[] FUNCTION = "carillon_publish".getBytes(StandardCharsets.US_ASCII);
    private static final byte[] ONE = {'1'};

    private final boolean durable;
    private final byte[][] channels;
    private final EventText event;
    private final EventLoop loop;
    private final RedisConnection redis;
    private final Answers answers = new Answers();
    private final String idPrefix = "lg" + Long.toString(System.nanoTime(), 36) + "-";

    /** Scheduled times of the commands on their way; the event loop's. */
    private final Deque<Long> waiting = new ArrayDeque<>();

    /** The batch being filled; the pacing thread's. */
    private ByteBuf batch = Unpooled.buffer(4096);

    private long[] batchTimes = new long[64];
    private int batchSize;

    RedisSink(Transport transport, String url, boolean durable, List<String> channels, int size)
            throws InterruptedException {
        this.durable = durable;
        this.channels = channels.stream()
                .map(channel -> channel.getBytes(StandardCharsets.UTF_8))
                .toArray(byte[][]::new);
        this.event = new EventText("", size);
        this.loop = transport.loops().getFirst();
        this.redis = RedisConnection.open(transport, loop, url, this::answer);
    }

    @Override
    public void send(long number, long scheduledNanos) {
        byte[] channel = channels[(int) (number % channels.length)];
        byte[] text = event.bytes(scheduledNanos, number);
        if (durable) {
            byte[] id = (idPrefix + number).getBytes(StandardCharsets.US_ASCII);
            RedisConnection.append(batch, FCALL, FUNCTION, ONE, channel, text, id);
        } else {
            RedisConnection.append(batch, PUBLISH, channel, text);
        }
        if (batchSize == batchTimes.length) {
            batchTimes = java.util.Arrays.copyOf(batchTimes, batchSize * 2);
        }
        batchTimes[batchSize++] = scheduledNanos;
    }

    @Override
    public void flush() {
        if (batchSize == 0) {
            return;
        }
        ByteBuf commands = batch;
        long[] times = java.util.Arrays.copyOf(batchTimes, batchSize);
        batch = Unpooled.buffer(4096);
        batchSize = 0;
        loop.execute(() -> {
            for (long time : times) {
                waiting.add(time);
            }
            redis.send(commands);
        });
    }

    private void answer(Object reply) {
        Long scheduled = waiting.poll();
        if (scheduled == null) {
            return;
        }
        switch (reply) {
            case Long receivers -> answers.accepted(scheduled, receivers);
            case RedisReplies.Failure failure -> answers.failed(failure.message());
            case List<?> items
            when items.size() >= 4 && items.get(3) instanceof Long receivers -> answers.accepted(scheduled, receivers);
            default -> answers.accepted(scheduled, 0);
        }
    }

    @Override
    public Answers answers() {
        return answers;
    }

    @Override
    public void close() {
        redis.close();
    }
}
