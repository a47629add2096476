package io.carillon.node.app;

import io.carillon.model.channel.ChannelName;
import io.carillon.model.event.Event;
import io.carillon.model.event.JsonBytes;
import io.carillon.model.event.Payload;
import io.carillon.node.dialect.Command;
import io.carillon.node.dialect.Notice;
import io.carillon.node.dialect.line.WindowsDialect;
import io.carillon.node.dispatch.Application;
import io.carillon.node.dispatch.Desk;
import io.carillon.node.identity.Authenticator;
import io.carillon.node.identity.Credentials;
import io.carillon.node.identity.Principal;
import io.carillon.node.identity.Verdict;
import io.carillon.node.session.CloseCode;
import io.carillon.node.session.Endpoint;
import io.carillon.node.session.Session;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.time.InstantSource;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ScheduledExecutorService;
import java.util.concurrent.TimeUnit;
import java.util.function.Predicate;
import org.jspecify.annotations.Nullable;

/**
 * Behind {@code line-windows}: clients that come with an activation code and report what their group's accounts do.
 *
 * <p>All sessions of a code are one user, {@code windows:<code>}, in the group's room. When presence says that he has left
 * (his last session closed, fell silent, or its node died), every node that holds sessions of the group turns his accounts
 * offline, which does nothing the second time. A user who was only taken for gone gets them back when he is there again.
 * What nobody was there to see is done a moment after the group's next session opens.
 */
final class LineWindows implements Application {
    /** What users of this kind are called, before their code. */
    static final String USER = "windows:";

    private static final String KIND = "windows";
    private static final String GROUP = "group_id";

    /** By then presence knows a session that opened, or one that came back with the link to Redis. */
    private static final Duration SETTLED = Duration.ofSeconds(3);

    private static final Duration AGAIN = Duration.ofSeconds(1);

    private final LineGroups groups;
    private final ActivationCodes codes;
    private final InstantSource clock;
    private final ScheduledExecutorService timer;
    private final LineSessions here = new LineSessions();
    private final Set<ChannelName> settling = ConcurrentHashMap.newKeySet();

    @SuppressWarnings("NullAway.Init") // set before the first handshake
    private Desk desk;

    LineWindows(LineGroups groups, ActivationCodes codes, InstantSource clock, ScheduledExecutorService timer) {
        this.groups = groups;
        this.codes = codes;
        this.clock = clock;
        this.timer = timer;
    }

    @Override
    public String dialect() {
        return WindowsDialect.NAME;
    }

    @Override
    public void start(Desk itsDesk) {
        desk = itsDesk;
    }

    @Override
    public CompletionStage<Verdict> admit(Endpoint endpoint, Credentials credentials, Authenticator authenticator) {
        String code = credentials.query().get("activation_code");
        if (code == null || !ActivationCodes.valid(code)) {
            return CompletableFuture.completedFuture(
                    authenticator.malformed("activation_code must be " + ActivationCodes.FORM));
        }
        return codes.find(endpoint.namespace(), code)
                .thenApply(group -> group.<Verdict>map(id -> new Verdict.Granted(
                                new Principal(USER + code, null, KIND, Set.of(), Long.MAX_VALUE, Map.of(GROUP, id)),
                                null))
                        .orElseGet(authenticator::unknownCode));
    }

    private static String code(Session session) {
        return session.user().substring(USER.length());
    }

    private static long group(Session session) {
        return LineReports.group(session.principal().claims().get(GROUP));
    }

    private static ChannelName room(Session session) {
        return LineGroups.room(session.endpoint().namespace(), group(session));
    }

    @Override
    public Set<String> rooms(Session session) {
        return Set.of(room(session).id());
    }

    @Override
    public boolean announces() {
        return true;
    }

    /** Says first, too, that the code opens a session: before presence hears of it, and before the client's messages. */
    @Override
    public Notice greeting(Session session) {
        ChannelName room = room(session);
        here.add(room, session.user(), session.id());
        groups.opens(room, code(session));
        var data = new JsonBytes(160)
                .raw("{\"group_id\":")
                .value(group(session))
                .raw(",\"activation_code\":")
                .value(code(session))
                .raw(",\"message\":")
                .value("认证成功，请同步Line账号列表")
                .raw('}');
        return new Notice.Answer("auth_success", null, Payload.ofJson(data.toBytes()));
    }

    @Override
    public void opened(Session session) {
        settle(room(session));
        check(session);
    }

    /**
     * The code may have been taken away or moved after the handshake looked at it. Whoever does that tells all sessions
     * afterwards; this one can be told from here on.
     */
    private void check(Session session) {
        codes.find(session.endpoint().namespace(), code(session))
                .whenComplete((found, failure) -> desk.run(session, () -> {
                    if (session.state() == Session.State.CLOSED) return;
                    if (found == null) {
                        var unused = timer.schedule(
                                () -> desk.run(session, () -> check(session)), AGAIN.toMillis(), TimeUnit.MILLISECONDS);
                    } else if (found.isEmpty() || found.get() != group(session)) {
                        session.socket().close(CloseCode.KICKED);
                    }
                }));
    }

    /** Soon, and once however often it is asked for. */
    private void settle(ChannelName room) {
        if (!settling.add(room)) return;
        var unused = timer.schedule(
                () -> {
                    settling.remove(room);
                    groups.settle(room);
                },
                SETTLED.toMillis(),
                TimeUnit.MILLISECONDS);
    }

    /** A dashboard of the group opened, too. */
    void watched(ChannelName room) {
        settle(room);
    }

    @Override
    public boolean received(Session session, Command command) {
        switch (command) {
            case Command.Ping ping -> {
                if (code(session).equals(ping.ref())) {
                    desk.send(session, new Notice.Pong(ping.ref(), clock.millis()));
                } else {
                    refuseCode(session, null);
                }
            }
            case Command.Publish report -> {
                if (code(session).equals(report.event().room())) report(session, report);
                else refuseCode(session, report.ref());
            }
            case Command.Invalid invalid -> desk.refuse(session, invalid.ref(), invalid.code(), invalid.sentence());
            case Command.Refresh refresh ->
                desk.refuse(
                        session,
                        refresh.ref(),
                        "not_allowed",
                        "an activation code does not run out: there is nothing to refresh");
            case Command.Join _,
                    Command.Leave _,
                    Command.Members _,
                    Command.Ack _,
                    Command.Resume _,
                    Command.History _ -> throw new IllegalStateException("the dialect has no such command");
        }
        return true;
    }

    private void refuseCode(Session session, @Nullable String ref) {
        desk.refuse(session, ref, "not_allowed", "\"activation_code\" must be the one this session was opened with");
    }

    private void report(Session session, Command.Publish report) {
        Event event = report.event();
        List<String> arguments;
        try {
            arguments = LineReports.arguments(event.type(), event.content());
        } catch (LineReports.Malformed e) {
            desk.refuse(session, report.ref(), "bad_frame", String.valueOf(e.getMessage()));
            return;
        }
        groups.handle(room(session), event.type(), code(session), event.id(), arguments)
                .whenComplete((outcome, failure) -> {
                    if (outcome == null) {
                        desk.unavailable(session, report.ref(), failure);
                        return;
                    }
                    switch (outcome) {
                        case LineGroups.Outcome.Answered answered ->
                            desk.send(
                                    session, new Notice.Answer(answerTo(event.type()), report.ref(), answered.data()));
                        case LineGroups.Outcome.TooMany many ->
                            desk.refuse(
                                    session,
                                    report.ref(),
                                    "too_many",
                                    "the group has as many " + many.what() + " as it may have");
                    }
                });
    }

    private static String answerTo(String type) {
        return switch (type) {
            case "sync_line_accounts" -> "sync_result";
            case "account_status_change" -> "account_status_updated";
            default -> type + "_received";
        };
    }

    @Override
    public void closed(Session session) {
        ChannelName room = room(session);
        // Where presence had not heard of it yet there will be no departure to react to.
        if (here.remove(room, session.user(), session.id())) groups.gone(room, code(session));
    }

    /** What happens in the group is for dashboards. */
    @Override
    public @Nullable Predicate<Session> audience(ChannelName channel, Event event) {
        return channel.kind() == ChannelName.Kind.ROOM ? session -> false : null;
    }

    @Override
    public void passed(ChannelName channel, Event event) {
        boolean joined = event.type().equals("presence_join");
        if (!joined && !event.type().equals("presence_leave") || LineGroups.group(channel) == 0) return;
        Payload user = event.extra().get("user");
        String quoted = user == null ? "" : new String(user.bytes(), StandardCharsets.UTF_8);
        if (!quoted.startsWith("\"" + USER)) return;
        String code = quoted.substring(1 + USER.length(), quoted.length() - 1);
        if (!joined) groups.gone(channel, code);
        else if (here.holds(channel, USER + code)) groups.back(channel, code);
    }

    /** Departures may have been missed, and sessions of this node taken for gone. */
    @Override
    public void restored() {
        for (ChannelName room : here.rooms()) {
            settle(room);
            for (String user : here.users(room)) groups.back(room, user.substring(USER.length()));
        }
    }
}
