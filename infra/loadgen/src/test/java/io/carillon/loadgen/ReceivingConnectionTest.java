package io.carillon.loadgen;

import static org.assertj.core.api.Assertions.assertThat;

import io.netty.buffer.ByteBuf;
import io.netty.buffer.Unpooled;
import io.netty.channel.embedded.EmbeddedChannel;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;

class ReceivingConnectionTest {

    private static final byte[] UPGRADED =
            "HTTP/1.1 101 Switching Protocols\r\n\r\n".getBytes(StandardCharsets.US_ASCII);

    private final Tally tally = new Tally();
    private final List<String> seen = new ArrayList<>();
    private final ReceivingConnection.Listener listener = new ReceivingConnection.Listener() {
        @Override
        public void ready(ReceivingConnection connection) {
            seen.add("ready");
        }

        @Override
        public void closed(ReceivingConnection connection, int code, String refusal) {
            seen.add("closed " + code + " " + refusal);
        }
    };

    private EmbeddedChannel connection(boolean awaitFrame) {
        byte[] request = ReceivingConnection.request("127.0.0.1", 1, "/", "token");
        EmbeddedChannel channel =
                new EmbeddedChannel(new ReceivingConnection(request, false, awaitFrame, tally, 1, listener));
        ((ByteBuf) channel.readOutbound()).release();
        return channel;
    }

    private static ByteBuf stream(long sent, int... sizes) {
        ByteBuf out = Unpooled.buffer();
        out.writeBytes(UPGRADED);
        Frames.text(out, "{\"type\":\"welcome\"}".getBytes(StandardCharsets.US_ASCII));
        for (int i = 0; i < sizes.length; i++) {
            Frames.text(out, new EventText("\"to\":\"u" + i + "\",", sizes[i]).bytes(sent, i));
        }
        return out;
    }

    @Test
    void framesAreCountedHoweverTheReadsCutThem() {
        int[] sizes = {200, 125, 126, 127, 70_000, 200};
        ByteBuf all = stream(System.nanoTime(), sizes);
        for (int cut : new int[] {1, 2, 3, 7, 150, 1_000, 100_000}) {
            long before = tally.events();
            EmbeddedChannel channel = connection(true);
            for (int at = 0; at < all.readableBytes(); at += cut) {
                channel.writeInbound(all.copy(at, Math.min(cut, all.readableBytes() - at)));
            }
            assertThat(tally.events() - before).as("cut into %d", cut).isEqualTo(sizes.length);
            channel.finishAndReleaseAll();
        }
        all.release();
    }

    @Test
    void eventsOfAStreamAreCountedHoweverTheReadsCutThem() {
        int[] sizes = {200, 125, 70_000, 200};
        ByteBuf all = Unpooled.buffer();
        all.writeCharSequence(
                "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\nid: a\ndata: {}\n\n: still there\n\n",
                StandardCharsets.US_ASCII);
        for (int size : sizes) {
            all.writeCharSequence("id: b\ndata: ", StandardCharsets.US_ASCII);
            all.writeBytes(new EventText("\"to\":\"u\",", size).bytes(System.nanoTime(), 1));
            all.writeCharSequence("\n\n", StandardCharsets.US_ASCII);
        }
        for (int cut : new int[] {1, 2, 3, 7, 150, 1_000, 100_000}) {
            seen.clear();
            long before = tally.events();
            byte[] request = ReceivingConnection.streamRequest("127.0.0.1", 1, "/", "token");
            EmbeddedChannel channel =
                    new EmbeddedChannel(new ReceivingConnection(request, true, true, tally, 1, listener));
            ((ByteBuf) channel.readOutbound()).release();
            for (int at = 0; at < all.readableBytes(); at += cut) {
                channel.writeInbound(all.copy(at, Math.min(cut, all.readableBytes() - at)));
            }
            assertThat(tally.events() - before).as("cut into %d", cut).isEqualTo(sizes.length);
            assertThat(seen).containsExactly("ready");
            channel.finishAndReleaseAll();
        }
        all.release();
    }

    @Test
    void aChatMessageIsFoundInWhatTheServerMakesOfIt() {
        String content = new String(
                        EventText.chat(200).bytes(System.nanoTime() - 50_000_000, 1), StandardCharsets.US_ASCII)
                .substring(28);
        ByteBuf out = Unpooled.buffer().writeBytes(UPGRADED);
        Frames.text(out, "{\"type\":\"online_count\",\"data\":{\"count\":1}}".getBytes(StandardCharsets.US_ASCII));
        Frames.text(
                out,
                ("{\"type\":\"message\",\"data\":{\"id\":1,\"content\":" + content + "}")
                        .getBytes(StandardCharsets.US_ASCII));
        EmbeddedChannel channel = connection(true);
        long before = tally.events();
        channel.writeInbound(out);
        assertThat(tally.events() - before).isEqualTo(1);
        assertThat(tally.takeLatencies().getMaxValue()).isBetween(50_000_000L, 5_000_000_000L);
        channel.finishAndReleaseAll();
    }

    @Test
    void latencyCountsFromTheScheduledTime() {
        EmbeddedChannel channel = connection(true);
        channel.writeInbound(stream(System.nanoTime() - 50_000_000, 200));
        assertThat(tally.takeLatencies().getMaxValue()).isBetween(50_000_000L, 5_000_000_000L);
        channel.finishAndReleaseAll();
    }

    @Test
    void readyComesWithTheFirstFrameOnlyWhereThatIsAwaited() {
        EmbeddedChannel waiting = connection(true);
        waiting.writeInbound(Unpooled.wrappedBuffer(UPGRADED));
        assertThat(seen).isEmpty();
        EmbeddedChannel upgraded = connection(false);
        upgraded.writeInbound(Unpooled.wrappedBuffer(UPGRADED));
        assertThat(seen).containsExactly("ready");
        waiting.finishAndReleaseAll();
        upgraded.finishAndReleaseAll();
    }

    @Test
    void aRefusalIsToldInTheServersWords() {
        EmbeddedChannel channel = connection(true);
        channel.writeInbound(Unpooled.copiedBuffer(
                "HTTP/1.1 401 Unauthorized\r\nContent-Length: 2\r\n\r\n{}", StandardCharsets.US_ASCII));
        assertThat(seen).containsExactly("closed 0 HTTP/1.1 401 Unauthorized {}");
        channel.finishAndReleaseAll();
    }

    @Test
    void aPingIsAnsweredWithItsOwnData() {
        EmbeddedChannel channel = connection(false);
        channel.writeInbound(Unpooled.wrappedBuffer(UPGRADED));
        channel.writeInbound(Unpooled.wrappedBuffer(new byte[] {(byte) 0x89, 2, 'h', 'i'}));
        ByteBuf pong = channel.readOutbound();
        assertThat(pong.getByte(0)).isEqualTo((byte) 0x8a);
        assertThat(pong.toString(6, 2, StandardCharsets.US_ASCII)).isEqualTo("hi");
        pong.release();
        channel.finishAndReleaseAll();
    }
}
