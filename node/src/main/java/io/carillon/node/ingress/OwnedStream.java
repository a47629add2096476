package io.carillon.node.ingress;

import io.carillon.model.redis.Script;
import io.carillon.node.backplane.ScriptRunner;
import io.carillon.node.backplane.Streams;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletionStage;

/**
 * What a worker may do with its stream. Every call renews the lock, and changes nothing when somebody else holds it.
 *
 * <pre>
 * claim    SET carillon:ingress:{orders}:owner &lt;worker&gt; NX PX 5000
 * read     XREADGROUP GROUP carillon worker COUNT 8 STREAMS carillon:ingress:{orders} &gt;, as often as it takes
 * pending  XPENDING carillon:ingress:{orders} carillon - + 256, XCLAIM each
 * done     XACK and XDEL carillon:ingress:{orders} &lt;id&gt;…
 * </pre>
 */
final class OwnedStream implements AutoCloseable {
    /** Bytes of entries in one reply, give or take one entry. */
    private static final String REPLY_BYTES = Integer.toString(1024 * 1024);

    private final String key;
    private final String worker;
    private final String lock;
    private final String batch;
    private final Streams.Stream stream;

    OwnedStream(String key, String worker, IngressSettings settings, Streams.Stream stream) {
        this.key = key;
        this.worker = worker;
        this.lock = Long.toString(settings.lock().toMillis());
        this.batch = Integer.toString(settings.batch());
        this.stream = stream;
    }

    /**
     * Part of a stream.
     *
     * @param ours whether this worker still owns the stream; if not there are no entries
     * @param last for new entries, the id of the last one given to anybody
     * @param seen for pending entries, how many were looked at; 0 when there are none left
     */
    record Part(boolean ours, String last, long seen, List<Entry> entries) {}

    /** Takes the lock if it is free. */
    static CompletionStage<Boolean> claim(ScriptRunner scripts, String key, String worker, IngressSettings settings) {
        String lock = Long.toString(settings.lock().toMillis());
        return scripts.run(Script.INGRESS, key, List.of("claim", worker, lock)).thenApply(OwnedStream::ours);
    }

    /** Entries in the stream; negative when it is no longer ours. */
    CompletionStage<Long> renew(ScriptRunner scripts) {
        return scripts.run(Script.INGRESS, key, List.of("renew", worker, lock))
                .thenApply(reply -> ours(reply) ? (Long) reply.get(1) : -1L);
    }

    /** Gives the lock back, if it is still ours. */
    CompletionStage<Boolean> release(ScriptRunner scripts) {
        return scripts.run(Script.INGRESS, key, List.of("release", worker, lock))
                .thenApply(OwnedStream::ours);
    }

    CompletionStage<Part> read() {
        return stream.run(Script.INGRESS, key, List.of("read", worker, lock, batch, REPLY_BYTES))
                .thenApply(reply -> ours(reply)
                        ? new Part(true, Entry.text(reply.get(1)), 0, entries(reply))
                        : new Part(false, "", 0, List.of()));
    }

    CompletionStage<Part> pending() {
        return stream.run(Script.INGRESS, key, List.of("pending", worker, lock, batch, REPLY_BYTES))
                .thenApply(reply -> ours(reply)
                        ? new Part(true, "", (Long) reply.get(1), entries(reply))
                        : new Part(false, "", 0, List.of()));
    }

    /** Takes entries away for good; false when the stream is no longer ours. */
    CompletionStage<Boolean> done(List<Entry> entries) {
        var arguments = new ArrayList<>(List.of("done", worker, lock));
        for (Entry entry : entries) arguments.add(entry.id());
        return stream.run(Script.INGRESS, key, arguments).thenApply(OwnedStream::ours);
    }

    CompletionStage<Boolean> await(String after, Duration longest) {
        return stream.await(after, longest);
    }

    /** Gives the connection up for another. */
    void renewConnection() {
        stream.renew();
    }

    @Override
    public void close() {
        stream.close();
    }

    private static boolean ours(List<Object> reply) {
        return (Long) reply.getFirst() == 1;
    }

    private static List<Entry> entries(List<Object> reply) {
        return reply.stream().skip(2).map(Entry::of).toList();
    }
}
