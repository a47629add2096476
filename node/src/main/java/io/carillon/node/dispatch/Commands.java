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
import io.carillon.node.dispatch.Resume.Verdict;
import io.carillon.node.identity.Principal;
import io.carillon.node.session.CloseCode;
import io.carillon.node.session.Endpoint;
import io.carillon.node.session.Session;
import java.time.InstantSource;
import java.util.ArrayDeque;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Queue;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionStage;
import java.util.function.Consumer;
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
    private final Publisher publisher;
    private final Backplane backplane;
    private final Applications applications;
    private final Recovery recovery;
    private final Acknowledgements acknowledgements;
    private final Dispatch.Members members;
    private final Dispatch.Renewal renewal;
    private final DispatchSettings settings;
    private final RecoverySettings recoverySettings;
    private final DispatchMetrics metrics;
    private final InstantSource clock;

    Commands(
            Dispatch dispatch,
            Channels channels,
            Publisher publisher,
            Backplane backplane,
            Applications applications,
            Dispatch.Members members,
            Dispatch.Renewal renewal,
            Recovery recovery,
            Acknowledgements acknowledgements,
            DispatchSettings settings,
            RecoverySettings recoverySettings,
            DispatchMetrics metrics,
            InstantSource clock) {
        this.dispatch = dispatch;
        this.channels = channels;
        this.publisher = publisher;
        this.backplane = backplane;
        this.applications = applications;
        this.recovery = recovery;
        this.acknowledgements = acknowledgements;
        this.recoverySettings = recoverySettings;
        this.members = members;
        this.renewal = renewal;
        this.settings = settings;
        this.metrics = metrics;
        this.clock = clock;
    }

    /** Does what the client asks; on the session's loop. */
    void received(Lane lane, Session session, Command command) {
        // What the node itself asked for is not counted against the client.
        boolean asked = command instanceof Command.Ack ack && lane.acks().asked(session, ack.id());
        if (!asked && !session.maySend(lane.now())) {
            limit(lane, session, command.ref());
            return;
        }
        Application application = applications.of(session.endpoint());
        // What a client says comes back to it on channels of the application, which must flow first; and a resume is
        // measured from where they begin.
        boolean early =
                session.state() == Session.State.OPENING && (application != null || command instanceof Command.Resume);
        if (!early) {
            handle(lane, session, application, command);
        } else if (!session.whenOpen(() -> handle(lane, session, application, command))) {
            refuse(lane, session, command.ref(), "unavailable", "the session is not open yet; try again in a moment");
        }
    }

    private void handle(Lane lane, Session session, @Nullable Application application, Command command) {
        if (session.state() == Session.State.CLOSED) return;
        if (application != null && application.received(session, command)) return;
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
            case Command.Ack ack -> acknowledge(lane, session, ack);
            case Command.Resume resume -> resume(lane, session, resume);
            case Command.History history -> history(lane, session, history);
            case Command.Invalid invalid -> refuse(lane, session, invalid.ref(), invalid.code(), invalid.sentence());
        }
    }

    void limit(Lane lane, Session session, @Nullable String ref) {
        refuse(lane, session, ref, "rate_limited", "too many messages; send fewer a second");
        if (session.flooding(lane.now(), settings.refusals())) session.socket().close(CloseCode.TOO_MANY_MESSAGES);
    }

    private void publish(Lane lane, Session session, Command.Publish command) {
        Endpoint endpoint = session.endpoint();
        Event asked = command.event();
        if (!endpoint.maySend(session.principal().kind(), asked.type())) {
            refuse(
                    lane,
                    session,
                    command.ref(),
                    "not_allowed",
                    "events of this type may be sent here by these kinds of users only: "
                            + String.join(", ", endpoint.senders().getOrDefault(asked.type(), Set.of())));
            return;
        }
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
        dispatch.enter(session, room)
                .whenComplete((count, failure) -> lane.run(() -> {
                    if (session.state() == Session.State.CLOSED
                            || !session.rooms().contains(room)) return;
                    if (failure != null) {
                        if (fresh) {
                            session.leave(room);
                            dispatch.exit(session, room);
                            session.settled(name);
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
        ChannelName name = ChannelName.room(endpoint.namespace(), room);
        dispatch.detach(lane, session, name);
        session.settled(name);
        dispatch.exit(session, room);
    }

    /** Leaves the room by somebody else's wish: the client is told. */
    void moveOut(Lane lane, Session session, String room) {
        if (!session.rooms().contains(room)) return;
        leave(lane, session, room);
        dispatch.send(lane, session, new Notice.Left(null, room));
    }

    // ---- what was missed

    private void resume(Lane lane, Session session, Command.Resume command) {
        Map<String, Verdict> verdicts = new LinkedHashMap<>();
        command.channels().keySet().forEach(label -> verdicts.put(label, Resume.UNAVAILABLE));
        var left = new int[] {verdicts.size()};
        var turns = new Turns();
        command.channels()
                .forEach((label, after) -> bring(lane, session, label, after, turns, verdict -> {
                    verdicts.put(label, verdict);
                    if (--left[0] == 0) resumed(lane, session, command.ref(), verdicts);
                }));
    }

    /** The reads of one command: a client that names two hundred channels gets them a few at a time. */
    private static final class Turns {
        private static final int AT_ONCE = 4;

        private final Queue<Resume> waiting = new ArrayDeque<>();
        private int running;

        void take(Resume resume) {
            waiting.add(resume);
            next();
        }

        void ended(Resume resume) {
            if (!waiting.remove(resume)) running--;
            next();
        }

        private void next() {
            while (running < AT_ONCE) {
                Resume resume = waiting.poll();
                if (resume == null) return;
                running++;
                resume.run();
            }
        }
    }

    private void bring(Lane lane, Session session, String label, Position after, Turns turns, Consumer<Verdict> done) {
        ChannelName name = ChannelName.parse(session.endpoint().namespace(), label);
        if (name == null) {
            done.accept(Resume.BAD_ID);
            return;
        }
        boolean mine = switch (name.kind()) {
            case USER -> name.equals(session.userChannel());
            case BROADCAST -> true;
            case ROOM -> session.rooms().contains(name.id()) || mayEnter(session, name.id());
        };
        if (!mine) {
            done.accept(Resume.NOT_ALLOWED);
            return;
        }
        if (session.start(name) != null) {
            begin(lane, session, name, after, turns, done);
            return;
        }
        var failed = new boolean[1];
        session.whenSettled(name, () -> {
            if (failed[0]) done.accept(Resume.UNAVAILABLE);
            else begin(lane, session, name, after, turns, done);
        });
        if (!session.join(name.id())) return;
        dispatch.enter(session, name.id())
                .whenComplete((count, failure) -> lane.run(() -> {
                    if (session.state() == Session.State.CLOSED) return;
                    if (failure == null) {
                        dispatch.attach(lane, session, name, at -> {});
                    } else {
                        failed[0] = true;
                        leave(lane, session, name.id());
                    }
                }));
    }

    private boolean mayEnter(Session session, String room) {
        boolean space = settings.rooms() == 0 || session.rooms().size() < settings.rooms();
        return space && session.principal().mayJoin(room);
    }

    private void begin(
            Lane lane, Session session, ChannelName name, Position after, Turns turns, Consumer<Verdict> done) {
        LaneChannel place = dispatch.place(lane, session, name);
        if (place == null || session.start(name) == null) {
            done.accept(Resume.NOT_IN_ROOM);
            return;
        }
        if (place.holdOf(session) instanceof Resume other) {
            if (!other.then(() -> begin(lane, session, name, after, turns, done))) done.accept(Resume.BUSY);
            return;
        }
        var running = new @Nullable Resume[1];
        Resume resume = Resume.begin(
                lane,
                session,
                place,
                after,
                recovery,
                recoverySettings,
                metrics,
                missed -> lane.acks().sent(session, missed.event()),
                verdict -> {
                    Resume ended = running[0];
                    if (ended != null) turns.ended(ended);
                    done.accept(verdict);
                });
        if (resume == null) return;
        running[0] = resume;
        turns.take(resume);
    }

    /** Answers with where each channel stands now: the client has everything up to there, or is told that it has not. */
    private void resumed(Lane lane, Session session, @Nullable String ref, Map<String, Verdict> verdicts) {
        var outcomes = new LinkedHashMap<String, Outcome>();
        verdicts.forEach((label, verdict) -> {
            ChannelName name = ChannelName.parse(session.endpoint().namespace(), label);
            LaneChannel place =
                    name == null || session.start(name) == null ? null : dispatch.place(lane, session, name);
            outcomes.put(
                    label,
                    new Outcome(verdict.recovered(), place == null ? null : lane.position(place), verdict.code()));
        });
        dispatch.send(lane, session, new Notice.Resumed(ref, outcomes));
        lane.acks().resumed(session);
    }

    /** Acknowledges for all of the user's sessions; whatever has become of the event, it will not come again. */
    private void acknowledge(Lane lane, Session session, Command.Ack command) {
        acknowledgements
                .acknowledge(session.userChannel(), command.id())
                .whenComplete((waited, failure) -> lane.run(() -> {
                    if (waited == null) {
                        unavailable(lane, session, command.ref(), failure);
                        return;
                    }
                    lane.acks().acknowledged(session, command.id());
                    if (waited) metrics.acknowledged();
                    if (command.ref() != null) {
                        dispatch.send(lane, session, new Notice.Sent(command.ref(), command.id(), null, null));
                    }
                }));
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
                    List<Event> events = Recovery.events(answer).stream()
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
                        Application application = applications.of(session.endpoint());
                        Principal principal =
                                application == null ? judged.get() : application.renewed(session, judged.get());
                        if (principal == null) {
                            session.socket().close(CloseCode.BAD_CREDENTIAL);
                            return;
                        }
                        session.principal(principal);
                        dispatch.send(lane, session, new Notice.Refreshed(command.ref(), principal.expiresAt() / 1000));
                    }
                }));
    }

    void refuse(Lane lane, Session session, @Nullable String ref, String code, String sentence) {
        metrics.refused(code);
        dispatch.send(lane, session, new Notice.Failure(ref, code, sentence));
    }

    void unavailable(Lane lane, Session session, @Nullable String ref, @Nullable Throwable failure) {
        Throwable cause = failure != null && failure.getCause() != null ? failure.getCause() : failure;
        if (!(cause instanceof BackplaneException)) log.error("A command failed unexpectedly.", cause);
        refuse(lane, session, ref, "unavailable", "the cluster cannot take this now; try again shortly");
    }
}
