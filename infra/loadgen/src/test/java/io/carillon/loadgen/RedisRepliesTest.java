package io.carillon.loadgen;

import static org.assertj.core.api.Assertions.assertThat;

import io.netty.buffer.Unpooled;
import io.netty.channel.embedded.EmbeddedChannel;
import java.nio.charset.StandardCharsets;
import java.util.List;
import org.junit.jupiter.api.Test;

class RedisRepliesTest {

    @Test
    void repliesAreReadByteByByte() {
        EmbeddedChannel channel = new EmbeddedChannel(new RedisReplies());
        String replies = ":7\r\n-NOPERM no\r\n*3\r\n$7\r\nmessage\r\n$1\r\nc\r\n$-1\r\n*0\r\n+OK\r\n";
        for (byte b : replies.getBytes(StandardCharsets.US_ASCII)) {
            channel.writeInbound(Unpooled.wrappedBuffer(new byte[] {b}));
        }
        assertThat((Object) channel.readInbound()).isEqualTo(7L);
        assertThat((Object) channel.readInbound()).isEqualTo(new RedisReplies.Failure("NOPERM no"));
        List<?> message = channel.readInbound();
        assertThat(message).hasSize(3);
        assertThat((byte[]) message.get(0)).asString(StandardCharsets.US_ASCII).isEqualTo("message");
        assertThat((Object) message.get(2)).isEqualTo(RedisReplies.Nothing.NOTHING);
        assertThat((List<?>) channel.readInbound()).isEmpty();
        assertThat((byte[]) channel.readInbound())
                .asString(StandardCharsets.US_ASCII)
                .isEqualTo("OK");
        assertThat((Object) channel.readInbound()).isNull();
        channel.finishAndReleaseAll();
    }
}
