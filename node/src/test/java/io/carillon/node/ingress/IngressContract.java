package io.carillon.node.ingress;

import static org.assertj.core.api.Assertions.assertThat;

import io.carillon.model.channel.ChannelName;
import io.carillon.model.channel.Namespace;
import io.carillon.model.event.Event;
import io.carillon.model.event.EventCodec;
import io.carillon.model.event.InvalidEventException;
import io.carillon.model.redis.Keys;
import io.carillon.model.redis.Script;
import io.carillon.node.testing.Poll;
import io.carillon.node.testing.RedisServer;
import io.lettuce.core.Consumer;
import io.lettuce.core.Range;
import io.lettuce.core.ScriptOutputType;
import io.lettuce.core.StreamMessage;
import io.lettuce.core.XAddArgs;
import io.lettuce.core.XClaimArgs;
import io.lettuce.core.XReadArgs;
import io.lettuce.core.api.sync.RedisCommands;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.Set;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;

/** Streams of services, drained by real workers that die; run on every server version there is. */
abstract class IngressContract {
    private static final AtomicInteger NAMES = new AtomicInteger();
    private static final Duration SOON = Duration.ofSeconds(30);
    /** Names of this test alone: its nodes find no streams of others. */
    private final Keys keys = new Keys("t" + NAMES.incrementAndGet() + "-" + Long.toString(System.nanoTime(), 36));

    /** A server whose data outlive a restart. */
    abstract RedisServer redis();

    // ---- from the stream into the history

    @Test
    void entriesBecomeEventsInTheirOrderAndLeaveTheStream() throws Exception {
        String service = fresh("orders");
        ChannelName user = user();
        List<String> ids = new ArrayList<>();
        for (int i = 0; i < 600; i++) ids.add(add(service, user, "{\"type\":\"t\",\"content\":" + i + "}"));
        add(service, user, "{\"type\":\"t\",\"id\":\"own\",\"content\":600}");
        try (Member member = Member.of(redis().uri(), keys, service)) {
            Poll.until("the stream is empty", SOON, () -> waiting(service) == 0);
            add(service, user, "{\"type\":\"t\",\"content\":601}");
            Poll.until(
                    "what comes later is published too",
                    SOON,
                    () -> events(user).size() == 602);
            List<Event> events = events(user);
            assertThat(contents(user)).containsExactlyElementsOf(upTo(602));
            assertThat(events.get(0).id()).isEqualTo("in-" + service + "-" + ids.get(0));
            assertThat(events.get(600).id()).isEqualTo("own");
            assertThat(pending(service)).isZero();
            assertThat(member.registry
                            .get("carillon.ingress.entries")
                            .tag("result", "published")
                            .counter()
                            .count())
                    .isEqualTo(602);
        }
        assertThat(redis().commands().get(owner(service))).as("handed over").isNull();
    }

    @Test
    void anEventThatIsNotDurableIsPublishedAndNotKept() throws Exception {
        String service = fresh("typing");
        ChannelName user = user();
        var client = io.lettuce.core.RedisClient.create(redis().uri());
        var heard = new java.util.concurrent.ConcurrentLinkedQueue<String>();
        try (var connection = client.connectPubSub()) {
            connection.addListener(new io.lettuce.core.pubsub.RedisPubSubAdapter<String, String>() {
                @Override
                public void message(String topic, String message) {
                    heard.add(message);
                }
            });
            connection.sync().subscribe(keys.channel(user));
            add(service, user, "{\"type\":\"cursor\",\"durable\":false,\"content\":1}");
            add(service, user, "{\"type\":\"typing\",\"content\":2}");
            add(service, user, "{\"type\":\"typing\",\"durable\":true,\"content\":3}");
            try (Member member = Member.of(redis().uri(), keys, service)) {
                Poll.until("all are heard", SOON, () -> heard.size() == 3);
                Poll.until("the stream is empty", SOON, () -> waiting(service) == 0);
            }
            assertThat(heard)
                    .extracting(text -> text.replaceAll(".*\"content\":(\\d).*", "$1"))
                    .containsExactly("1", "2", "3");
            assertThat(contents(user)).containsExactly(3);
        } finally {
            client.shutdown(Duration.ZERO, Duration.ofSeconds(1));
        }
    }

    @Test
    void theSameIdIsOneEventAlsoFromAnotherStream() throws Exception {
        String one = fresh("a");
        String other = fresh("b");
        ChannelName user = user();
        for (String service : List.of(one, one, other)) add(service, user, "{\"type\":\"t\",\"id\":\"same\"}");
        add(one, user, "{\"type\":\"t\",\"id\":\"next\"}");
        try (Member member = new Member(redis().uri(), keys, Member.settings(one, other), () -> 1, Integer.MAX_VALUE)) {
            Poll.until("both are empty", SOON, () -> waiting(one) + waiting(other) == 0);
        }
        assertThat(events(user)).extracting(Event::id).containsExactlyInAnyOrder("same", "next");
    }

    // ---- workers that die

    @Test
    void whateverDiesEveryEntryIsOneEventAndInOrder() throws Exception {
        long seed = Long.getLong("carillon.seed", System.nanoTime());
        System.out.println("seed of the deaths: " + seed + " (-Dcarillon.seed)");
        var random = new Random(seed);
        String service = fresh("storm");
        List<ChannelName> users = List.of(user(), user());
        for (int i = 0; i < 500; i++) {
            add(service, users.get(i % 2), "{\"type\":\"t\",\"content\":" + i / 2 + "}");
        }
        int deaths = 0;
        while (deaths < 10) {
            // Fewer than are left, so that every one dies over its work.
            int after = 1 + random.nextInt(24);
            var member = new Member(redis().uri(), keys, Member.settings(service), () -> 1, after);
            try {
                Poll.until("it dies or is done", SOON, () -> member.dead() || waiting(service) == 0);
                if (!member.dead()) break;
                deaths++;
                // Other publishers were busy meanwhile: the ids of the history have rolled on.
                for (ChannelName user : users) redis().commands().del(keys.channel(user) + ":ids");
            } finally {
                member.close();
            }
        }
        assertThat(deaths).isEqualTo(10);
        try (Member last = Member.of(redis().uri(), keys, service)) {
            Poll.until("the last one finishes", SOON, () -> waiting(service) == 0);
        }
        for (ChannelName user : users) assertThat(contents(user)).containsExactlyElementsOf(upTo(250));
        assertThat(pending(service)).isZero();
        assertThat(letters(service)).isEmpty();
    }

    @Test
    void anotherGoesOnSoonAfterTheLockOfTheDeadIsOver() throws Exception {
        String service = fresh("takeover");
        ChannelName user = user();
        var settings = new IngressSettings(Set.of(service), Duration.ofSeconds(2), Duration.ofSeconds(3), 256);
        try (var first = new Member(redis().uri(), keys, settings, () -> 2, 1)) {
            Poll.until(
                    "the first drains it", SOON, () -> first.ingress.drained().contains(service));
            try (var second = new Member(redis().uri(), keys, settings, () -> 2, Integer.MAX_VALUE)) {
                add(service, user, "{\"type\":\"t\",\"content\":0}");
                Poll.until("the first dies", SOON, first::dead);
                Duration took = Poll.until(
                        "the second drains it",
                        SOON,
                        () -> second.ingress.drained().contains(service));
                System.out.println("taken over after " + took.toMillis() + " ms, lock 3000 ms");
                assertThat(took).isLessThan(Duration.ofSeconds(15));
                Poll.until("and finishes", SOON, () -> waiting(service) == 0);
            }
        }
        assertThat(contents(user)).containsExactly(0);
    }

    @Test
    void aNodeThatStopsHandsItsStreamsOverWithoutWaitingForTheLock() throws Exception {
        String service = fresh("handover");
        var settings = new IngressSettings(Set.of(service), Duration.ofSeconds(2), Duration.ofMinutes(10), 256);
        var first = new Member(redis().uri(), keys, settings, () -> 2, Integer.MAX_VALUE);
        Poll.until("the first drains it", SOON, () -> first.ingress.drained().contains(service));
        try (var second = new Member(redis().uri(), keys, settings, () -> 2, Integer.MAX_VALUE)) {
            first.close();
            Poll.until(
                    "the second drains it", SOON, () -> second.ingress.drained().contains(service));
        }
    }

    @Test
    void aNodeThatStopsRightWhenItTakesAStreamUpHandsItOverToo() {
        for (int i = 0; i < 20; i++) {
            String service = fresh("at-once");
            var settings = new IngressSettings(Set.of(service), Duration.ofSeconds(60), Duration.ofMinutes(10), 256);
            var node = new Member(redis().uri(), keys, settings, () -> 2, Integer.MAX_VALUE);
            long deadline = System.nanoTime() + SOON.toNanos();
            // No pause between looks: it is stopped with the worker just made.
            while (node.ingress.drained().isEmpty()) {
                assertThat(System.nanoTime()).isLessThan(deadline);
                Thread.onSpinWait();
            }
            node.close();
            assertThat(redis().commands().exists(owner(service))).isZero();
        }
    }

    @Test
    void streamsAreFoundAndSharedAmongNodes() throws Exception {
        List<String> services =
                IntStream.range(0, 6).mapToObj(i -> fresh("found")).toList();
        for (String service : services) add(service, user(), "{\"type\":\"t\"}");
        var none = Member.settings();
        try (var a = new Member(redis().uri(), keys, none, () -> 2, Integer.MAX_VALUE);
                var b = new Member(redis().uri(), keys, none, () -> 2, Integer.MAX_VALUE)) {
            Poll.until("all are drained", SOON, () -> services.stream().allMatch(service -> waiting(service) == 0));
            Poll.until("each has its half", SOON, () -> {
                var all = new HashSet<>(a.ingress.drained());
                int both = all.size() + b.ingress.drained().size();
                all.addAll(b.ingress.drained());
                return all.containsAll(services)
                        && all.size() == both
                        && a.ingress.drained().size() <= (both + 1) / 2
                        && b.ingress.drained().size() <= (both + 1) / 2;
            });
        }
    }

    // ---- fencing

    @Test
    void aWorkerThatWasPausedPastItsLockReadsNothingAndTakesNothingAway() {
        String service = fresh("fence");
        String key = keys.ingress(service);
        ChannelName user = user();
        String first = add(service, user, "{\"type\":\"t\"}");
        String second = add(service, user, "{\"type\":\"t\"}");
        assertThat(ingress(key, "claim", "a", "60000").getFirst()).isEqualTo(1L);
        assertThat(ingress(key, "claim", "b", "60000")).containsExactly(0L, "a");
        assertThat(ingress(key, "read", "b", "60000", "10", "10000")).containsExactly(0L);
        assertThat(ingress(key, "read", "a", "60000", "1", "10000")).hasSize(3);
        // a sleeps; its lock ends; b goes on with what a was given.
        redis().commands().del(owner(service));
        assertThat(ingress(key, "claim", "b", "60000").getFirst()).isEqualTo(1L);
        assertThat(ingress(key, "read", "a", "60000", "10", "10000")).containsExactly(0L);
        assertThat(ingress(key, "pending", "a", "60000", "10", "10000")).containsExactly(0L);
        assertThat(ingress(key, "done", "a", "60000", first)).containsExactly(0L);
        assertThat(ingress(key, "renew", "a", "60000")).containsExactly(0L);
        assertThat(ingress(key, "release", "a", "60000")).containsExactly(0L);
        assertThat(waiting(service)).isEqualTo(2);
        List<Object> pending = ingress(key, "pending", "b", "60000", "10", "10000");
        assertThat(((List<?>) pending.get(2)).getFirst()).isEqualTo(first);
        assertThat(ingress(key, "done", "b", "60000", first)).containsExactly(1L, 1L);
        List<Object> rest = ingress(key, "read", "b", "60000", "10", "10000");
        assertThat(rest.get(1)).isEqualTo(second);
        assertThat(ingress(key, "release", "b", "60000")).containsExactly(1L);
    }

    @Test
    void aChannelTakesEachEntryOnceAndNoneBeforeItsPredecessor() {
        String channel = keys.channel(user());
        assertThat(relay(channel, "5-0", "")).startsWith(1L).endsWith(0L, 0L);
        assertThat(relay(channel, "5-0", "")).as("again").startsWith(1L).endsWith(1L, 0L);
        assertThat(relay(channel, "4-9", "")).as("an older one, late").endsWith(1L, 0L);
        assertThat(failure(() -> relay(channel, "10-0", "9-0"))).startsWith("CARILLONORDER");
        assertThat(relay(channel, "9-0", "5-0")).startsWith(2L).endsWith(0L, 0L);
        assertThat(relay(channel, "10-0", "9-0"))
                .as("10 is more than 9")
                .startsWith(3L)
                .endsWith(0L, 0L);
        assertThat(relay(channel, "10-2", "10-0")).startsWith(4L);
        assertThat(relay(channel, "10-10", "10-2")).startsWith(5L);
        assertThat(redis().commands().ttl(channel + ":sources")).isGreaterThan(100_000);
        assertThat(failure(() -> redis().commands()
                        .eval(
                                Script.PUBLISH.source(Script.Mode.PLAIN),
                                ScriptOutputType.MULTI,
                                new String[] {channel},
                                "{\"type\":\"t\"}",
                                "",
                                "source",
                                "s",
                                "entry",
                                "1-0")))
                .as("only nodes speak for streams")
                .startsWith("CARILLONOPTION");
    }

    // ---- what cannot be published

    @Test
    void whatCannotBePublishedIsPutAsideAndTheRestGoesOn() throws Exception {
        String service = fresh("poison");
        ChannelName user = user();
        ChannelName broken = user();
        redis().commands().hset(keys.channel(broken), "not", "a meta");
        var wrong = new java.util.LinkedHashMap<String, String>();
        wrong.put(raw(service, "channel", "push:friend:u1", "event", "{\"type\":\"t\"}"), "channel must be");
        wrong.put(raw(service, "event", "{\"type\":\"t\"}"), "channel must be");
        wrong.put(raw(service, "channel", "nobody:user:u1", "event", "{\"type\":\"t\"}"), "no endpoint serves");
        wrong.put(raw(service, "channel", "push:user:u 1", "event", "{\"type\":\"t\"}"), "channel must be");
        wrong.put(raw(service, "channel", "push:user:u1", "event", "{\"type\":"), "JSON");
        wrong.put(raw(service, "channel", "push:user:u1", "other", "{\"type\":\"t\"}"), "JSON");
        wrong.put(raw(service, "channel", "push:user:u1", "event", "{\"content\":1}"), "type");
        wrong.put(raw(service, "channel", "push:user:u1", "event", "{\"type\":\"resync\"}"), "reserved");
        String large = "{\"type\":\"t\",\"content\":\"" + "x".repeat(600_000) + "\"}";
        wrong.put(raw(service, "channel", "push:user:u1", "event", large), "at most");
        wrong.put(add(service, broken, "{\"type\":\"t\"}"), "WRONGTYPE");
        add(service, user, "{\"type\":\"t\",\"content\":0}");
        add(service, user, "{\"type\":\"t\",\"content\":1}");
        try (Member member = Member.of(redis().uri(), keys, service)) {
            Poll.until("the stream is empty", SOON, () -> waiting(service) == 0);
            assertThat(member.registry.find("carillon.ingress.failures").counters().stream()
                            .mapToDouble(io.micrometer.core.instrument.Counter::count)
                            .sum())
                    .isEqualTo(wrong.size());
        }
        assertThat(contents(user)).containsExactly(0, 1);
        Map<String, Map<String, String>> letters = letters(service);
        assertThat(letters.keySet()).containsExactlyInAnyOrderElementsOf(wrong.keySet());
        wrong.forEach(
                (entry, reason) -> assertThat(letters.get(entry).get("reason")).contains(reason));
        assertThat(letters.values()).anySatisfy(letter -> {
            assertThat(letter.get("size")).isEqualTo(Integer.toString(large.length()));
            assertThat(letter.get("message")).isEqualTo(large.substring(0, 8192));
        });
    }

    @Test
    void anEntryThatKillsItsWorkersIsPutAsideUnlessItWasPublished() throws Exception {
        String service = fresh("killer");
        String key = keys.ingress(service);
        ChannelName user = user();
        String done = add(service, user, "{\"type\":\"t\",\"content\":0}");
        String killer = add(service, user, "{\"type\":\"t\",\"content\":1}");
        String behind = add(service, user, "{\"type\":\"t\",\"content\":2}");
        RedisCommands<String, String> commands = redis().commands();
        commands.xgroupCreate(XReadArgs.StreamOffset.from(key, "0"), "carillon");
        commands.xreadgroup(Consumer.from("carillon", "worker"), XReadArgs.StreamOffset.lastConsumed(key));
        for (String id : List.of(done, killer)) {
            commands.xclaim(
                    key,
                    Consumer.from("carillon", "worker"),
                    XClaimArgs.Builder.minIdleTime(0).retryCount(5),
                    id);
        }
        // The first had reached the history when its workers died.
        relay(keys.channel(user), service, done, "", "{\"type\":\"t\",\"content\":0}");
        try (Member member = Member.of(redis().uri(), keys, service)) {
            Poll.until("the stream is empty", SOON, () -> waiting(service) == 0);
        }
        assertThat(contents(user)).containsExactly(0, 2);
        assertThat(letters(service).keySet()).containsExactly(killer);
        assertThat(behind).isNotNull();
    }

    @Test
    void pendingEntriesThatSomebodyDeletedAreForgotten() throws Exception {
        String service = fresh("deleted");
        String key = keys.ingress(service);
        ChannelName user = user();
        String gone = add(service, user, "{\"type\":\"t\",\"content\":9}");
        add(service, user, "{\"type\":\"t\",\"content\":0}");
        RedisCommands<String, String> commands = redis().commands();
        commands.xgroupCreate(XReadArgs.StreamOffset.from(key, "0"), "carillon");
        commands.xreadgroup(Consumer.from("carillon", "worker"), XReadArgs.StreamOffset.lastConsumed(key));
        commands.xdel(key, gone);
        try (Member member = Member.of(redis().uri(), keys, service)) {
            Poll.until("nothing is pending", SOON, () -> pending(service) == 0);
            commands.del(key);
            add(service, user, "{\"type\":\"t\",\"content\":1}");
            Poll.until(
                    "a stream that was deleted is made again",
                    SOON,
                    () -> events(user).size() == 2);
        }
        assertThat(contents(user)).containsExactly(0, 1);
    }

    // ---- Redis away

    @Test
    void whileRedisIsAwayNothingIsSkippedNorOvertakes() throws Exception {
        String service = fresh("away");
        ChannelName user = user();
        try (Member member = Member.of(redis().uri(), keys, service)) {
            for (int round = 0; round < 3; round++) {
                for (int i = 0; i < 400; i++) {
                    add(service, user, "{\"type\":\"t\",\"content\":" + (round * 400 + i) + "}");
                }
                int enough = round * 400 + 50;
                Poll.until("some are through", SOON, () -> events(user).size() > enough);
                redis().stop();
                redis().start();
            }
            Poll.until("the stream is empty", SOON, () -> waiting(service) == 0);
        }
        assertThat(contents(user)).containsExactlyElementsOf(upTo(1200));
        assertThat(letters(service)).isEmpty();
    }

    @Test
    void aBacklogIsDrainedInOrder() throws Exception {
        int entries = Integer.getInteger("carillon.backlog", 5_000);
        String service = fresh("backlog");
        ChannelName user = user();
        int users = 1_000;
        String start = "{\"type\":\"t\",\"padding\":\"" + "x".repeat(140) + "\",\"content\":";
        redis().commands()
                .eval(
                        "for i = 0, ARGV[1] - 1 do redis.call('XADD', KEYS[1], '*', 'channel', ARGV[2] .. i % ARGV[4],"
                                + " 'event', ARGV[3] .. i .. '}') end",
                        ScriptOutputType.STATUS,
                        new String[] {keys.ingress(service)},
                        Integer.toString(entries),
                        "push:user:" + user.id() + "-",
                        start,
                        Integer.toString(users));
        // A lock that a busy machine does not lose.
        var settings = new IngressSettings(Set.of(service), Duration.ofSeconds(2), Duration.ofSeconds(30), 256);
        try (Member member = new Member(redis().uri(), keys, settings, () -> 1, Integer.MAX_VALUE)) {
            Poll.until("it has begun", SOON, () -> waiting(service) < entries);
            long began = System.nanoTime();
            long left = waiting(service);
            Poll.until("the stream is empty", Duration.ofMinutes(5), () -> waiting(service) == 0);
            double seconds = (System.nanoTime() - began) / 1e9;
            System.out.printf("%d entries drained in %.1f s, %.0f a second%n", left, seconds, left / seconds);
            assertThat(member.relayed.get()).isGreaterThanOrEqualTo(entries);
        }
        for (int i = 0; i < users; i++) {
            int first = i;
            assertThat(contents(ChannelName.user(Namespace.PUSH, user.id() + "-" + i)))
                    .containsExactlyElementsOf(IntStream.range(0, entries)
                            .filter(n -> n % users == first)
                            .boxed()
                            .toList());
        }
        assertThat(letters(service)).isEmpty();
    }

    // ---- helpers

    private static String fresh(String name) {
        return name + "-" + Long.toString(System.nanoTime(), 36) + "-" + NAMES.incrementAndGet();
    }

    private static ChannelName user() {
        return ChannelName.user(Namespace.PUSH, fresh("u"));
    }

    private String add(String service, ChannelName to, String event) {
        return raw(service, "channel", to.namespace() + ":" + to.label(), "event", event);
    }

    private String raw(String service, Object... fields) {
        return redis().commands().xadd(keys.ingress(service), new XAddArgs(), fields);
    }

    private long waiting(String service) {
        return redis().commands().xlen(keys.ingress(service));
    }

    private long pending(String service) {
        return redis().commands().xpending(keys.ingress(service), "carillon").getCount();
    }

    private String owner(String service) {
        return keys.ingress(service) + ":owner";
    }

    private List<Event> events(ChannelName channel) throws InvalidEventException {
        var events = new ArrayList<Event>();
        for (String text : redis().commands().lrange(keys.channel(channel) + ":history", 0, -1)) {
            events.add(EventCodec.readStamped(text.getBytes(StandardCharsets.UTF_8)));
        }
        return events;
    }

    private List<Integer> contents(ChannelName channel) throws InvalidEventException {
        return events(channel).stream()
                .map(event -> Integer.parseInt(new String(event.content().bytes(), StandardCharsets.UTF_8)))
                .toList();
    }

    private static List<Integer> upTo(int end) {
        return IntStream.range(0, end).boxed().toList();
    }

    /** Dead letters of a service's stream, by entry. */
    private Map<String, Map<String, String>> letters(String service) {
        var letters = new java.util.HashMap<String, Map<String, String>>();
        for (StreamMessage<String, String> letter :
                redis().commands().xrange(keys.deadLetters(), Range.<String>unbounded())) {
            String source = letter.getBody().get("source");
            String start = "ingress:" + service + "/";
            if (source.startsWith(start)) letters.put(source.substring(start.length()), letter.getBody());
        }
        return letters;
    }

    private List<Object> ingress(String key, String... arguments) {
        return redis().commands()
                .eval(Script.INGRESS.source(Script.Mode.PLAIN), ScriptOutputType.MULTI, new String[] {key}, arguments);
    }

    private List<Object> relay(String channel, String entry, String after) {
        return relay(channel, "s", entry, after, "{\"type\":\"t\"}");
    }

    /** Offset, duplicate, receivers. */
    private List<Object> relay(String channel, String source, String entry, String after, String event) {
        List<Object> reply = redis().commands()
                .eval(
                        Script.PUBLISH.source(Script.Mode.PLAIN),
                        ScriptOutputType.MULTI,
                        new String[] {channel},
                        event,
                        "in-" + source + "-" + entry,
                        "trusted",
                        "1",
                        "source",
                        source,
                        "entry",
                        entry,
                        "after",
                        after);
        // As if the ids of the history had gone with it.
        redis().commands().del(channel + ":ids");
        return List.of(reply.get(0), reply.get(3), reply.get(4));
    }

    private static String failure(Runnable call) {
        try {
            call.run();
        } catch (io.lettuce.core.RedisCommandExecutionException e) {
            return String.valueOf(e.getMessage());
        }
        throw new AssertionError("it was not refused");
    }
}
