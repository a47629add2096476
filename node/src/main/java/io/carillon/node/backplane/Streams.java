package io.carillon.node.backplane;

import io.carillon.model.redis.Script;
import java.time.Duration;
import java.util.List;
import java.util.Set;
import java.util.concurrent.CompletionStage;

/** Streams in Redis that services write to. Safe from any thread; nothing here blocks. */
public interface Streams {
    /**
     * Looks for streams by a walk over all keys, in Cluster over those of every primary. Pages are spaced, so that the
     * walk takes little of Redis' time: a million keys last some five seconds.
     *
     * @param start what their names start with
     */
    CompletionStage<Set<String>> find(String start);

    /** Opens a connection for one stream. It is made again by itself when it is lost, until it is closed. */
    Stream open(String key);

    /** One stream, on a connection of its own: somebody waits on it, and its replies may be large. */
    interface Stream extends AutoCloseable {
        /** As {@link ScriptRunner#run}, for keys of the stream's slot. */
        CompletionStage<List<Object>> run(Script script, String key, List<String> arguments);

        /** Completes with true once there is an entry behind the given one, with false if none came in this time. */
        CompletionStage<Boolean> await(String after, Duration longest);

        /** Gives the present connection up, because nothing comes back on it; a new one is made. */
        void renew();

        @Override
        void close();
    }
}
