package io.carillon.node.session;

import static org.assertj.core.api.Assertions.assertThat;

import io.netty.buffer.ByteBuf;
import io.netty.buffer.Unpooled;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;

class OutboxTest {
    private static final OutboxSettings SETTINGS = new OutboxSettings(1000, 10, Duration.ofSeconds(10));

    private final StalledSocket socket = new StalledSocket(100);
    private final Outbox outbox = new Outbox(socket, SETTINGS);
    private final List<ByteBuf> buffers = new ArrayList<>();

    private ByteBuf frame(int size, int mark) {
        ByteBuf frame = Unpooled.buffer(size);
        for (int i = 0; i < size; i++) frame.writeByte(mark);
        buffers.add(frame);
        return frame;
    }

    @Test
    void framesWaitUntilTheWelcomeIsOut() {
        assertThat(outbox.offer(frame(5, 2), 1, 0)).isTrue();
        assertThat(socket.written()).isEmpty();
        outbox.first(frame(5, 1));
        outbox.release();
        assertThat(socket.written()).extracting(b -> b[0]).containsExactly((byte) 1, (byte) 2);
    }

    @Test
    void framesPassStraightThroughWhileTheClientReads() {
        outbox.release();
        for (int i = 0; i < 50; i++) {
            assertThat(outbox.offer(frame(60, i), 1, 0)).isTrue();
            socket.read();
        }
        assertThat(socket.written()).hasSize(50);
        assertThat(outbox.frames()).isZero();
    }

    @Test
    void framesLeaveInTheOrderInWhichTheyWereOffered() {
        outbox.release();
        for (int i = 0; i < 8; i++) assertThat(outbox.offer(frame(60, i), 1, 0)).isTrue();
        assertThat(socket.written()).hasSize(2);
        socket.read();
        outbox.drain();
        assertThat(outbox.offer(frame(60, 8), 1, 0)).isTrue();
        while (outbox.frames() > 0) {
            socket.read();
            outbox.drain();
        }
        assertThat(socket.written()).extracting(b -> (int) b[0]).containsExactly(0, 1, 2, 3, 4, 5, 6, 7, 8);
    }

    @Test
    void moreBytesThanTheLimitAreRefused() {
        outbox.release();
        int taken = 0;
        while (outbox.offer(frame(200, 1), 1, 0)) taken++;
        assertThat(taken).isBetween(4, 5);
        assertThat(outbox.bytes()).isLessThanOrEqualTo(1000);
    }

    @Test
    void moreFramesThanTheLimitAreRefused() {
        outbox.release();
        outbox.offer(frame(100, 1), 1, 0);
        int taken = 0;
        while (outbox.offer(frame(1, 1), 1, 0)) taken++;
        assertThat(taken).isEqualTo(10);
    }

    @Test
    void oneBatchLargerThanTheLimitIsNotSlowness() {
        outbox.release();
        outbox.offer(frame(100, 1), 1, 0);
        assertThat(outbox.offer(frame(5000, 1), 50, 0)).isTrue();
        assertThat(outbox.offer(frame(1, 1), 1, 0)).isFalse();
    }

    @Test
    void aFrameThatWaitsTenSecondsIsTooLong() {
        outbox.release();
        outbox.offer(frame(100, 1), 1, 1_000);
        outbox.offer(frame(100, 1), 1, 2_000);
        assertThat(outbox.onTime(11_999)).isTrue();
        assertThat(outbox.onTime(12_000)).isFalse();
    }

    @Test
    void aRestTheKernelDoesNotTakeIsTooLongToo() {
        outbox.release();
        outbox.offer(frame(50, 1), 1, 0);
        assertThat(outbox.onTime(1_000)).isTrue();
        assertThat(outbox.onTime(10_999)).isTrue();
        assertThat(outbox.onTime(11_000)).isFalse();
    }

    @Test
    void aClientThatReadsSlowlyButReadsIsOnTime() {
        outbox.release();
        outbox.offer(frame(99, 1), 1, 0);
        for (int second = 1; second < 60; second++) {
            assertThat(outbox.onTime(second * 1000L)).isTrue();
            socket.read(1);
        }
    }

    @Test
    void closingReleasesWhatWaits() {
        outbox.release();
        for (int i = 0; i < 8; i++) outbox.offer(frame(60, i), 1, 0);
        outbox.close();
        assertThat(outbox.offer(frame(60, 9), 1, 0)).isTrue();
        assertThat(buffers).allMatch(buffer -> buffer.refCnt() == 0);
    }
}
