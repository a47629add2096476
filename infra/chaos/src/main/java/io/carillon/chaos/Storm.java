package io.carillon.chaos;

import io.carillon.client.CarillonClient;
import io.carillon.client.FrameListener;
import io.carillon.loadgen.Arguments;
import io.carillon.loadgen.Tokens;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.atomic.AtomicInteger;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;

/**
 * How fast thousands of clients are back: each holds one connection through nginx and, when it is lost, comes back with
 * the default jitter and resumes, as the Java client does. First a node is killed, then all nodes are restarted in turn. Measured for each client
 * that lost its connection: from losing it to being told {@code resumed}.
 */
final class Storm {
    private static final JsonMapper JSON = JsonMapper.shared();

    private final Arguments arguments;
    private final int clients;
    private final Moment clock = new Moment();
    private final AtomicInteger settled = new AtomicInteger();
    private final AtomicInteger unrecovered = new AtomicInteger();
    private final AtomicInteger refused = new AtomicInteger();
    private final ConcurrentLinkedQueue<double[]> returns = new ConcurrentLinkedQueue<>();
    private final List<CarillonClient> all = new ArrayList<>();

    Storm(Arguments arguments) {
        this.arguments = arguments;
        this.clients = arguments.integer("clients", 5000);
    }

    int run() throws IOException, InterruptedException {
        Path directory = Path.of(arguments.required("directory"));
        List<String> settings = new ArrayList<>(World.settings());
        Deployment deployment = Run.deployment(arguments, directory, Plan.Profile.STANDALONE, settings);
        Runtime.getRuntime().addShutdownHook(new Thread(deployment::close, "chaos-stop"));
        try (deployment) {
            Run.say("starting Redis, %d nodes and nginx", deployment.nodeCount());
            deployment.start();
            var tokens = new Tokens(deployment.secret());
            double began = clock.now();
            for (int i = 0; i < clients; i++) {
                CarillonClient one = new Watcher().client(deployment, tokens.of("s" + i, 7200));
                all.add(one);
                var unused = one.connect();
                if (i % 20 == 19) Moment.pause(0.05);
            }
            if (!settled(90)) return failed("only %d of %d clients connected", settled.get(), clients);
            Run.say("%d clients connected in %.1f s", clients, clock.now() - began);
            Moment.pause(3);

            double kill = clock.now();
            deployment.processes().kill(Deployment.node(0));
            Moment.pause(0.5);
            if (!settled(120)) return failed("%d of %d clients are back", settled.get(), clients);
            report("a node's death (kill -9)", kill);
            deployment.startNode(0);
            deployment.awaitReady(0, 90);
            Moment.pause(2);

            double rolling = clock.now();
            for (int i = 0; i < deployment.nodeCount(); i++) {
                int code = deployment.processes().stop(Deployment.node(i), 60);
                Run.say("node %d drained, exit code %d", i + 1, code);
                deployment.startNode(i);
                deployment.awaitReady(i, 90);
            }
            Moment.pause(1);
            if (!settled(120)) return failed("%d of %d clients are back", settled.get(), clients);
            Run.say("rolling restart took %.1f s", clock.now() - rolling);
            report("a rolling restart", rolling);
            all.forEach(CarillonClient::close);
        }
        return unrecovered.get() == 0 ? 0 : 1;
    }

    private boolean settled(double seconds) throws InterruptedException {
        return Deployment.within(seconds, () -> settled.get() == clients);
    }

    private static int failed(String format, Object... values) {
        System.err.println("chaos: " + String.format(Locale.ROOT, format, values));
        return 1;
    }

    private void report(String what, double since) {
        double[] times = returns.stream()
                .filter(one -> one[0] >= since)
                .mapToDouble(one -> one[1])
                .sorted()
                .toArray();
        if (times.length == 0) {
            Run.say("%s: nobody lost a connection", what);
            return;
        }
        Run.say(
                "%s: %d connections lost, back and resumed after p50 %.2f s, p90 %.2f s, p99 %.2f s, max %.2f s;"
                        + " recovered:false %d, handshakes refused %d",
                what,
                times.length,
                at(times, 0.5),
                at(times, 0.9),
                at(times, 0.99),
                at(times, 1),
                unrecovered.get(),
                refused.getAndSet(0));
    }

    private static double at(double[] sorted, double share) {
        return sorted[(int) Math.min(sorted.length - 1, Math.ceil(share * sorted.length) - (share == 1 ? 0 : 1))];
    }

    /** Looks on at one client of the library; told of one thing after another. */
    private final class Watcher implements FrameListener {
        private boolean counted;
        private boolean before;
        private double lost = Double.NaN;

        CarillonClient client(Deployment deployment, String token) {
            return CarillonClient.at("http://127.0.0.1:" + deployment.options().front())
                    .path(World.TENANTS.getFirst().path())
                    .eventStream(null)
                    .token(token)
                    .tap(this)
                    .build();
        }

        @Override
        public void frame(String text) {
            if (!before && text.startsWith("{\"type\":\"welcome\"")) {
                before = true;
                count();
            } else if (text.startsWith("{\"type\":\"resumed\"")) {
                for (JsonNode one : JSON.readTree(text).path("channels")) {
                    if (!one.path("recovered").asBoolean(false)) unrecovered.incrementAndGet();
                }
                returns.add(new double[] {lost, clock.now() - lost});
                count();
            }
        }

        private void count() {
            if (!counted) settled.incrementAndGet();
            counted = true;
        }

        @Override
        public void closed(int code) {
            if (!counted) return;
            counted = false;
            settled.decrementAndGet();
            lost = clock.now();
        }

        @Override
        public void refused(int status) {
            if (status > 0) refused.incrementAndGet();
        }
    }
}
