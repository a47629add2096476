package io.carillon.node.dispatch;

import io.carillon.model.channel.ChannelName;
import io.carillon.model.event.Event;
import io.carillon.model.event.InvalidEventException;
import io.carillon.node.dialect.Command;
import io.carillon.node.dialect.Notice;
import io.carillon.node.identity.Authenticator;
import io.carillon.node.identity.Credentials;
import io.carillon.node.identity.Principal;
import io.carillon.node.identity.Rule;
import io.carillon.node.identity.Verdict;
import io.carillon.node.session.Endpoint;
import io.carillon.node.session.Session;
import java.util.Set;
import java.util.concurrent.CompletionStage;
import java.util.function.Predicate;
import org.jspecify.annotations.Nullable;

/**
 * What an application does beyond passing events on: who may come in, which rooms its sessions are in, what it answers.
 * One for each dialect that has one, whatever endpoints and namespaces speak it: what it keeps, it keeps by namespace.
 *
 * <p>Methods that get a {@link Session} run on the session's loop, the others where they say; none may block.
 */
public interface Application {
    /** Name of the dialect whose endpoints it serves. */
    String dialect();

    /** Hands over what it works with; called once, before the first handshake. */
    default void start(Desk desk) {}

    /**
     * Judges a handshake or an event stream: the parameters first (400), then the identity (401), then whether this identity may come in here
     * (403). On the loop of the connection.
     *
     * @param credentials what the request brought, its query included
     */
    default CompletionStage<Verdict> admit(Endpoint endpoint, Credentials credentials, Authenticator authenticator) {
        return authenticator.authenticateAsync(credentials, new Rule(endpoint.queryToken(), "user_id"));
    }

    /**
     * The principal a session goes on with after a refresh; null where the fresh token is not good for it.
     *
     * @param fresh of the same user
     */
    default @Nullable Principal renewed(Session session, Principal fresh) {
        return fresh;
    }

    /** Rooms the session is in before its first frame, until it closes; the same at every call for one session. */
    default Set<String> rooms(Session session) {
        return Set.of();
    }

    /**
     * Whether joins and departures of users are announced to its rooms, with their names, whatever the endpoint says:
     * {@code presence_join} and {@code presence_leave} with {@code user}, {@code count} and, if he has one, {@code name}.
     */
    default boolean announces() {
        return false;
    }

    /** The first frame of a session; null for the dialect's welcome. */
    default @Nullable Notice greeting(Session session) {
        return null;
    }

    /** The session was greeted; events flow to it. */
    default void opened(Session session) {}

    /** Presence has the session in one of its {@link #rooms}, which has so many users now. Not told without Redis. */
    default void entered(Session session, String room, long members) {}

    /**
     * A client whose session is open asks for something, within the endpoint's rate.
     *
     * @return whether that is dealt with; otherwise it goes the way of every command
     */
    default boolean received(Session session, Command command) {
        return false;
    }

    /** The session is gone. */
    default void closed(Session session) {}

    /**
     * The channel on which an event of a service is published, which need not be the one it named. On any
     * thread.
     *
     * @throws InvalidEventException when it is none a service may publish here
     */
    default ChannelName channel(ChannelName named, Event event) throws InvalidEventException {
        return named;
    }

    /** Which of the sessions on the channel get the event; null for all. On the channel's worker; the test on loops. */
    default @Nullable Predicate<Session> audience(ChannelName channel, Event event) {
        return null;
    }

    /** An event came to this node and was handed to the loops of its sessions. On the channel's worker. */
    default void passed(ChannelName channel, Event event) {}

    /** The link to Redis is up again: what was learned from events that are not kept may be out of date. */
    default void restored() {}
}
