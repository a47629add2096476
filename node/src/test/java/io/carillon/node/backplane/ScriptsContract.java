package io.carillon.node.backplane;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.carillon.model.event.Event;
import io.carillon.model.event.EventCodec;
import io.carillon.model.event.Payload;
import io.carillon.model.redis.Script;
import io.carillon.node.testing.Poll;
import io.carillon.node.testing.RedisServer;
import io.lettuce.core.RedisCommandExecutionException;
import io.lettuce.core.ScriptOutputType;
import io.lettuce.core.StreamMessage;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.Test;

/** What the Lua scripts promise, as any client sees it; run on every server version there is. */
abstract class ScriptsContract {
    private static final AtomicInteger NAMES = new AtomicInteger();
    private static final String EVENT = "{\"type\":\"t\",\"content\":{\"a\":1}}";

    /** A server whose data outlive a restart. */
    abstract RedisServer redis();

    /** Another, to follow the first and take over. */
    abstract RedisServer second();

    // ---- publish and read

    @Test
    void offsetsCountFromOneWithinOneEpoch() {
        String channel = channel();
        Published first = publish(channel, EVENT, "a");
        Published second = publish(channel, EVENT, "");
        assertThat(first.offset).isEqualTo(1);
        assertThat(second.offset).isEqualTo(2);
        assertThat(second.epoch).isEqualTo(first.epoch).matches("[A-Za-z0-9~._-]{1,64}");
        assertThat(second.timestamp).isGreaterThanOrEqualTo(first.timestamp);
        assertThat(first.duplicate).isZero();
        assertThat(first.receivers).isZero();
        assertThat(redis().commands().ttl(channel + ":history")).isBetween(1L, 300L);
        assertThat(redis().commands().ttl(channel)).isBetween(172_000L, 172_800L);
    }

    @Test
    void theStampsTakeThePlaceOfTheBrace() throws Exception {
        String channel = channel();
        Published made = publish(channel, " \n{ \"type\":\"t\",\"offset\":99,\"content\":[1 , 2]}", "i1");
        String kept = redis().commands().lrange(channel + ":history", 0, -1).getFirst();
        assertThat(kept)
                .isEqualTo(
                        "{\"channel\":\"%s\",\"offset\":1,\"epoch\":\"%s\",\"timestamp\":%d,\"id\":\"i1\", \"type\":\"t\",\"offset\":99,\"content\":[1 , 2]}"
                                .formatted(label(channel), made.epoch, made.timestamp));
        Event event = EventCodec.readStamped(kept.getBytes(StandardCharsets.UTF_8));
        assertThat(event.position().offset()).isEqualTo(1);
        assertThat(event.content()).isEqualTo(Payload.ofJson("[1 , 2]"));
    }

    @Test
    void anIdThatComesFirstIsNotSaidTwice() {
        String channel = channel();
        byte[] written =
                EventCodec.write(Event.of("t", null).with().id("i1").to("u").build());
        publish(channel, new String(written, StandardCharsets.UTF_8), "i1", "trusted", "1");
        String kept = redis().commands().lrange(channel + ":history", 0, -1).getFirst();
        assertThat(kept).endsWith(",\"id\":\"i1\",\"type\":\"t\",\"to\":\"u\"}").containsOnlyOnce("\"id\"");
    }

    @Test
    void labelsFollowTheKindOfChannel() {
        String id = fresh("x");
        for (String kind : List.of("user", "room", "broadcast")) {
            String channel = "carillon:push:" + kind + ":{" + id + "}";
            publish(channel, EVENT, "");
            assertThat(redis().commands().lrange(channel + ":history", 0, -1).getFirst())
                    .startsWith("{\"channel\":\"" + (kind.equals("broadcast") ? kind : kind + ":" + id) + "\",");
        }
    }

    @Test
    void anEventWithoutIdGetsItsPlaceAsOne() throws Exception {
        String channel = channel();
        Published made = publish(channel, EVENT, "");
        Event event = EventCodec.readStamped(redis().commands()
                .lrange(channel + ":history", 0, -1)
                .getFirst()
                .getBytes(StandardCharsets.UTF_8));
        assertThat(event.id()).isEqualTo(made.epoch + "-1");
    }

    @Test
    void theEventsOwnIdCountsWhenNoneIsNamed() {
        String channel = channel();
        Published first = publish(channel, "{\"type\":\"t\",\"id\":\"own\"}", "");
        Published again = publish(channel, "{\"type\":\"other\"}", "own");
        assertThat(again.duplicate).isEqualTo(1);
        assertThat(again.offset).isEqualTo(first.offset);
    }

    @Test
    void theSameIdIsOneEventWhileTheHistoryHoldsIt() {
        String channel = channel();
        Published first = publish(channel, EVENT, "same", "max", "5");
        Published again = publish(channel, EVENT, "same", "max", "5");
        assertThat(again).isEqualTo(new Published(1, first.epoch, first.timestamp, 1, 0));
        assertThat(redis().commands().llen(channel + ":history")).isEqualTo(1);
        for (int i = 0; i < 40; i++) publish(channel, EVENT, "n" + i, "max", "5");
        assertThat(redis().commands().zcard(channel + ":ids")).isLessThanOrEqualTo(5 + 16);
        assertThat(publish(channel, EVENT, "same", "max", "5").duplicate).isZero();
    }

    @Test
    void theHistoryIsTrimmedAndExpires() {
        String channel = channel();
        for (int i = 0; i < 20; i++) publish(channel, EVENT, "", "max", "7", "ttl", "50", "meta", "10");
        assertThat(redis().commands().llen(channel + ":history")).isEqualTo(7);
        assertThat(redis().commands().ttl(channel + ":history")).isBetween(40L, 50L);
        assertThat(redis().commands().ttl(channel))
                .as("the meta outlives the history")
                .isBetween(40L, 50L);
    }

    @Test
    void theKindOfChannelDecidesHowManyEventsAreKept() {
        var kept = new java.util.LinkedHashMap<String, Long>();
        for (String kind : List.of("user", "room", "broadcast")) {
            String channel = "carillon:push:" + kind + ":{" + fresh("k") + "}";
            for (int i = 0; i < 300; i++) publish(channel, EVENT, "");
            kept.put(kind, redis().commands().llen(channel + ":history"));
        }
        assertThat(kept)
                .containsExactly(
                        java.util.Map.entry("user", 256L),
                        java.util.Map.entry("room", 300L),
                        java.util.Map.entry("broadcast", 300L));
    }

    @Test
    void subscribersGetExactlyWhatIsKept() throws Exception {
        String channel = channel();
        var messages = new java.util.concurrent.LinkedBlockingQueue<String>(10);
        var subscribed = new CountDownLatch(1);
        var client = io.lettuce.core.RedisClient.create(redis().uri());
        try (var connection = client.connectPubSub()) {
            connection.addListener(new io.lettuce.core.pubsub.RedisPubSubAdapter<String, String>() {
                @Override
                public void message(String topic, String message) {
                    messages.add(message);
                }

                @Override
                public void subscribed(String topic, long count) {
                    subscribed.countDown();
                }
            });
            connection.sync().subscribe(channel);
            assertThat(subscribed.await(5, TimeUnit.SECONDS)).isTrue();
            assertThat(publish(channel, EVENT, "a").receivers).isEqualTo(1);
            assertThat(publish(channel, EVENT, "a").receivers).isZero();
            publish(channel, EVENT, "b");
            List<String> kept = redis().commands().lrange(channel + ":history", 0, -1);
            assertThat(List.of(messages.poll(5, TimeUnit.SECONDS), messages.poll(5, TimeUnit.SECONDS)))
                    .isEqualTo(kept);
            assertThat(messages).isEmpty();
        } finally {
            client.shutdown(Duration.ZERO, Duration.ofSeconds(1));
        }
    }

    @Test
    void whatBreaksTheRulesIsRefusedAndNothingIsWritten() {
        String channel = channel();
        for (String[] bad : new String[][] {
            {"", "CARILLONEVENT"},
            {"[]", "CARILLONEVENT"},
            {"1", "CARILLONEVENT"},
            {"x{\"type\":\"t\"}", "CARILLONEVENT"},
            {"{\"type\":\"t\"", "CARILLONEVENT"},
            {"{\"type\":\"t\"}}", "CARILLONEVENT"},
            {"{\"type\":\"t\"} {}", "CARILLONEVENT"},
            {"{}", "CARILLONEVENT"},
            {"{\"type\":5}", "CARILLONEVENT"},
            {"{\"type\":\"a b\"}", "CARILLONEVENT"},
            {"{\"type\":\"" + "t".repeat(65) + "\"}", "CARILLONEVENT"},
            {"{\"type\":\"t\",\"to\":\"a b\"}", "CARILLONEVENT"},
            {"{\"type\":\"t\",\"to\":5}", "CARILLONEVENT"},
            {"{\"type\":\"t\",\"id\":\"\"}", "CARILLONEVENT"},
            {"{\"type\":\"t\",\"from_name\":5}", "CARILLONEVENT"},
            {"{\"type\":\"t\",\"ack\":\"yes\"}", "CARILLONEVENT"},
            {"{\"type\":\"t\",\"content\":" + "[".repeat(33) + "]".repeat(33) + "}", "CARILLONEVENT"},
            {"{\"type\":\"t\",\"content\":\"" + "x".repeat(600_000) + "\"}", "CARILLONSIZE"}
        }) {
            refused(bad[1], () -> publish(channel, bad[0], ""));
        }
        refused("CARILLONID", () -> publish(channel, EVENT, "a b"));
        refused("CARILLONID", () -> publish(channel, EVENT, "i".repeat(129)));
        refused("CARILLONOPTION", () -> publish(channel, EVENT, "", "max", "0"));
        refused("CARILLONOPTION", () -> publish(channel, EVENT, "", "max"));
        refused("CARILLONOPTION", () -> publish(channel, EVENT, "", "colour", "1"));
        for (String key : List.of("x", "carillon:push:group:{a}", "carillon:push:user:{a b}", "carillon:push:user:a")) {
            refused("CARILLONCHANNEL", () -> publish(key, EVENT, ""));
        }
        assertThat(redis().commands().exists(channel, channel + ":history", channel + ":ids"))
                .isZero();
        String deepest = "{\"type\":\"t\",\"content\":" + "[".repeat(32) + "]".repeat(32) + "}";
        assertThat(publish(channel, deepest, "").offset).isEqualTo(1);
    }

    @Test
    void aPositionIsReadFromInPages() {
        String channel = channel();
        String epoch = publish(channel, EVENT, "").epoch;
        for (int i = 2; i <= 10; i++) publish(channel, EVENT, "");
        Read page = read(channel, epoch, 0, 4, false);
        assertThat(page.offsets()).containsExactly(1, 2, 3, 4);
        assertThat(page.more).isEqualTo(1);
        assertThat(read(channel, epoch, 4, 100, false).offsets()).containsExactly(5, 6, 7, 8, 9, 10);
        assertThat(read(channel, epoch, 9, 1, false).more).isZero();
        assertThat(read(channel, epoch, 10, 4, false)).isEqualTo(new Read(1, epoch, 10, 0, List.of()));
        assertThat(read(channel, "", 0, 4, false)).isEqualTo(new Read(1, epoch, 10, 0, List.of()));
        Read gone = new Read(0, epoch, 10, 0, List.of());
        assertThat(read(channel, epoch, 11, 4, false)).isEqualTo(gone);
        assertThat(read(channel, "other", 10, 4, true)).isEqualTo(gone);
    }

    @Test
    void exactlyWhatIsKeptCanBeRead() {
        String channel = channel();
        String epoch = "";
        for (int i = 1; i <= 10; i++) epoch = publish(channel, EVENT, "", "max", "4").epoch;
        assertThat(read(channel, epoch, 6, 100, false).offsets()).containsExactly(7, 8, 9, 10);
        assertThat(read(channel, epoch, 5, 100, false).continuous).isZero();
        assertThat(read(channel, epoch, 0, 100, false).continuous).isZero();
        redis().commands().del(channel + ":history");
        assertThat(read(channel, epoch, 9, 100, false).continuous).isZero();
        assertThat(read(channel, epoch, 10, 100, false).continuous).isEqualTo(1);
    }

    @Test
    void aHistoryThatDoesNotMatchItsMetaProvesNothing() {
        String channel = channel();
        String epoch = "";
        for (int i = 1; i <= 5; i++) epoch = publish(channel, EVENT, "").epoch;
        redis().commands().lpop(channel + ":history");
        redis().commands().rpush(channel + ":history", "{\"type\":\"smuggled\"}");
        assertThat(read(channel, epoch, 3, 10, false).continuous).isZero();
    }

    @Test
    void thePositionOfAnEmptyChannelHoldsUntilItsAge() {
        String channel = channel();
        Read empty = read(channel, "", 0, 10, false);
        assertThat(empty.continuous).isEqualTo(1);
        assertThat(empty.epoch).matches("~[0-9a-f]+~[0-9]+");
        assertThat(read(channel, empty.epoch, 0, 10, false)).isEqualTo(empty);
        publish(channel, EVENT, "");
        publish(channel, EVENT, "");
        assertThat(read(channel, empty.epoch, 0, 10, false).offsets()).containsExactly(1, 2);
        assertThat(read(channel, empty.epoch, 1, 10, false).continuous).isZero();
        String[] parts = empty.epoch.split("~");
        String old = "~" + parts[1] + "~" + (Long.parseLong(parts[2]) - 90_000);
        assertThat(read(channel, old, 0, 10, false).continuous).isZero();
        String foreign = "~0123456789~" + parts[2];
        assertThat(read(channel, foreign, 0, 10, false).continuous).isZero();
    }

    @Test
    void aChannelNeverUsedTakesTheNameOfThePrimaryItIsHeldAt() {
        String channel = channel();
        Read before = read(channel, "", 0, 10, false);
        // Another primary: a client that was away cannot know, a node that listened goes on.
        assertThat(read(second(), channel, before.epoch, 0, 10, false).continuous)
                .isZero();
        Read held = read(second(), channel, before.epoch, 0, 10, true);
        assertThat(held.continuous).isEqualTo(1);
        assertThat(held.top).isZero();
        assertThat(held.epoch.split("~")[1]).isNotEqualTo(before.epoch.split("~")[1]);
        // From then on the position is of this primary, for those too that accept no change.
        assertThat(read(second(), channel, held.epoch, 0, 10, false).continuous).isEqualTo(1);
        publish(second(), channel, EVENT, "");
        assertThat(read(second(), channel, held.epoch, 0, 10, false).offsets()).containsExactly(1);
        // What the old one was used for meanwhile is not this one's.
        assertThat(read(channel, held.epoch, 0, 10, false).continuous).isZero();
    }

    @Test
    void aLostMetaStartsANewEpochAndNoOldHistory() {
        String channel = channel();
        Published before = publish(channel, EVENT, "a");
        publish(channel, EVENT, "b");
        redis().commands().del(channel);
        assertThat(read(channel, before.epoch, 1, 10, true).continuous).isZero();
        Published after = publish(channel, EVENT, "a");
        assertThat(after.epoch).isNotEqualTo(before.epoch);
        assertThat(after.offset).isEqualTo(1);
        assertThat(after.duplicate).isZero();
        assertThat(redis().commands().llen(channel + ":history")).isEqualTo(1);
        assertThat(read(channel, before.epoch, 1, 10, true).continuous).isZero();
    }

    @Test
    void aRestartRotatesTheEpochAndOnlyWhoListenedMeanwhileGoesOn() {
        String channel = channel();
        String quiet = channel();
        String read = channel();
        Published before = publish(channel, EVENT, "a");
        publish(channel, EVENT, "b");
        publish(quiet, EVENT, "q");
        String readBefore = publish(read, EVENT, "r").epoch;
        redis().stop();
        redis().start();
        // A position read first: the read rotates.
        Read rotated = read(read, readBefore, 1, 10, true);
        assertThat(rotated.continuous).isEqualTo(1);
        assertThat(rotated.epoch).isNotEqualTo(readBefore);
        assertThat(read(read, readBefore, 1, 10, false).continuous).isZero();
        assertThat(read(read, rotated.epoch, 1, 10, false).continuous).isEqualTo(1);
        // An event published first: the publish rotates, and the offsets go on.
        Published after = publish(channel, EVENT, "c");
        assertThat(after.epoch).isNotEqualTo(before.epoch);
        assertThat(after.offset).isEqualTo(3);
        assertThat(read(channel, before.epoch, 1, 10, true).offsets()).containsExactly(2, 3);
        assertThat(read(channel, before.epoch, 2, 10, true).offsets()).containsExactly(3);
        assertThat(read(channel, before.epoch, 2, 10, false).continuous).isZero();
        assertThat(read(channel, before.epoch, 3, 10, true).continuous)
                .as("beyond where the epoch ended")
                .isZero();
        assertThat(read(channel, after.epoch, 2, 10, false).offsets()).containsExactly(3);
        // A repetition first: it is known, and the epoch rotates all the same.
        Published again = publish(quiet, EVENT, "q");
        assertThat(again.duplicate).isEqualTo(1);
        assertThat(again.offset).isEqualTo(1);
        assertThat(read(quiet, again.epoch, 1, 10, false).continuous).isEqualTo(1);
        assertThat(publish(quiet, EVENT, "q2").epoch).isEqualTo(again.epoch);
    }

    @Test
    void aTailLostInAFailoverIsNeverTakenForContinuity() {
        String channel = channel();
        Published one = publish(channel, EVENT, "k1");
        publish(channel, EVENT, "k2");
        second().commands().replicaof("127.0.0.1", redis().uri().getPort());
        Poll.until(
                "the second follows the first",
                Duration.ofSeconds(30),
                () -> second().commands().llen(channel + ":history") == 2
                        && second().commands().info("replication").contains("master_link_status:up"));
        second().commands().replicaofNoOne();
        // These two reach the old primary only: the lost tail.
        publish(channel, EVENT, "k3");
        Published four = publish(channel, EVENT, "k4");
        assertThat(four.offset).isEqualTo(4);

        // A node that saw the lost events.
        assertThat(read(second(), channel, one.epoch, 4, 10, true).continuous).isZero();
        // A node that saw what the new primary has goes on; a client that was away does not.
        assertThat(read(second(), channel, one.epoch, 2, 10, true).continuous).isEqualTo(1);
        assertThat(read(second(), channel, one.epoch, 2, 10, false).continuous).isZero();
        // A repeated publish whose first survived is one event; one whose first was lost is appended.
        assertThat(publish(second(), channel, EVENT, "k2").duplicate).isEqualTo(1);
        Published lostAgain = publish(second(), channel, EVENT, "k3");
        assertThat(lostAgain.duplicate).isZero();
        assertThat(lostAgain.offset).isEqualTo(3);
        publish(second(), channel, EVENT, "k5");
        // The same offsets mean other events now: the old positions stay refused.
        for (int offset = 3; offset <= 4; offset++) {
            assertThat(read(second(), channel, one.epoch, offset, 10, true).continuous)
                    .isZero();
            assertThat(read(second(), channel, one.epoch, offset, 10, false).continuous)
                    .isZero();
        }
        assertThat(read(second(), channel, one.epoch, 2, 10, true).offsets()).containsExactly(3, 4);
        assertThat(read(second(), channel, lostAgain.epoch, 3, 10, false).offsets())
                .containsExactly(4);
    }

    // ---- messages

    /** Posts with a key that holds an hour, one a second and four at once at most; the reply as texts. */
    private static List<String> post(RedisServer server, String channel, String fields, String once, String compare) {
        return post(server, channel, fields, once, compare, 0);
    }

    private static List<String> post(
            RedisServer server, String channel, String fields, String once, String compare, long seen) {
        List<Object> reply = server.commands()
                .eval(
                        Script.MESSAGE.source(Script.Mode.PLAIN),
                        ScriptOutputType.MULTI,
                        new String[] {channel, channel + ":once:" + once, channel + ":rate:u1"},
                        "append",
                        "m",
                        "\"room\":\"r\",",
                        fields,
                        once.isEmpty() ? "0" : "3600",
                        compare,
                        "1000",
                        "4",
                        "3",
                        "3600",
                        "1000",
                        "100",
                        "300",
                        Long.toString(seen));
        return reply.stream().map(String::valueOf).toList();
    }

    private static List<Object> readMessages(RedisServer server, String channel, String after, String limit) {
        return server.commands()
                .eval(
                        Script.MESSAGE.source(Script.Mode.PLAIN),
                        ScriptOutputType.MULTI,
                        new String[] {channel},
                        "read",
                        after,
                        limit,
                        "1000000",
                        "3600");
    }

    @Test
    void aMessageIsNumberedKeptAndPublishedInOneStep() throws Exception {
        String channel = room();
        List<String> first = post(redis(), channel, "\"content\":\"a\"", "", "0");
        assertThat(first.subList(0, 2)).containsExactly("stored", "1");
        assertThat(first.get(2)).matches("\\{\"id\":1,\"content\":\"a\",\"created_at\":\"[0-9TZ:.-]{24}\"}");
        assertThat(post(redis(), channel, "\"content\":\"b\"", "", "0").get(1)).isEqualTo("2");
        List<String> history = redis().commands().lrange(channel + ":history", 0, -1);
        Event event = EventCodec.readStamped(history.getFirst().getBytes(StandardCharsets.UTF_8));
        assertThat(event.type()).isEqualTo("m");
        assertThat(event.position().offset()).isEqualTo(1);
        assertThat(new String(event.content().bytes(), StandardCharsets.UTF_8)).isEqualTo(first.get(2));
        String at = first.get(2).replaceAll(".*created_at\":\"([^\"]*)\".*", "$1");
        assertThat(java.time.Instant.parse(at).toEpochMilli())
                .as("the calendar of the script")
                .isBetween(event.timestamp() - 1000, event.timestamp() + 1000);
        assertThat(readMessages(redis(), channel, "0", "10")).hasSize(3).startsWith(0L);
        assertThat(readMessages(redis(), channel, "0", "1")).hasSize(2).startsWith(1L);
        assertThat(readMessages(redis(), channel, "2", "1")).containsExactly(0L);
        assertThat(redis().commands().ttl(channel + ":messages")).isBetween(3500L, 3600L);
        assertThat(redis().commands().ttl(channel + ":messages:last")).isGreaterThan(300_000_000L);
    }

    @Test
    void aMessageUnderAKnownKeyIsTheFirstOneOrAConflict() {
        String channel = room();
        List<String> first = post(redis(), channel, "\"content\":\"a\"", "k", "1");
        assertThat(post(redis(), channel, "\"content\":\"a\"", "k", "1"))
                .containsExactly("repeated", first.get(1), first.get(2));
        assertThat(post(redis(), channel, "\"content\":\"b\"", "k", "1")).containsExactly("conflict");
        assertThat(post(redis(), channel, "\"content\":\"b\"", "k", "0").getFirst())
                .isEqualTo("repeated");
        assertThat(redis().commands().llen(channel + ":history")).isEqualTo(1);
        assertThat(redis().commands().xlen(channel + ":messages")).isEqualTo(1);
    }

    @Test
    void aUserWhoPostsTooManyIsLimitedAndMayGoOnLater() {
        String channel = room();
        for (int i = 0; i < 4; i++) {
            assertThat(post(redis(), channel, "\"content\":\"" + i + "\"", "k" + i, "0")
                            .getFirst())
                    .isEqualTo("stored");
        }
        // A token may come while these run, one each second; not four.
        var results = new ArrayList<String>();
        for (int i = 0; i < 4; i++)
            results.add(post(redis(), channel, "\"content\":\"y\"", "", "0").getFirst());
        assertThat(results).contains("limited");
        assertThat(post(redis(), channel, "\"content\":\"0\"", "k0", "0").getFirst())
                .as("what is known costs no token")
                .isEqualTo("repeated");
        Poll.until(
                "a token",
                Duration.ofSeconds(5),
                () -> post(redis(), channel, "\"content\":\"z\"", "", "0")
                        .getFirst()
                        .equals("stored"));
        assertThat(redis().commands().pttl(channel + ":rate:u1")).isBetween(1L, 4000L);
        assertThat(redis().commands().xlen(channel + ":messages"))
                .as("three are kept")
                .isEqualTo(3);
    }

    @Test
    void idsOutliveTheMessages() {
        String channel = room();
        post(redis(), channel, "\"content\":\"a\"", "", "0");
        redis().commands().del(channel, channel + ":history", channel + ":messages");
        assertThat(post(redis(), channel, "\"content\":\"b\"", "", "0").get(1)).isEqualTo("2");
        redis().commands().del(channel + ":messages:last");
        assertThat(post(redis(), channel, "\"content\":\"c\"", "", "0").get(1))
                .as("the messages themselves tell")
                .isEqualTo("3");
    }

    @Test
    void anIdTheCallerHasSeenIsNotGivenAgain() {
        String channel = room();
        assertThat(post(redis(), channel, "\"content\":\"a\"", "", "0", 7).get(1))
                .isEqualTo("1008");
        assertThat(post(redis(), channel, "\"content\":\"b\"", "", "0", 1008).get(1))
                .isEqualTo("1009");
        assertThat(post(redis(), channel, "\"content\":\"c\"", "", "0", 7).get(1))
                .isEqualTo("1010");
    }

    @Test
    void anIdThatAnOldPrimaryGaveIsNotGivenAgainByTheNewOne() {
        String channel = room();
        post(redis(), channel, "\"content\":\"a\"", "k1", "1");
        second().commands().replicaof("127.0.0.1", redis().uri().getPort());
        Poll.until(
                "the second follows the first",
                Duration.ofSeconds(30),
                () -> second().commands().xlen(channel + ":messages") == 1
                        && second().commands().info("replication").contains("master_link_status:up"));
        long kept = Long.parseLong(
                post(redis(), channel, "\"content\":\"b\"", "", "0").get(1));
        Poll.until(
                "the second has both",
                Duration.ofSeconds(30),
                () -> second().commands().xlen(channel + ":messages") == 2);
        second().commands().replicaofNoOne();
        // The lost tail, which clients have seen.
        long lost = Long.parseLong(
                post(redis(), channel, "\"content\":\"c\"", "", "0").get(1));
        assertThat(lost).isEqualTo(kept + 1);
        assertThat(post(second(), channel, "\"content\":\"a\"", "k1", "1").getFirst())
                .as("keys go with the data")
                .isEqualTo("repeated");
        long next = Long.parseLong(
                post(second(), channel, "\"content\":\"d\"", "", "0").get(1));
        assertThat(next).isEqualTo(kept + 1001);
        assertThat(post(second(), channel, "\"content\":\"e\"", "", "0").get(1)).isEqualTo(String.valueOf(next + 1));
    }

    // ---- presence

    @Test
    void aUserJoinsWithTheFirstSessionAndLeavesWithTheLast() {
        String space = fresh("ns");
        String online = presence(space, "online");
        assertThat(presence(online, "register", "n.0", "s1", "u1", "agent", "g1,g2", "1000", "::1", "push"))
                .as("not admitted")
                .containsExactly(-1L);
        admit(online, "n.0", "m.0");
        assertThat(presence(online, "register", "n.0", "s1", "u1", "agent", "g1,g2", "1000", "::1", "push"))
                .containsExactly(1L, 1L);
        assertThat(presence(online, "register", "n.0", "s1", "u1", "agent", "g1,g2", "1000", "::1", "push"))
                .as("repeated")
                .containsExactly(0L, 0L);
        assertThat(presence(online, "register", "m.0", "s2", "u1", "", "g2", "2000", "::1", "chat"))
                .containsExactly(1L, 0L);
        assertThat(redis().commands().hget(presence(space, "user:u1"), "s1"))
                .startsWith("n.0|agent|g1,g2|1000|::1|push|");
        assertThat(members(space, "online")).containsExactly("u1");
        assertThat(members(space, "kind:agent")).containsExactly("u1");
        assertThat(members(space, "group:g1")).containsExactly("u1");
        assertThat(members(space, "node:n.0")).containsExactly("s1 u1");

        assertThat(presence(online, "unregister", "m.0", "s1", "u1"))
                .as("not that node's")
                .containsExactly(0L, 0L);
        assertThat(presence(online, "unregister", "n.0", "s1", "u1")).containsExactly(1L, 0L);
        assertThat(members(space, "kind:agent")).isEmpty();
        assertThat(members(space, "group:g1")).isEmpty();
        assertThat(members(space, "group:g2")).containsExactly("u1");
        assertThat(presence(online, "unregister", "m.0", "s2", "u1")).containsExactly(1L, 1L);
        assertThat(presence(online, "unregister", "m.0", "s2", "u1")).containsExactly(0L, 0L);
        presence(online, "depart", "n.0");
        presence(online, "depart", "m.0");
        assertThat(redis().commands().keys("carillon:" + space + ":presence:*"))
                .as("besides the names of the sets, for the audit")
                .containsExactlyInAnyOrder(presence(space, "log"), presence(space, "sets"));
        assertThat(log(space)).containsExactly("join u1 agent s1 n.0 " + space, "leave u1  s2 m.0 " + space);
    }

    @Test
    void aDeadNodesSessionsAreReapedOnceAndItsLateWordIsRefused() {
        String space = fresh("ns");
        String online = presence(space, "online");
        admit(online, "dead.0", "dead.1", "alive.0");
        for (int i = 0; i < 25; i++) {
            presence(online, "register", "dead.0", "d" + i, "u" + i, "k", "", "1", "a", "e");
        }
        presence(online, "register", "alive.0", "a0", "u0", "k", "", "1", "a", "e");
        long taken = 0;
        long leaves = 0;
        for (List<Long> step = presence(online, "reap", "dead.0", "10", "60");
                step.getFirst() > 0;
                step = presence(online, "reap", "dead.0", "10", "60")) {
            taken += step.getFirst();
            leaves += step.getLast();
        }
        assertThat(taken).isEqualTo(25);
        assertThat(leaves).isEqualTo(24);
        assertThat(members(space, "online")).containsExactly("u0");
        assertThat(presence(online, "register", "dead.0", "late", "u9", "k", "", "1", "a", "e"))
                .containsExactly(-1L);
        assertThat(presence(online, "admit", "dead.0")).containsExactly(-1L);
        assertThat(presence(online, "enter", "dead.0", "r")).containsExactly(-1L);
        assertThat(presence(online, "enter", "dead.1", "r")).containsExactly(1L);
        assertThat(members(space, "rooms:dead.1")).containsExactly("r");
        assertThat(presence(online, "register", "dead.1", "late", "u9", "k", "", "1", "a", "e"))
                .containsExactly(1L, 1L);
        assertThat(log(space).stream().filter(line -> line.startsWith("leave"))).hasSize(24);
    }

    @Test
    void aSessionThatMovedToANewIncarnationIsNotReapedWithTheOld() {
        String space = fresh("ns");
        String online = presence(space, "online");
        admit(online, "n.0", "n.1");
        presence(online, "register", "n.0", "s1", "u1", "", "", "1", "a", "e");
        assertThat(presence(online, "register", "n.1", "s1", "u1", "", "", "1", "a", "e"))
                .containsExactly(1L, 0L);
        assertThat(presence(online, "unregister", "n.0", "s1", "u1")).containsExactly(0L, 0L);
        assertThat(presence(online, "reap", "n.0", "10", "60")).containsExactly(0L, 0L);
        assertThat(members(space, "online")).containsExactly("u1");
        assertThat(log(space)).hasSize(1);
    }

    @Test
    void theAuditFindsWhatNobodyHolds() {
        String space = fresh("ns");
        String online = presence(space, "online");
        admit(online, "gone.0", "live.0");
        presence(online, "register", "gone.0", "s1", "u1", "k", "g", "1", "a", "e");
        presence(online, "register", "live.0", "s2", "u2", "k", "g", "1", "a", "e");
        assertThat(presenceRaw(online, "tally", "live.0", "live.0")).containsExactly(2L, 1L, List.of("gone.0"));
        redis().commands().sadd(online, "ghost");
        redis().commands().sadd(presence(space, "kind:k"), "ghost");
        String user = presence(space, "user:u1");
        assertThat(presenceRaw(online, "audit", "me", "online", "0", "100", "live.0"))
                .as("u1 registered just now, so it is left alone")
                .endsWith(1L, 1L);
        String value = redis().commands().hget(user, "s1");
        long registered = Long.parseLong(value.substring(value.lastIndexOf('|') + 1));
        redis().commands().hset(user, "s1", value.substring(0, value.lastIndexOf('|') + 1) + (registered - 100));
        presenceRaw(online, "audit", "me", "online", "0", "100", "live.0");
        presenceRaw(online, "audit", "me", "kind:k", "0", "100", "live.0");
        presenceRaw(online, "audit", "me", "group:g", "0", "100", "live.0");
        assertThat(members(space, "online")).containsExactly("u2");
        assertThat(members(space, "kind:k")).containsExactly("u2");
        assertThat(members(space, "group:g")).containsExactly("u2");
        assertThat(log(space)).filteredOn(line -> line.startsWith("leave")).hasSize(2);
    }

    @Test
    void concurrentSessionsOfOneUserJoinAndLeaveExactlyOnce() throws Exception {
        String space = fresh("ns");
        String online = presence(space, "online");
        admit(online, "n0.0", "n1.0", "n2.0", "n3.0");
        var joins = new AtomicInteger();
        var leaves = new AtomicInteger();
        var done = new CountDownLatch(4);
        var client = io.lettuce.core.RedisClient.create(redis().uri());
        try {
            for (int t = 0; t < 4; t++) {
                String node = "n" + t + ".0";
                Thread.ofVirtual().start(() -> {
                    try (var connection = client.connect()) {
                        var commands = connection.sync();
                        for (int i = 0; i < 50; i++) {
                            List<Long> in = commands.eval(
                                    Script.PRESENCE.source(Script.Mode.PLAIN),
                                    ScriptOutputType.MULTI,
                                    new String[] {online},
                                    "register",
                                    node,
                                    node + i,
                                    "u",
                                    "k",
                                    "",
                                    "1",
                                    "a",
                                    "e");
                            joins.addAndGet(in.getLast().intValue());
                            List<Long> out = commands.eval(
                                    Script.PRESENCE.source(Script.Mode.PLAIN),
                                    ScriptOutputType.MULTI,
                                    new String[] {online},
                                    "unregister",
                                    node,
                                    node + i,
                                    "u");
                            leaves.addAndGet(out.getLast().intValue());
                        }
                        done.countDown();
                    }
                });
            }
            assertThat(done.await(60, TimeUnit.SECONDS)).isTrue();
        } finally {
            client.shutdown(Duration.ZERO, Duration.ofSeconds(1));
        }
        assertThat(joins.get()).isPositive().isEqualTo(leaves.get());
        List<String> log = log(space);
        assertThat(log).hasSize(joins.get() + leaves.get());
        for (int i = 0; i < log.size(); i++) assertThat(log.get(i)).startsWith(i % 2 == 0 ? "join" : "leave");
    }

    // ---- leases

    @Test
    void aRegistrationPutsBackWhatIsMissingAndTellsTheRoomsItsUserWasPutInto() {
        String space = fresh("ns");
        String online = presence(space, "online");
        admit(online, "n.0");
        redis().commands().sadd("carillon:" + space + ":members:granted:u2", "r1");
        String[] both = {"n.0", "s1", "u1", "", "", "1", "a", "e", "s2", "u2", "k", "g", "1", "a", "e"};
        assertThat(presenceRaw(online, "register", both)).containsExactly(2L, 2L, "s2", List.of("r1"));
        redis().commands().srem(online, "u1");
        redis().commands().del(presence(space, "node:n.0"), presence(space, "kind:k"), presence(space, "group:g"));
        assertThat(presenceRaw(online, "register", both)).containsExactly(0L, 1L);
        assertThat(members(space, "online")).containsExactlyInAnyOrder("u1", "u2");
        assertThat(members(space, "node:n.0")).containsExactlyInAnyOrder("s1 u1", "s2 u2");
        assertThat(members(space, "kind:k")).containsExactly("u2");
        assertThat(members(space, "group:g")).containsExactly("u2");
        assertThat(members(space, "sets")).containsExactlyInAnyOrder("kind:k", "group:g");
    }

    @Test
    void aLeaseIsHeldByBeatingAndADeadNodeGoesToOneReaper() {
        String lease = fresh("p") + ":nodes:lease";
        String reap = lease.replace(":lease", ":reap");
        for (String node : List.of("a.0", "b.0", "dead.0")) {
            assertThat(node(lease, "join", node, "60000", "{}", "")).containsExactly(1L);
        }
        assertThat(beat(lease, "a.0").get(2)).as("the first to beat leads").isEqualTo(1L);
        assertThat(beat(lease, "b.0").get(2)).isEqualTo(0L);
        assertThat(beat(lease, "c.0")).containsExactly(0L);
        assertThat(beat(lease, "a.0").get(3)).isEqualTo(3L);
        assertThat((String) beat(lease, "a.0").get(4)).as("run id").matches("[0-9a-f]{40}");
        assertThat(node(lease, "live", "a.0")).containsExactlyInAnyOrder("a.0", "b.0", "dead.0");

        redis().commands().zadd(lease, 1, "dead.0");
        String score = text(redis().commands().zscore(lease, "dead.0"));
        assertThat(beat(lease, "a.0").get(8)).isEqualTo(List.of("dead.0", score));
        assertThat(node(lease, "claim", "b.0", "30000", "dead.0", "2"))
                .as("it beat since")
                .isEmpty();
        assertThat(node(lease, "claim", "b.0", "30000", "dead.0", score)).containsExactly("dead.0");
        assertThat(node(lease, "claim", "a.0", "30000", "dead.0", score)).isEmpty();
        assertThat(beat(lease, "dead.0")).as("fenced").containsExactly(0L);
        assertThat(nodeOne(lease, "renew", "a.0", "30000", "dead.0")).isZero();
        assertThat(nodeOne(lease, "renew", "b.0", "30000", "dead.0")).isEqualTo(1);
        // The reaper is slow half way: the next takes over, and the first can no longer finish.
        redis().commands().zadd(reap, 1, "dead.0");
        assertThat(beat(lease, "a.0").get(6)).isEqualTo(List.of("dead.0"));
        assertThat(node(lease, "claim", "a.0", "30000")).containsExactly("dead.0");
        assertThat(nodeOne(lease, "done", "b.0", "60000", "dead.0")).isZero();
        assertThat(nodeOne(lease, "done", "a.0", "60000", "dead.0")).isEqualTo(1);
        // Once more, later.
        assertThat(node(lease, "claim", "a.0", "30000")).as("not yet").isEmpty();
        redis().commands().zadd(reap, 1, "dead.0");
        assertThat(node(lease, "claim", "b.0", "30000")).containsExactly("dead.0");
        assertThat(nodeOne(lease, "done", "b.0", "60000", "dead.0")).isEqualTo(2);
        assertThat(redis().commands()
                        .exists(reap, lease.replace(":lease", ":passes"), lease.replace(":lease", ":reapers")))
                .isZero();

        assertThat(redis().commands().hkeys(lease.replace(":lease", ":info"))).containsOnly("a.0", "b.0");
        assertThat(nodeOne(lease, "leave", "a.0", "1")).isEqualTo(1);
        assertThat(beat(lease, "b.0").get(2)).as("the leader left").isEqualTo(1L);
        assertThat(nodeOne(lease, "leave", "b.0", "0")).isEqualTo(1);
        assertThat(redis().commands().zrange(reap, 0, -1)).as("left unclean").containsExactly("b.0");
    }

    @Test
    void neighboursAreTheNextInTheRingAndOneWithoutSubscriberMayBeClaimed() {
        String prefix = fresh("p");
        String lease = prefix + ":nodes:lease";
        for (String node : List.of("d.0", "b.0", "e.0", "a.0", "c.1")) node(lease, "join", node, "60000", "{}", "");
        var client = io.lettuce.core.RedisClient.create(redis().uri());
        try (var topics = client.connectPubSub()) {
            for (String boot : List.of("a", "b", "d")) topics.sync().subscribe(prefix + ":node:{" + boot + "}");
            List<Object> reply = beat(lease, "b.0");
            assertThat(reply.get(5)).as("its own subscribers").isEqualTo(1L);
            var ring = (List<?>) reply.get(7);
            assertThat(List.of(ring.get(0), ring.get(3), ring.get(6), ring.get(9)))
                    .as("on past c and e until two have subscribers")
                    .containsExactly("c.1", "d.0", "e.0", "a.0");
            assertThat(List.of(ring.get(2), ring.get(5), ring.get(8), ring.get(11)))
                    .containsExactly(0L, 1L, 0L, 1L);
            assertThat(node(lease, "claim", "b.0", "30000", "d.0", (String) ring.get(4)))
                    .as("it has a subscriber")
                    .isEmpty();
            assertThat(node(lease, "claim", "b.0", "30000", "c.1", (String) ring.get(1)))
                    .containsExactly("c.1");
            // The reaper dies too: who claims it gets what it had.
            assertThat(node(
                            lease,
                            "claim",
                            "e.0",
                            "30000",
                            "b.0",
                            text(redis().commands().zscore(lease, "b.0"))))
                    .as("b lives")
                    .isEmpty();
            topics.sync().unsubscribe(prefix + ":node:{b}");
            assertThat(node(
                            lease,
                            "claim",
                            "e.0",
                            "30000",
                            "b.0",
                            text(redis().commands().zscore(lease, "b.0"))))
                    .containsExactly("b.0", "c.1");
        } finally {
            client.shutdown(Duration.ZERO, Duration.ofSeconds(1));
        }
    }

    @Test
    void anIncarnationWithoutLeaseIsHandedToAReaper() {
        String lease = fresh("p") + ":nodes:lease";
        node(lease, "join", "a.0", "60000", "{}", "");
        node(lease, "join", "a.1", "60000", "{}", "a.0");
        assertThat(node(lease, "live", "a.1")).containsExactly("a.1");
        assertThat(nodeOne(lease, "bury", "a.1", "a.0", "a.1", "lost.0")).isEqualTo(1);
        assertThat(node(lease, "claim", "a.1", "30000")).containsExactlyInAnyOrder("a.0", "lost.0");
    }

    @Test
    void aNodeNeverClaimsItself() {
        String lease = fresh("p") + ":nodes:lease";
        node(lease, "join", "a.0", "60000", "{}", "");
        redis().commands().zadd(lease, 1, "a.0");
        assertThat(node(lease, "claim", "a.0", "30000", "a.0", "1")).isEmpty();
        assertThat(beat(lease, "a.0").getFirst()).isEqualTo(1L);
    }

    // ---- rooms

    @Test
    void aRoomCountsUsersOverNodesAndAnnouncesOnlyWhenAsked() throws Exception {
        String space = fresh("ns");
        String room = fresh("r");
        String users = "carillon:" + space + ":members:{" + room + "}:users";
        var announcements = new java.util.concurrent.LinkedBlockingQueue<String>(100);
        var client = io.lettuce.core.RedisClient.create(redis().uri());
        try (var connection = client.connectPubSub()) {
            connection.addListener(new io.lettuce.core.pubsub.RedisPubSubAdapter<String, String>() {
                @Override
                public void message(String topic, String message) {
                    announcements.add(message);
                }
            });
            connection.sync().subscribe("carillon:" + space + ":room:{" + room + "}");
            assertThat(room(users, "join", "n.0", "1", "u1", "u2")).containsExactly(2L, 2L);
            assertThat(room(users, "join", "n.0", "1", "u1")).as("repeated").containsExactly(0L, 2L);
            assertThat(room(users, "join", "m.0", "1", "u1")).containsExactly(1L, 2L);
            assertThat(room(users, "leave", "n.0", "1", "u1")).containsExactly(1L, 2L);
            assertThat(room(users, "leave", "m.0", "1", "u1")).containsExactly(1L, 1L);
            assertThat(room(users, "leave", "m.0", "1", "u1")).containsExactly(0L, 1L);
            assertThat(room(users, "join", "n.0", "0", "u3")).containsExactly(1L, 2L);
            assertThat(room(users, "reap", "n.0", "1", "10")).containsExactly(2L, 0L);
            assertThat(room(users, "reap", "n.0", "1", "10")).containsExactly(0L, 0L);
            List<String> got = new ArrayList<>();
            for (int i = 0; i < 4; i++) got.add(announcements.poll(5, TimeUnit.SECONDS));
            assertThat(got.subList(0, 3))
                    .containsExactly(
                            announcement("join", room, "u1", 1),
                            announcement("join", room, "u2", 2),
                            announcement("leave", room, "u1", 1));
            assertThat(got.get(3))
                    .as("u3 came unannounced and goes so")
                    .startsWith("{\"type\":\"presence_leave\",\"room\":\"" + room + "\",\"user\":\"u2\",");
            assertThat(announcements).isEmpty();
            for (String text : got) EventCodec.readStamped(text.getBytes(StandardCharsets.UTF_8));
        } finally {
            client.shutdown(Duration.ZERO, Duration.ofSeconds(1));
        }
        assertThat(redis().commands().exists(users)).isZero();
    }

    // ---- helpers

    private record Published(long offset, String epoch, long timestamp, long duplicate, long receivers) {}

    private record Read(long continuous, String epoch, long top, long more, List<String> events) {
        List<Integer> offsets() {
            assertThat(continuous).isEqualTo(1);
            return events.stream()
                    .map(text -> (int) EventCodec.positionOf(text.getBytes(StandardCharsets.UTF_8))
                            .offset())
                    .toList();
        }
    }

    // ---- acknowledgements

    private static final String ASKING = "{\"type\":\"t\",\"ack\":true}";

    @Test
    void anEventThatAsksForAnAcknowledgementWaitsFromTheStepThatAppendsIt() {
        String channel = userChannel();
        Published made = publish(channel, ASKING, "a1");
        publish(channel, EVENT, "plain");
        String kept = redis().commands().lrange(channel + ":history", 0, 0).getFirst();
        List<String> pending = pending(channel, 0);
        assertThat(pending).containsExactly(kept);
        assertThat(ack("state", channel, "a1").getFirst()).isEqualTo("pending");
        assertThat(redis().commands().ttl(channel + ":acks")).isBetween(86_000L, 86_400L);
        assertThat(redis().commands().ttl(channel + ":acks:events")).isBetween(86_000L, 86_400L);

        assertThat(ack("done", channel, "a1")).containsExactly(1L);
        assertThat(ack("done", channel, "a1")).containsExactly(0L);
        assertThat(ack("done", channel, "never")).containsExactly(0L);
        assertThat(pending(channel, 0)).isEmpty();
        List<Object> state = ack("state", channel, "a1");
        assertThat(state.getFirst()).isEqualTo("acknowledged");
        assertThat(Long.parseLong((String) state.get(1)) / 1000).isGreaterThanOrEqualTo(made.timestamp);
        assertThat(ack("state", channel, "never").getFirst()).isEqualTo("unknown");
        assertThat(redis().commands().exists(channel + ":acks", channel + ":acks:events"))
                .isZero();
    }

    @Test
    void whatWaitsOutlivesTheHistoryAndIsNotAppendedTwice() {
        String channel = userChannel();
        Published made = publish(channel, ASKING, "a1");
        redis().commands().del(channel + ":history", channel + ":ids");
        Published again = publish(channel, ASKING, "a1");
        assertThat(again.duplicate).isEqualTo(1);
        assertThat(again.offset).isEqualTo(made.offset);
        assertThat(pending(channel, 0)).hasSize(1);
        assertThat(redis().commands().llen(channel + ":history")).isZero();
    }

    @Test
    void theOldestGivesWayWhenTooManyWait() {
        String channel = userChannel();
        for (int i = 1; i <= 5; i++) publish(channel, ASKING, "a" + i, "acks", "3");
        assertThat(pending(channel, 0)).hasSize(3).allMatch(event -> event.matches(".*\"a[345]\".*"));
        assertThat(ack("state", channel, "a1").getFirst()).isEqualTo("dropped");
        assertThat(ack("state", channel, "a3").getFirst()).isEqualTo("pending");
        assertThat(redis().commands().hlen(channel + ":acks:events")).isEqualTo(3);
    }

    @Test
    void whatWaitedTooLongIsForgotten() {
        String channel = userChannel();
        publish(channel, ASKING, "old");
        redis().commands().zadd(channel + ":acks", 1, "old");
        assertThat(ack("state", channel, "old").getFirst()).isEqualTo("unknown");
        publish(channel, ASKING, "new");
        assertThat(pending(channel, 0)).hasSize(1).allMatch(event -> event.contains("\"new\""));
        redis().commands().zadd(channel + ":acks", 1, "new");
        assertThat(pending(channel, 0)).isEmpty();
        assertThat(redis().commands().exists(channel + ":acks", channel + ":acks:events"))
                .isZero();
    }

    @Test
    void whatWaitsIsReadInPages() {
        String channel = userChannel();
        String large = "{\"type\":\"t\",\"ack\":true,\"content\":\"" + "x".repeat(1000) + "\"}";
        for (int i = 1; i <= 7; i++) publish(channel, large, "a" + i);
        List<Object> first = run(redis(), Script.ACK, channel, "pending", "86400", "0", "3", "1000000");
        assertThat(first).hasSize(7);
        assertThat(first.getFirst()).isEqualTo(1L);
        List<Object> rest =
                run(redis(), Script.ACK, channel, "pending", "86400", (String) first.get(5), "100", "1000000");
        assertThat(rest).hasSize(9);
        assertThat(rest.getFirst()).isEqualTo(0L);
        List<Object> small = run(redis(), Script.ACK, channel, "pending", "86400", "0", "100", "1500");
        assertThat(small).hasSize(5);
        assertThat(small.getFirst()).isEqualTo(1L);
    }

    @Test
    void onlyADurableEventOfAUserIsAcknowledged() {
        String room = "carillon:push:room:{" + fresh("r") + "}";
        refused("CARILLONEVENT", () -> publish(room, ASKING, ""));
        refused("CARILLONEVENT", () -> publish(userChannel(), "{\"type\":\"t\",\"ack\":true,\"durable\":false}", ""));
        String channel = userChannel();
        publish(channel, EVENT, "", "ack", "1");
        assertThat(redis().commands().exists(channel + ":acks")).isZero();
    }

    @Test
    void anAnswerEndsWhereItsEventsAreTooLarge() {
        String channel = channel();
        String large = "{\"type\":\"t\",\"content\":\"" + "x".repeat(1000) + "\"}";
        String epoch = "";
        for (int i = 1; i <= 70; i++) epoch = publish(channel, large, "").epoch;
        List<Object> reply = run(redis(), Script.READ, channel, epoch, "0", "1000", "0", "86400", "40000");
        assertThat(reply.getFirst()).isEqualTo(1L);
        assertThat(reply.get(3)).isEqualTo(1L);
        assertThat(reply.size() - 4).isBetween(30, 40);
        assertThat((String) reply.getLast()).contains("\"offset\":" + (reply.size() - 4) + ",");
        List<Object> one = run(redis(), Script.READ, channel, epoch, "69", "1000", "0", "86400", "1");
        assertThat(one).hasSize(5);
        assertThat(one.get(3)).isEqualTo(0L);
    }

    private static String userChannel() {
        return "carillon:push:user:{" + fresh("u") + "}";
    }

    private List<Object> ack(String operation, String channel, String id) {
        return run(redis(), Script.ACK, channel, operation, "86400", id);
    }

    private List<String> pending(String channel, long after) {
        List<Object> reply =
                run(redis(), Script.ACK, channel, "pending", "86400", Long.toString(after), "100", "1000000");
        var events = new ArrayList<String>();
        for (int i = 2; i < reply.size(); i += 2) events.add((String) reply.get(i));
        return events;
    }

    private Published publish(String channel, String event, String id, String... options) {
        return publish(redis(), channel, event, id, options);
    }

    private static Published publish(RedisServer on, String channel, String event, String id, String... options) {
        List<String> arguments = new ArrayList<>(List.of(event, id));
        arguments.addAll(List.of(options));
        List<Object> r = run(on, Script.PUBLISH, channel, arguments.toArray(String[]::new));
        return new Published((Long) r.get(0), (String) r.get(1), (Long) r.get(2), (Long) r.get(3), (Long) r.get(4));
    }

    private Read read(String channel, String epoch, long offset, int limit, boolean across) {
        return read(redis(), channel, epoch, offset, limit, across);
    }

    private static Read read(RedisServer on, String channel, String epoch, long offset, int limit, boolean across) {
        List<Object> r = run(on, Script.READ, channel, epoch, "" + offset, "" + limit, across ? "1" : "0");
        List<String> events =
                r.subList(4, r.size()).stream().map(String.class::cast).toList();
        return new Read((Long) r.get(0), (String) r.get(1), (Long) r.get(2), (Long) r.get(3), events);
    }

    private static String presence(String space, String key) {
        return "carillon:" + space + ":presence:" + key;
    }

    private List<Long> presence(String online, String operation, String... arguments) {
        return presenceRaw(online, operation, arguments).stream()
                .map(Long.class::cast)
                .toList();
    }

    private void admit(String online, String... nodes) {
        for (String node : nodes) assertThat(presence(online, "admit", node)).containsExactly(1L);
    }

    private List<Object> presenceRaw(String online, String operation, String... arguments) {
        return run(redis(), Script.PRESENCE, online, prepended(operation, arguments));
    }

    private List<Object> node(String lease, String operation, String... arguments) {
        return run(redis(), Script.NODE, lease, prepended(operation, arguments));
    }

    /** Watching two neighbours. */
    private List<Object> beat(String lease, String node) {
        return node(lease, "beat", node, "60000", "{}", "30000", "2");
    }

    private long nodeOne(String lease, String operation, String... arguments) {
        return (Long) node(lease, operation, arguments).getFirst();
    }

    private List<Object> room(String users, String operation, String... arguments) {
        return run(redis(), Script.ROOM, users, prepended(operation, arguments));
    }

    private Set<String> members(String space, String key) {
        return new HashSet<>(redis().commands().smembers(presence(space, key)));
    }

    private List<String> log(String space) {
        return redis().commands().xrange(presence(space, "log"), io.lettuce.core.Range.unbounded()).stream()
                .map(StreamMessage::getBody)
                .map(b -> String.join(
                        " ",
                        b.get("event"),
                        b.get("user"),
                        b.get("kind"),
                        b.get("session"),
                        b.get("node"),
                        b.get("namespace")))
                .toList();
    }

    private static String text(Double score) {
        return "%.0f".formatted(score);
    }

    private static String announcement(String what, String room, String user, int count) {
        return "{\"type\":\"presence_%s\",\"room\":\"%s\",\"user\":\"%s\",\"count\":%d}"
                .formatted(what, room, user, count);
    }

    private static List<Object> run(RedisServer on, Script script, String key, String... arguments) {
        return on.commands()
                .eval(script.source(Script.Mode.PLAIN), ScriptOutputType.MULTI, new String[] {key}, arguments);
    }

    private static void refused(String code, Runnable call) {
        assertThatThrownBy(call::run)
                .isInstanceOf(RedisCommandExecutionException.class)
                .hasMessageStartingWith(code);
    }

    private static String[] prepended(String first, String[] rest) {
        List<String> all = new ArrayList<>(List.of(first));
        all.addAll(List.of(rest));
        return all.toArray(String[]::new);
    }

    private String score(String key, String member) {
        return String.format(java.util.Locale.ROOT, "%.0f", redis().commands().zscore(key, member));
    }

    private static String label(String channel) {
        return "user:" + channel.substring(channel.indexOf('{') + 1, channel.length() - 1);
    }

    private static String channel() {
        return "carillon:push:user:{" + fresh("u") + "}";
    }

    private static String room() {
        return "carillon:push:room:{" + fresh("r") + "}";
    }

    private static String fresh(String what) {
        return what + "-" + Long.toHexString(System.nanoTime()) + "-" + NAMES.incrementAndGet();
    }
}
