package io.carillon.model.event;

import static org.assertj.core.api.Assertions.assertThat;

import java.nio.charset.StandardCharsets;
import java.util.Random;
import org.junit.jupiter.api.Test;
import tools.jackson.databind.ObjectMapper;

class JsonBytesTest {
    private final ObjectMapper mapper = new ObjectMapper();

    @Test
    void stringsAreEscapedAsRfc8259Asks() {
        assertThat(written("plain")).isEqualTo("\"plain\"");
        assertThat(written("a\"b\\c\n\r\t\b\f\u0001\u007f")).isEqualTo("\"a\\\"b\\\\c\\n\\r\\t\\b\\f\\u0001\u007f\"");
        assertThat(written("é你😀")).isEqualTo("\"é你😀\"");
        assertThat(written("\ud83d-\ude00")).isEqualTo("\"\\ud83d-\\ude00\"");
        assertThat(written("")).isEqualTo("\"\"");
    }

    @Test
    void anyStringComesBackAsItWas() {
        Random random = new Random(7);
        for (int n = 0; n < 5_000; n++) {
            StringBuilder text = new StringBuilder();
            for (int i = random.nextInt(40); i > 0; i--) {
                text.append((char) (random.nextBoolean() ? random.nextInt(0x90) : random.nextInt(0x10000)));
            }
            byte[] json = new JsonBytes(0).value(text.toString()).toBytes();
            assertThat(Utf8.valid(json)).isTrue();
            assertThat(mapper.readValue(json, String.class)).isEqualTo(text.toString());
        }
    }

    @Test
    void integersOfEveryLengthAreWritten() {
        long[] numbers = {0, 1, 9, 10, 99, 100, 1_760_000_000_123L, Long.MAX_VALUE, -1, Long.MIN_VALUE};
        for (long number : numbers) {
            assertThat(new String(new JsonBytes(0).value(number).toBytes(), StandardCharsets.US_ASCII))
                    .isEqualTo(Long.toString(number));
        }
    }

    @Test
    void clearingStartsAgain() {
        JsonBytes out = new JsonBytes(4).raw("[1]");
        assertThat(out.size()).isEqualTo(3);
        assertThat(out.clear().raw('2').toBytes()).containsExactly('2');
    }

    private static String written(String text) {
        return new String(new JsonBytes(0).value(text).toBytes(), StandardCharsets.UTF_8);
    }
}
