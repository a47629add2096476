package io.carillon.loadgen;

import static org.assertj.core.api.Assertions.assertThat;

import java.nio.charset.StandardCharsets;
import java.util.Map;
import org.junit.jupiter.api.Test;

class EventTextTest {

    @Test
    void everyEventHasTheSameSizeAndIsJson() {
        EventText text = new EventText("\"to\":\"u1\",", 200);
        for (long sent : new long[] {1, 123_456_789_012L, Long.MAX_VALUE}) {
            byte[] event = text.bytes(sent, sent);
            assertThat(event).hasSize(200);
            Map<String, Object> json = Json.map(new String(event, StandardCharsets.UTF_8));
            assertThat(json).containsEntry("type", "bench").containsEntry("to", "u1");
            assertThat((Map<?, ?>) json.get("content"))
                    .extracting("sent")
                    .isEqualTo(sent <= Integer.MAX_VALUE ? (Object) (int) sent : sent);
        }
    }

    @Test
    void aChatMessageIsATextThatNoEscapingTouches() {
        String text = new String(EventText.chat(200).bytes(123456789, 7), StandardCharsets.US_ASCII);
        assertThat(text)
                .hasSize(200)
                .startsWith("{\"type\":\"message\",\"content\":\"sent-at=123456789 n=7 x")
                .endsWith("x\"}");
        assertThat(text.substring(30, 198)).doesNotContain("\"", "&", "<", ">", "'");
    }
}
