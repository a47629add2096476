package io.carillon.model.event;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.catchThrowableOfType;

import io.carillon.model.channel.Position;
import io.carillon.model.event.InvalidEventException.Code;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;
import tools.jackson.core.StreamReadFeature;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;

class EventCodecTest {
    private static final String STAMPS =
            "{\"channel\":\"user:u1\",\"offset\":17,\"epoch\":\"e.1\",\"timestamp\":1760000000123,\"id\":\"i1\",";

    // ---- reading

    @Test
    void everyFieldOfTheContractIsRead() throws Exception {
        Event event = EventCodec.read(utf8("""
                {"id":"i","type":"chat","from":"u1","from_name":"Ada \\"L\\"","from_kind":"agent","to":"u2","room":"r",
                "session":"b-1","content":{"a" : [1, 2.50]},"timestamp":5,"durable":false,"ack":true,"exclude":"b-2",
                "channel":"user:u2","offset":9,"epoch":"e","colour":"r\\u0065d","n": -1.5e3 }"""));
        assertThat(event)
                .isEqualTo(new Event(
                        "i",
                        "chat",
                        "u1",
                        "Ada \"L\"",
                        "agent",
                        "u2",
                        "r",
                        "b-1",
                        json("{\"a\" : [1, 2.50]}"),
                        0,
                        false,
                        null,
                        null,
                        true,
                        "b-2",
                        Map.of("colour", json("\"r\\u0065d\""), "n", json("-1.5e3"))));
        assertThat(event.extra().keySet()).containsExactly("colour", "n");
    }

    @Test
    void fieldsOfAnyObjectAreReadByTheSameRules() throws Exception {
        Map<String, Payload> fields =
                EventCodec.readFields(utf8(" {\"b\":{\"x\" : [1.50]},\"a\":18446744073709551615} "));
        assertThat(fields)
                .containsExactly(
                        Map.entry("b", json("{\"x\" : [1.50]}")), Map.entry("a", json("18446744073709551615")));
        assertThat(EventCodec.readFields(utf8("{}"))).isEmpty();
        for (String bad : new String[] {
            "",
            "{",
            "{} {}",
            "[1]",
            "7",
            "{\"a\":1,\"a\":2}",
            "{\"a\":{\"b\":1,\"b\":2}}",
            "{\"a\":" + "[".repeat(33) + "]".repeat(33) + "}",
            "{\"a\":" + "1".repeat(41) + "}"
        }) {
            assertThat(catchThrowableOfType(InvalidEventException.class, () -> EventCodec.readFields(utf8(bad))))
                    .as(bad)
                    .isNotNull();
        }
    }

    @Test
    void theLeastEventIsATypeAlone() throws Exception {
        Event event = EventCodec.read(utf8(" {\"type\" : \"t\"} \n"));
        assertThat(event).isEqualTo(Event.of("t", null));
        assertThat(event.durable()).isNull();
        assertThat(event.extra()).isEmpty();
    }

    @Test
    void nullIsAbsent() throws Exception {
        Event event = EventCodec.read(
                utf8(
                        "{\"type\":\"t\",\"id\":null,\"to\":null,\"from_name\":null,\"durable\":null,\"ack\":null,\"content\":null}"));
        assertThat(event).isEqualTo(Event.of("t", json("null")));
    }

    @Test
    void stampsOfAPublisherAreLeftOutWhateverTheyHold() throws Exception {
        String stamps = "\"channel\":{\"x\":[1]},\"offset\":\"no\",\"epoch\":7,\"timestamp\":[true]";
        assertThat(EventCodec.read(utf8("{\"type\":\"t\"," + stamps + "}"))).isEqualTo(Event.of("t", null));
        assertThat(EventCodec.readStamped(utf8("{" + stamps + ",\"type\":\"t\"}")))
                .isEqualTo(Event.of("t", null));
    }

    @Test
    void aClientCannotSayWhoItIs() throws Exception {
        byte[] frame =
                utf8("{\"type\":\"t\",\"id\":\"i\",\"from\":5,\"from_name\":[],\"from_kind\":1,\"session\":\" \","
                        + "\"exclude\":{},\"ack\":\"yes\",\"timestamp\":\"x\",\"durable\":true,\"ref\":\"1\"}");
        assertThat(EventCodec.readClient(frame))
                .isEqualTo(Event.of("t", null)
                        .with()
                        .id("i")
                        .durable(true)
                        .extra(Map.of("ref", json("\"1\"")))
                        .build());
        assertThatThrownBy(() -> EventCodec.read(frame)).isInstanceOf(InvalidEventException.class);
    }

    @Test
    void contentIsKeptByteForByte() throws Exception {
        for (String content : List.of(
                "1",
                "-0.0e+10",
                "\"\"",
                "\"a\\u00e9\\\\ \\\" é你😀\"",
                "true",
                "false",
                "null",
                "{}",
                "[]",
                "{ \"b\" : 1 , \"a\" : [ ] }",
                "[\n1,\t\"x\" , {\"y\":null}]",
                "\"" + "long ".repeat(2_000) + "\"",
                "[" + "123456789,".repeat(3_000) + "1]")) {
            for (String form : List.of(
                    "{\"type\":\"t\",\"content\":%s}",
                    "{\"type\":\"t\",\"content\" :\r\n %s \t}",
                    "{\"content\":%s,\"type\":\"t\"}",
                    "{\"content\":  %s  ,  \"type\":\"t\"}")) {
                Event event = EventCodec.read(utf8(form.formatted(content)));
                assertThat(event.content()).isEqualTo(json(content));
                Event again =
                        EventCodec.read(utf8(form.replace("content", "other").formatted(content)));
                assertThat(again.extra()).containsEntry("other", json(content));
            }
        }
    }

    @Test
    void aStampedMessageIsBelieved() throws Exception {
        Event event = EventCodec.readStamped(utf8(STAMPS + "\"type\":\"t\",\"durable\":true,\"content\":[1]}"));
        assertThat(event)
                .isEqualTo(Event.of("t", json("[1]"))
                        .with()
                        .id("i1")
                        .channel("user:u1")
                        .position(new Position("e.1", 17))
                        .timestamp(1_760_000_000_123L)
                        .durable(true)
                        .build());
    }

    @Test
    void stampsWinOverTheSameFieldsFurtherOn() throws Exception {
        Event event = EventCodec.readStamped(
                utf8(STAMPS + "\"type\":\"t\",\"id\":5,\"channel\":[],\"offset\":{},\"epoch\":1,\"timestamp\":\"\"}"));
        assertThat(event.id()).isEqualTo("i1");
        assertThat(event.channel()).isEqualTo("user:u1");
        assertThat(event.position()).isEqualTo(new Position("e.1", 17));
        assertThat(event.timestamp()).isEqualTo(1_760_000_000_123L);
    }

    @Test
    void aStampedFieldTwiceInTheGivenEventIsStillTwice() {
        assertThat(codeOf(STAMPS + "\"type\":\"t\",\"id\":\"a\",\"id\":\"b\"}", true))
                .isEqualTo(Code.BAD_FRAME);
    }

    @Test
    void whatIsNotStampedToTheByteIsPlain() throws Exception {
        String tail = "\"type\":\"t\",\"durable\":\"?\"}";
        for (String start : List.of(
                "{ \"channel\":\"user:u1\",\"offset\":17,\"epoch\":\"e.1\",\"timestamp\":1,",
                "{\"channel\":\"user:u1\",\"offset\": 17,\"epoch\":\"e.1\",\"timestamp\":1,",
                "{\"channel\":\"user:u1\",\"offset\":\"17\",\"epoch\":\"e.1\",\"timestamp\":1,",
                "{\"channel\":\"user:u1\",\"offset\":-17,\"epoch\":\"e.1\",\"timestamp\":1,",
                "{\"channel\":\"user:u1\",\"epoch\":\"e.1\",\"offset\":17,\"timestamp\":1,",
                "{\"channel\":\"user:u1\",\"offset\":17,\"epoch\":\"e.1\",",
                "{\"channel\":\"user:u1\",\"offset\":17,\"epoch\":\"e.1\",\"timestamp\":1,",
                "{\"channel\":\"user:u 1\",\"offset\":17,\"epoch\":\"e.1\",\"timestamp\":1,",
                "{\"channel\":\"group:u1\",\"offset\":17,\"epoch\":\"e.1\",\"timestamp\":1,",
                "{\"channel\":\"user:u1\",\"offset\":17,\"epoch\":\"e 1\",\"timestamp\":1,",
                "{\"channel\":\"user:u1\",\"offset\":17,\"epoch\":\"\",\"timestamp\":1,",
                "{\"channel\":\"user:u1\",\"offset\":1234567890123456,\"epoch\":\"e.1\",\"timestamp\":1,",
                "{\"channel\":\"user:u1\",\"offset\":1,\"epoch\":\"" + "e".repeat(65) + "\",\"timestamp\":1,")) {
            Event event = EventCodec.readStamped(utf8(start + tail));
            assertThat(event).as(start).isEqualTo(Event.of("t", null));
            assertThat(EventCodec.positionOf(utf8(start + tail))).as(start).isNull();
        }
    }

    @Test
    void aCutMessageNeverThrowsAnythingElse() {
        byte[] whole = utf8(STAMPS + "\"type\":\"t\",\"content\":{\"a\":[1,\"é\"]},\"x\":true}");
        for (int length = 0; length < whole.length; length++) {
            byte[] cut = java.util.Arrays.copyOf(whole, length);
            assertThatThrownBy(() -> EventCodec.readStamped(cut)).isInstanceOf(InvalidEventException.class);
        }
    }

    @Test
    void thePositionOfAMessageThatCannotBeReadIsKnown() {
        byte[] message = utf8(STAMPS + "\"type\":\"t\",\"content\":{]}");
        assertThat(EventCodec.positionOf(message)).isEqualTo(new Position("e.1", 17));
        assertThatThrownBy(() -> EventCodec.readStamped(message)).isInstanceOf(InvalidEventException.class);
    }

    @ParameterizedTest(name = "{1}: {0}")
    @MethodSource("refused")
    void whatBreaksTheRulesIsRefusedWithAReason(String json, Code code, String says) {
        for (boolean stamped : List.of(false, true)) {
            InvalidEventException e =
                    catchThrowableOfType(InvalidEventException.class, () -> parse(utf8(json), stamped));
            assertThat(e).as("accepted: %s", json).isNotNull();
            assertThat(e.code()).isEqualTo(code);
            assertThat(e.sentence()).contains(says);
        }
    }

    static List<Arguments> refused() {
        List<Arguments> list = new ArrayList<>();
        for (String json : List.of(
                "",
                " ",
                "{",
                "}",
                "{\"type\":\"t\"",
                "{\"type\":\"t\",}",
                "{'type':'t'}",
                "{type:\"t\"}",
                "{\"type\":\"t\"}}",
                "{\"type\":\"t\"} x",
                "{\"type\":\"t\"}{\"type\":\"t\"}",
                "{\"type\":\"t\"}1",
                "{\"type\":\"t\"}\u0000",
                "{\"type\":\"t\",\"content\":}",
                "{\"type\":\"t\",\"content\":01}",
                "{\"type\":\"t\",\"content\":+1}",
                "{\"type\":\"t\",\"content\":.5}",
                "{\"type\":\"t\",\"content\":5.}",
                "{\"type\":\"t\",\"content\":NaN}",
                "{\"type\":\"t\",\"content\":Infinity}",
                "{\"type\":\"t\",\"content\":0x10}",
                "{\"type\":\"t\",\"content\":truely}",
                "{\"type\":\"t\",\"content\":nul}",
                "{\"type\":\"t\",\"content\":[1,]}",
                "{\"type\":\"t\",\"content\":[1 2]}",
                "{\"type\":\"t\",\"content\":{\"a\"}}",
                "{\"type\":\"t\",\"content\":[}",
                "{\"type\":\"t\",\"content\":\"a\nb\"}",
                "{\"type\":\"t\",\"content\":\"\\x\"}",
                "{\"type\":\"t\",\"content\":\"\\u12g4\"}",
                "{\"type\":\"t\",\"content\":\"open}",
                "{\"type\":\"t\" /* no */}",
                "{\"type\":\"t\"} // no",
                "\ufeff{\"type\":\"t\"}",
                "{\u0000\"\u0000t\u0000",
                "{\"type\":\"t\",\"\\ud83d\":1}",
                "\u0000{\u0000\"",
                "tru")) {
            list.add(Arguments.of(json, Code.BAD_JSON, "message"));
        }
        for (String json : List.of("[]", "[{\"type\":\"t\"}]", "1", "\"type\"", "true", "null")) {
            list.add(Arguments.of(json, Code.BAD_FRAME, "one JSON object"));
        }
        list.add(Arguments.of("{}", Code.BAD_FRAME, "type is missing"));
        list.add(Arguments.of("{\"content\":1}", Code.BAD_FRAME, "type is missing"));
        for (String type : List.of(
                "\"\"",
                "null",
                "5",
                "[]",
                "{}",
                "true",
                "\"a b\"",
                "\"é\"",
                "\"a/b\"",
                "\"" + "t".repeat(65) + "\"",
                "\"\\u0000\"")) {
            list.add(Arguments.of("{\"type\":" + type + "}", Code.BAD_FRAME, "type must be"));
        }
        for (String field : List.of("id", "from", "to", "room", "session", "exclude")) {
            for (String value : List.of("5", "true", "[]", "{}", "1.5")) {
                list.add(Arguments.of(
                        "{\"type\":\"t\",\"" + field + "\":" + value + "}",
                        Code.BAD_FRAME,
                        field + " must be a string"));
            }
            for (String value : List.of("", "a b", "é", "{x}", "a/b", "i".repeat(129), "\\u0000", "*")) {
                list.add(Arguments.of(
                        "{\"type\":\"t\",\"" + field + "\":\"" + value + "\"}", Code.BAD_ID, field + " must be"));
            }
        }
        for (String field : List.of("from_name", "from_kind")) {
            list.add(Arguments.of("{\"type\":\"t\",\"" + field + "\":5}", Code.BAD_FRAME, field + " must be a string"));
        }
        for (String value : List.of("1", "\"true\"", "[]")) {
            list.add(Arguments.of("{\"type\":\"t\",\"ack\":" + value + "}", Code.BAD_FRAME, "ack must be true"));
        }
        for (String name : List.of("type", "content", "to", "other", "timestamp")) {
            list.add(Arguments.of(
                    "{\"type\":\"t\",\"" + name + "\":\"t\",\"" + name + "\":\"t\"}",
                    Code.BAD_FRAME,
                    "same name twice"));
        }
        list.add(Arguments.of("{\"type\":\"t\",\"\\u0074ype\":\"t\"}", Code.BAD_FRAME, "same name twice"));
        list.add(Arguments.of("{\"type\":\"t\",\"content\":{\"a\":1,\"a\":2}}", Code.BAD_FRAME, "same name twice"));
        list.add(Arguments.of("{\"type\":\"t\",\"x\":[{\"a\":{\"b\":1,\"b\":1}}]}", Code.BAD_FRAME, "same name twice"));
        list.add(Arguments.of("{\"type\":\"t\",\"epoch\":{\"a\":1,\"a\":1}}", Code.BAD_FRAME, "same name twice"));
        list.add(Arguments.of("{\"type\":\"t\",\"content\":" + members(60, "n7") + "}", Code.BAD_FRAME, "same name"));
        list.add(Arguments.of("{\"type\":\"t\",\"content\":" + members(60, "n59") + "}", Code.BAD_FRAME, "same name"));
        list.add(Arguments.of("{\"type\":\"t\",\"content\":" + members(24, "n0") + "}", Code.BAD_FRAME, "same name"));
        list.add(Arguments.of("{\"type\":\"t\",\"content\":" + nested(33) + "}", Code.BAD_FRAME, "deeper than 32"));
        list.add(Arguments.of("{\"type\":\"t\",\"channel\":" + nested(33) + "}", Code.BAD_FRAME, "deeper than 32"));
        list.add(Arguments.of("[".repeat(100_000), Code.BAD_FRAME, "deeper than 32"));
        list.add(Arguments.of("{\"type\":\"t\",\"x\":" + "1".repeat(41) + "}", Code.BAD_FRAME, "number"));
        list.add(Arguments.of("{\"type\":\"t\",\"x\":[-" + "1".repeat(40) + "]}", Code.BAD_FRAME, "number"));
        list.add(Arguments.of("{\"type\":\"t\",\"x\":0." + "1".repeat(39) + "}", Code.BAD_FRAME, "number"));
        list.add(Arguments.of("{\"type\":\"t\",\"x\":1e" + "1".repeat(39) + "}", Code.BAD_FRAME, "number"));
        list.add(Arguments.of("{\"type\":\"t\",\"x\":" + "1".repeat(5_000) + "}", Code.BAD_FRAME, "number"));
        list.add(Arguments.of("{\"type\":\"t\",\"" + "n".repeat(129) + "\":1}", Code.BAD_FRAME, "name"));
        list.add(Arguments.of("{\"type\":\"t\",\"x\":{\"" + "n".repeat(129) + "\":1}}", Code.BAD_FRAME, "name"));
        list.add(Arguments.of("{\"type\":\"t\",\"x\":{\"" + "n".repeat(70_000) + "\":1}}", Code.BAD_FRAME, "name"));
        return list;
    }

    @Test
    void theLimitsThemselvesAreAllowed() throws Exception {
        String number = "1".repeat(40);
        for (String value : List.of(
                nested(32),
                number,
                "-" + "1".repeat(39),
                "0." + "1".repeat(38),
                "{\"" + "n".repeat(128) + "\":1}",
                "{\"" + "é".repeat(128) + "\":1}",
                members(60, "other"))) {
            Event event = EventCodec.read(utf8("{\"type\":\"" + "t".repeat(64) + "\",\"content\":" + value + "}"));
            assertThat(event.content()).isEqualTo(json(value));
        }
        String id = "A-Za-z0-9._:@~+=-" + "i".repeat(111);
        assertThat(id).hasSize(128);
        assertThat(EventCodec.read(utf8("{\"type\":\"t\",\"to\":\"" + id + "\"}"))
                        .to())
                .isEqualTo(id);
    }

    @Test
    void bytesThatAreNotUtf8AreRefused() {
        for (byte[] bad : new byte[][] {
            {(byte) 0xff},
            {(byte) 0xc0, (byte) 0xaf},
            {(byte) 0xed, (byte) 0xa0, (byte) 0x80},
            {(byte) 0xe4, (byte) 0xbd}
        }) {
            byte[] message = concat(utf8("{\"type\":\"t\",\"content\":\""), bad, utf8("\"}"));
            InvalidEventException e = catchThrowableOfType(InvalidEventException.class, () -> EventCodec.read(message));
            assertThat(e.code()).isEqualTo(Code.BAD_JSON);
            assertThat(e.sentence()).contains("UTF-8");
        }
    }

    @Test
    void otherEncodingsOfJsonAreRefused() {
        for (var charset : List.of(StandardCharsets.UTF_16LE, StandardCharsets.UTF_16BE, StandardCharsets.UTF_16)) {
            byte[] message = "{\"type\":\"t\"}".getBytes(charset);
            InvalidEventException e = catchThrowableOfType(InvalidEventException.class, () -> EventCodec.read(message));
            assertThat(e.code()).isEqualTo(Code.BAD_JSON);
        }
    }

    // ---- writing

    @Test
    void anEventIsWrittenWithItsIdFirstAndWithoutPosition() {
        Event event = full();
        assertThat(text(EventCodec.write(event)))
                .isEqualTo(
                        "{\"id\":\"i1\",\"type\":\"chat\",\"from\":\"u1\",\"from_name\":\"Ada \\\"L\\\"\\n\","
                                + "\"from_kind\":\"agent\",\"to\":\"u2\",\"room\":\"r\",\"session\":\"b-1\",\"content\":{\"a\" :1},"
                                + "\"timestamp\":1760000000123,\"durable\":true,\"ack\":true,\"exclude\":\"b-2\",\"x\":[1],\"a\\\"\":2}");
    }

    @Test
    void aFrameHasItsPositionAndNothingBetweenPublisherAndCluster() {
        assertThat(text(EventCodec.writeFrame(full())))
                .isEqualTo("{\"channel\":\"user:u2\",\"offset\":42,\"epoch\":\"e~1\",\"id\":\"i1\",\"type\":\"chat\","
                        + "\"from\":\"u1\",\"from_name\":\"Ada \\\"L\\\"\\n\",\"from_kind\":\"agent\",\"to\":\"u2\",\"room\":\"r\","
                        + "\"content\":{\"a\" :1},\"timestamp\":1760000000123,\"ack\":true,\"x\":[1],\"a\\\"\":2}");
        assertThat(text(EventCodec.writeFrame(Event.of("t", null)))).isEqualTo("{\"type\":\"t\"}");
    }

    @Test
    void aStampedEventComesBackAsItWas() throws Exception {
        Event event = full();
        assertThat(text(EventCodec.writeStamped(event)))
                .startsWith("{\"channel\":\"user:u2\",\"offset\":42,\"epoch\":");
        assertThat(EventCodec.readStamped(EventCodec.writeStamped(event))).isEqualTo(event);
    }

    @Test
    void aStampedEventNeedsItsStamps() {
        assertThatThrownBy(() -> EventCodec.writeStamped(Event.of("t", null)))
                .isInstanceOf(IllegalArgumentException.class);
    }

    // ---- properties

    @Test
    void randomEventsComeBackAsTheyWere() throws Exception {
        for (long seed = 1; seed <= 3_000; seed++) {
            Event event = new Sample(seed).event();
            Event unstamped =
                    event.with().channel(null).position(null).timestamp(0).build();
            assertThat(EventCodec.read(EventCodec.write(event)))
                    .as("seed %d", seed)
                    .isEqualTo(unstamped);
            Event again = EventCodec.readStamped(EventCodec.writeStamped(event));
            assertThat(again).as("seed %d", seed).isEqualTo(event);
            assertThat(again.extra().keySet())
                    .containsExactlyElementsOf(event.extra().keySet());
            assertThat(Utf8.valid(EventCodec.writeFrame(event))).isTrue();
        }
    }

    @Test
    void brokenEventsAreReadAsAStrictParserReadsThemOrRefused() {
        JsonMapper strict = JsonMapper.builder()
                .enable(StreamReadFeature.STRICT_DUPLICATE_DETECTION)
                .build();
        int accepted = 0;
        for (long seed = 1; seed <= 20_000; seed++) {
            Random random = new Random(seed);
            byte[] json = EventCodec.writeStamped(new Sample(seed).event());
            byte[] alphabet = utf8("{}[]\",:\\0123456789eE+-.tfnu \n\u0001");
            for (int i = random.nextInt(3); i >= 0; i--) {
                int at = random.nextInt(json.length);
                json[at] =
                        random.nextInt(8) == 0 ? (byte) random.nextInt(256) : alphabet[random.nextInt(alphabet.length)];
            }
            Event event;
            try {
                event = EventCodec.read(json);
            } catch (InvalidEventException e) {
                assertThat(e.sentence()).isNotBlank();
                continue;
            }
            accepted++;
            JsonNode tree = strict.readTree(json);
            assertThat(tree.get("type").asString()).as("seed %d", seed).isEqualTo(event.type());
            if (event.content() != null) {
                assertThat(strict.readTree(event.content().bytes()))
                        .as("seed %d", seed)
                        .isEqualTo(tree.get("content"));
            }
            for (var field : event.extra().entrySet()) {
                assertThat(strict.readTree(field.getValue().bytes()))
                        .as("seed %d", seed)
                        .isEqualTo(tree.get(field.getKey()));
            }
        }
        assertThat(accepted).isGreaterThan(1_000);
    }

    /** Makes events at random, every choice from the seed. */
    private static final class Sample {
        private static final String ID = "ABCXYZabcxyz0189._:@~+=-";
        private static final String TYPE = "ABCabc019_.:-";
        private final Random random;

        Sample(long seed) {
            random = new Random(seed);
        }

        Event event() {
            Map<String, Payload> extra = new LinkedHashMap<>();
            for (int i = random.nextInt(4); i > 0; i--) extra.put("x" + i + name(10), payload());
            return new Event(
                    id(),
                    of(TYPE, 64),
                    maybe() ? id() : null,
                    maybe() ? any(30) : null,
                    maybe() ? any(8) : null,
                    maybe() ? id() : null,
                    maybe() ? id() : null,
                    maybe() ? id() : null,
                    maybe() ? payload() : null,
                    random.nextLong(1, 1L << 41),
                    maybe() ? (Boolean) maybe() : null,
                    maybe() ? "broadcast" : (maybe() ? "user:" : "room:") + id(),
                    new Position(of("abc019~._-", 64), random.nextLong(1, 1L << 40)),
                    maybe(),
                    maybe() ? id() : null,
                    extra);
        }

        private boolean maybe() {
            return random.nextBoolean();
        }

        private String id() {
            return of(ID, 128);
        }

        private String of(String alphabet, int longest) {
            StringBuilder text = new StringBuilder();
            for (int i = random.nextInt(longest); i >= 0; i--) {
                text.append(alphabet.charAt(random.nextInt(alphabet.length())));
            }
            return text.toString();
        }

        private String any(int longest) {
            StringBuilder text = new StringBuilder();
            for (int i = random.nextInt(longest); i >= 0; i--) {
                text.append((char) (random.nextInt(4) > 0 ? random.nextInt(128) : random.nextInt(0x10000)));
            }
            return text.toString();
        }

        /** Any text without half a character, which no name may have. */
        private String name(int longest) {
            return any(longest).replaceAll("\\p{Cs}", "😀");
        }

        private Payload payload() {
            return json(value(0));
        }

        private String value(int depth) {
            return switch (random.nextInt(depth < 5 ? 8 : 6)) {
                case 0 -> "null";
                case 1 -> maybe() ? "true" : "false";
                case 2 -> Long.toString(random.nextLong());
                case 3 -> Double.toString(random.nextGaussian() * 1e6);
                case 4, 5 -> text(new JsonBytes(0).value(any(20)).toBytes());
                case 6 -> {
                    StringBuilder list = new StringBuilder("[" + blank());
                    for (int i = random.nextInt(4); i >= 0; i--) {
                        list.append(value(depth + 1)).append(blank()).append(i > 0 ? "," : "");
                    }
                    yield list + blank() + "]";
                }
                default -> {
                    StringBuilder object = new StringBuilder("{" + blank());
                    for (int i = random.nextInt(4); i >= 0; i--) {
                        object.append(text(new JsonBytes(0).value(i + name(4)).toBytes()))
                                .append(blank() + ":" + blank())
                                .append(value(depth + 1))
                                .append(i > 0 ? "," : "");
                    }
                    yield object + blank() + "}";
                }
            };
        }

        private String blank() {
            return " \n\t\r".substring(0, Math.max(0, random.nextInt(9) - 4));
        }
    }

    // ---- helpers

    private static Event full() {
        Map<String, Payload> extra = new LinkedHashMap<>();
        extra.put("x", json("[1]"));
        extra.put("a\"", json("2"));
        return new Event(
                "i1",
                "chat",
                "u1",
                "Ada \"L\"\n",
                "agent",
                "u2",
                "r",
                "b-1",
                json("{\"a\" :1}"),
                1_760_000_000_123L,
                true,
                "user:u2",
                new Position("e~1", 42),
                true,
                "b-2",
                extra);
    }

    private static String nested(int depth) {
        return "[".repeat(depth - 1) + "{}" + "]".repeat(depth - 1);
    }

    private static String members(int count, String last) {
        StringBuilder object = new StringBuilder("{");
        for (int i = 0; i < count; i++) object.append("\"n").append(i).append("\":1,");
        return object + "\"" + last + "\":1}";
    }

    private static Code codeOf(String json, boolean stamped) {
        return catchThrowableOfType(InvalidEventException.class, () -> parse(utf8(json), stamped))
                .code();
    }

    private static Event parse(byte[] json, boolean stamped) throws InvalidEventException {
        return stamped ? EventCodec.readStamped(json) : EventCodec.read(json);
    }

    private static Payload json(String text) {
        return Payload.ofJson(text);
    }

    private static byte[] utf8(String text) {
        return text.getBytes(StandardCharsets.UTF_8);
    }

    private static String text(byte[] bytes) {
        return new String(bytes, StandardCharsets.UTF_8);
    }

    private static byte[] concat(byte[]... parts) {
        java.io.ByteArrayOutputStream out = new java.io.ByteArrayOutputStream();
        for (byte[] part : parts) out.writeBytes(part);
        return out.toByteArray();
    }
}
