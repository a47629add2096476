package io.carillon.node.dispatch;

import io.carillon.model.channel.ChannelName;
import io.carillon.model.channel.Position;
import io.carillon.node.dialect.Notice;
import io.carillon.node.dispatch.Resume.Verdict;
import io.carillon.node.session.CloseCode;
import io.carillon.node.session.Endpoint;
import io.carillon.node.session.Session;
import io.carillon.node.session.Trail;
import io.netty.buffer.ByteBufAllocator;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.ThreadLocalRandom;
import java.util.concurrent.atomic.AtomicInteger;
import org.jspecify.annotations.Nullable;

/**
 * Opens event streams: their channels flow, and are held; the stream says where it stands; each channel then goes on,
 * what the client missed of it first. From then on a stream is a session like any other.
 */
final class Streams {
    private final Dispatch dispatch;
    private final Recovery recovery;
    private final RecoverySettings settings;
    private final DispatchMetrics metrics;
    private final ByteBufAllocator allocator;
    private final AtomicInteger open = new AtomicInteger();

    Streams(
            Dispatch dispatch,
            Recovery recovery,
            RecoverySettings settings,
            DispatchMetrics metrics,
            ByteBufAllocator allocator) {
        this.dispatch = dispatch;
        this.recovery = recovery;
        this.settings = settings;
        this.metrics = metrics;
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
        var opening = new Opening();
        opening.left = 1 + trail.channels().size();
        dispatch.register(session)
                .whenComplete((granted, failure) -> lane.run(() -> arrived(lane, session, trail, opening)));
        for (ChannelName channel : trail.channels()) {
            if (channel.kind() != ChannelName.Kind.ROOM) {
                attach(lane, session, trail, channel, opening);
                continue;
            }
            session.join(channel.id());
            dispatch.enter(session, channel.id())
                    .whenComplete((count, failure) -> lane.run(() -> {
                        if (session.state() == Session.State.CLOSED) return;
                        if (failure != null) session.socket().close(CloseCode.OVERLOADED);
                        else attach(lane, session, trail, channel, opening);
                    }));
        }
    }

    private void attach(Lane lane, Session session, Trail trail, ChannelName name, Opening opening) {
        dispatch.attach(lane, session, name, start -> {
            LaneChannel place = dispatch.place(lane, session, name);
            if (place == null) return;
            var channel = new Beginning(place, start, lane, session, trail);
            channel.hold();
            opening.channels.add(channel);
            arrived(lane, session, trail, opening);
        });
    }

    private void arrived(Lane lane, Session session, Trail trail, Opening opening) {
        if (--opening.left > 0 || session.state() != Session.State.OPENING) return;
        session.open();
        // Where it stands before anything comes; and clients that were closed together come back apart.
        String hello = "retry: " + ThreadLocalRandom.current().nextInt(1000, 3001) + "\nid: " + trail.id() + "\n\n";
        byte[] bytes = hello.getBytes(StandardCharsets.US_ASCII);
        session.outbox().first(allocator.directBuffer(bytes.length).writeBytes(bytes));
        session.outbox().release();
        lane.flushSoon(session);
        dispatch.expire(lane, session);
        opening.channels.forEach(Beginning::goOn);
    }

    /** What a stream waits for before it says where it stands. Owned by its loop. */
    private static final class Opening {
        private int left;
        private final List<Beginning> channels = new ArrayList<>(3);
    }

    /** One channel of a stream that opens: held from its start on, until the stream has said where it stands. */
    private final class Beginning {
        private final LaneChannel place;
        private final Position start;
        private final Lane lane;
        private final Session session;
        private final Trail trail;
        private final Hold wait = new Hold(settings.held(), settings.heldBytes());
        private @Nullable Resume resume;
        private Verdict verdict = Resume.RECOVERED;
        private boolean said;

        Beginning(LaneChannel place, Position start, Lane lane, Session session, Trail trail) {
            this.place = place;
            this.start = start;
            this.lane = lane;
            this.session = session;
            this.trail = trail;
        }

        void hold() {
            Position after = trail.at(place.name());
            if (after == null) trail.at(place.name(), start);
            else
                resume =
                        Resume.begin(lane, session, place, after, recovery, settings, metrics, sent -> {}, this::ended);
            if (resume == null) lane.hold(place, session, wait);
        }

        private void ended(Verdict of) {
            verdict = of;
            if (said) tell();
        }

        void goOn() {
            said = true;
            if (resume != null) {
                resume.run();
                return;
            }
            if (wait.missed() != null) {
                // More came in this moment than may wait; its id is as good on its next try.
                session.socket().close(CloseCode.OVERLOADED);
                return;
            }
            lane.release(place, session, start);
            tell();
        }

        /** Everything up to where the channel stands is sent, or the client is told that it is not. */
        private void tell() {
            if (session.state() == Session.State.CLOSED || verdict.equals(Resume.NOT_IN_ROOM)) return;
            Position here = lane.position(place);
            if (verdict.recovered()) trail.at(place.name(), here);
            else if (verdict.equals(Resume.LOST))
                dispatch.send(lane, session, new Notice.Resync(place.name().label(), here));
            else session.socket().close(CloseCode.OVERLOADED);
        }
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
