package io.carillon.node.dispatch;

import io.carillon.model.channel.ChannelName;
import io.carillon.model.channel.Position;
import io.carillon.model.event.Event;
import io.carillon.model.event.EventIds;
import io.carillon.node.backplane.Backplane;
import io.carillon.node.backplane.BackplaneException;
import io.carillon.node.channel.Channels;
import io.carillon.node.dialect.Command;
import io.carillon.node.dialect.Notice;
import io.carillon.node.dialect.Notice.Resumed.Outcome;
import io.carillon.node.dispatch.Publisher.Published;
import io.carillon.node.identity.Principal;
import io.carillon.node.presence.Presence;
import io.carillon.node.session.CloseCode;
import io.carillon.node.session.Endpoint;
import io.carillon.node.session.Session;
import java.time.InstantSource;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionStage;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Carries out what clients ask for. Everything runs on the session's loop; what has to wait for Redis comes back to it
 * through its lane.
 */
final class Commands {
    private static final Logger log = LoggerFactory.getLogger(Commands.class);

    private final Dispatch dispatch;
    private final Channels channels;
    private final Presence presence;
    private final Publisher publisher;
    private final Backplane backplane;
    private final Recovery recovery;
    private final Dispatch.Members members;
    private final Dispatch.Renewal renewal;
    private final DispatchSettings settings;
    private final DispatchMetrics metrics;
    private final InstantSource clock;

    Commands(
            Dispatch dispatch,
            Channels channels,
            Presence presence,
            Publisher publisher,
            Backplane backplane,
            Dispatch.Members members,
            Dispatch.Renewal renewal,
            DispatchSettings settings,
            DispatchMetrics metrics,
            InstantSource clock) {
        this.dispatch = dispatch;
        this.channels = channels;
        this.presence = presence;
        this.publisher = publisher;
        this.backplane = backplane;
        this.recovery = new Recovery(backplane);
        this.members = members;
        this.renewal = renewal;
        this.settings = settings;
        this.metrics = metrics;
        this.clock = clock;
    }

    /** Does what the client asks; on the session's loop. */
    void received(Lane lane, Session session, Command command) {
        if (!session.maySend(lane.now())) {
            refuse(lane, session, command.ref(), "rate_limited", "too many messages; send fewer a second");
            if (session.flooding(lane.now(), settings.refusals())) {
                session.socket().close(CloseCode.TOO_MANY_MESSAGES);
            }
            return;
        }
        switch (command) {
            case Command.Publish publish -> publish(lane, session, publish);
            case Command.Join join -> askToJoin(lane, session, join);
            case Command.Leave leave -> {
                leave(lane, session, leave.room());
                dispatch.send(lane, session, new Notice.Left(leave.ref(), leave.room()));
            }
            case Command.Members ask -> members(lane, session, ask);
            case Command.Ping ping -> dispatch.send(lane, session, new Notice.Pong(ping.ref(), clock.millis()));
            case Command.Refresh refresh -> refresh(lane, session, refresh);
            case Command.Resume resume -> resume(lane, session, resume);
            case Command.History history -> history(lane, session, history);
            case Command.Invalid invalid -> refuse(lane, session, invalid.ref(), invalid.code(), invalid.sentence());
        }
    }

    private void publish(Lane lane, Session session, Command.Publish command) {
        Endpoint endpoint = session.endpoint();
        Event asked = command.event();
        boolean ephemeral = endpoint.ephemeralTypes().contains(asked.type());
        boolean durable = !ephemeral && !Boolean.FALSE.equals(asked.durable());
        Principal principal = session.principal();
        String id = asked.id() != null ? asked.id() : EventIds.next(clock.millis());
        Event.Builder builder = asked.with().id(id).from(principal.user(), principal.name(), principal.kind());

        String to = asked.to();
        String room = asked.room();
        ChannelName target;
        if (to != null) {
            target = ChannelName.user(endpoint.namespace(), to);
        } else if (room != null) {
            if (!session.rooms().contains(room)) {
                refuse(lane, session, command.ref(), "not_in_room", "join the room before sending to it");
                return;
            }
            target = ChannelName.room(endpoint.namespace(), room);
        } else if (endpoint.clientBroadcast()) {
            target = ChannelName.broadcast(endpoint.namespace());
        } else {
            refuse(
                    lane,
                    session,
                    command.ref(),
                    "not_allowed",
                    "clients may not send to everyone here; name a user in \"to\" or a \"room\"");
            return;
        }
        // The sending session has its answer; the user's other sessions get the event, from the target itself or by a
        // copy on the user's own channel.
        Event event = builder.exclude(session.id()).build();
        ChannelName own = session.userChannel();
        boolean copy = to != null && !ephemeral && !target.equals(own);
        CompletionStage<Published> sent = publisher.publish(target, event, durable, null);
        CompletionStage<@Nullable Published> self = copy
                ? publisher.publish(own, event, durable, null).thenApply(p -> p)
                : CompletableFuture.completedFuture(null);
        sent.thenCombine(self, (published, echoed) -> {
                    String ref = command.ref();
                    if (ref == null) return null;
                    return new Notice.Sent(
                            ref, published.id(), published.position(), echoed == null ? null : echoed.position());
                })
                .whenComplete((answer, failure) -> lane.run(() -> {
                    if (failure != null) unavailable(lane, session, command.ref(), failure);
                    else if (answer != null) dispatch.send(lane, session, answer);
                }));
    }

    private void askToJoin(Lane lane, Session session, Command.Join command) {
        String room = command.room();
        if (!session.principal().mayJoin(room)) {
            refuse(lane, session, command.ref(), "not_allowed", "the token does not name this private room");
            return;
        }
        if (settings.rooms() > 0
                && session.rooms().size() >= settings.rooms()
                && !session.rooms().contains(room)) {
            refuse(
                    lane,
                    session,
                    command.ref(),
                    "too_many_rooms",
                    "a session may be in " + settings.rooms() + " rooms; leave one first");
            return;
        }
        join(lane, session, room, command.ref());
    }

    /** Joins in the order presence, channel: whoever is told of the join can reach the session. */
    void join(Lane lane, Session session, String room, @Nullable String ref) {
        Endpoint endpoint = session.endpoint();
        ChannelName name = ChannelName.room(endpoint.namespace(), room);
        boolean fresh = session.join(room);
        presence.joined(endpoint.namespace(), room, session.id(), session.user(), endpoint.presenceEvents())
                .whenComplete((count, failure) -> lane.run(() -> {
                    if (session.state() == Session.State.CLOSED
                            || !session.rooms().contains(room)) return;
                    if (failure != null) {
                        if (fresh) {
                            session.leave(room);
                            presence.left(
                                    endpoint.namespace(),
                                    room,
                                    session.id(),
                                    session.user(),
                                    endpoint.presenceEvents());
                        }
                        unavailable(lane, session, ref, failure);
                        return;
                    }
                    if (fresh) {
                        dispatch.attach(
                                lane,
                                session,
                                name,
                                at -> dispatch.send(lane, session, new Notice.Joined(ref, room, count, at)));
                    } else {
                        // Already in: the answer still tells where the room stands, and balances its attachment.
                        channels.attach(
                                name,
                                lane.index(),
                                at -> lane.run(() -> {
                                    channels.detach(name, lane.index());
                                    dispatch.send(lane, session, new Notice.Joined(ref, room, count, at));
                                }));
                    }
                }));
    }

    void leave(Lane lane, Session session, String room) {
        if (!session.leave(room)) return;
        Endpoint endpoint = session.endpoint();
        dispatch.detach(lane, session, ChannelName.room(endpoint.namespace(), room));
        presence.left(endpoint.namespace(), room, session.id(), session.user(), endpoint.presenceEvents());
    }

    /** Leaves the room by somebody else's wish: the client is told. */
    void moveOut(Lane lane, Session session, String room) {
        if (!session.rooms().contains(room)) return;
        leave(lane, session, room);
        dispatch.send(lane, session, new Notice.Left(null, room));
    }

    // ---- what was missed

    private void resume(Lane lane, Session session, Command.Resume command) {
        if (session.state() == Session.State.OPENING) {
            session.whenOpen(() -> resume(lane, session, command));
            return;
        }
        Map<String, Outcome> outcomes = new LinkedHashMap<>();
        command.channels().keySet().forEach(label -> outcomes.put(label, new Outcome(false, null, "bad_id")));
        var left = new int[] {outcomes.size()};
        command.channels()
                .forEach((label, after) -> resumed(lane, session, label, after)
                        .whenComplete((outcome, failure) -> lane.run(() -> {
                            outcomes.put(label, outcome != null ? outcome : new Outcome(false, null, "unavailable"));
                            if (--left[0] == 0)
                                dispatch.send(lane, session, new Notice.Resumed(command.ref(), outcomes));
                        })));
    }

    private CompletionStage<Outcome> resumed(Lane lane, Session session, String label, Position after) {
        ChannelName name = ChannelName.parse(session.endpoint().namespace(), label);
        if (name == null) return CompletableFuture.completedFuture(new Outcome(false, null, "bad_id"));
        boolean mine = switch (name.kind()) {
            case USER -> name.equals(session.userChannel());
            case BROADCAST -> true;
            case ROOM -> session.rooms().contains(name.id()) || mayEnter(session, name.id());
        };
        if (!mine) return CompletableFuture.completedFuture(new Outcome(false, null, "not_allowed"));
        if (name.kind() != ChannelName.Kind.ROOM || !session.join(name.id())) {
            return recover(lane, session, name, after, session.start(name));
        }
        Endpoint endpoint = session.endpoint();
        var done = new CompletableFuture<Outcome>();
        presence.joined(endpoint.namespace(), name.id(), session.id(), session.user(), endpoint.presenceEvents())
                .whenComplete((count, failure) -> lane.run(() -> {
                    if (failure != null) {
                        leave(lane, session, name.id());
                        done.completeExceptionally(failure);
                        return;
                    }
                    dispatch.attach(
                            lane,
                            session,
                            name,
                            at -> recover(lane, session, name, after, at).whenComplete((outcome, late) -> {
                                if (outcome != null) done.complete(outcome);
                                else
                                    done.completeExceptionally(
                                            late == null ? new BackplaneException("no answer") : late);
                            }));
                }));
        return done;
    }

    private boolean mayEnter(Session session, String room) {
        boolean space = settings.rooms() == 0 || session.rooms().size() < settings.rooms();
        return space && session.principal().mayJoin(room);
    }

    /**
     * Sends what lies between the client's position and the start of what reaches it by itself; what comes meanwhile
     * waits behind it.
     */
    private CompletionStage<Outcome> recover(
            Lane lane, Session session, ChannelName name, Position after, @Nullable Position start) {
        LaneChannel place = dispatch.place(lane, session, name);
        if (start == null || place == null || !lane.hold(place, session)) {
            // It has been receiving for long, or resumes twice at once: nothing can be put before what it has.
            return backplane.read(name, null, 1).thenApply(answer -> new Outcome(false, answer.top(), null));
        }
        if (after.equals(start)) {
            place.release(session, start, frame -> lane.send(session, frame, 1));
            lane.flushSoon(session);
            return CompletableFuture.completedFuture(new Outcome(true, start, null));
        }
        var done = new CompletableFuture<Outcome>();
        recovery.since(name, after, start)
                .whenComplete((missed, failure) -> lane.run(() -> {
                    if (session.state() == Session.State.CLOSED) return;
                    boolean proven = missed != null && missed.proven() && placed(missed, start);
                    if (proven) {
                        for (Event event : missed.events()) {
                            if (!isFor(session, event) || !before(event, start)) continue;
                            dispatch.send(lane, session, name, event);
                            // What the kernel takes now need not wait in the outbox, which is bounded.
                            if (!session.socket().writable()) session.socket().flush();
                        }
                    }
                    place.release(session, start, frame -> lane.send(session, frame, 1));
                    lane.flushSoon(session);
                    if (missed == null)
                        done.completeExceptionally(failure == null ? new BackplaneException("no answer") : failure);
                    else done.complete(new Outcome(proven, start, null));
                }));
        return done;
    }

    /** Whether the events lead up to the start, so that nothing is missing between them and what follows it. */
    static boolean placed(Recovery.Missed missed, Position start) {
        return start.offset() == 0
                || missed.reached().epoch().equals(start.epoch())
                        && missed.reached().offset() >= start.offset();
    }

    static boolean before(Event event, Position start) {
        Position at = event.position();
        return at != null && at.offset() <= start.offset();
    }

    static boolean isFor(Session session, Event event) {
        if (event.session() != null && !event.session().equals(session.id())) return false;
        return event.exclude() == null || !event.exclude().equals(session.id());
    }

    private void history(Lane lane, Session session, Command.History command) {
        ChannelName name = ChannelName.parse(session.endpoint().namespace(), command.channel());
        boolean mine = name != null
                && switch (name.kind()) {
                    case USER -> name.equals(session.userChannel());
                    case BROADCAST -> true;
                    case ROOM -> session.rooms().contains(name.id());
                };
        if (name == null || !mine) {
            refuse(
                    lane,
                    session,
                    command.ref(),
                    name != null && name.kind() == ChannelName.Kind.ROOM ? "not_in_room" : "not_allowed",
                    "only the broadcast, the user's own channel and joined rooms have a history to see");
            return;
        }
        Long after = command.after();
        backplane
                .history(name, after == null ? 0 : after, command.limit())
                .whenComplete((answer, failure) -> lane.run(() -> {
                    if (answer == null) {
                        unavailable(lane, session, command.ref(), failure);
                        return;
                    }
                    List<Event> events = Recovery.read(answer).stream()
                            .filter(event -> isFor(session, event))
                            .toList();
                    dispatch.send(
                            lane,
                            session,
                            new Notice.HistoryPage(command.ref(), command.channel(), events, answer.top()));
                }));
    }

    private void members(Lane lane, Session session, Command.Members command) {
        String room = command.room();
        if (!session.rooms().contains(room)) {
            refuse(lane, session, command.ref(), "not_in_room", "join the room before asking who is in it");
            return;
        }
        members.first(ChannelName.room(session.endpoint().namespace(), room), 1000)
                .whenComplete((page, failure) -> lane.run(() -> {
                    if (page == null) unavailable(lane, session, command.ref(), failure);
                    else {
                        dispatch.send(
                                lane, session, new Notice.RoomMembers(command.ref(), room, page.count(), page.users()));
                    }
                }));
    }

    private void refresh(Lane lane, Session session, Command.Refresh command) {
        renewal.renew(session.principal(), command.token())
                .whenComplete((judged, failure) -> lane.run(() -> {
                    if (session.state() == Session.State.CLOSED) return;
                    if (judged == null) {
                        unavailable(lane, session, command.ref(), failure);
                    } else if (judged.isEmpty()) {
                        session.socket().close(CloseCode.BAD_CREDENTIAL);
                    } else {
                        Principal principal = judged.get();
                        session.principal(principal);
                        dispatch.send(lane, session, new Notice.Refreshed(command.ref(), principal.expiresAt() / 1000));
                    }
                }));
    }

    private void refuse(Lane lane, Session session, @Nullable String ref, String code, String sentence) {
        metrics.refused(code);
        dispatch.send(lane, session, new Notice.Failure(ref, code, sentence));
    }

    private void unavailable(Lane lane, Session session, @Nullable String ref, @Nullable Throwable failure) {
        Throwable cause = failure != null && failure.getCause() != null ? failure.getCause() : failure;
        if (!(cause instanceof BackplaneException)) log.error("A command failed unexpectedly.", cause);
        refuse(lane, session, ref, "unavailable", "the cluster cannot take this now; try again shortly");
    }
}
