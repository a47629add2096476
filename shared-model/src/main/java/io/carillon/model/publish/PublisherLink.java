package io.carillon.model.publish;

import io.carillon.model.redis.Script;
import java.util.List;
import java.util.Map;

/** The few commands an {@link EventPublisher} needs of a Redis client. Each throws whatever the client throws. */
interface PublisherLink {
    /** How this Redis spreads messages. */
    Script.Mode mode();

    /** PUBLISH, or SPUBLISH; answers the receivers. */
    long publish(String topic, byte[] message);

    /** EVALSHA, and EVAL where Redis has forgotten the script; integers come as Long, texts as bytes. */
    List<Object> run(Script script, String key, byte[]... arguments);

    /** XADD; answers the entry's id. */
    String add(String stream, Map<String, byte[]> fields);
}
