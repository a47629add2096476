package io.carillon.node.dispatch;

import io.carillon.model.channel.ChannelName;
import io.carillon.model.event.Event;
import io.carillon.model.event.EventIds;
import io.carillon.node.backplane.BackplaneException;
import io.carillon.node.channel.Channels;
import io.carillon.node.dialect.Command;
import io.carillon.node.dialect.Notice;
import io.carillon.node.dispatch.Publisher.Published;
import io.carillon.node.identity.Principal;
import io.carillon.node.presence.Presence;
import io.carillon.node.session.CloseCode;
import io.carillon.node.session.Endpoint;
import io.carillon.node.session.Session;
import java.time.InstantSource;
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
            Dispatch.Members members,
            Dispatch.Renewal renewal,
            DispatchSettings settings,
            DispatchMetrics metrics,
            InstantSource clock) {
        this.dispatch = dispatch;
        this.channels = channels;
        this.presence = presence;
        this.publisher = publisher;
        this.members = members;
        this.renewal = renewal;
        this.settings = settings;
        this.metrics = metrics;
        this.clock = clock;
    }

    /** Does what the client asks; on the session's loop. */
    void received(Lane lane, Session session, Command command) {
        if (!session.maysend(lane.now())) {
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
