package io.carillon.node.edge;

import io.carillon.model.channel.ChannelName;
import io.carillon.node.identity.Principal;
import io.carillon.node.identity.Verdict;
import io.carillon.node.session.Endpoint;
import io.carillon.node.session.Trail;
import java.util.concurrent.CompletionException;
import java.util.concurrent.CompletionStage;
import java.util.function.BiConsumer;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * From a well-formed request for a session to a yes or a no, whatever carries it: it is counted in, what it asks for is
 * read, its identity checked, its user's sessions counted. Owned by its loop.
 */
final class Interview {
    private static final Logger log = LoggerFactory.getLogger(Interview.class);

    private final Reception reception;
    private final EdgeLoop loop;
    private final Arrival arrival;
    private final Endpoint endpoint;
    private final Applicant applicant;

    /** What an event stream asked for. */
    private @Nullable Trail trail;

    /** Whether the admission counted it in, and it is not the session's yet. */
    private boolean admitted;

    /** Who waits for the answer. Called on the loop. */
    interface Applicant {
        /** Whether it is still there, and has no answer. */
        boolean waits();

        /** Not called when it does not wait. */
        void refuse(Refusal refusal, String endpoint);

        /** Not called when it does not wait. What was counted in for it is the session's from now on. */
        void accept(Accepted accepted);
    }

    /**
     * Who may come in.
     *
     * @param subprotocol the WebSocket subprotocol to answer with; null for none
     * @param trail what an event stream asked for; null for a WebSocket
     */
    record Accepted(
            Arrival arrival,
            Principal principal,
            @Nullable String subprotocol,
            @Nullable Trail trail) {
        Endpoint endpoint() {
            return arrival.entrance().endpoint();
        }
    }

    Interview(Reception reception, EdgeLoop loop, Arrival arrival, Applicant applicant) {
        this.reception = reception;
        this.loop = loop;
        this.arrival = arrival;
        this.endpoint = arrival.entrance().endpoint();
        this.applicant = applicant;
    }

    void begin() {
        Refusal refusal = reception.admission.admit(arrival.address(), loop.exactly());
        if (refusal != null) {
            refuse(refusal);
            return;
        }
        admitted = true;
        if (arrival instanceof StreamRequest request && !readTrail(request)) return;
        identify();
    }

    /** It has left, or was answered: what was counted in for it is given back, unless it is the session's. */
    void end() {
        if (!admitted) return;
        admitted = false;
        reception.admission.release(arrival.address());
    }

    /** Whether the request says in an understandable way what it wants; if not, it is answered. */
    private boolean readTrail(StreamRequest request) {
        try {
            trail = Trail.read(endpoint.namespace(), request.channels(), request.lastEventId());
            return true;
        } catch (IllegalArgumentException e) {
            refuse(Refusal.malformed(String.valueOf(e.getMessage())));
            return false;
        }
    }

    private static boolean mayHave(Trail trail, Principal principal) {
        for (ChannelName channel : trail.channels()) {
            boolean may = switch (channel.kind()) {
                case USER -> channel.id().equals(principal.user());
                case BROADCAST -> true;
                case ROOM -> principal.mayJoin(channel.id());
            };
            if (!may) return false;
        }
        return true;
    }

    private void identify() {
        CompletionStage<Verdict> verdict;
        try {
            verdict = reception.gatekeeper.admit(endpoint, arrival.credentials(), arrival.address());
        } catch (RuntimeException e) {
            if (reception.mayLog()) log.error("Identities cannot be checked. endpoint={}", endpoint.name(), e);
            refuse(Refusal.UNDECIDED);
            return;
        }
        onLoop(verdict, (given, failure) -> {
            if (!applicant.waits()) return;
            if (given == null) {
                if (reception.mayLog()) {
                    log.warn("An identity could not be checked. endpoint={} cause={}", endpoint.name(), cause(failure));
                }
                refuse(Refusal.UNDECIDED);
                return;
            }
            switch (given) {
                case Verdict.Refused refused ->
                    refuse(new Refusal(refused.status(), refused.sentence(), reason(refused.status())));
                case Verdict.Granted granted -> count(granted);
            }
        });
    }

    /** Words for the metric: the identity room counts its own, finer ones. */
    private static String reason(int status) {
        return switch (status) {
            case 400 -> "parameters";
            case 401 -> "identity";
            case 403 -> "forbidden";
            default -> "undecided";
        };
    }

    private void count(Verdict.Granted granted) {
        Trail asked = trail;
        if (asked != null && !mayHave(asked, granted.principal())) {
            refuse(Refusal.NOT_YOURS);
            return;
        }
        int most = endpoint.sessionsPerUser();
        if (most > 0 && endpoint.overLimit().code() != null) {
            // The oldest goes when this one is in.
            reception.admission.enter(endpoint.namespace(), granted.principal().user());
            accept(granted);
            return;
        }
        if (most == 0) {
            accept(granted);
            return;
        }
        String user = granted.principal().user();
        if (reception.admission.enter(endpoint.namespace(), user) > most) {
            reception.admission.leave(endpoint.namespace(), user);
            refuse(Refusal.USER);
            return;
        }
        UserSessions everywhere = reception.userSessions;
        if (everywhere == null) {
            accept(granted);
            return;
        }
        // Counted in from here on: whatever comes of it, accept() hands it to the session or this gives it back.
        CompletionStage<Long> count;
        try {
            count = everywhere.sessionsOf(endpoint.namespace(), user);
        } catch (RuntimeException e) {
            reception.admission.leave(endpoint.namespace(), user);
            if (reception.mayLog()) log.error("Sessions of a user cannot be counted. endpoint={}", endpoint.name(), e);
            refuse(Refusal.UNDECIDED);
            return;
        }
        onLoop(count, (others, failure) -> {
            if (!applicant.waits()) {
                reception.admission.leave(endpoint.namespace(), user);
            } else if (others != null && others >= most) {
                reception.admission.leave(endpoint.namespace(), user);
                refuse(Refusal.USER);
            } else {
                // Where the cluster cannot be asked, this node's own count has to do.
                accept(granted);
            }
        });
    }

    private void accept(Verdict.Granted granted) {
        Principal principal = granted.principal();
        if (reception.admission.draining() || !admitted || !applicant.waits()) {
            if (endpoint.sessionsPerUser() > 0) reception.admission.leave(endpoint.namespace(), principal.user());
            refuse(Refusal.DRAINING);
            return;
        }
        admitted = false;
        reception.metrics.connected(endpoint.name(), "accepted");
        applicant.accept(new Accepted(arrival, principal, granted.subprotocol(), trail));
    }

    private void refuse(Refusal refusal) {
        if (applicant.waits()) applicant.refuse(refusal, endpoint.name());
    }

    private <T> void onLoop(CompletionStage<T> stage, BiConsumer<@Nullable T, @Nullable Throwable> then) {
        stage.whenComplete((result, failure) -> {
            if (loop.executor().inEventLoop()) then.accept(result, failure);
            else loop.executor().execute(() -> then.accept(result, failure));
        });
    }

    private static String cause(@Nullable Throwable failure) {
        Throwable cause = failure instanceof CompletionException wrapped && wrapped.getCause() != null
                ? wrapped.getCause()
                : failure;
        return String.valueOf(cause);
    }
}
