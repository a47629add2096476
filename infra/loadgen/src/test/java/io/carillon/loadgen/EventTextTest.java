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
}
