package io.carillon.node.backplane;

import io.carillon.model.channel.ChannelName;
import io.carillon.model.channel.Position;
import java.util.List;
import java.util.concurrent.CompletionStage;
import org.jspecify.annotations.Nullable;

/**
 * Carries events between nodes. Promises, for every adapter:
 *
 * <ul>
 *   <li>Messages of one publisher on one channel arrive in the order in which its calls returned, while connected
 *       (those under way while a slot of Redis Cluster moves may overtake each other).
 *   <li>{@link #append} is atomic: offset, history and publication happen together or not at all, and the same id on one
 *       channel is one event as long as the history holds it.
 *   <li>While the link is down every call fails at once with {@link BackplaneException}; nothing is queued. A call whose
 *       link breaks under it fails too, and may have happened: repeat it with the same id.
 *   <li>Channels stay wanted over a loss of the link: they are subscribed again, and
 *       {@link BackplaneListener#subscribed} is called again for each.
 * </ul>
 */
public interface Backplane {
    /** Starts delivering to the listener; called once, before anything else. */
    void start(BackplaneListener listener);

    /** Stops; the listener is not called after this returns. */
    void stop();

    /** Wants the channel's messages; idempotent. {@link BackplaneListener#subscribed} tells when they flow. */
    void subscribe(ChannelName channel);

    /** No longer wants them; idempotent. A message on its way may still arrive. */
    void unsubscribe(ChannelName channel);

    /**
     * Appends to the channel's history and publishes.
     *
     * @param event the event without stamps, as {@code EventCodec.write} makes it
     * @param id the event's id
     */
    CompletionStage<Appended> append(ChannelName channel, byte[] event, String id, Retention retention);

    /**
     * As {@link #append}, for an event that a worker took from a stream. An entry that is not behind the last one this
     * channel took from the stream is a duplicate, however long ago that was. One whose predecessor was not taken is
     * refused ({@code CARILLONORDER}), so that no entry overtakes one that failed.
     */
    default CompletionStage<Appended> append(
            ChannelName channel, byte[] event, String id, Retention retention, Source source) {
        throw new UnsupportedOperationException("this backplane takes nothing from streams");
    }

    /**
     * Publishes without history.
     *
     * @return how many nodes received it
     */
    CompletionStage<Long> publish(ChannelName channel, byte[] event);

    /**
     * Reads what follows a position, or where the channel stands.
     *
     * @param after null to read the top only
     * @param limit most events in one answer
     */
    CompletionStage<HistoryRead> read(ChannelName channel, @Nullable Position after, int limit);

    /**
     * As {@link #read}, for a position this node held live until its link broke. When Redis has changed its primary
     * meanwhile, the position is accepted if it lies before the change; {@link #read} refuses it, because a client that
     * was away cannot know whether the events it missed were lost with the old primary.
     */
    default CompletionStage<HistoryRead> readHeld(ChannelName channel, @Nullable Position after, int limit) {
        return read(channel, after, limit);
    }

    /**
     * Reads what is kept of a channel.
     *
     * @param after offset of the event before the first; 0 for the start of what is kept
     */
    CompletionStage<HistoryRead> history(ChannelName channel, long after, int limit);

    /** Sends a control message to a node, {@link BackplaneListener#control} there. */
    CompletionStage<Long> publishToNode(String boot, byte[] message);

    /** Puts a message that cannot be delivered aside, with where it came from and why. Best effort, bounded. */
    void deadLetter(String source, String reason, byte[] message);

    /**
     * Whether the link is up: commands are accepted and subscriptions flow. In Redis Cluster, whether they do for most
     * primaries: one that is down makes its own channels fail, not the node. Safe from any thread.
     */
    boolean connected();

    /**
     * What came of an append.
     *
     * @param position the event's place
     * @param duplicate whether the id was known and nothing was published again
     * @param receivers nodes that received it now
     */
    record Appended(Position position, boolean duplicate, long receivers) {}

    /**
     * Where an event was taken from.
     *
     * @param stream name of the stream, the same for every worker that ever drains it
     * @param entry its id there
     * @param after id of the entry before it in the same batch and for the same channel; null for the first
     */
    record Source(String stream, String entry, @Nullable String after) {}

    /**
     * How much of a channel is kept.
     *
     * @param events most events
     * @param seconds how long after the last publish
     */
    record Retention(int events, int seconds) {}

    /**
     * Part of a history.
     *
     * @param continuous whether the events follow the given position without a gap; false means it cannot be proven,
     *     and {@code events} is empty
     * @param top the channel's last position
     * @param events stamped events in order
     * @param more whether there are more behind the last
     */
    record HistoryRead(boolean continuous, Position top, List<byte[]> events, boolean more) {}
}
