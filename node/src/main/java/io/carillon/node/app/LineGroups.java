package io.carillon.node.app;

import io.carillon.model.channel.ChannelName;
import io.carillon.model.channel.Namespace;
import io.carillon.model.event.Payload;
import io.carillon.model.redis.Keys;
import io.carillon.model.redis.Script;
import io.carillon.node.backplane.Backplane.Retention;
import io.carillon.node.backplane.ScriptRunner;
import io.carillon.node.dispatch.DispatchSettings;
import io.carillon.node.session.EndpointSettings;
import io.micrometer.core.instrument.MeterRegistry;
import java.nio.charset.StandardCharsets;
import java.time.InstantSource;
import java.time.LocalDate;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletionStage;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * What the groups of the line application have in Redis, by {@code line.lua}: every call does all of its work in one
 * step, so numbers are right whoever counts, and a call made twice with the same id counts once. Stages fail with
 * {@code BackplaneException} when Redis is away. Safe from any thread; never blocks.
 */
final class LineGroups {
    private static final Logger log = LoggerFactory.getLogger(LineGroups.class);
    private static final String ROOM = "group-";
    private static final List<String> PARTS =
            List.of("accounts", "online", "lost", "numbers", "incoming", "customers", "codes", "answered", "answers");

    private final ScriptRunner redis;
    private final Keys keys;
    private final LineSettings settings;
    private final DispatchSettings dispatch;
    private final EndpointSettings endpoints;
    private final InstantSource clock;
    private final MeterRegistry metrics;

    /** What came of a client's message. */
    sealed interface Outcome {
        /** @param data of the answer */
        record Answered(Payload data) implements Outcome {}

        record TooMany(String what) implements Outcome {}
    }

    LineGroups(
            ScriptRunner redis,
            Keys keys,
            LineSettings settings,
            DispatchSettings dispatch,
            EndpointSettings endpoints,
            InstantSource clock,
            MeterRegistry metrics) {
        this.redis = redis;
        this.keys = keys;
        this.settings = settings;
        this.dispatch = dispatch;
        this.endpoints = endpoints;
        this.clock = clock;
        this.metrics = metrics;
    }

    /** The room of all sessions of a group. */
    static ChannelName room(Namespace namespace, long group) {
        return ChannelName.room(namespace, ROOM + group);
    }

    /** The group whose room the channel is; 0 when it is none's. */
    static long group(ChannelName channel) {
        if (channel.kind() != ChannelName.Kind.ROOM || !channel.id().startsWith(ROOM)) return 0;
        return LineReports.group(channel.id().substring(ROOM.length()));
    }

    /** Today, by the application's zone. */
    LocalDate today() {
        return LocalDate.ofInstant(clock.instant(), settings.zone());
    }

    /**
     * Does what a client's message says.
     *
     * @param type its type, which is the script's operation
     * @param id its own id; null when it has none
     */
    CompletionStage<Outcome> handle(
            ChannelName room, String type, String code, @Nullable String id, List<String> arguments) {
        return run(room, type, code, id == null ? "" : id, arguments).thenApply(reply -> {
            long result = (Long) reply.get(0);
            byte[] text = (byte[]) reply.get(1);
            metrics.counter("carillon.line.messages", "type", type, "result", word(result))
                    .increment();
            return result == 0
                    ? new Outcome.TooMany(new String(text, StandardCharsets.UTF_8))
                    : new Outcome.Answered(Payload.ofJson(text));
        });
    }

    private static String word(long result) {
        return result == 0 ? "refused" : result == 1 ? "counted" : "repeated";
    }

    /** A client opens a session with the code. To be said before presence hears of it. */
    void opens(ChannelName room, String code) {
        tell(room, "open", code);
    }

    /** The code has no session any more: its accounts go offline, unless it has one after all. */
    void gone(ChannelName room, String code) {
        tell(room, "offline", code);
    }

    /** As {@link #gone} for every code of the group without a session. */
    void settle(ChannelName room) {
        tell(room, "offline", "");
    }

    /** The code has a session: what was taken for gone is back. */
    void back(ChannelName room, String code) {
        tell(room, "back", code);
    }

    /** The group's numbers as they are now; null when there are none yet. */
    CompletionStage<@Nullable Payload> stats(ChannelName room) {
        return run(room, "stats", "", "", List.of()).thenApply(reply -> {
            byte[] text = (byte[]) reply.get(1);
            return text.length == 0 ? null : Payload.ofJson(text);
        });
    }

    /** Nobody waits for the answer; without Redis it is done once Redis is back ({@link LineWindows#restored}). */
    private void tell(ChannelName room, String operation, String code) {
        run(room, operation, code, "", List.of()).whenComplete((reply, failure) -> {
            if (failure != null) {
                log.warn("A group could not be told. operation={} reason={}", operation, failure.getMessage());
            }
        });
    }

    private CompletionStage<List<Object>> run(
            ChannelName room, String operation, String code, String id, List<String> more) {
        Retention kept = dispatch.retention(room.kind(), endpoints.history(room.namespace()));
        String limits = settings.accounts() + "," + settings.incoming() + "," + settings.customers() + ","
                + settings.answers().toBytes() + "," + settings.age().toSeconds() + "," + kept.events() + ","
                + kept.seconds();
        var arguments = new ArrayList<String>(5 + more.size());
        arguments.addAll(List.of(operation, code, Long.toString(today().toEpochDay()), id, limits));
        arguments.addAll(more);
        return redis.runOn(Script.LINE, keysOf(room), bytes(arguments));
    }

    private static List<byte[]> bytes(List<String> texts) {
        return texts.stream().map(text -> text.getBytes(StandardCharsets.UTF_8)).toList();
    }

    private List<String> keysOf(ChannelName room) {
        String channel = keys.channel(room);
        var all = new ArrayList<String>(4 + PARTS.size());
        all.addAll(List.of(channel, channel + ":history", channel + ":ids", keys.members(room.namespace(), room.id())));
        for (String part : PARTS) all.add(keys.group(room, part));
        return all;
    }
}
