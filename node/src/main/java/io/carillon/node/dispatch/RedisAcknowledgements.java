package io.carillon.node.dispatch;

import io.carillon.model.channel.ChannelName;
import io.carillon.model.redis.Keys;
import io.carillon.model.redis.Script;
import io.carillon.node.backplane.ScriptRunner;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.concurrent.CompletionStage;

/** Acknowledgements in Redis: {@code EVALSHA ack.lua 1 carillon:<ns>:user:{id}}. */
final class RedisAcknowledgements implements Acknowledgements {
    /** Events and bytes read at once. */
    private static final String EVENTS = "100";

    private static final String BYTES = "131072";

    private final ScriptRunner redis;
    private final Keys keys;
    private final String age;

    RedisAcknowledgements(ScriptRunner redis, Keys keys, AckSettings settings) {
        this.redis = redis;
        this.keys = keys;
        this.age = Long.toString(settings.age().toSeconds());
    }

    @Override
    public CompletionStage<Page> pending(ChannelName channel, long after) {
        return redis.run(
                        Script.ACK, keys.channel(channel), List.of("pending", age, Long.toString(after), EVENTS, BYTES))
                .thenApply(reply -> {
                    var events = new ArrayList<Waiting>(reply.size() / 2);
                    for (int i = 1; i + 1 < reply.size(); i += 2) {
                        events.add(new Waiting(Long.parseLong(text(reply.get(i))), (byte[]) reply.get(i + 1)));
                    }
                    return new Page((Long) reply.getFirst() == 1, events);
                });
    }

    @Override
    public CompletionStage<Boolean> acknowledge(ChannelName channel, String id) {
        return redis.run(Script.ACK, keys.channel(channel), List.of("done", age, id))
                .thenApply(reply -> (Long) reply.getFirst() == 1);
    }

    @Override
    public CompletionStage<Fate> fate(ChannelName channel, String id) {
        return redis.run(Script.ACK, keys.channel(channel), List.of("state", age, id))
                .thenApply(reply -> new Fate(
                        State.valueOf(text(reply.get(0)).toUpperCase(Locale.ROOT)),
                        Long.parseLong(text(reply.get(1))) / 1000));
    }

    private static String text(Object value) {
        return new String((byte[]) value, StandardCharsets.UTF_8);
    }
}
