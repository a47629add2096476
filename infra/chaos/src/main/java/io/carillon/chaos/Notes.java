package io.carillon.chaos;

import io.carillon.chaos.World.Tenant;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import org.jspecify.annotations.Nullable;

/** What one client writes into its journal, in the words that the checker reads. As safe as the journal. */
record Notes(Journal journal, String name, String user, Tenant tenant) {
    /** An event. {@code epoch} is null for one that is not kept. */
    record Event(String channel, @Nullable String epoch, long offset, String mid) {}

    /** Where the client stands in a channel it had not been in. */
    void begun(String cid, String channel, String epoch, long offset) {
        place("sub.ok", cid, channel, epoch, offset, "fresh", true);
    }

    /** The answer to a resume. */
    void resumed(String cid, String channel, String epoch, long offset, boolean recovered) {
        place("sub.ok", cid, channel, epoch, offset, "recovered", recovered);
    }

    /** The answer to a resume that is neither recovered nor a place to go on from. */
    void notResumed(String channel, String why) {
        journal.write("resume.refused", "client", name, "ch", channel, "why", why);
    }

    /** The client is told to go on from there, whatever lies before. */
    void resync(String cid, String channel, String epoch, long offset) {
        place("resync", cid, channel, epoch, offset);
    }

    /** The client is in a channel no more, or not told where. */
    void left(String channel) {
        journal.write("unsub", "client", name, "ch", channel);
    }

    private void place(String kind, String cid, String channel, String epoch, long offset, Object... more) {
        List<Object> fields = new ArrayList<>(List.of(
                "cid",
                cid,
                "client",
                name,
                "user",
                user,
                "ns",
                tenant.namespace(),
                "ch",
                channel,
                "epoch",
                epoch,
                "off",
                offset));
        Collections.addAll(fields, more);
        journal.write(kind, fields.toArray());
    }

    /** The application gets an event. */
    void got(String cid, Event event, String sha, String canary) {
        event("msg", cid, event, "sha", sha, "canary", canary);
    }

    /** An event comes again. @param same on the same connection, and nobody asked for that */
    void repeated(String cid, Event event, boolean same) {
        event("dup", cid, event, "same", same);
    }

    /** An event that asks to be acknowledged comes. @param sent whether it is acknowledged at once */
    void asked(String cid, Event event, boolean again, boolean sent) {
        event("ack", cid, event, "again", again, "sent", sent);
    }

    private void event(String kind, String cid, Event event, Object... more) {
        boolean kept = event.epoch() != null;
        List<@Nullable Object> fields = new ArrayList<>();
        Collections.addAll(
                fields,
                "cid",
                cid,
                "client",
                name,
                "ch",
                event.channel(),
                "epoch",
                event.epoch(),
                "off",
                kept ? event.offset() : null,
                "mid",
                event.mid());
        Collections.addAll(fields, more);
        journal.write(kind, fields.toArray());
    }

    /** The server says {@code degraded}, {@code restored} or the like. */
    void notice(String what) {
        journal.write("notice", "client", name, "what", what);
    }

    /** The server answers {@code error}. */
    void error(String code) {
        journal.write("error", "client", name, "code", code);
    }

    /** An event of somebody else's. */
    void other(String type) {
        journal.write("other", "client", name, "what", type);
    }

    void welcome(String node) {
        journal.write("welcome", "client", name, "node", node);
    }

    /** Nobody took the connection. @param why null where the server answered */
    void refused(int status, @Nullable String why) {
        journal.write("conn.refused", "client", name, "code", status, "why", why);
    }

    /** @param habit null for one that is no witness */
    double opened(String cid, Witness.@Nullable Habit habit) {
        return journal.write(
                "conn.open", "cid", cid, "client", name, "user", user, "ns", tenant.namespace(), "habit", habit);
    }

    double closed(String cid, int code, String by) {
        return journal.write("conn.close", "cid", cid, "client", name, "code", code, "by", by);
    }

    /** Written when everything had time to arrive. */
    void end(boolean live) {
        journal.write("client.end", "client", name, "live", live);
        journal.flush();
    }
}
