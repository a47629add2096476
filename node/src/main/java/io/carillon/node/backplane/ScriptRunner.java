package io.carillon.node.backplane;

import io.carillon.model.redis.Script;
import java.util.List;
import java.util.concurrent.CompletionStage;

/**
 * Runs Carillon's scripts on Redis: EVALSHA, and EVAL once where the server has forgotten the script; in Cluster on the
 * primary that holds the key. Integers come as Long, texts as byte arrays, tables as lists. Fails with
 * {@link BackplaneException} at once while disconnected. Safe from any thread.
 */
public interface ScriptRunner {
    CompletionStage<List<Object>> run(Script script, String key, List<String> arguments);

    /** The same for arguments that are not all text. */
    default CompletionStage<List<Object>> runBytes(Script script, String key, List<byte[]> arguments) {
        throw new UnsupportedOperationException("this runner takes text only");
    }

    /**
     * The same for a script that touches more than one key: named, so that Redis Cluster refuses the call as a whole while
     * only some of them have arrived at their new primary.
     *
     * @param keys of one slot
     */
    default CompletionStage<List<Object>> runOn(Script script, List<String> keys, List<byte[]> arguments) {
        throw new UnsupportedOperationException("this runner takes one key only");
    }

    /** How many subscribe to a topic of ours: {@code PUBSUB NUMSUB}, in Cluster {@code PUBSUB SHARDNUMSUB}. */
    CompletionStage<Long> subscribers(String topic);
}
