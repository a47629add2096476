package io.carillon.node.identity;

import io.carillon.model.channel.Ids;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionStage;
import org.jspecify.annotations.Nullable;
import org.springframework.dao.DataAccessException;

/**
 * Says who a request is from. The first credential present decides, in this order: {@code Authorization: Bearer},
 * the subprotocol pair {@code bearer, <token>}, {@code ?ticket=}, {@code ?token=} where the endpoint takes it, and under
 * open identity the user id in the query. A bad one is refused and nothing later is looked at; an empty {@code ticket}
 * or {@code token} counts as absent.
 *
 * <p>Safe from any thread. Verifying a token by the shared secret takes microseconds and never waits; a ticket asks
 * Redis and a key set may have to be fetched, which blocks: on event loops use {@link #authenticateAsync}.
 */
public final class Authenticator {
    private static final String BEARER = "bearer";

    private final @Nullable Tokens tokens;
    private final Tickets tickets;
    private final boolean openIdentity;
    private final IdentityMetrics metrics;

    Authenticator(@Nullable Tokens tokens, Tickets tickets, boolean openIdentity, IdentityMetrics metrics) {
        this.tokens = tokens;
        this.tickets = tickets;
        this.openIdentity = openIdentity;
        this.metrics = metrics;
    }

    /** Whether a user id in the query is believed. */
    public boolean openIdentity() {
        return openIdentity;
    }

    /** Looks at what a request brought. May block. */
    public Verdict authenticate(Credentials credentials, Rule rule) {
        return counted(decide(present(credentials, rule)));
    }

    /**
     * Looks at what a request brought without ever blocking the caller. The stage is complete when it is returned
     * unless there is something to wait for; then a virtual thread completes it. It never fails.
     */
    public CompletionStage<Verdict> authenticateAsync(Credentials credentials, Rule rule) {
        Present present = present(credentials, rule);
        boolean waits = present instanceof Present.Ticket
                || present instanceof Present.Token && tokens != null && !tokens.local();
        return waits
                ? onVirtualThread(() -> counted(decide(present)))
                : CompletableFuture.completedFuture(counted(decide(present)));
    }

    /** Verifies a token by itself. May block. */
    public Verdict verify(String token) {
        return counted(decide(new Present.Token(token, null)));
    }

    /**
     * Verifies the fresh token of a session that goes on: good when it belongs to the same user. A refusal that is not
     * {@link Verdict.Refused#temporary} is for good.
     */
    public Verdict refresh(Principal current, String token) {
        Verdict verdict = decide(new Present.Token(token, null));
        if (verdict instanceof Verdict.Granted granted
                && !granted.principal().user().equals(current.user())) {
            verdict = Reason.USER.refuse("the token is of another user");
        }
        return counted(verdict);
    }

    /** The refusal of an activation code that is none, counted as every other. */
    public Verdict unknownCode() {
        return counted(Reason.CODE.refuse("the activation code is unknown: ask an operator for one"));
    }

    /** The refusal of a request one of whose parameters is missing or malformed, counted as every other. */
    public Verdict malformed(String sentence) {
        return counted(Reason.PARAMETER.refuse(sentence));
    }

    /** {@link #refresh} without ever blocking the caller, as {@link #authenticateAsync} does. */
    public CompletionStage<Verdict> refreshAsync(Principal current, String token) {
        return tokens == null || tokens.local()
                ? CompletableFuture.completedFuture(refresh(current, token))
                : onVirtualThread(() -> refresh(current, token));
    }

    /** The credential that decides. */
    private sealed interface Present {
        record Token(String token, @Nullable String subprotocol) implements Present {}

        record Ticket(String ticket, @Nullable String subprotocol) implements Present {}

        record Open(
                String user,
                @Nullable String name,
                @Nullable String subprotocol) implements Present {}

        record Bad(Verdict.Refused refused) implements Present {}
    }

    private Present present(Credentials credentials, Rule rule) {
        List<String> offered = credentials.subprotocols();
        int bearer = offered.indexOf(BEARER);
        // A browser gives up when it offered subprotocols and none is answered; the token itself never is.
        String subprotocol = bearer < 0 ? null : BEARER;

        String authorization = credentials.authorization();
        if (authorization != null) {
            String token = Tokens.bearer(authorization);
            return token == null
                    ? new Present.Bad(Reason.SCHEME.refuse("the Authorization header must be `Bearer <token>`"))
                    : new Present.Token(token, subprotocol);
        }
        if (bearer >= 0) {
            return bearer + 1 < offered.size()
                    ? new Present.Token(offered.get(bearer + 1), subprotocol)
                    : new Present.Bad(Reason.SCHEME.refuse("the subprotocol `bearer` must be followed by the token"));
        }
        Map<String, String> query = credentials.query();
        String ticket = query.get("ticket");
        if (ticket != null && !ticket.isEmpty()) return new Present.Ticket(ticket, null);
        String token = query.get("token");
        if (token != null && !token.isEmpty()) {
            return rule.queryToken()
                    ? new Present.Token(token, null)
                    : new Present.Bad(
                            Reason.SCHEME.refuse(
                                    "no token is taken from this address: use the Authorization header, the subprotocol `bearer` or a ticket"));
        }
        if (openIdentity) {
            String user = rule.openUserIn(query);
            if (user != null) return new Present.Open(user, query.get("user_name"), null);
        }
        return new Present.Bad(Reason.NONE.refuse(
                "no identity: send a token in the Authorization header, in the subprotocol `bearer` or as a ticket"));
    }

    private Verdict decide(Present present) {
        return switch (present) {
            case Present.Bad bad -> bad.refused();
            case Present.Token token -> answered(token(token.token()), token.subprotocol());
            case Present.Ticket ticket -> answered(ticket(ticket.ticket()), ticket.subprotocol());
            case Present.Open open ->
                Ids.valid(open.user())
                        ? new Verdict.Granted(
                                new Principal(
                                        open.user(),
                                        blankIsNull(open.name()),
                                        null,
                                        Set.of(),
                                        Long.MAX_VALUE,
                                        Map.of()),
                                open.subprotocol())
                        : Reason.PARAMETER.refuse(
                                "the user id must be 1 to 128 characters of A-Z a-z 0-9 . _ : @ ~ + = -");
        };
    }

    private Verdict token(String token) {
        return tokens == null
                ? Reason.KEY.refuse("no tokens are accepted here: the node has no key for them")
                : tokens.verify(token);
    }

    private Verdict ticket(String ticket) {
        String token;
        try {
            token = tickets.redeem(ticket);
        } catch (DataAccessException e) {
            return Reason.UNAVAILABLE.refuse("tickets cannot be checked at the moment: try again");
        }
        return token == null
                ? Reason.TICKET.refuse("the ticket is unknown, used, or older than 30 s: get another one")
                : token(token);
    }

    private static Verdict answered(Verdict verdict, @Nullable String subprotocol) {
        return verdict instanceof Verdict.Granted granted
                ? new Verdict.Granted(granted.principal(), subprotocol)
                : verdict;
    }

    private static @Nullable String blankIsNull(@Nullable String text) {
        return text == null || text.isBlank() ? null : text;
    }

    private Verdict counted(Verdict verdict) {
        if (verdict instanceof Verdict.Refused refused) metrics.refused(refused);
        return verdict;
    }

    private static CompletionStage<Verdict> onVirtualThread(java.util.function.Supplier<Verdict> work) {
        var answer = new CompletableFuture<Verdict>();
        Thread.ofVirtual().name("identity").start(() -> {
            try {
                answer.complete(work.get());
            } catch (RuntimeException | Error e) {
                answer.complete(Reason.UNAVAILABLE.refuse("the identity cannot be checked at the moment: try again"));
                throw e;
            }
        });
        return answer;
    }
}
