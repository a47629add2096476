package io.carillon.node.dispatch;

import io.carillon.model.channel.ChannelName;
import io.carillon.model.channel.Position;
import io.carillon.model.event.Event;
import io.carillon.node.backplane.Backplane;
import io.carillon.node.dialect.Notice;
import io.carillon.node.presence.Presence;
import io.carillon.node.session.CloseCode;
import io.carillon.node.session.Endpoint;
import io.carillon.node.session.Session;
import io.carillon.node.session.Trail;
import io.netty.buffer.ByteBufAllocator;
import java.nio.charset.StandardCharsets;
import java.util.Map;
import java.util.concurrent.ThreadLocalRandom;
import java.util.concurrent.atomic.AtomicInteger;
import org.jspecify.annotations.Nullable;

/**
 * Opens event streams: their channels flow, and are held; the stream says where it stands; each channel then goes on,
 * what the client missed of it first. From then on a stream is a session like any other.
 */
final class Streams {
    private final Dispatch dispatch;
    private final Presence presence;
    private final Recovery recovery;
    private final ByteBufAllocator allocator;
    private final AtomicInteger open = new AtomicInteger();

    Streams(Dispatch dispatch, Presence presence, Backplane backplane, ByteBufAllocator allocator) {
        this.dispatch = dispatch;
        this.presence = presence;
        this.recovery = new Recovery(backplane);
        this.allocator = allocator;
    }

    /** Whether there is any; safe from any thread. */
    boolean any() {
        return open.get() > 0;
    }

    void closed() {
        open.decrementAndGet();
    }

    void opened(Lane lane, Session session, Trail trail) {
        open.incrementAndGet();
        Endpoint endpoint = session.endpoint();
        var left = new AtomicInteger(1 + trail.channels().size());
        presence.opened(Dispatch.online(session))
                .whenComplete((granted, failure) -> lane.run(() -> arrived(lane, session, trail, left)));
        for (ChannelName channel : trail.channels()) {
            if (channel.kind() != ChannelName.Kind.ROOM) {
                attach(lane, session, trail, channel, left);
                continue;
            }
            session.join(channel.id());
            presence.joined(endpoint.namespace(), channel.id(), session.id(), session.user(), endpoint.presenceEvents())
                    .whenComplete((count, failure) -> lane.run(() -> {
                        if (session.state() == Session.State.CLOSED) return;
                        if (failure != null) session.socket().close(CloseCode.OVERLOADED);
                        else attach(lane, session, trail, channel, left);
                    }));
        }
    }

    private void attach(Lane lane, Session session, Trail trail, ChannelName channel, AtomicInteger left) {
        dispatch.attach(lane, session, channel, position -> {
            LaneChannel place = dispatch.place(lane, session, channel);
            if (place != null) lane.hold(place, session);
            arrived(lane, session, trail, left);
        });
    }

    private void arrived(Lane lane, Session session, Trail trail, AtomicInteger left) {
        if (left.decrementAndGet() > 0 || session.state() != Session.State.OPENING) return;
        Map<String, Position> starts = session.open();
        for (ChannelName channel : trail.channels()) {
            Position start = starts.get(channel.label());
            if (start != null && trail.at(channel) == null) trail.at(channel, start);
        }
        // Where it stands before anything comes; and clients that were closed together come back apart.
        String hello = "retry: " + ThreadLocalRandom.current().nextInt(1000, 3001) + "\nid: " + trail.id() + "\n\n";
        byte[] bytes = hello.getBytes(StandardCharsets.US_ASCII);
        session.outbox().first(allocator.directBuffer(bytes.length).writeBytes(bytes));
        session.outbox().release();
        lane.flushSoon(session);
        dispatch.expire(lane, session);
        for (ChannelName channel : trail.channels()) {
            Position start = starts.get(channel.label());
            Position after = trail.at(channel);
            if (start == null || after == null) continue;
            if (after.equals(start)) goOn(lane, session, channel, start);
            else recover(lane, session, trail, channel, after, start);
        }
    }

    private void recover(Lane lane, Session session, Trail trail, ChannelName channel, Position after, Position start) {
        recovery.since(channel, after, start)
                .whenComplete((missed, failure) -> lane.run(() -> {
                    if (session.state() == Session.State.CLOSED) return;
                    if (missed == null) {
                        // Its last id is as good on its next try.
                        session.socket().close(CloseCode.OVERLOADED);
                        return;
                    }
                    if (missed.proven() && Commands.placed(missed, start)) {
                        for (Event event : missed.events()) {
                            if (!Commands.isFor(session, event) || !Commands.before(event, start)) continue;
                            dispatch.send(lane, session, channel, event);
                            // What the kernel takes now need not wait in the outbox, which is bounded.
                            if (!session.socket().writable()) session.socket().flush();
                        }
                        trail.at(channel, start);
                    } else {
                        dispatch.send(lane, session, new Notice.Resync(channel.label(), start));
                    }
                    goOn(lane, session, channel, start);
                }));
    }

    private void goOn(Lane lane, Session session, ChannelName channel, Position start) {
        LaneChannel place = dispatch.place(lane, session, channel);
        if (place == null) return;
        place.release(session, start, (frame, at) -> lane.send(session, channel, frame, at));
        lane.flushSoon(session);
    }

    /** Where a notice takes a stream to; null when it does not move it. */
    static @Nullable String moved(Session session, Trail trail, Notice notice) {
        if (!(notice instanceof Notice.Resync resync)) return null;
        ChannelName channel = ChannelName.parse(session.endpoint().namespace(), resync.channel());
        if (channel == null) return null;
        trail.at(channel, resync.position());
        return trail.id();
    }
}
