package io.carillon.node.edge;

import static io.carillon.node.edge.RawClient.bytes;
import static io.carillon.node.edge.RawClient.filled;
import static io.carillon.node.edge.RawClient.frame;
import static io.carillon.node.edge.RawClient.join;
import static io.carillon.node.edge.RawClient.repeat;
import static org.assertj.core.api.Assertions.assertThat;

import io.carillon.node.edge.RawClient.Frame;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.ExtendWith;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/**
 * RFC 6455 on the wire: framing (F), lengths (L), masking (M), pings (P), reserved bits (R), opcodes (O), fragments (G),
 * UTF-8 (U), closing (C), and that no extension is spoken (D).
 */
@ExtendWith(NoLeaks.class)
class ConformanceTest {
    private static final int LIMIT = 512 * 1024;
    private static final byte[] NOTHING = {};
    private static final byte[] KOSME = bytes("CEBAE1BDB9CF83CEBCCEB5");

    private static EchoNode node;

    @BeforeAll
    static void start() {
        node = EchoNode.start("carillon.edge.assembly=5s");
    }

    @AfterAll
    static void stop() {
        node.awaitEmpty();
        node.close();
        assertThat(EchoNode.logged()).isEmpty();
    }

    /**
     * A case.
     *
     * @param cut bytes a TCP segment is to have; 0 = as they come
     * @param frames what the server answers, in order: {@code text}, {@code pong} with its payload, {@code close} with
     *     its code; after a close TCP ends
     */
    record Case(String name, byte[] sent, int cut, List<String> frames) {
        @Override
        public String toString() {
            return name;
        }

        Case cut(int segment) {
            return new Case(name, sent, segment, frames);
        }
    }

    private static Case of(String name, byte[] sent, String... frames) {
        return new Case(name, sent, 0, List.of(frames));
    }

    private static Case fails(String name, int code, byte[]... sent) {
        return of(name, join(sent), "close " + code);
    }

    private static byte[] text(String text) {
        return frame(0x81, text.getBytes(StandardCharsets.UTF_8));
    }

    private static byte[] text(byte[] text) {
        return frame(0x81, text);
    }

    private static byte[] close(int code) {
        return frame(0x88, new byte[] {(byte) (code >> 8), (byte) code});
    }

    private static String latin(byte[] bytes) {
        return new String(bytes, StandardCharsets.ISO_8859_1);
    }

    private static String echo(byte[] text) {
        return "text " + latin(text);
    }

    private static String pong(byte[] payload) {
        return "pong " + latin(payload);
    }

    static Stream<Case> framing() {
        var cases = new ArrayList<Case>();
        int[] sizes = {0, 125, 126, 127, 128, 65_535, 65_536, 200_000};
        for (int i = 0; i < sizes.length; i++) {
            byte[] stars = filled(sizes[i], '*');
            cases.add(of("F1." + (i + 1) + " text of " + sizes[i], text(stars), echo(stars)));
            cases.add(of("F1." + (i + 1) + " masked", frame(0x81, stars, 0x37FA213D), echo(stars)));
        }
        cases.add(of("F1.9 segments of 997", text(filled(65_535, '*')), echo(filled(65_535, '*')))
                .cut(997));
        cases.add(of(
                        "F1.9 masked, segments of 997",
                        frame(0x81, filled(65_535, '*'), 0x01020304),
                        echo(filled(65_535, '*')))
                .cut(997));
        cases.add(of("text of exactly the limit", text(filled(LIMIT, '*')), echo(filled(LIMIT, '*'))));
        cases.add(of(
                "ten texts in a segment",
                repeat(text("a"), 10),
                Stream.generate(() -> "text a").limit(10).toArray(String[]::new)));
        int[] binary = {0, 125, 126, 65_535, 65_536};
        for (int i = 0; i < binary.length; i++) {
            cases.add(fails("F2." + (i + 1) + " binary of " + binary[i], 1003, frame(0x82, filled(binary[i], 0xFE))));
        }
        return cases.stream();
    }

    static Stream<Case> lengthsAndMasks() {
        return Stream.of(
                fails("L1 16 bits for 5", 1002, bytes("81FE0005 00000000 68656c6c6f")),
                fails("L2 64 bits for 5", 1002, bytes("81FF0000000000000005 00000000 68656c6c6f")),
                fails("L3 64 bits for 300", 1002, bytes("81FF000000000000012C 00000000"), filled(300, 'a')),
                fails("L4 highest bit", 1002, bytes("81FF8000000000000005 00000000 68656c6c6f")),
                fails("L5 2^32+5", 1009, bytes("81FF0000000100000005 00000000 68656c6c6f"), text("valid")),
                fails("L6 2^31-1 of binary", 1009, bytes("82FF000000007FFFFFFF 00000000 68")),
                fails("L6 2^31-1 of text", 1009, bytes("81FF000000007FFFFFFF 00000000 68")),
                fails("L7 ping of 2^63-1", 1002, bytes("89FF7FFFFFFFFFFFFFFF 00000000")),
                fails("L8 reserved opcode of 2^31-1", 1002, bytes("83FF000000007FFFFFFF 00000000 78")),
                fails("L8 reserved opcode of 100 MiB", 1002, bytes("83FF0000000006400000 00000000 78")),
                fails("L9 the limit and 1, header only", 1009, bytes("81FF0000000000080001")),
                fails("M1 unmasked text", 1002, bytes("81 05 68656c6c6f")),
                fails("M2 unmasked ping", 1002, bytes("89 01 78")),
                fails("M3 unmasked close", 1002, bytes("88 02 03E8")),
                fails("M4 second fragment unmasked", 1002, bytes("0181 00000000 61  8001 62")),
                of("M5 a mask of zeros", bytes("8185 00000000 68656c6c6f"), "text hello"),
                fails("M6 unmasked empty text", 1002, bytes("8100")));
    }

    static Stream<Case> pings() {
        byte[] mixed = bytes("00FFFEFDFCFB00FF");
        byte[] full = filled(125, 0xFE);
        byte[][] ten = new byte[10][];
        String[] pongs = new String[10];
        for (int i = 0; i < 10; i++) {
            ten[i] = frame(0x89, new byte[] {(byte) ('0' + i)});
            pongs[i] = "pong " + i;
        }
        return Stream.of(
                of("P1 ping", frame(0x89, NOTHING), pong(NOTHING)),
                of("P2 13 bytes", frame(0x89, "Hello, world!".getBytes(StandardCharsets.UTF_8)), "pong Hello, world!"),
                of("P3 not UTF-8", frame(0x89, mixed, 0x01020304), pong(mixed)),
                of("P4 125 bytes", frame(0x89, full), pong(full)),
                fails("P5 126 bytes", 1002, bytes("89FE007E 00000000"), filled(126, 0xFE)),
                of("P6 125 bytes one by one", frame(0x89, full, 0x0A0B0C0D), pong(full))
                        .cut(1),
                of("P7 unasked pong", frame(0x8A, NOTHING)),
                of(
                        "P8 unasked pong, then ping",
                        join(frame(0x8A, bytes("7A7A")), frame(0x89, bytes("7070"))),
                        "pong pp"),
                of("P9 ten pings", join(ten), pongs),
                fails("P10 pong of 126", 1002, bytes("8AFE007E 00000000"), filled(126, 0xFE)));
    }

    static Stream<Case> reservedBitsAndOpcodes() {
        var cases = new ArrayList<Case>();
        byte[] valid = text("first");
        byte[] ping = frame(0x89, NOTHING);
        int[] firsts = {0x91, 0xA1, 0xB1, 0xC1, 0xD2, 0xE9, 0xF8};
        for (int i = 0; i < firsts.length; i++) {
            byte[] bad = frame(firsts[i], firsts[i] == 0xF8 ? NOTHING : bytes("78"));
            cases.add(of("R" + (i + 1) + " RSV " + (i + 1), join(valid, bad, ping), "text first", "close 1002"));
        }
        int[] opcodes = {3, 4, 5, 6, 7, 0xB, 0xC, 0xD, 0xE, 0xF};
        for (int i = 0; i < opcodes.length; i++) {
            String name = "O" + (i + 1) + " opcode " + Integer.toHexString(opcodes[i]);
            byte[] empty = frame(0x80 | opcodes[i], NOTHING);
            byte[] full = frame(0x80 | opcodes[i], bytes("7878"));
            cases.add(fails(name, 1002, empty));
            cases.add(fails(name + " with payload", 1002, full));
            cases.add(of(name + " between a text and a ping", join(valid, full, ping), "text first", "close 1002"));
        }
        return cases.stream();
    }

    static Stream<Case> fragments() {
        byte[] a = frame(0x01, bytes("61"));
        byte[] end = frame(0x80, bytes("62"));
        byte[] between = frame(0x89, bytes("70"));
        return Stream.of(
                fails("G1 ping in fragments", 1002, frame(0x09, bytes("7878"))),
                fails("G2 pong in fragments", 1002, frame(0x0A, bytes("7878"))),
                fails("G3 close in fragments", 1002, frame(0x08, bytes("03E8"))),
                of("G4 two fragments", join(a, end), "text ab"),
                of(
                                "G5 one by one",
                                join(frame(0x01, bytes("61"), 0x11223344), frame(0x80, bytes("62"), 0x55667788)),
                                "text ab")
                        .cut(1),
                of("G6 ping between", join(a, between, end), "pong p", "text ab"),
                fails("G7 nothing to continue", 1002, end, text("x")),
                fails("G8 nothing to continue, not the last", 1002, frame(0x00, bytes("62")), text("x")),
                of("G9 continued after the end", join(a, end, frame(0x00, bytes("63"))), "text ab", "close 1002"),
                fails("G10 text in a text", 1002, a, text("x")),
                fails("G11 binary in a text", 1002, a, frame(0x82, bytes("78"))),
                of(
                        "G12 five fragments, two pings",
                        join(
                                frame(0x01, bytes("31")),
                                frame(0x00, bytes("32")),
                                frame(0x89, bytes("7031")),
                                frame(0x00, bytes("33")),
                                frame(0x00, bytes("34")),
                                frame(0x89, bytes("7032")),
                                frame(0x80, bytes("35"))),
                        "pong p1",
                        "pong p2",
                        "text 12345"),
                of("G13 three empty", join(frame(0x01, NOTHING), frame(0x00, NOTHING), frame(0x80, NOTHING)), "text "),
                of(
                        "G14 empty, data, empty",
                        join(frame(0x01, NOTHING), frame(0x00, bytes("78")), frame(0x80, NOTHING)),
                        "text x"),
                of(
                        "256 fragments",
                        join(a, repeat(frame(0x00, bytes("61")), 254), end),
                        "text " + "a".repeat(255) + "b"),
                fails("G15 1,000 fragments", 1008, a, repeat(frame(0x00, bytes("61")), 998), end),
                fails("X6 257 fragments", 1008, a, repeat(frame(0x00, bytes("61")), 256)),
                fails(
                        "G16 fragments of the limit and 1",
                        1009,
                        frame(0x01, filled(65_536, 'a')),
                        repeat(frame(0x00, filled(65_536, 'a')), 7),
                        frame(0x80, bytes("61"))),
                of(
                        "fragments of exactly the limit",
                        join(
                                frame(0x01, filled(65_536, 'a')),
                                repeat(frame(0x00, filled(65_536, 'a')), 6),
                                frame(0x80, filled(65_536, 'a'))),
                        echo(filled(LIMIT, 'a'))),
                fails("G17 20,000 empty continuations", 1008, a, repeat(frame(0x00, NOTHING), 20_000)),
                fails("empty continuations count twice", 1008, a, repeat(frame(0x00, NOTHING), 128)),
                fails("G18 100,000 one-byte continuations", 1008, a, repeat(frame(0x00, bytes("78")), 100_000)));
    }

    static Stream<Case> utf8() {
        var cases = new ArrayList<Case>();
        String[][] good = {
            {"U1.1 Greek", latin(KOSME)},
            {"U1.2 U+10FFFF", latin(bytes("F48FBFBF"))},
            {"U1.3 NUL", "\u0000"},
            {"U1.4 U+FFFE", latin(bytes("EFBFBE"))},
            {"U1.5 BOM", latin(bytes("EFBBBF78"))},
            {"U1.6 around the surrogates", latin(bytes("ED9FBFEE8080"))},
            {"first of each length", latin(bytes("00C280E0A080F0908080"))},
            {"last of each length", latin(bytes("7FDFBFEFBFBFF48FBFBF"))},
            {
                "long and mixed",
                latin("Ünïcödé 你好 👍 plain ASCII in between ".repeat(200).getBytes(StandardCharsets.UTF_8))
            }
        };
        for (String[] pair : good) {
            byte[] text = pair[1].getBytes(StandardCharsets.ISO_8859_1);
            cases.add(of(pair[0], frame(0x81, text, 0x12345678), echo(text)));
            if (text.length < 100)
                cases.add(of(pair[0] + ", one by one", frame(0x81, text), echo(text))
                        .cut(1));
        }
        var single = new ArrayList<byte[]>();
        for (int i = 0; i < KOSME.length; i++) {
            int first = (i == 0 ? 1 : 0) | (i == KOSME.length - 1 ? 0x80 : 0);
            single.add(frame(first, new byte[] {KOSME[i]}));
        }
        cases.add(of("U1.7 a byte a fragment", join(single.toArray(byte[][]::new)), echo(KOSME)));
        String[][] bad = {
            {"U2.1 lone continuation", "80"},
            {"U2.2 overlong 2", "C0AF"},
            {"U2.3 overlong 3", "E080AF"},
            {"U2.4 overlong 4", "F08080AF"},
            {"U2.5 overlong NUL", "C080"},
            {"U2.6 surrogate", "EDA080"},
            {"U2.7 pair of surrogates", "EDA080EDB080"},
            {"U2.8 above U+10FFFF", "F4908080"},
            {"U2.9 5 bytes", "F888808080"},
            {"U2.10 FE", "FE"},
            {"U2.11 FF", "FF"},
            {"U2.12 cut short", "616263CE"},
            {"U2.13 cut short", "F09F98"},
            {"U2.14 in the middle", "CEBAE1BDB9CF83CEBCCEB5EDA080656469746564"},
            {"continuation missing", "C361"},
            {"continuation too many", "C3A980"},
            {"last surrogate", "EDBFBF"},
            {"overlong U+07FF", "E09FBF"},
            {"overlong U+FFFF", "F08FBFBF"},
            {"F5", "F5808080"}
        };
        for (String[] pair : bad) {
            cases.add(fails(pair[0], 1007, text(bytes(pair[1])), text("next")));
            // Behind and inside runs of ASCII, which are looked at eight bytes at a time.
            cases.add(fails(pair[0] + ", behind ASCII", 1007, text(join(filled(37, 'a'), bytes(pair[1])))));
        }
        cases.add(fails(
                "U2.15 over fragments",
                1007,
                frame(0x01, bytes("ED")),
                frame(0x00, bytes("A0")),
                frame(0x80, bytes("80"))));
        cases.add(fails("U2.16 cut short, then an empty end", 1007, frame(0x01, bytes("61CE")), frame(0x80, NOTHING)));
        cases.add(fails("U3.1 bad fragment without an end", 1007, frame(0x01, KOSME), frame(0x00, bytes("F4908080"))));
        cases.add(fails("bad byte in a frame without an end", 1007, bytes("8194 00000000 FF")));
        cases.add(fails("U4.1 binary that is not UTF-8", 1003, frame(0x82, bytes("FFFE"))));
        cases.add(of("U4.2 ping that is not UTF-8", frame(0x89, bytes("FFFE")), pong(bytes("FFFE"))));
        return cases.stream();
    }

    static Stream<Case> closing() {
        var cases = new ArrayList<Case>();
        cases.add(of("C1.1 empty", frame(0x88, NOTHING), "close 1005"));
        cases.add(fails("C1.2 one byte", 1002, frame(0x88, bytes("61"))));
        cases.add(fails("C1.3 1000", 1000, close(1000)));
        cases.add(fails("C1.4 reason of 123", 1000, frame(0x88, join(bytes("03E8"), filled(123, '*')))));
        cases.add(fails("C1.5 reason of 124", 1002, bytes("88FE007E 00000000 03E8"), filled(124, '*')));
        cases.add(fails("C1.6 reason not UTF-8", 1007, frame(0x88, join(bytes("03E8"), KOSME, bytes("EDA080")))));
        int[] good = {1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 1012, 1013, 1014, 3000, 3999, 4000, 4999};
        for (int i = 0; i < good.length; i++)
            cases.add(fails("C2." + (i + 1) + " " + good[i], good[i], close(good[i])));
        int[] bad = {0, 999, 1004, 1005, 1006, 1015, 1016, 1100, 2000, 2999, 5000, 65_535};
        for (int i = 0; i < bad.length; i++) cases.add(fails("C3." + (i + 1) + " " + bad[i], 1002, close(bad[i])));
        cases.add(fails("C4.1 text after", 1000, close(1000), text("late")));
        cases.add(fails("C4.2 ping after", 1000, close(1000), frame(0x89, NOTHING)));
        cases.add(fails("C4.3 close after", 1000, close(1000), close(1001)));
        cases.add(fails("C4.4 in a message", 1000, frame(0x01, bytes("61")), close(1000), frame(0x80, bytes("62"))));
        cases.add(of("C4.5 text before", join(text("before"), close(1000)), "text before", "close 1000"));
        return cases.stream();
    }

    static Stream<Case> extensions() {
        return Stream.of(
                fails("D compressed text", 1002, frame(0xC1, bytes("F248CDC9C90700"))),
                fails("D3 RSV1 on a continuation", 1002, frame(0x01, bytes("61")), frame(0xC0, bytes("62"))));
    }

    @ParameterizedTest(name = "{0}")
    @MethodSource({
        "framing",
        "lengthsAndMasks",
        "pings",
        "reservedBitsAndOpcodes",
        "fragments",
        "utf8",
        "closing",
        "extensions"
    })
    void conforms(Case given) throws Exception {
        int received = node.echo.received.get();
        try (RawClient client = node.connect()) {
            // Whoever offers compression is not answered, and may not use it.
            client.upgrade("/ws", "Sec-WebSocket-Extensions: permessage-deflate");
            byte[] sent = given.sent;
            for (int at = 0; given.cut > 0 && at < sent.length; at += given.cut) {
                client.send(Arrays.copyOfRange(sent, at, Math.min(sent.length, at + given.cut)));
            }
            if (given.cut == 0) client.sendWhatGoes(sent);
            boolean closes = !given.frames.isEmpty() && given.frames.getLast().startsWith("close");
            if (!closes) client.send(close(1000));
            var answers = new ArrayList<String>();
            for (Frame frame : client.rest()) answers.add(described(frame));
            var expected = new ArrayList<>(given.frames);
            if (!closes) expected.add("close 1000");
            assertThat(answers).isEqualTo(expected);
            long texts =
                    expected.stream().filter(frame -> frame.startsWith("text")).count();
            assertThat(node.echo.received.get() - received).isEqualTo((int) texts);
        }
    }

    private static String described(Frame frame) {
        assertThat(frame.fin()).isTrue();
        return switch (frame.opcode()) {
            case 1 -> "text " + latin(frame.payload());
            case 8 -> "close " + frame.code();
            case 10 -> "pong " + latin(frame.payload());
            default -> "opcode " + frame.opcode();
        };
    }

    @Test
    void u32AnAnnouncedPayloadThatDoesNotComeKeepsTheConnection() throws Exception {
        try (RawClient client = node.open()) {
            client.hex("8194 00000000");
            assertThat(client.silentFor(200)).isTrue();
            client.send(filled(20, 'a'));
            assertThat(client.frame().text()).isEqualTo("a".repeat(20));
        }
    }

    @Test
    void u31ABadFragmentIsToldBeforeTheMessageEnds() throws Exception {
        try (RawClient client = node.open()) {
            client.send(frame(0x01, KOSME));
            assertThat(client.silentFor(100)).isTrue();
            client.send(frame(0x00, bytes("F4908080")));
            assertThat(client.frame().code()).isEqualTo(1007);
        }
    }
}
