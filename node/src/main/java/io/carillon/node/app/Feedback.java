package io.carillon.node.app;

import io.carillon.model.channel.ChannelName;
import io.carillon.model.channel.Namespace;
import io.carillon.model.event.Event;
import io.carillon.model.event.EventIds;
import io.carillon.model.event.InvalidEventException;
import io.carillon.model.event.InvalidEventException.Code;
import io.carillon.node.dialect.Command;
import io.carillon.node.dialect.feedback.FeedbackDialect;
import io.carillon.node.dialect.feedback.Person;
import io.carillon.node.dispatch.Application;
import io.carillon.node.dispatch.Desk;
import io.carillon.node.dispatch.Publisher;
import io.carillon.node.dispatch.Publisher.Published;
import io.carillon.node.identity.Authenticator;
import io.carillon.node.identity.Credentials;
import io.carillon.node.identity.Principal;
import io.carillon.node.identity.Rule;
import io.carillon.node.identity.Verdict;
import io.carillon.node.session.Endpoint;
import io.carillon.node.session.Session;
import java.time.InstantSource;
import java.util.HashMap;
import java.util.Objects;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionStage;
import java.util.function.Predicate;
import org.jspecify.annotations.Nullable;

/**
 * A feedback desk: users, merchants and admins, {@link Person} each. What concerns one receiver goes on his channel, and
 * a copy on the sender's own; what concerns several goes on the broadcast, where each node picks those who get it. So a
 * service follows the same rules with a plain PUBLISH on the broadcast.
 *
 * <p>Keeps nothing: who is here is the room {@link FeedbackDialect#EVERYONE}.
 */
final class Feedback implements Application {
    private final Publisher publisher;
    private final InstantSource clock;
    private @Nullable Desk desk;

    Feedback(Publisher publisher, InstantSource clock) {
        this.publisher = publisher;
        this.clock = clock;
    }

    @Override
    public String dialect() {
        return "feedback";
    }

    @Override
    public void start(Desk its) {
        desk = its;
    }

    private Desk desk() {
        return Objects.requireNonNull(desk, "the application is not started");
    }

    // ---- who comes in

    @Override
    public CompletionStage<Verdict> admit(Endpoint endpoint, Credentials credentials, Authenticator authenticator) {
        String id = credentials.query().getOrDefault("user_id", "");
        if (id.isEmpty()) return malformed("Missing user ID");
        Long number = Person.id(id);
        if (number == null) return malformed("Invalid user ID");
        int type = Person.type(credentials.query().getOrDefault("user_type", ""));
        if (type == 0) return malformed("Invalid user type");
        var person = new Person(type, number);

        // One person is one user, however many zeros lead his number.
        var query = new HashMap<>(credentials.query());
        query.put("user_id", Long.toUnsignedString(person.id()));
        query.put("user_type", Integer.toString(person.type()));
        var plain = new Credentials(credentials.authorization(), credentials.subprotocols(), query);
        return authenticator
                .authenticateAsync(plain, new Rule(endpoint.queryToken(), "user_type:user_id"))
                .thenApply(verdict -> verdict instanceof Verdict.Granted granted
                        ? as(person, granted, query.get("user_name"), authenticator.openIdentity())
                        : verdict);
    }

    private static CompletionStage<Verdict> malformed(String sentence) {
        return CompletableFuture.completedFuture(new Verdict.Refused(400, sentence, "parameter"));
    }

    private static Verdict as(Person person, Verdict.Granted granted, @Nullable String said, boolean open) {
        Principal known = granted.principal();
        if (!known.user().equals(person.user())) {
            return new Verdict.Refused(
                    403, "the token is of another person: its sub must be <user_type>:<user_id>", "user");
        }
        String asked = said == null || said.isBlank() ? null : said;
        String name = open && asked != null || known.name() == null ? asked : known.name();
        return new Verdict.Granted(called(known, person, name == null ? person.name() : name), granted.subprotocol());
    }

    private static Principal called(Principal known, Person person, String name) {
        return new Principal(known.user(), name, person.kind(), known.rooms(), known.expiresAt(), known.claims());
    }

    @Override
    public @Nullable Principal renewed(Session session, Principal fresh) {
        Person person = Person.of(session.user());
        String name = fresh.name() == null ? session.principal().name() : fresh.name();
        return person == null ? null : called(fresh, person, name == null ? person.name() : name);
    }

    @Override
    public Set<String> rooms(Session session) {
        return Set.of(FeedbackDialect.EVERYONE);
    }

    @Override
    public boolean announces() {
        return true;
    }

    // ---- what clients send

    @Override
    public boolean received(Session session, Command command) {
        if (!(command instanceof Command.Publish publish)) return false;
        publish(session, publish);
        return true;
    }

    private void publish(Session session, Command.Publish command) {
        Endpoint endpoint = session.endpoint();
        Event asked = command.event();
        Principal me = session.principal();
        if (!endpoint.maySend(me.kind(), asked.type())) {
            desk().refuse(
                            session,
                            command.ref(),
                            "not_allowed",
                            "an event of this type is sent here by "
                                    + String.join(" or ", endpoint.senders().getOrDefault(asked.type(), Set.of()))
                                    + " only");
            return;
        }
        String id = asked.id() != null ? asked.id() : EventIds.next(clock.millis());
        Event event = asked.with().id(id).from(me.user(), me.name(), me.kind()).build();
        var unused = publish(session, event, !endpoint.ephemeralTypes().contains(asked.type()))
                .whenComplete((published, failure) -> {
                    if (failure != null) desk().unavailable(session, command.ref(), failure);
                });
    }

    private CompletionStage<?> publish(Session session, Event event, boolean durable) {
        Namespace namespace = session.endpoint().namespace();
        String to = event.to();
        if (to == null || !FeedbackDialect.toOne(event.type())) {
            return publisher.publish(ChannelName.broadcast(namespace), event, durable, null);
        }
        ChannelName target = ChannelName.user(namespace, to);
        return switch (event.type()) {
            case "message" ->
                both(session, target, event, durable)
                        .thenCompose(own -> own.duplicate()
                                // Sent again, because the answer was lost: nobody gets it twice but who asks.
                                ? publisher.publish(
                                        session.userChannel(),
                                        event.with().session(session.id()).build(),
                                        false,
                                        null)
                                : CompletableFuture.completedFuture(own));
            case "read" ->
                both(session, target, event.with().exclude(session.id()).build(), durable);
            default -> publisher.publish(target, event, durable, null);
        };
    }

    /** To the receiver, and then to the sender's own sessions, who so know that Redis has it; what became of the last. */
    private CompletionStage<Published> both(Session session, ChannelName target, Event event, boolean durable) {
        ChannelName own = session.userChannel();
        CompletionStage<Published> sent = publisher.publish(target, event, durable, null);
        return target.equals(own) ? sent : sent.thenCompose(there -> publisher.publish(own, event, durable, null));
    }

    // ---- what services send

    @Override
    public ChannelName channel(ChannelName named, Event event) throws InvalidEventException {
        String type = event.type();
        if (FeedbackDialect.own(type)) {
            throw new InvalidEventException(
                    Code.UNKNOWN_TYPE, "the type is reserved here for the cluster itself: use another one");
        }
        String to = named.kind() == ChannelName.Kind.USER ? named.id() : event.to();
        if (to != null && Person.of(to) == null) {
            throw new InvalidEventException(
                    Code.BAD_ID, "a user of this namespace is <type>:<id>, as 2:7 for the merchant 7");
        }
        if (named.kind() == ChannelName.Kind.ROOM) return named;
        if (FeedbackDialect.toMany(type)) return ChannelName.broadcast(named.namespace());
        if (!FeedbackDialect.toOne(type)) return named;
        if (to == null) throw new InvalidEventException(Code.BAD_FRAME, type + " needs a receiver: name him in to");
        return ChannelName.user(named.namespace(), to);
    }

    @Override
    public @Nullable Predicate<Session> audience(ChannelName channel, Event event) {
        if (channel.kind() != ChannelName.Kind.BROADCAST) return null;
        String to = event.to();
        return switch (event.type()) {
            case "new_feedback" -> session -> isOf(session, Person.MERCHANT) || isOf(session, Person.ADMIN);
            case "status_change", "feedback_delete" ->
                to == null ? null : session -> session.user().equals(to) || isOf(session, Person.ADMIN);
            case "message", "read" ->
                session -> session.user().equals(to) || session.user().equals(event.from());
            case "typing" -> session -> session.user().equals(to);
            default -> to == null ? null : session -> session.user().equals(to);
        };
    }

    private static boolean isOf(Session session, String kind) {
        return kind.equals(session.principal().kind());
    }
}
