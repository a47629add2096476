package io.carillon.model.event;

import static org.assertj.core.api.Assertions.assertThat;

import java.nio.ByteBuffer;
import java.nio.CharBuffer;
import java.nio.charset.CharsetDecoder;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.Random;
import org.junit.jupiter.api.Test;

class Utf8Test {
    private static final CharsetDecoder DECODER = StandardCharsets.UTF_8.newDecoder();
    private static final CharBuffer OUT = CharBuffer.allocate(512);

    @Test
    void everySequenceOfThreeBytesIsJudgedAsTheDecoderOfTheJdkDoes() {
        byte[] bytes = new byte[3];
        for (int i = 0; i < 1 << 24; i++) {
            bytes[0] = (byte) (i >> 16);
            bytes[1] = (byte) (i >> 8);
            bytes[2] = (byte) i;
            // Continuations differ only at their edges: one in the middle stands for all.
            if (bytes[0] >= 0 && bytes[1] >= 0 && bytes[2] > 1) continue;
            if (Utf8.valid(bytes) != decodes(bytes)) {
                assertThat(Utf8.valid(bytes)).as(Arrays.toString(bytes)).isEqualTo(decodes(bytes));
            }
        }
    }

    @Test
    void sequencesOfFourBytesAreJudgedAsTheDecoderOfTheJdkDoes() {
        int[] edges = {0x00, 0x41, 0x7f, 0x80, 0x8f, 0x90, 0x9f, 0xa0, 0xbf, 0xc0, 0xc2, 0xe0, 0xed, 0xff};
        for (int lead = 0xec; lead <= 0xff; lead++) {
            for (int second : edges) {
                for (int third : edges) {
                    for (int fourth : edges) {
                        byte[] bytes = {(byte) lead, (byte) second, (byte) third, (byte) fourth};
                        assertThat(Utf8.valid(bytes)).as(Arrays.toString(bytes)).isEqualTo(decodes(bytes));
                    }
                }
            }
        }
    }

    @Test
    void oneBadByteIsFoundWhereverItLies() {
        Random random = new Random(1);
        for (int length = 1; length < 70; length++) {
            byte[] bytes = new byte[length];
            for (int at = 0; at < length; at++) {
                Arrays.fill(bytes, (byte) 'x');
                assertThat(Utf8.valid(bytes)).isTrue();
                bytes[at] = (byte) (0x80 + random.nextInt(0x40));
                assertThat(Utf8.valid(bytes)).as("%d of %d", at, length).isFalse();
            }
        }
    }

    @Test
    void textOfAllLengthsOfCharactersIsValid() {
        String text = "aé你😀".repeat(50);
        assertThat(Utf8.valid(text.getBytes(StandardCharsets.UTF_8))).isTrue();
        assertThat(Utf8.valid(new byte[0])).isTrue();
    }

    private static boolean decodes(byte[] bytes) {
        DECODER.reset();
        OUT.clear();
        return DECODER.decode(ByteBuffer.wrap(bytes), OUT, true).isUnderflow();
    }
}
