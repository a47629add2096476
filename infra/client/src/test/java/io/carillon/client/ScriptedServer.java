package io.carillon.client;

import java.net.URI;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import org.jspecify.annotations.Nullable;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;

/** A transport whose other end is the test. */
final class ScriptedServer implements Transport {
    private static final JsonMapper JSON = JsonMapper.shared();

    /** One connection, or the attempt at one. */
    static final class Line implements Link {
        final URI address;
        final @Nullable String token;
        final @Nullable String lastEventId;
        final Listener client;
        final List<JsonNode> sent = new ArrayList<>();
        int asked;
        int pings;
        boolean cut;
        boolean left;

        /** Whether it answers pings, as every living server does. */
        boolean there = true;

        Line(URI address, @Nullable String token, @Nullable String lastEventId, Listener client) {
            this.address = address;
            this.token = token;
            this.lastEventId = lastEventId;
            this.client = client;
        }

        @Override
        public synchronized void send(String frame) {
            sent.add(JSON.readTree(frame));
        }

        @Override
        public synchronized void more() {
            asked++;
        }

        @Override
        public void ping() {
            pings++;
            if (there) client.heard();
        }

        @Override
        public void close() {
            left = true;
        }

        @Override
        public void abort() {
            cut = true;
        }

        /** Sends a frame; apostrophes stand for quotes. */
        void says(String frame) {
            client.frame(frame.replace('\'', '"'));
        }

        Line opens() {
            client.opened();
            return this;
        }

        /** Opens, with the user's channel and the broadcast at these offsets of epoch e. */
        Line welcomes(long own, long broadcast) {
            return opens().greets(own, broadcast);
        }

        Line greets(long own, long broadcast) {
            says("{'type':'welcome','session':'s','user':'me','node':'n','heartbeat':25000,'channels':{"
                    + "'user:me':{'epoch':'e','offset':" + own + "},'broadcast':{'epoch':'e','offset':" + broadcast
                    + "}}}");
            return this;
        }

        /** An event of the user's own channel. */
        void event(long offset) {
            says("{'channel':'user:me','offset':" + offset + ",'epoch':'e','id':'i" + offset
                    + "','type':'chat','content':" + offset + "}");
        }

        synchronized List<JsonNode> sent(String type) {
            return sent.stream()
                    .filter(frame -> frame.path("type").asString().equals(type))
                    .toList();
        }

        /** The last frame of a type. */
        JsonNode last(String type) {
            List<JsonNode> all = sent(type);
            if (all.isEmpty()) throw new AssertionError("no " + type + " was sent; there were: " + sent);
            return all.getLast();
        }

        /** Answers the last frame of a type; {@code rest} are the answer's further fields. */
        void answers(String type, String answer, String rest) {
            says("{'type':'" + answer + "','ref':'" + last(type).path("ref").asString() + "'" + rest + "}");
        }

        synchronized int asked() {
            return asked;
        }
    }

    final List<Line> lines = new ArrayList<>();

    /** What opening a connection fails with at once. */
    @Nullable
    RuntimeException refuses;

    @Override
    public Link open(URI address, @Nullable String token, @Nullable String lastEventId, Listener listener) {
        if (refuses != null) throw refuses;
        var line = new Line(address, token, lastEventId, listener);
        lines.add(line);
        return line;
    }

    Line last() {
        return Objects.requireNonNull(lines.getLast());
    }
}
