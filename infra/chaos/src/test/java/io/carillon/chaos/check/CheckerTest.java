package io.carillon.chaos.check;

import static org.assertj.core.api.Assertions.assertThat;

import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.function.Consumer;
import java.util.function.Predicate;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import tools.jackson.databind.json.JsonMapper;
import tools.jackson.databind.node.ObjectNode;

/** A checker that finds nothing proves nothing: defects are planted in clean records, and each must be found. */
class CheckerTest {
    private static final JsonMapper JSON = JsonMapper.shared();
    private static final Rules RULES = new Rules(100, 300, 1, 15, 15, 10, 5);

    /** The records of a run in which everything is as promised. */
    private static final class Run {
        final Map<String, List<ObjectNode>> actors = new LinkedHashMap<>();

        Run() {
            add("control", 0, "tenant", "ns", "a", "canary", "amber");
            add("control", 0, "tenant", "ns", "b", "canary", "birch");
            for (String ns : List.of("a", "b")) {
                for (int i = 0; i < 3; i++) {
                    String client = ns + i;
                    add(client, 1, "conn.open", "cid", client + ".1", "client", client, "user", "u" + i, "ns", ns);
                    place(client, 1, "sub.ok", ns, "broadcast", "~p", 0).put("fresh", true);
                    place(client, 1, "sub.ok", ns, "room:r", "e1", 40).put("fresh", true);
                    if (client.equals("a1"))
                        place(client, 1, "sub.ok", ns, "user:u1", "e1", 6).put("fresh", true);
                }
            }
            for (int n = 1; n <= 100; n++) {
                double at = 2 + n * 0.5;
                for (String ns : List.of("a", "b")) {
                    publish(ns, n, at, "broadcast", n);
                    publish(ns, n, at + 0.1, "room:r", 40 + n);
                }
            }
            add("control", 20, "fault", "id", "f1", "name", "node_kill", "loses", false);
            add("control", 22, "heal", "id", "f1", "name", "node_kill");
            for (int second = 2; second <= 60; second++) {
                for (String ns : List.of("a", "b")) presence(second, ns);
            }
            add("pa", 40, "pub.invoke", "mid", "pa-7", "ns", "a", "ch", "user:u1", "sha", "s", "durable", true)
                    .put("ack", true);
            add("pa", 40.1, "pub.ok", "mid", "pa-7", "ns", "a", "ch", "user:u1", "epoch", "e1", "off", 7);
            // It came when it was published, and once more.
            place("a1", 40.1, "msg", "a", "user:u1", "e1", 7)
                    .put("mid", "pa-7")
                    .put("sha", "s")
                    .put("canary", "amber");
            add("a1", 40.1, "ack", "client", "a1", "ch", "user:u1", "mid", "pa-7", "again", false, "sent", false);
            add("a1", 50.1, "ack", "client", "a1", "ch", "user:u1", "mid", "pa-7", "again", true, "sent", true);
            add("control", 61, "revoke", "ns", "b", "user", "u9");
            for (String ns : List.of("a", "b")) {
                add("control", 62, "head", "ns", ns, "ch", "broadcast", "epoch", "e1", "off", 100);
                add("control", 62, "head", "ns", ns, "ch", "room:r", "epoch", "e1", "off", 140);
                if (ns.equals("a")) {
                    add("control", 62, "head", "ns", ns, "ch", "user:u1", "epoch", "e1", "off", 7, "waiting", 0);
                }
                for (int i = 0; i < 3; i++) add(ns + i, 62, "client.end", "client", ns + i, "live", true);
            }
            add("control", 63, "end");
            add("control", 65, "drained", "sessions", 0, "online", 0, "numsub", 0);
        }

        private void publish(String ns, int n, double at, String channel, long offset) {
            String mid = ns + "." + channel.charAt(0) + "-" + n;
            String publisher = "p" + ns;
            add(publisher, at, "pub.invoke", "mid", mid, "ns", ns, "ch", channel, "sha", "s" + mid, "durable", true);
            add(publisher, at + 0.02, "pub.ok", "mid", mid, "ns", ns, "ch", channel, "epoch", "e1", "off", offset);
            for (int i = 0; i < 3; i++) {
                place(ns + i, at + 0.01, "msg", ns, channel, "e1", offset)
                        .put("mid", mid)
                        .put("sha", "s" + mid)
                        .put("canary", ns.equals("a") ? "amber" : "birch");
            }
        }

        private void presence(double at, String ns) {
            ObjectNode probe = add("prober", at, "presence", "ns", ns, "via", "redis");
            var users = probe.putArray("users");
            for (int i = 0; i < 3; i++) users.add("u" + i);
        }

        ObjectNode place(String client, double at, String kind, String ns, String channel, String epoch, long offset) {
            return add(
                    client,
                    at,
                    kind,
                    "cid",
                    client + ".1",
                    "client",
                    client,
                    "user",
                    "u" + client.charAt(1),
                    "ns",
                    ns,
                    "ch",
                    channel,
                    "epoch",
                    epoch,
                    "off",
                    offset);
        }

        ObjectNode add(String actor, double at, String kind, Object... fields) {
            ObjectNode record = JSON.createObjectNode().put("k", kind).put("t", at);
            for (int i = 0; i < fields.length; i += 2) record.set((String) fields[i], JSON.valueToTree(fields[i + 1]));
            actors.computeIfAbsent(actor, a -> new ArrayList<>()).add(record);
            return record;
        }

        /** Position of the {@code n}th record of this kind (from 0, or from the end if negative). */
        int find(String actor, int n, Predicate<ObjectNode> which) {
            var places = new ArrayList<Integer>();
            List<ObjectNode> records = actors.get(actor);
            for (int i = 0; i < records.size(); i++) if (which.test(records.get(i))) places.add(i);
            return places.get(n < 0 ? places.size() + n : n);
        }

        ObjectNode record(String actor, int n, Predicate<ObjectNode> which) {
            return actors.get(actor).get(find(actor, n, which));
        }

        Verdict check() {
            return Checker.check(Records.of(actors), RULES);
        }
    }

    private static Predicate<ObjectNode> kind(String kind) {
        return record -> record.path("k").asString().equals(kind);
    }

    private static Predicate<ObjectNode> messageOn(String channel) {
        return record ->
                kind("msg").test(record) && record.path("ch").asString().equals(channel);
    }

    private static Predicate<ObjectNode> about(String kind, String field, String value) {
        return record ->
                kind(kind).test(record) && record.path(field).asString().equals(value);
    }

    private static final Predicate<ObjectNode> MESSAGE = messageOn("broadcast");

    /** What may be wrong, and which promise it breaks. */
    enum Mutant {
        DROP_ONE_DELIVERY(Invariant.I5, run -> run.actors.get("a1").remove(run.find("a1", 30, MESSAGE))),
        DROP_THE_LAST_DELIVERY(Invariant.I5, run -> run.actors.get("a1").remove(run.find("a1", -1, MESSAGE))),
        DUPLICATE(Invariant.I6, run -> {
            int at = run.find("b0", 30, MESSAGE);
            run.actors.get("b0").add(at + 1, run.actors.get("b0").get(at).deepCopy());
        }),
        SWAP_ORDER(Invariant.I4, run -> {
            List<ObjectNode> records = run.actors.get("a2");
            int one = run.find("a2", 30, MESSAGE);
            int two = run.find("a2", 31, MESSAGE);
            ObjectNode first = records.get(one);
            records.set(one, records.get(two));
            records.set(two, first);
        }),
        FOREIGN_EVENT(Invariant.I2, run -> {
            ObjectNode stray = run.record("a0", 30, MESSAGE).deepCopy();
            ObjectNode own = run.record("b0", 30, MESSAGE);
            own.put("mid", stray.path("mid").asString())
                    .put("sha", stray.path("sha").asString());
        }),
        FOREIGN_CANARY(Invariant.I2, run -> run.record("a0", 30, MESSAGE).put("canary", "birch")),
        ALTERED_BODY(Invariant.I1, run -> run.record("a0", 30, MESSAGE).put("sha", "other")),
        PHANTOM(Invariant.I1, run -> run.record("a0", 30, MESSAGE).put("mid", "nobody-1")),
        DELIVERED_REFUSAL(Invariant.I7, run -> {
            ObjectNode answer = run.record("pa", 30, kind("pub.ok"));
            answer.remove(List.of("epoch", "off"));
            answer.put("k", "pub.fail").put("status", 400);
        }),
        DISAGREEMENT(Invariant.I3, run -> {
            ObjectNode one = run.record("a0", 30, MESSAGE);
            ObjectNode next = run.record("a0", 31, MESSAGE);
            one.put("mid", next.path("mid").asString())
                    .put("sha", next.path("sha").asString());
        }),
        RECOVERED_ACROSS_EPOCHS(Invariant.I9, run -> {
            int at = run.find("a0", 60, MESSAGE);
            ObjectNode resumed =
                    run.place("a0", 41, "sub.ok", "a", "broadcast", "e2", 60).put("recovered", true);
            run.actors.get("a0").removeLast();
            run.actors.get("a0").add(at, resumed);
        }),
        LOST_CONNECTION(Invariant.I11, run -> {
            int at = run.find("a0", 90, MESSAGE);
            ObjectNode closed =
                    run.add("a0", 47, "conn.close", "cid", "a0.1", "client", "a0", "code", 1006, "by", "network");
            run.actors.get("a0").removeLast();
            run.actors.get("a0").add(at, closed);
        }),
        PRESENCE_GHOST(
                Invariant.I10,
                run -> ((tools.jackson.databind.node.ArrayNode)
                                run.record("prober", -1, kind("presence")).path("users"))
                        .add("u7")),
        PRESENCE_MISSING(
                Invariant.I10,
                run -> ((tools.jackson.databind.node.ArrayNode)
                                run.record("prober", -1, kind("presence")).path("users"))
                        .remove(1)),
        DELIVERY_AFTER_REVOCATION(
                Invariant.I15,
                run -> run.record("control", 0, kind("revoke"))
                        .put("user", "u1")
                        .put("t", run.record("b1", -1, MESSAGE).path("t").asDouble() - 9)),
        OFFSETS_AGAINST_TIME(Invariant.I8, run -> {
            // Acknowledged long before the one in front of it was sent.
            ObjectNode earlier = run.record("pa", 60, kind("pub.invoke"));
            String mid = earlier.path("mid").asString();
            double at = earlier.path("t").asDouble() - 20;
            earlier.put("t", at);
            run.record(
                            "pa",
                            0,
                            r -> kind("pub.ok").test(r)
                                    && r.path("mid").asString().equals(mid))
                    .put("t", at + 0.01);
        }),
        UNRECOVERED_WITHOUT_A_FAULT(Invariant.I9, run -> {
            int at = run.find("a0", 90, MESSAGE);
            ObjectNode resumed =
                    run.place("a0", 47, "sub.ok", "a", "broadcast", "e1", 90).put("recovered", false);
            run.actors.get("a0").removeLast();
            run.actors.get("a0").add(at, resumed);
        }),
        SESSIONS_LEFT(
                Invariant.I13, run -> run.record("control", 0, kind("drained")).put("sessions", 2)),
        ACKNOWLEDGED_AND_GONE(Invariant.I5, run -> {
            run.add("pa", 48, "pub.invoke", "mid", "pa-9", "ns", "a", "ch", "room:r", "sha", "s", "durable", true);
            run.add("pa", 48.1, "pub.ok", "mid", "pa-9", "ns", "a", "ch", "room:r");
        }),
        EPOCH_CHANGED_IN_SILENCE(Invariant.I9, run -> {
            for (int n = 90; n < 100; n++) run.record("a0", n, MESSAGE).put("epoch", "e2");
        }),
        NEVER_ASKED_TO_ACKNOWLEDGE(Invariant.I16, run -> {
            run.actors.get("a1").removeIf(kind("ack").or(messageOn("user:u1")));
            // Told to go on behind it, which is no excuse here.
            ObjectNode resync = run.place("a1", 23, "resync", "a", "user:u1", "e1", 7);
            run.actors.get("a1").removeLast();
            run.actors.get("a1").add(run.find("a1", 45, MESSAGE), resync);
        }),
        STILL_WAITING(
                Invariant.I16,
                run -> run.record("control", 0, about("head", "ch", "user:u1")).put("waiting", 1)),
        ASKED_WITHOUT_CAUSE(
                Invariant.I1,
                run -> run.record("pa", 0, about("pub.invoke", "mid", "pa-7")).put("ack", false)),
        TWICE_ON_ONE_CONNECTION(
                Invariant.I6,
                run -> run.place("a0", 50, "dup", "a", "broadcast", "e1", 90).put("same", true));

        private final Invariant broken;
        private final Consumer<Run> planted;

        Mutant(Invariant broken, Consumer<Run> planted) {
            this.broken = broken;
            this.planted = planted;
        }
    }

    @Test
    void aCleanRunPasses() {
        Verdict verdict = new Run().check();
        assertThat(verdict.violations()).isEmpty();
        assertThat(verdict.invalid()).isEmpty();
        assertThat(verdict.exitCode()).isZero();
        assertThat(verdict.figure("delivered")).isEqualTo(1201);
        assertThat(verdict.figure("probes")).isGreaterThan(50);
    }

    @ParameterizedTest
    @EnumSource(Mutant.class)
    void aPlantedDefectIsFound(Mutant mutant) {
        Run run = new Run();
        mutant.planted.accept(run);
        Verdict verdict = run.check();
        assertThat(verdict.counts()).as("%s", verdict.violations()).containsKey(mutant.broken);
        assertThat(verdict.exitCode()).isEqualTo(1);
    }

    @Test
    void aSessionMayBeListedBeforeItsClientHasTheAnswer() {
        for (double later : new double[] {0.02, 3}) {
            Run run = new Run();
            ObjectNode probe = run.record("prober", 90, kind("presence"));
            ((tools.jackson.databind.node.ArrayNode) probe.path("users")).add("u7");
            double opened = probe.path("t").asDouble() + later;
            run.add(
                    "u7",
                    opened,
                    "conn.open",
                    "cid",
                    "u7.1",
                    "client",
                    "u7",
                    "user",
                    "u7",
                    "ns",
                    probe.path("ns").asString());
            run.add("u7", opened + 0.5, "conn.close", "cid", "u7.1", "client", "u7", "code", 1000, "by", "client");
            var counts = run.check().counts();
            if (later < 1) assertThat(counts).doesNotContainKey(Invariant.I10);
            else assertThat(counts).containsKey(Invariant.I10);
        }
    }

    @Test
    void aDeclaredGapInAFaultIsNoViolation() {
        Run run = new Run();
        int at = run.find("a0", 45, MESSAGE);
        ObjectNode resync = run.place("a0", 24.5, "resync", "a", "broadcast", "e1", 45);
        run.actors.get("a0").removeLast();
        // Events 41 to 45 never came; the server said so.
        for (int n = 44; n >= 40; n--) run.actors.get("a0").remove(run.find("a0", n, MESSAGE));
        run.actors.get("a0").add(at - 10, resync);
        Verdict verdict = run.check();
        assertThat(verdict.violations()).isEmpty();
        assertThat(verdict.figure("skipped")).isEqualTo(5);
    }

    @Test
    void anUnknownOutcomeMayArriveOrNot() {
        Run run = new Run();
        run.add("pa", 30, "pub.invoke", "mid", "pa-1", "ns", "a", "ch", "room:r", "sha", "s", "durable", true);
        run.add("pa", 32, "pub.info", "mid", "pa-1");
        // One of those that did arrive, too.
        ObjectNode answer = run.record("pa", 30, kind("pub.ok"));
        answer.remove(List.of("epoch", "off"));
        answer.put("k", "pub.info");
        Verdict verdict = run.check();
        assertThat(verdict.violations()).isEmpty();
        assertThat(verdict.figure("unknown_seen")).isEqualTo(1);
    }

    @Test
    void aRunWithoutFaultsOrDeliveriesProvesNothing() {
        Run run = new Run();
        run.actors.get("control").removeIf(kind("fault").or(kind("heal")));
        assertThat(run.check().exitCode()).isEqualTo(2);
        assertThat(Checker.check(Records.of(Map.of()), RULES).exitCode()).isEqualTo(2);
    }

    @Test
    void headsReadWhileEventsAreStillPublishedProveNothing() {
        Run run = new Run();
        run.record("pa", -1, kind("pub.ok")).put("t", 62.2);
        assertThat(run.check().exitCode()).isEqualTo(2);
    }

    @Test
    void filesAreReadAndACutLastLineIsPassedOver(@TempDir Path directory) throws Exception {
        Run run = new Run();
        for (var actor : run.actors.entrySet()) {
            var text = new StringBuilder();
            actor.getValue().forEach(record -> text.append(record).append('\n'));
            if (actor.getKey().equals("a0")) text.append("{\"k\":\"msg\",\"t\":6");
            Files.writeString(directory.resolve(actor.getKey() + ".jsonl"), text);
        }
        assertThat(Checker.check(Records.in(directory), RULES).exitCode()).isZero();
    }
}
