package io.carillon.model.event;

import io.carillon.model.channel.Ids;
import io.carillon.model.channel.Position;
import io.carillon.model.event.InvalidEventException.Code;
import java.util.Arrays;
import java.util.Collections;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Set;
import org.jspecify.annotations.Nullable;
import tools.jackson.core.JacksonException;
import tools.jackson.core.JsonParser;
import tools.jackson.core.JsonToken;
import tools.jackson.core.ObjectReadContext;
import tools.jackson.core.exc.StreamConstraintsException;
import tools.jackson.core.json.JsonFactory;
import tools.jackson.core.util.JsonRecyclerPools;

/**
 * Turns events into JSON and back. What is read is one JSON object in strict UTF-8, without duplicate keys, nested no
 * deeper than {@link #MAX_DEPTH} inside a field, with bounded numbers and names, and with every known field of its type;
 * {@code null} counts as absent. Content and unknown fields are kept byte for byte.
 *
 * <p>On Redis an event is stamped: the publish script puts {@code channel}, {@code offset}, {@code epoch},
 * {@code timestamp} and {@code id}, in this order, in place of the opening brace. Only that very form is believed.
 */
public final class EventCodec {
    /** Deepest nesting of the content and of each unknown field. */
    public static final int MAX_DEPTH = 32;

    /** Longest number, in characters. */
    public static final int MAX_NUMBER = 40;

    /** Longest name of a field, in characters, at every depth. */
    public static final int MAX_NAME = 128;

    private static final JsonFactory JSON = JsonFactory.builder()
            .recyclerPool(JsonRecyclerPools.threadLocalPool())
            .build();

    private static final byte[] STAMP_CHANNEL = ascii("{\"channel\":\"");
    private static final byte[] STAMP_OFFSET = ascii("\",\"offset\":");
    private static final byte[] STAMP_EPOCH = ascii(",\"epoch\":\"");
    private static final byte[] STAMP_TIMESTAMP = ascii("\",\"timestamp\":");
    private static final byte[] STAMP_ID = ascii(",\"id\":\"");

    /** Who wrote the event, which decides what in it is believed. */
    private enum Source {
        SERVICE,
        CLIENT,
        PLAIN,
        STAMPED
    }

    private EventCodec() {}

    /**
     * Reads an event that a service or an HTTP caller wrote. Stamps of the cluster ({@code channel}, {@code offset},
     * {@code epoch}, {@code timestamp}) in it are not believed and left out, whatever they hold.
     */
    public static Event read(byte[] json) throws InvalidEventException {
        return new Reader(json, Source.SERVICE).read().build();
    }

    /**
     * Reads an event that a client wrote: as {@link #read}, and the fields that are not a client's to set
     * ({@code from}, {@code from_name}, {@code from_kind}, {@code session}, {@code exclude}, {@code ack}) are left out
     * too, whatever they hold.
     */
    public static Event readClient(byte[] json) throws InvalidEventException {
        return new Reader(json, Source.CLIENT).read().build();
    }

    /**
     * Reads one JSON object by the rules of every event, for frames that are no events: its fields in their order, each
     * value byte for byte.
     */
    public static Map<String, Payload> readFields(byte[] json) throws InvalidEventException {
        return new Reader(json, Source.CLIENT).fields();
    }

    /**
     * Reads a message of a topic or an entry of a history. If it starts as the publish script stamps it, the stamps are
     * believed and win over the same fields further on; anything else is a plain PUBLISH, whose {@code channel},
     * {@code offset}, {@code epoch}, {@code timestamp} and {@code durable} are left out, whatever they hold.
     */
    public static Event readStamped(byte[] json) throws InvalidEventException {
        Stamp stamp = Stamp.of(json);
        if (stamp == null) return new Reader(json, Source.PLAIN).read().build();
        // What the script was given: its opening brace is where the last comma of the stamps is.
        byte[] given = Arrays.copyOfRange(json, stamp.end - 1, json.length);
        given[0] = '{';
        return new Reader(given, Source.STAMPED)
                .read()
                .channel(stamp.channel)
                .position(new Position(stamp.epoch, stamp.offset))
                .timestamp(stamp.timestamp)
                .id(stamp.id)
                .build();
    }

    /**
     * The position a message was stamped with, without reading further; null for a plain one. For messages that
     * {@link #readStamped} refuses: their place in the history is taken all the same.
     */
    public static @Nullable Position positionOf(byte[] json) {
        Stamp stamp = Stamp.of(json);
        return stamp == null ? null : new Position(stamp.epoch, stamp.offset);
    }

    /**
     * Writes the event as it is handed to Redis: every field that is set, but {@code channel} and position, which are
     * Redis' to stamp. The id comes first: the publish script does not repeat it then.
     */
    public static byte[] write(Event event) {
        JsonBytes out = start(event);
        char separator = '{';
        if (event.id() != null) separator = text(out, separator, "id", event.id());
        return rest(out, separator, event, Form.GIVEN);
    }

    /**
     * Writes the event as the publish script stamps it: what {@link #readStamped} reads back as the same event.
     *
     * @throws IllegalArgumentException if one of its stamps is missing
     */
    public static byte[] writeStamped(Event event) {
        Position position = event.position();
        if (event.channel() == null || position == null || event.id() == null) {
            throw new IllegalArgumentException("a stamped event has a channel, a position and an id");
        }
        JsonBytes out = start(event);
        out.raw(STAMP_CHANNEL).raw(event.channel()).raw(STAMP_OFFSET).value(position.offset());
        out.raw(STAMP_EPOCH).raw(position.epoch()).raw(STAMP_TIMESTAMP).value(event.timestamp());
        out.raw(STAMP_ID).raw(event.id()).raw('"');
        return rest(out, ',', event, Form.STAMPED);
    }

    /**
     * Writes the event as a client sees it: {@code channel} and position first where they are set, and without
     * {@code session}, {@code exclude} and {@code durable}, which are between the publisher and the cluster.
     */
    public static byte[] writeFrame(Event event) {
        JsonBytes out = start(event);
        char separator = '{';
        if (event.channel() != null) separator = text(out, separator, "channel", event.channel());
        if (event.position() != null) {
            out.raw(separator).raw("\"offset\":").value(event.position().offset());
            separator = text(out, ',', "epoch", event.position().epoch());
        }
        if (event.id() != null) separator = text(out, separator, "id", event.id());
        return rest(out, separator, event, Form.FRAME);
    }

    private static JsonBytes start(Event event) {
        return new JsonBytes(
                384 + (event.content() == null ? 0 : event.content().size()));
    }

    private static byte[] rest(JsonBytes out, char first, Event event, Form form) {
        boolean inside = form != Form.FRAME;
        char separator = text(out, first, "type", event.type());
        if (event.from() != null) text(out, separator, "from", event.from());
        if (event.fromName() != null) text(out, separator, "from_name", event.fromName());
        if (event.fromKind() != null) text(out, separator, "from_kind", event.fromKind());
        if (event.to() != null) text(out, separator, "to", event.to());
        if (event.room() != null) text(out, separator, "room", event.room());
        if (inside && event.session() != null) text(out, separator, "session", event.session());
        if (event.content() != null) out.raw(",\"content\":").value(event.content());
        if (form != Form.STAMPED && event.timestamp() > 0)
            out.raw(",\"timestamp\":").value(event.timestamp());
        if (inside && event.durable() != null) out.raw(event.durable() ? ",\"durable\":true" : ",\"durable\":false");
        if (event.ack()) out.raw(",\"ack\":true");
        if (inside && event.exclude() != null) text(out, separator, "exclude", event.exclude());
        if (!event.extra().isEmpty()) {
            for (Map.Entry<String, Payload> field : event.extra().entrySet()) {
                out.raw(separator).value(field.getKey()).raw(':').value(field.getValue());
            }
        }
        return out.raw('}').toBytes();
    }

    /** For whom an event is written. */
    private enum Form {
        GIVEN,
        STAMPED,
        FRAME
    }

    private static char text(JsonBytes out, char separator, String name, String value) {
        out.raw(separator).raw('"').raw(name).raw("\":").value(value);
        return ',';
    }

    private static byte[] ascii(String text) {
        return new JsonBytes(text.length()).raw(text).toBytes();
    }

    /**
     * The stamps at the start of a message, byte for byte as the script writes them.
     *
     * @param end where the event as it was given goes on
     */
    private record Stamp(String channel, long offset, String epoch, long timestamp, String id, int end) {
        static @Nullable Stamp of(byte[] json) {
            if (!matches(json, 0, STAMP_CHANNEL)) return null;
            int start = STAMP_CHANNEL.length;
            int at = quote(json, start, 160);
            if (at < 0 || !matches(json, at, STAMP_OFFSET)) return null;
            String channel = string(json, start, at);
            start = at + STAMP_OFFSET.length;
            at = digits(json, start);
            if (at == start || !matches(json, at, STAMP_EPOCH)) return null;
            long offset = number(json, start, at);
            start = at + STAMP_EPOCH.length;
            at = quote(json, start, 64);
            if (at <= start || !matches(json, at, STAMP_TIMESTAMP)) return null;
            String epoch = string(json, start, at);
            start = at + STAMP_TIMESTAMP.length;
            at = digits(json, start);
            if (at == start || !matches(json, at, STAMP_ID)) return null;
            long timestamp = number(json, start, at);
            start = at + STAMP_ID.length;
            at = quote(json, start, Ids.MAX_LENGTH);
            if (at < 0 || at + 1 >= json.length || json[at + 1] != ',') return null;
            String id = string(json, start, at);
            if (!label(channel) || !Position.validEpoch(epoch) || !Ids.valid(id)) return null;
            return new Stamp(channel, offset, epoch, timestamp, id, at + 2);
        }

        private static boolean label(String channel) {
            if (channel.equals("broadcast")) return true;
            return (channel.startsWith("user:") || channel.startsWith("room:")) && Ids.valid(channel.substring(5));
        }

        private static boolean matches(byte[] json, int at, byte[] expected) {
            int end = at + expected.length;
            return end <= json.length && Arrays.equals(json, at, end, expected, 0, expected.length);
        }

        private static int quote(byte[] json, int from, int longest) {
            int end = Math.min(json.length, from + longest + 1);
            for (int i = from; i < end; i++) {
                if (json[i] == '"') return i;
                if (json[i] <= ' ') return -1;
            }
            return -1;
        }

        /** End of at most 15 digits: what Redis scripts count to exactly. */
        private static int digits(byte[] json, int from) {
            int i = from;
            while (i < json.length && i < from + 15 && json[i] >= '0' && json[i] <= '9') i++;
            return i;
        }

        private static long number(byte[] json, int from, int to) {
            long value = 0;
            for (int i = from; i < to; i++) value = value * 10 + json[i] - '0';
            return value;
        }

        @SuppressWarnings("deprecation") // The bytes are ASCII, and this constructor alone copies them as they are.
        private static String string(byte[] json, int from, int to) {
            return new String(json, 0, from, to - from);
        }
    }

    /** Reads one event; used once. */
    private static final class Reader {
        /** Names in one object that are compared one by one; beyond, they go into a set. */
        private static final int FEW = 24;

        private final byte[] json;
        private final Source source;
        // Names of the objects that are open, those of the innermost last.
        private String[] names = new String[16];
        private int count;

        Reader(byte[] json, Source source) {
            this.json = json;
            this.source = source;
        }

        Event.Builder read() throws InvalidEventException {
            return whole(this::event);
        }

        Map<String, Payload> fields() throws InvalidEventException {
            return whole(this::slices);
        }

        private Map<String, Payload> slices(JsonParser parser) throws InvalidEventException {
            var fields = new LinkedHashMap<String, Payload>();
            Set<String> many = null;
            for (String name = parser.nextName(); name != null; name = parser.nextName()) {
                many = unique(name, 0, many);
                fields.put(name, slice(parser, parser.nextToken()));
            }
            return fields;
        }

        /** What is made of the fields of the one object there is. */
        private interface Inside<T> {
            T read(JsonParser parser) throws InvalidEventException;
        }

        private <T> T whole(Inside<T> inside) throws InvalidEventException {
            encoding();
            try (JsonParser parser = JSON.createParser(ObjectReadContext.empty(), json)) {
                JsonToken token = parser.nextToken();
                T event = null;
                if (token == JsonToken.START_OBJECT) {
                    event = inside.read(parser);
                } else {
                    check(parser, token, 0);
                }
                if (parser.nextToken() != null) {
                    throw new InvalidEventException(Code.BAD_JSON, "the message goes on after its JSON value");
                }
                if (event == null) throw frame("the message must be one JSON object");
                return event;
            } catch (StreamConstraintsException e) {
                throw frame("a number, name or text in the message is too long");
            } catch (JacksonException e) {
                throw new InvalidEventException(Code.BAD_JSON, "the message is not valid JSON");
            }
        }

        /** Refuses all that is not UTF-8, also what the parser would take for UTF-16 or a byte order mark. */
        private void encoding() throws InvalidEventException {
            if (!Utf8.valid(json)) throw new InvalidEventException(Code.BAD_JSON, "the message is not valid UTF-8");
            for (int i = 0; i < Math.min(4, json.length); i++) {
                if (json[i] == 0 || i == 0 && json[i] < 0) {
                    throw new InvalidEventException(Code.BAD_JSON, "the message is not valid JSON");
                }
            }
        }

        private Event.Builder event(JsonParser parser) throws InvalidEventException {
            Event.Builder event = new Event.Builder("");
            boolean typed = false;
            String from = null;
            String fromName = null;
            String fromKind = null;
            Map<String, Payload> extra = null;
            Set<String> many = null;
            for (String name = parser.nextName(); name != null; name = parser.nextName()) {
                many = unique(name, 0, many);
                JsonToken token = parser.nextToken();
                if (ignored(name)) {
                    check(parser, token, 0);
                    continue;
                }
                switch (name) {
                    case "type" -> {
                        event.type(type(parser, token));
                        typed = true;
                    }
                    case "id" -> event.id(id(parser, token, name));
                    case "from" -> from = id(parser, token, name);
                    case "from_name" -> fromName = string(parser, token, name);
                    case "from_kind" -> fromKind = string(parser, token, name);
                    case "to" -> event.to(id(parser, token, name));
                    case "room" -> event.room(id(parser, token, name));
                    case "session" -> event.session(id(parser, token, name));
                    case "content" -> event.content(slice(parser, token));
                    case "durable" -> event.durable(flag(parser, token, name));
                    case "ack" -> event.ack(Boolean.TRUE.equals(flag(parser, token, name)));
                    case "exclude" -> event.exclude(id(parser, token, name));
                    default -> {
                        if (extra == null) extra = new LinkedHashMap<>();
                        extra.put(name, slice(parser, token));
                    }
                }
            }
            if (!typed) throw frame("type is missing");
            if (extra != null) event.extra(Collections.unmodifiableMap(extra));
            return event.from(from, fromName, fromKind);
        }

        /** Whether the field is not this writer's to set. */
        private boolean ignored(String name) {
            return switch (name) {
                case "channel", "offset", "epoch", "timestamp" -> true;
                case "id" -> source == Source.STAMPED;
                case "durable" -> source == Source.PLAIN;
                case "from", "from_name", "from_kind", "session", "exclude", "ack" -> source == Source.CLIENT;
                default -> false;
            };
        }

        private static String type(JsonParser parser, JsonToken token) throws InvalidEventException {
            String type = token == JsonToken.VALUE_STRING ? parser.getString() : "";
            int length = type.length();
            boolean fine = length > 0 && length <= 64;
            for (int i = 0; fine && i < length; i++) {
                char c = type.charAt(i);
                fine = c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || "_.:-".indexOf(c) >= 0;
            }
            if (!fine) throw frame("type must be 1 to 64 characters of A-Z a-z 0-9 _ . : -");
            return type;
        }

        private static @Nullable String string(JsonParser parser, JsonToken token, String name)
                throws InvalidEventException {
            if (token == JsonToken.VALUE_NULL) return null;
            if (token != JsonToken.VALUE_STRING) throw frame(name + " must be a string");
            return parser.getString();
        }

        private static @Nullable String id(JsonParser parser, JsonToken token, String name)
                throws InvalidEventException {
            String id = string(parser, token, name);
            if (id != null && !Ids.valid(id)) {
                throw new InvalidEventException(
                        Code.BAD_ID, name + " must be 1 to 128 characters of A-Z a-z 0-9 . _ : @ ~ + = -");
            }
            return id;
        }

        private static @Nullable Boolean flag(JsonParser parser, JsonToken token, String name)
                throws InvalidEventException {
            return switch (token) {
                case VALUE_NULL -> null;
                case VALUE_TRUE -> true;
                case VALUE_FALSE -> false;
                default -> throw frame(name + " must be true or false");
            };
        }

        /** The bytes of the value that starts with this token. */
        private Payload slice(JsonParser parser, JsonToken token) throws InvalidEventException {
            int start = (int) parser.currentTokenLocation().getByteOffset();
            check(parser, token, 0);
            parser.finishToken(); // A string is only skimmed until somebody asks for it.
            int end = (int) parser.currentLocation().getByteOffset();
            return Payload.ofJson(Arrays.copyOfRange(json, start, end));
        }

        /** Goes to the last token of the value that starts with this one, and checks its limits on the way. */
        private void check(JsonParser parser, @Nullable JsonToken token, int depth) throws InvalidEventException {
            if (token == JsonToken.START_OBJECT) {
                if (depth == MAX_DEPTH) throw deep();
                int mark = count;
                Set<String> many = null;
                for (String name = parser.nextName(); name != null; name = parser.nextName()) {
                    many = unique(name, mark, many);
                    check(parser, parser.nextToken(), depth + 1);
                }
                count = mark;
            } else if (token == JsonToken.START_ARRAY) {
                if (depth == MAX_DEPTH) throw deep();
                for (JsonToken inner = parser.nextToken(); inner != JsonToken.END_ARRAY; inner = parser.nextToken()) {
                    check(parser, inner, depth + 1);
                }
            } else if (token == JsonToken.VALUE_NUMBER_INT || token == JsonToken.VALUE_NUMBER_FLOAT) {
                if (parser.getStringLength() > MAX_NUMBER) {
                    throw frame("a number must be at most " + MAX_NUMBER + " characters");
                }
            } else if (token == null) {
                throw new InvalidEventException(Code.BAD_JSON, "the message is not valid JSON");
            }
        }

        /** Notes the name; refuses one that the object, whose names start at {@code mark}, has already. */
        private @Nullable Set<String> unique(String name, int mark, @Nullable Set<String> many)
                throws InvalidEventException {
            if (name.length() > MAX_NAME) throw frame("a name must be at most " + MAX_NAME + " characters");
            Set<String> set = many;
            if (set == null && count - mark == FEW) {
                set = new HashSet<>(Arrays.asList(names).subList(mark, count));
            }
            if (set != null) {
                if (!set.add(name)) throw duplicate();
                return set;
            }
            for (int i = mark; i < count; i++) {
                if (names[i].equals(name)) throw duplicate();
            }
            if (count == names.length) names = Arrays.copyOf(names, count * 2);
            names[count++] = name;
            return null;
        }

        private static InvalidEventException deep() {
            return frame("the content must not be nested deeper than " + MAX_DEPTH);
        }

        private static InvalidEventException duplicate() {
            return frame("an object must not have the same name twice");
        }

        private static InvalidEventException frame(String sentence) {
            return new InvalidEventException(Code.BAD_FRAME, sentence);
        }
    }
}
