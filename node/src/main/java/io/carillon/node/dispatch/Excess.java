package io.carillon.node.dispatch;

import io.carillon.model.channel.Namespace;
import io.carillon.node.backplane.Backplane;
import io.carillon.node.presence.PresenceQueries;
import io.carillon.node.presence.PresenceQueries.UserSession;
import io.carillon.node.session.CloseCode;
import io.carillon.node.session.Endpoint;
import java.util.Comparator;
import java.util.List;
import java.util.concurrent.Executor;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;
import org.springframework.dao.DataAccessException;

/**
 * Closes a user's oldest sessions, on whatever nodes, when a new one is over the endpoint's limit. Every new session looks
 * once Redis has it, and all see the same order (when they opened, then their id), so that two that open at once leave
 * exactly one too many to close. Safe from any thread.
 */
final class Excess {
    private static final Logger log = LoggerFactory.getLogger(Excess.class);

    private final PresenceQueries queries;
    private final Backplane backplane;
    private final Executor threads;

    Excess(PresenceQueries queries, Backplane backplane, Executor threads) {
        this.queries = queries;
        this.backplane = backplane;
        this.threads = threads;
    }

    /** Looks whether the user has more sessions than the endpoint allows, and has the oldest closed. */
    void look(Endpoint endpoint, String user) {
        CloseCode code = endpoint.overLimit().code();
        int most = endpoint.sessionsPerUser();
        if (code == null || most == 0) return;
        threads.execute(() -> {
            try {
                close(endpoint.namespace(), user, most, code);
            } catch (DataAccessException e) {
                // The next session of the user looks again.
                log.debug("Sessions of a user could not be counted. cause={}", e.toString());
            }
        });
    }

    private void close(Namespace namespace, String user, int most, CloseCode code) {
        List<UserSession> sessions = queries.sessions(namespace, user).stream()
                .sorted(Comparator.comparingLong(UserSession::since).thenComparing(UserSession::session))
                .toList();
        for (UserSession old : sessions.subList(0, Math.max(0, sessions.size() - most))) {
            // A session's id begins with the name of its node's process.
            String boot = old.session().substring(0, old.session().indexOf('-'));
            var unused = backplane.publishToNode(boot, Control.close(old.session(), code));
        }
    }
}
