package io.carillon.model.redis;

import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.HexFormat;
import java.util.Locale;

/**
 * The Lua scripts, one file each, whose first lines say what keys and arguments they take and what they answer. They
 * run as EVALSHA on Redis 6.2 and later.
 */
public enum Script {
    /** Atomic durable publish of one event on one channel. */
    PUBLISH,
    /** What follows a position. */
    READ,
    /** Events that wait to be acknowledged. */
    ACK,
    /** Users and their sessions. */
    PRESENCE,
    /** Leases of nodes. */
    NODE,
    /** Users of a room. */
    ROOM,
    /** Plain commands on one key. */
    KEY,
    /** One stream of events from a service: who drains it, and what is read from it. */
    INGRESS,
    /** What could not be delivered. */
    LETTER,
    /** Messages of a conversation or chat: numbered, kept and published in one step. */
    MESSAGE("publish.lua"),
    /** Activation codes and their groups. */
    CODE,
    /** One group of the line application: counted, kept and published in one step. */
    LINE("publish.lua");

    /** How the Redis in use spreads messages; decides which publish command the scripts call. */
    public enum Mode {
        /** One primary, with or without Sentinel: PUBLISH. */
        PLAIN("PUBLISH"),
        /** Redis Cluster: SPUBLISH, on the shard that holds the channel. */
        SHARDED("SPUBLISH");

        private final String command;

        Mode(String command) {
            this.command = command;
        }
    }

    private final String template;
    private final String[] sources = new String[Mode.values().length];
    private final String[] digests = new String[Mode.values().length];

    Script() {
        this("");
    }

    /** @param appending the script it calls as {@code append(KEYS, ARGV)}; empty for none */
    Script(String appending) {
        String own = load(name().toLowerCase(Locale.ROOT) + ".lua");
        template = appending.isEmpty() ? own : function(load(appending)) + own;
        for (Mode mode : Mode.values()) {
            sources[mode.ordinal()] = template.replace("@PUB@", mode.command);
            digests[mode.ordinal()] = sha1Of(sources[mode.ordinal()]);
        }
    }

    /** The text to load. */
    public String source(Mode mode) {
        return sources[mode.ordinal()];
    }

    /** The name Redis gives the text: its SHA-1 in lower-case hex. */
    public String sha1(Mode mode) {
        return digests[mode.ordinal()];
    }

    /**
     * The function library {@code carillon} for services that publish without these classes (Redis 7 and later):
     * {@code FCALL carillon_publish 1 <channel> <event> [id [option value]...]} does what {@link #PUBLISH} does, checks
     * the event first, and answers offset, epoch, duplicate, receivers.
     */
    public static String functions(Mode mode) {
        return "#!lua name=carillon\n" + function(PUBLISH.source(mode))
                + "redis.register_function('carillon_publish', function(keys, args)\n"
                + "  for i = 3, #args, 2 do\n"
                + "    if args[i] == 'trusted' or args[i] == 'source' or args[i] == 'ack' then return redis.error_reply('CARILLONOPTION unknown option') end\n"
                + "  end\n"
                + "  local reply = append(keys, args)\n"
                + "  if reply.err then return reply end\n"
                + "  return {reply[1], reply[2], reply[4], reply[5]}\n"
                + "end)\n";
    }

    private static String function(String script) {
        return "local function append(KEYS, ARGV)\n" + script + "end\n";
    }

    private static String load(String file) {
        try (InputStream in = Script.class.getResourceAsStream(file)) {
            if (in == null) throw new IllegalStateException("the jar lacks " + file);
            return new String(in.readAllBytes(), StandardCharsets.UTF_8);
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    private static String sha1Of(String text) {
        try {
            return HexFormat.of()
                    .formatHex(MessageDigest.getInstance("SHA-1").digest(text.getBytes(StandardCharsets.UTF_8)));
        } catch (NoSuchAlgorithmException e) {
            throw new IllegalStateException(e);
        }
    }
}
