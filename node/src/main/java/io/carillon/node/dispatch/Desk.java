package io.carillon.node.dispatch;

import io.carillon.model.channel.ChannelName;
import io.carillon.node.dialect.Notice;
import io.carillon.node.session.Session;
import java.util.function.Predicate;
import org.jspecify.annotations.Nullable;

/** What dispatch does for {@linkplain Application applications} on this node. Safe from any thread; never blocks. */
public interface Desk {
    /** Runs the task on the session's loop, in the order of the calls. */
    void run(Session session, Runnable task);

    /** Tells the session something. */
    void send(Session session, Notice notice);

    /**
     * Tells every session on the channel something that this node has them.
     *
     * @param which those that are told; null for all
     */
    void send(ChannelName channel, @Nullable Predicate<Session> which, Notice notice);

    /** Refuses what the client asked for, and counts that. */
    void refuse(Session session, @Nullable String ref, String code, String sentence);

    /** Refuses a message over a rate; closes a session that goes on like that with 4429. */
    void limit(Session session, @Nullable String ref);

    /** As {@link #refuse}, for a call that failed: the cluster cannot take it now. A bug is logged. */
    void unavailable(Session session, @Nullable String ref, Throwable failure);
}
