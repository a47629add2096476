package io.carillon.chaos;

import io.carillon.chaos.Witness.Habit;
import io.carillon.chaos.World.Tenant;
import io.carillon.loadgen.Arguments;
import io.carillon.loadgen.Tokens;
import java.io.IOException;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import org.jspecify.annotations.Nullable;
import tools.jackson.core.JacksonException;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;

/**
 * One run: a cluster, clients, publishers, the faults of the plan, a quiet end, and the verdict. Whatever was started is
 * stopped, also where the run fails or is interrupted.
 */
final class Run {
    private static final JsonMapper JSON = JsonMapper.shared();
    private static final double PUBLISHERS_STOP_BEFORE_END = 10;

    /** One witness in so many is a client of the library. */
    private static final int LIBRARY = 10;

    private final Arguments arguments;
    private final Plan plan;
    private final Path directory;
    private final HttpClient http =
            HttpClient.newBuilder().connectTimeout(Duration.ofSeconds(2)).build();

    Run(Arguments arguments) {
        this.arguments = arguments;
        this.plan = Chaos.plan(arguments);
        this.directory = Path.of(arguments.required("directory"));
    }

    static Deployment deployment(Arguments arguments, Path directory, Plan.Profile profile, List<String> settings)
            throws IOException {
        List<String> all = new ArrayList<>(settings);
        all.addAll(arguments.list("settings"));
        var options = new Deployment.Options(
                directory,
                profile,
                arguments.integer("front", 0),
                ports(arguments, "nodes"),
                ports(arguments, "management"),
                ports(arguments, "spare"),
                arguments.required("java"),
                Path.of(arguments.required("jar")),
                List.of(arguments.text("jvm", "").split(" +")),
                all,
                arguments.required("redis"),
                arguments.required("nginx"));
        return new Deployment(
                options,
                environment("CARILLON_REDIS_PASSWORD"),
                environment("CARILLON_API_KEY"),
                environment("CARILLON_JWT_SECRET"));
    }

    private static List<Integer> ports(Arguments arguments, String name) {
        return arguments.list(name).stream().map(Integer::valueOf).toList();
    }

    private static String environment(String name) {
        String value = System.getenv(name);
        if (value == null || value.isEmpty()) throw new IllegalArgumentException(name + " is not set");
        return value;
    }

    int run() throws IOException, InterruptedException {
        System.out.print(plan.table());
        Path records = Files.createDirectories(directory.resolve("records"));
        Deployment deployment = deployment(arguments, directory, plan.profile(), World.settings());
        Thread stopper = new Thread(deployment::close, "chaos-stop");
        Runtime.getRuntime().addShutdownHook(stopper);
        try (deployment) {
            say("starting Redis, %d nodes and nginx", deployment.nodeCount());
            deployment.start();
            drive(deployment, records);
        }
        int code = Chaos.judge(records, Chaos.rules(arguments));
        say("records, table and plot: %s", records);
        return code;
    }

    private void drive(Deployment deployment, Path records) throws IOException, InterruptedException {
        var clock = new Moment();
        var world = new World(
                deployment,
                clock,
                plan.seed(),
                arguments.integer("clients", 300),
                arguments.number("rate", 100),
                new Tokens(deployment.secret()),
                new World.Totals());
        List<Journal> journals = new ArrayList<>();
        try (var control = new Journal(records, "control", clock)) {
            journals.add(control);
            control.write("run", "seed", plan.seed(), "minutes", plan.seconds() / 60, "profile", plan.profile());
            for (Tenant tenant : World.TENANTS) {
                control.write("tenant", "ns", tenant.namespace(), "canary", tenant.canary());
            }
            long[] descriptors = descriptors(deployment);
            boolean functions = deployment.functions();
            boolean ingress = ingress(deployment);
            say(
                    "publishing by: WebSocket, the Java client, HTTP, PUBLISH%s%s",
                    functions ? ", FCALL" : "", ingress ? ", ingress stream" : "");

            List<Thread> threads = new ArrayList<>();
            List<Witness> witnesses = new ArrayList<>();
            for (Tenant tenant : World.TENANTS) {
                for (int i = 0; i < world.perTenant(); i++) {
                    Habit habit = i % 12 == 5 ? Habit.CHURNING : i % 25 == 7 ? Habit.SLOW : Habit.STEADY;
                    var journal = new Journal(records, "client-" + tenant.namespace() + "-" + i, clock);
                    Witness one = i % LIBRARY == 2
                            ? new Customer(world, tenant, i, habit, journal)
                            : new Subscriber(world, tenant, i, habit, journal);
                    journals.add(journal);
                    witnesses.add(one);
                    threads.add(Thread.ofVirtual().name("client-" + i).start(one));
                }
            }
            Deployment.within(30, () -> witnesses.stream().allMatch(Witness::live));
            List<Publisher> publishers = publishers(world, records, journals, functions, ingress, threads);
            var probes = new Journal(records, "prober", clock);
            journals.add(probes);
            var prober = new Prober(world, probes, http);
            Thread probing = Thread.ofVirtual().name("prober").start(prober);
            Thread progress = Thread.ofVirtual().name("progress").start(() -> progress(world));

            var driver = new FaultDriver(world, witnesses, control);
            boolean revoked = false;
            for (Plan.Step step : plan.steps()) {
                Moment.pause(step.at() - clock.now());
                // While nothing is broken.
                if (!revoked && clock.now() > plan.seconds() / 3) revoked = revoke(world, witnesses, control);
                say(
                        "%6.1f s  %s (%s, %.0f s)",
                        clock.now(), step.fault().sentence(), Deployment.node(step.node()), step.hold());
                driver.carryOut(step);
                say("%6.1f s  healed", clock.now());
            }
            if (!revoked) revoke(world, witnesses, control);
            Moment.pause(plan.seconds() - PUBLISHERS_STOP_BEFORE_END - clock.now());
            say("%6.1f s  publishers stop", clock.now());
            publishers.forEach(Publisher::stop);
            // Counted from here: faults that took long may have used up the plan's own.
            double quiet = Math.max(plan.seconds(), clock.now() + PUBLISHERS_STOP_BEFORE_END);
            boolean whole = Deployment.within(60, () -> {
                long missing = witnesses.stream()
                        .filter(one -> one.habit() != Habit.CHURNING && !one.live() && !gone(one))
                        .count();
                return missing == 0 && clock.now() > quiet;
            });
            if (!whole) say("not every client is back");
            heads(world, control);
            for (Witness one : witnesses) one.sayWhereItStands();
            control.write("end");
            world.totals().over().set(true);
            progress.join();
            say("%6.1f s  closing all clients", clock.now());
            prober.stop();
            probing.join(Duration.ofSeconds(5));
            for (Witness one : witnesses) one.stop();
            for (Thread thread : threads) if (!thread.join(Duration.ofSeconds(3))) break;
            for (Witness one : witnesses) one.cut();
            for (Thread thread : threads) thread.join(Duration.ofMillis(200));
            drained(world, control, descriptors);
        } finally {
            journals.forEach(Journal::close);
        }
    }

    private final List<String> revokedUsers = new ArrayList<>();

    private boolean gone(Witness one) {
        return revokedUsers.contains(one.tenant().namespace() + "/" + one.user());
    }

    private List<Publisher> publishers(
            World world,
            Path records,
            List<Journal> journals,
            boolean functions,
            boolean ingress,
            List<Thread> threads) {
        List<Publisher.Way> ways = new ArrayList<>(List.of(
                Publisher.Way.SOCKET,
                Publisher.Way.CLIENT,
                Publisher.Way.HTTP,
                Publisher.Way.HTTP,
                Publisher.Way.PLAIN));
        if (functions) ways.add(Publisher.Way.FUNCTION);
        if (ingress) ways.add(Publisher.Way.STREAM);
        int count = arguments.integer("publishers", 20);
        List<Publisher> publishers = new ArrayList<>();
        for (int i = 0; i < count; i++) {
            Publisher.Way way = ways.get(i % ways.size());
            var journal = new Journal(records, "publisher-" + i, world.clock());
            journals.add(journal);
            var one = new Publisher(world, i, way, world.rate() / count, journal, http);
            publishers.add(one);
            threads.add(Thread.ofVirtual().name("publisher-" + i).start(one));
        }
        return publishers;
    }

    /** Whether somebody reads the ingress streams: an event put there is taken away. */
    private static boolean ingress(Deployment deployment) throws InterruptedException {
        try (Redis redis = deployment.connect(Publisher.STREAM, 2000)) {
            if (redis == null) return false;
            redis.call(
                    "XADD",
                    Publisher.STREAM,
                    "*",
                    "channel",
                    "push:room:nobody",
                    "event",
                    "{\"type\":\"probe\",\"id\":\"probe\"}");
            boolean read = Deployment.within(14, () -> {
                try {
                    return redis.number("XLEN", Publisher.STREAM) == 0;
                } catch (IOException e) {
                    return false;
                }
            });
            if (!read) redis.call("DEL", Publisher.STREAM);
            return read;
        } catch (IOException e) {
            return false;
        }
    }

    /** Closes one user for good, as an operator does. */
    private boolean revoke(World world, List<Witness> witnesses, Journal control) throws InterruptedException {
        Witness chosen = witnesses.get(witnesses.size() / 2 - 2);
        try {
            var request = HttpRequest.newBuilder(URI.create(world.deployment().front() + "/api/ws/users/"
                            + chosen.user() + "?namespace=" + chosen.tenant().namespace()))
                    .timeout(Duration.ofSeconds(5))
                    .header("Authorization", "Bearer " + world.deployment().apiKey())
                    .DELETE()
                    .build();
            int status =
                    http.send(request, HttpResponse.BodyHandlers.discarding()).statusCode();
            if (status != 204) return false;
            control.write("revoke", "ns", chosen.tenant().namespace(), "user", chosen.user());
            revokedUsers.add(chosen.tenant().namespace() + "/" + chosen.user());
            return true;
        } catch (IOException e) {
            return false;
        }
    }

    /** Where every channel stands, by its meta: {@code <epoch> <offset> ...}. */
    private static void heads(World world, Journal control) throws InterruptedException {
        double deadline = world.clock().now() + 25;
        for (Tenant tenant : World.TENANTS) {
            for (String channel : World.channels()) {
                String key = World.topic(tenant, channel);
                Head head = null;
                for (int attempt = 0; attempt < 10 && head == null; attempt++) {
                    head = head(world.deployment(), key);
                    // What nobody has acknowledged comes again every ten seconds.
                    if (head != null && head.waiting() > 0 && world.clock().now() < deadline) {
                        head = null;
                        attempt = 0;
                        Moment.pause(0.5);
                    }
                }
                if (head == null) throw new IllegalStateException("nobody tells the head of " + key);
                control.write(
                        "head",
                        "ns",
                        tenant.namespace(),
                        "ch",
                        channel,
                        "epoch",
                        head.epoch(),
                        "off",
                        head.offset(),
                        "waiting",
                        head.waiting());
            }
        }
    }

    /**
     * Where a channel stands.
     *
     * @param waiting events that nobody has acknowledged
     */
    private record Head(String epoch, long offset, long waiting) {}

    private static @Nullable Head head(Deployment deployment, String key) throws InterruptedException {
        try (Redis redis = deployment.connect(key, 2000)) {
            if (redis != null) {
                Object meta = redis.call("GET", key);
                // A channel never used stands before its first event.
                if (meta == null) return new Head("~", 0, 0);
                String[] words = meta.toString().split(" ", -1);
                return new Head(words[0], Long.parseLong(words[1]), redis.number("ZCARD", key + ":acks"));
            }
        } catch (IOException e) {
            // Another attempt.
        }
        Moment.pause(0.5);
        return null;
    }

    private static long[] descriptors(Deployment deployment) {
        long[] counts = new long[deployment.nodeCount()];
        for (int i = 0; i < counts.length; i++)
            counts[i] = deployment.processes().descriptors(Deployment.node(i));
        return counts;
    }

    /** What is left when all clients have gone; nodes keep a channel for some seconds after its last session. */
    private void drained(World world, Journal control, long[] before) throws InterruptedException {
        Deployment deployment = world.deployment();
        long[] left = new long[3];
        boolean clean = Deployment.within(30, () -> {
            left[0] = 0;
            for (int i = 0; i < deployment.nodeCount(); i++) {
                double sessions = deployment.metric(i, "carillon_sessions");
                left[0] += Double.isNaN(sessions) ? 1000 : Math.round(sessions);
            }
            left[1] = online(world);
            left[2] = subscriptions(deployment);
            return left[0] + left[1] + left[2] == 0;
        });
        List<Long> descriptors = new ArrayList<>();
        for (long count : descriptors(deployment)) descriptors.add(count);
        List<Long> first = new ArrayList<>();
        for (long count : before) first.add(count);
        control.write(
                "drained",
                "sessions",
                left[0],
                "online",
                left[1],
                "numsub",
                left[2],
                "descriptors",
                descriptors,
                "before",
                first);
        if (!clean) say("left behind: %d sessions, %d users online, %d subscriptions", left[0], left[1], left[2]);
    }

    private long online(World world) throws InterruptedException {
        long sum = 0;
        for (Tenant tenant : World.TENANTS) {
            try {
                var request = HttpRequest.newBuilder(URI.create(
                                world.deployment().front() + "/api/ws/status?namespace=" + tenant.namespace()))
                        .timeout(Duration.ofSeconds(3))
                        .header("Authorization", "Bearer " + world.deployment().apiKey())
                        .build();
                JsonNode status = JSON.readTree(
                        http.send(request, HttpResponse.BodyHandlers.ofString()).body());
                sum += status.path("online_count").asLong(1000);
            } catch (IOException | JacksonException e) {
                return 1000;
            }
        }
        return sum;
    }

    private static long subscriptions(Deployment deployment) {
        long sum = 0;
        for (int port : deployment.redisPorts()) {
            try (Redis redis = new Redis(port, deployment.password(), 2000)) {
                String command = deployment.clustered() ? "SHARDCHANNELS" : "CHANNELS";
                sum += redis.list("PUBSUB", command, "carillon:*").stream()
                        .map(String::valueOf)
                        // Nodes listen to themselves for as long as they live.
                        .filter(topic -> !topic.startsWith("carillon:node:") && !topic.startsWith("carillon:probe:"))
                        .count();
            } catch (IOException e) {
                return 1000;
            }
        }
        return sum;
    }

    private void progress(World world) {
        long delivered = 0;
        long published = 0;
        double last = world.clock().now();
        try {
            while (!world.totals().over().get()) {
                Moment.pause(5);
                double now = world.clock().now();
                long d = world.totals().delivered().get();
                long p = world.totals().published().get();
                say(
                        "%6.1f s  connected %d  published %d (%.0f/s)  delivered %d (%.0f/s)",
                        now,
                        world.totals().connected().get(),
                        p,
                        (p - published) / (now - last),
                        d,
                        (d - delivered) / (now - last));
                delivered = d;
                published = p;
                last = now;
            }
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
    }

    static void say(String format, Object... values) {
        System.out.println(String.format(Locale.ROOT, format, values));
    }
}
