package io.carillon.loadgen;

import io.netty.buffer.ByteBuf;
import io.netty.buffer.Unpooled;
import io.netty.channel.EventLoop;
import java.nio.charset.StandardCharsets;
import java.util.ArrayDeque;
import java.util.Arrays;
import java.util.Deque;
import java.util.List;

/**
 * Publishes straight to Redis, all events due at one moment in one pipelined write.
 *
 * <pre>
 * PUBLISH &lt;channel&gt; &lt;event&gt;                              → receivers
 * FCALL carillon_publish 1 &lt;channel&gt; &lt;event&gt; &lt;id&gt;          → [offset, epoch, duplicate, receivers]
 * EVALSHA &lt;sha1&gt; 1 &lt;channel&gt; &lt;event&gt; &lt;id&gt; trusted 1        → [offset, epoch, timestamp, duplicate, receivers]
 * </pre>
 */
final class RedisSink implements Sink {

    private static final byte[] PUBLISH = ascii("PUBLISH");
    private static final byte[] FCALL = ascii("FCALL");
    private static final byte[] FUNCTION = ascii("carillon_publish");
    private static final byte[] EVALSHA = ascii("EVALSHA");
    private static final byte[] TRUSTED = ascii("trusted");
    private static final byte[] ONE = {'1'};

    /** The way in: {@code redis} plain, {@code fcall} as services do, {@code evalsha} as a node does. */
    enum Way {
        PLAIN,
        FUNCTION,
        SCRIPT
    }

    private final Way way;
    private final byte[] script;
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

    /** @param script SHA-1 of the publish script, loaded before; only for {@link Way#SCRIPT} */
    RedisSink(Transport transport, String url, Way way, String script, List<String> channels, int size)
            throws InterruptedException {
        this.way = way;
        this.script = ascii(script);
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
        switch (way) {
            case PLAIN -> RedisConnection.append(batch, PUBLISH, channel, text);
            case FUNCTION -> RedisConnection.append(batch, FCALL, FUNCTION, ONE, channel, text, id(number));
            case SCRIPT -> RedisConnection.append(batch, EVALSHA, script, ONE, channel, text, id(number), TRUSTED, ONE);
        }
        if (batchSize == batchTimes.length) {
            batchTimes = Arrays.copyOf(batchTimes, batchSize * 2);
        }
        batchTimes[batchSize++] = scheduledNanos;
    }

    private byte[] id(long number) {
        return ascii(idPrefix + number);
    }

    private static byte[] ascii(String text) {
        return text.getBytes(StandardCharsets.US_ASCII);
    }

    @Override
    public void flush() {
        if (batchSize == 0) {
            return;
        }
        ByteBuf commands = batch;
        long[] times = Arrays.copyOf(batchTimes, batchSize);
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
