package io.carillon.node.app;

import io.carillon.model.channel.ChannelName;
import io.carillon.model.event.Event;
import io.carillon.model.event.Payload;
import io.carillon.node.dialect.Notice;
import io.carillon.node.dialect.line.DashboardDialect;
import io.carillon.node.dispatch.Desk;
import io.carillon.node.session.Session;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ScheduledExecutorService;
import java.util.concurrent.TimeUnit;
import java.util.function.Predicate;
import org.jspecify.annotations.Nullable;

/**
 * Numbers on their way to this node's dashboards. The first of a group go at once; those that follow are put together for
 * {@link #APART}, and of each only the newest goes. So a dashboard is sent them five times a second at most, and always
 * the last. Safe from any thread.
 */
final class LineBoards {
    static final Duration APART = Duration.ofMillis(200);

    private final Desk desk;
    private final ScheduledExecutorService timer;

    /** The numbers that wait, of each group that was sent some within the last while. */
    private final Map<ChannelName, Waiting> groups = new HashMap<>(); // guarded by this

    private static final class Waiting {
        @Nullable
        Payload group;

        /** By account. */
        Map<Payload, Payload> accounts = new LinkedHashMap<>();
    }

    LineBoards(Desk desk, ScheduledExecutorService timer) {
        this.desk = desk;
        this.timer = timer;
    }

    /** Takes the numbers that came with an event, if there are any. */
    void offer(ChannelName room, Event event) {
        Payload group = event.extra().get("group_stats");
        if (group == null) return;
        Payload account = event.extra().get("account");
        Payload accountStats = event.extra().get("account_stats");
        var notices = new ArrayList<Notice>(2);
        synchronized (this) {
            Waiting waiting = groups.get(room);
            if (waiting == null) {
                groups.put(room, new Waiting());
                if (accountStats != null) notices.add(ofAccount(accountStats));
                notices.add(ofGroup(group));
            } else {
                if (account != null && accountStats != null) waiting.accounts.put(account, accountStats);
                waiting.group = group;
            }
        }
        if (!notices.isEmpty()) send(room, notices);
    }

    /** Takes the numbers of a group that nobody caused just now. */
    void offer(ChannelName room, Payload group) {
        offer(
                room,
                new Event.Builder(DashboardDialect.STATS)
                        .extra(Map.of("group_stats", group))
                        .build());
    }

    private void send(ChannelName room, List<Notice> notices) {
        Predicate<Session> watchers = LineDashboard.watchers(room);
        for (Notice notice : notices) desk.send(room, watchers, notice);
        var unused = timer.schedule(() -> due(room), APART.toMillis(), TimeUnit.MILLISECONDS);
    }

    private void due(ChannelName room) {
        var notices = new ArrayList<Notice>();
        synchronized (this) {
            Waiting waiting = groups.remove(room);
            if (waiting == null) return;
            waiting.accounts.values().forEach(stats -> notices.add(ofAccount(stats)));
            if (waiting.group != null) notices.add(ofGroup(waiting.group));
            if (notices.isEmpty()) return;
            groups.put(room, new Waiting());
        }
        send(room, notices);
    }

    private static Notice ofAccount(Payload stats) {
        return new Notice.Answer("account_stats_update", null, stats);
    }

    private static Notice ofGroup(Payload stats) {
        return new Notice.Answer("group_stats_update", null, stats);
    }
}
