package io.carillon.node.app;

import io.carillon.model.channel.ChannelName;
import io.carillon.model.event.Event;
import io.carillon.model.event.JsonBytes;
import io.carillon.model.event.Payload;
import io.carillon.node.dialect.Notice;
import io.carillon.node.dialect.line.DashboardDialect;
import io.carillon.node.dispatch.Application;
import io.carillon.node.dispatch.Desk;
import io.carillon.node.identity.Authenticator;
import io.carillon.node.identity.Credentials;
import io.carillon.node.identity.Principal;
import io.carillon.node.identity.Rule;
import io.carillon.node.identity.Verdict;
import io.carillon.node.session.Endpoint;
import io.carillon.node.session.Session;
import java.time.Duration;
import java.time.InstantSource;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.ScheduledExecutorService;
import java.util.concurrent.TimeUnit;
import java.util.function.Predicate;
import org.jspecify.annotations.Nullable;

/** Behind {@code line-dashboard}: pages that watch one group, the one their token names. */
final class LineDashboard implements Application {
    private static final String KIND = "dashboard";
    private static final String GROUP = "group_id";

    /** How often it is looked whether a departure was missed: what announces one is not kept. */
    private static final Duration AUDIT = Duration.ofSeconds(30);

    private final LineGroups groups;
    private final LineWindows windows;
    private final LineSettings settings;
    private final InstantSource clock;
    private final ScheduledExecutorService timer;
    private final LineSessions here = new LineSessions();

    @SuppressWarnings("NullAway.Init") // set before the first handshake
    private LineBoards boards;

    LineDashboard(
            LineGroups groups,
            LineWindows windows,
            LineSettings settings,
            InstantSource clock,
            ScheduledExecutorService timer) {
        this.groups = groups;
        this.windows = windows;
        this.settings = settings;
        this.clock = clock;
        this.timer = timer;
    }

    @Override
    public String dialect() {
        return DashboardDialect.NAME;
    }

    @Override
    public void start(Desk desk) {
        boards = new LineBoards(desk, timer);
        atMidnight();
        var unused = timer.scheduleWithFixedDelay(
                () -> here.rooms().forEach(groups::settle), AUDIT.toMillis(), AUDIT.toMillis(), TimeUnit.MILLISECONDS);
    }

    @Override
    public CompletionStage<Verdict> admit(Endpoint endpoint, Credentials credentials, Authenticator authenticator) {
        return authenticator
                .authenticateAsync(credentials, new Rule(endpoint.queryToken(), "user_id"))
                .thenApply(verdict -> {
                    if (!(verdict instanceof Verdict.Granted granted)) return verdict;
                    Principal watcher = watcher(granted.principal());
                    return watcher == null
                            ? new Verdict.Refused(
                                    403, "a dashboard's token names its group in the claim group_id", "forbidden")
                            : new Verdict.Granted(watcher, granted.subprotocol());
                });
    }

    /** Who may watch with this credential, and the group; null when it is good for none. */
    private static @Nullable Principal watcher(Principal principal) {
        long group = LineReports.group(principal.claims().get(GROUP));
        // The name of a Windows client would keep that client's accounts online.
        if (group == 0 || principal.user().startsWith(LineWindows.USER)) return null;
        return new Principal(
                principal.user(), principal.name(), KIND, Set.of(), principal.expiresAt(), Map.of(GROUP, group));
    }

    @Override
    public @Nullable Principal renewed(Session session, Principal fresh) {
        Principal watcher = watcher(fresh);
        return watcher != null && watcher.claims().equals(session.principal().claims()) ? watcher : null;
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
    public Notice greeting(Session session) {
        String user = session.user();
        var data = new JsonBytes(128).raw("{\"user_id\":");
        // A number where the token's was one; longer ones would not be read back as they are.
        if (user.matches("0|[1-9][0-9]{0,14}")) data.raw(user);
        else data.value(user);
        data.raw(",\"group_id\":")
                .value(group(session))
                .raw(",\"message\":")
                .value("WebSocket连接成功")
                .raw('}');
        return new Notice.Answer("connected", null, Payload.ofJson(data.toBytes()));
    }

    @Override
    public void opened(Session session) {
        ChannelName room = room(session);
        here.add(room, session.user(), session.id());
        windows.watched(room);
    }

    @Override
    public void closed(Session session) {
        here.remove(room(session), session.user(), session.id());
    }

    /** A group's events are for its own dashboards, whoever was put into the room. */
    @Override
    public @Nullable Predicate<Session> audience(ChannelName channel, Event event) {
        return channel.kind() == ChannelName.Kind.ROOM ? watchers(channel) : null;
    }

    /** The dashboards of the group whose room it is. */
    static Predicate<Session> watchers(ChannelName room) {
        long group = LineGroups.group(room);
        return session -> session.endpoint().dialect().equals(DashboardDialect.NAME) && group(session) == group;
    }

    @Override
    public void passed(ChannelName channel, Event event) {
        if (LineGroups.group(channel) > 0) boards.offer(channel, event);
    }

    /** What changed meanwhile was told to nobody here. */
    @Override
    public void restored() {
        for (ChannelName room : here.rooms()) windows.watched(room);
        refresh();
    }

    private void refresh() {
        for (ChannelName room : here.rooms()) refresh(room);
    }

    private void refresh(ChannelName room) {
        groups.stats(room).whenComplete((numbers, failure) -> {
            if (numbers != null) {
                boards.offer(room, numbers);
            } else if (failure != null) {
                // The link that brings events may be up before the one that takes questions.
                var unused = timer.schedule(
                        () -> {
                            if (here.rooms().contains(room)) refresh(room);
                        },
                        1,
                        TimeUnit.SECONDS);
            }
        });
    }

    /** With the day, "today" changes: dashboards are told without waiting for the next message. */
    private void atMidnight() {
        Duration left = Duration.between(
                clock.instant(),
                groups.today().plusDays(1).atStartOfDay(settings.zone()).toInstant());
        var unused = timer.schedule(
                () -> {
                    refresh();
                    atMidnight();
                },
                left.toMillis() + 1,
                TimeUnit.MILLISECONDS);
    }
}
