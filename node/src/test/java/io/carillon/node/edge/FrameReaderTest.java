package io.carillon.node.edge;

import static org.assertj.core.api.Assertions.assertThat;

import io.carillon.node.session.Bucket;
import io.carillon.node.session.CloseCode;
import io.netty.buffer.ByteBuf;
import io.netty.buffer.Unpooled;
import java.nio.ByteBuffer;
import java.nio.CharBuffer;
import java.nio.charset.CharsetDecoder;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.Test;

class FrameReaderTest {
    private final List<String> seen = new ArrayList<>();

    private final FrameReader.Sink sink = new FrameReader.Sink() {
        @Override
        public void message(byte[] text) {
            seen.add("message " + new String(text, StandardCharsets.UTF_8));
        }

        @Override
        public void ping(byte[] payload) {
            seen.add("ping " + new String(payload, StandardCharsets.UTF_8));
        }

        @Override
        public void pong() {
            seen.add("pong");
        }

        @Override
        public void closed(int code) {
            seen.add("closed " + code);
        }

        @Override
        public void failed(CloseCode code, String kind) {
            seen.add("failed " + code.code() + " " + kind);
        }
    };

    @Test
    void whereverTheStreamIsCutTheFramesAreTheSame() {
        byte[] stream = RawClient.join(
                RawClient.frame(0x01, "Grüße, ".getBytes(StandardCharsets.UTF_8), 0x11223344),
                RawClient.frame(0x89, "ping".getBytes(StandardCharsets.UTF_8), 0x55667788),
                RawClient.frame(0x80, "你好 👍".getBytes(StandardCharsets.UTF_8), 0x99AABBCC),
                RawClient.frame(0x81, "x".repeat(300).getBytes(StandardCharsets.UTF_8), 0x0A0B0C0D),
                RawClient.frame(0x8A, new byte[0], 0x01010101),
                RawClient.frame(0x81, new byte[0], 0x01010101),
                RawClient.frame(0x88, new byte[] {3, (byte) 0xE8}, 0x7F7F7F7F));
        List<String> whole = List.of(
                "ping ping", "message Grüße, 你好 👍", "message " + "x".repeat(300), "pong", "message ", "closed 1000");
        var random = new Random(7);
        for (int round = 0; round < 2_000; round++) {
            seen.clear();
            var reader = new FrameReader(sink, 1_000, 10);
            for (int at = 0; at < stream.length; ) {
                int count = Math.min(stream.length - at, 1 + random.nextInt(round % 60 + 1));
                reader.read(Unpooled.wrappedBuffer(stream, at, count), 0);
                at += count;
            }
            assertThat(seen).isEqualTo(whole);
            assertThat(reader.assembling()).isFalse();
        }
    }

    @Test
    void noInputMakesItThrowOrReadOnAfterAFailure() {
        var random = new Random(11);
        for (int round = 0; round < 20_000; round++) {
            seen.clear();
            var reader = new FrameReader(sink, 500, 10);
            byte[] noise = new byte[random.nextInt(200)];
            random.nextBytes(noise);
            // Half of them begin like frames, to get further.
            for (int i = 0; i + 1 < noise.length && round % 2 == 0; i += 40) {
                noise[i] = (byte) (0x80 | random.nextInt(3));
                noise[i + 1] = (byte) (0x80 | random.nextInt(40));
            }
            ByteBuf in = Unpooled.wrappedBuffer(noise);
            reader.read(in, 0);
            assertThat(seen.stream().filter(event -> event.startsWith("failed") || event.startsWith("closed")))
                    .hasSizeLessThanOrEqualTo(1);
        }
    }

    @Test
    void memoryFollowsWhatCameNotWhatWasAnnounced() {
        int limit = 16 * 1024 * 1024;
        var readers = new ArrayList<FrameReader>();
        byte[] header = RawClient.bytes("81FF0000000000FFFFFF 00000000", "61".repeat(1_000));
        long before = used();
        for (int i = 0; i < 1_000; i++) {
            var reader = new FrameReader(sink, limit, 10);
            reader.read(Unpooled.wrappedBuffer(header), 0);
            readers.add(reader);
        }
        long each = (used() - before) / readers.size();
        assertThat(each).isLessThan(2 * 1_000 + 300);
        assertThat(readers).allMatch(FrameReader::assembling);
    }

    private static long used() {
        for (int i = 0; i < 3; i++) System.gc();
        Runtime runtime = Runtime.getRuntime();
        return runtime.totalMemory() - runtime.freeMemory();
    }

    @Test
    void utf8AgreesWithTheJdkOnEveryShortSequence() {
        byte[] bytes = new byte[4];
        int[] interesting = {0x61, 0x7F, 0x80, 0x8F, 0x90, 0xA0, 0xBF, 0xC2};
        for (int a = 0; a < 256; a++) {
            for (int b = 0; b < 256; b++) {
                for (int c : interesting) {
                    for (int d : interesting) {
                        bytes[0] = (byte) a;
                        bytes[1] = (byte) b;
                        bytes[2] = (byte) c;
                        bytes[3] = (byte) d;
                        int state = Utf8.COMPLETE;
                        for (int i = 0; i < 4 && state != Utf8.INVALID; i++) state = Utf8.check(state, bytes, i, i + 1);
                        if ((state == Utf8.COMPLETE) != valid(bytes))
                            throw new AssertionError(java.util.Arrays.toString(bytes));
                        if (Utf8.check(Utf8.COMPLETE, bytes, 0, 4) != state)
                            throw new AssertionError(java.util.Arrays.toString(bytes));
                    }
                }
            }
        }
    }

    private final CharsetDecoder decoder = StandardCharsets.UTF_8.newDecoder();
    private final CharBuffer decoded = CharBuffer.allocate(8);

    private boolean valid(byte[] bytes) {
        return !decoder.reset()
                .decode(ByteBuffer.wrap(bytes), decoded.clear(), true)
                .isError();
    }

    @Test
    void aBucketHoldsItsBurstAndFillsAtItsRate() {
        long full = 0;
        for (int i = 0; i < 3; i++) {
            long next = Bucket.take(full, 0, 100, 3);
            assertThat(next).isNotEqualTo(full);
            full = next;
        }
        assertThat(Bucket.take(full, 0, 100, 3)).isEqualTo(full);
        assertThat(Bucket.take(full, 99, 100, 3)).isEqualTo(full);
        assertThat(Bucket.take(full, 100, 100, 3)).isNotEqualTo(full);
    }
}
