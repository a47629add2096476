package io.carillon.loadgen;

import java.util.Arrays;

/** Entry point: {@code java -jar carillon-loadgen-app.jar <command> [--option value]...}. */
public final class LoadGenerator {

    static final String HELP = """
            Carillon load generator

            usage: java -jar carillon-loadgen-app.jar <command> [--option value]...

            commands
              load      opens WebSocket connections, publishes to them, measures; one JSON object
              publish   publishes at a fixed rate, without receivers of its own
              floor     a bare Netty server that fans one Redis channel out: what the transport alone costs
              report    makes results.json, table.md and plots of a directory of measurements
              token     prints a token for --user, signed with CARILLON_JWT_SECRET

            load
              --urls U,U          ws://host:port/path, or http:// for event streams; connection
                                  i goes to the i-th in turn                                     (required)
              --connections N     sockets to open                                                (1000)
              --window N          handshakes under way at once                                   (256)
              --sources N         loopback source addresses 127.0.0.1..N; 0: the system chooses  (0)
              --user-prefix S     connection i is user S<i>                                      (u)
              --await S           ready at 'welcome' (first frame) or 'upgrade' (the 101)        (welcome)
              --receivers KIND    raw: counts frames as they come; library: clients of the Java
                                  library, counted by their handlers                             (raw)
              --loops N           event loops                                                    (1)
              --watch NAME=PID,.. processes whose CPU and memory are measured
              --subject NAME      the watched processes that count as the server, by prefix      (node)
              --settle SECONDS    wait between connecting and publishing                         (2)
              --rehearse N        opens and closes N connections first, so that the memory
                                  before connecting holds the warm code and heap                 (0)
              --warm-client N     opens and closes N connections to a server of its own first, so
                                  that a cold server is not measured by a cold client            (0)
              --publish VIA       publishes from a second process; see publish --via; none       (none)
              --rate N            events a second; a list R,R,.. climbs until receivers lag      (5)
              --seconds S         length of a measured phase                                     (10)
              --warmup SECONDS    published first at the first rate and not counted              (5)
              --sample N          takes the latency of every Nth event of a connection           (1)
              --label K=V,..      copied into the result (publish too)
              --out FILE          where the result goes (publish too)                            (stdout)
              plus the options of publish that are not named here, passed on

            publish
              --via V             redis (PUBLISH) | fcall (durable, as services do) |
                                  evalsha (durable, as a node does) | http | http-durable | ws
              --script SHA1       for evalsha                               (what carillon:config names)
              --redis URL         redis://[user:password@]host:port                              (CARILLON_REDIS_URL)
              --to T              broadcast | users: each event to one of --users                (broadcast)
              --users N           how many users take turns                                      (1000)
              --user-prefix S     user i is S<i>                                                 (u)
              --namespace S       namespace                                                      (push)
              --size BYTES        size of an event as JSON                                       (200)
              --rate N --seconds S --warmup S (0)
              --http URL          base address of the HTTP API; key in CARILLON_API_KEY
              --urls U,U          for ws: where the senders connect
              --senders N         for ws and http: connections to send on                        (16)
              --durable B         for ws: ask for durable events                                 (false)
              --dialect D         for ws: push, or chat, whose senders may send ten a second     (push)
              --interactive B     reads 'run RATE SECONDS' lines, answers each with a JSON line  (false)

            floor
              --port N --redis URL --channel NAME --loops N (all cores) --merge B (true)
              --users B           also subscribes to the channel of each connection's user       (false)

            report
              --dir DIR           holds run-*.json; the results are written there
              --revision S --started S  copied into the results

            Latency counts from the scheduled time of an event. All processes must share one machine.
            """;

    private LoadGenerator() {}

    public static void main(String[] args) throws Exception {
        if (args.length == 0 || args[0].equals("--help") || args[0].equals("-h") || args[0].equals("help")) {
            System.out.print(HELP);
            System.exit(args.length == 0 ? 2 : 0);
        }
        Arguments arguments;
        try {
            arguments = Arguments.parse(Arrays.copyOfRange(args, 1, args.length));
        } catch (IllegalArgumentException e) {
            System.err.println("loadgen: " + e.getMessage());
            System.exit(2);
            return;
        }
        if (arguments.has("help")) {
            System.out.print(HELP);
            return;
        }
        try {
            switch (args[0]) {
                case "load" -> LoadCommand.run(arguments);
                case "publish" -> PublishCommand.run(arguments);
                case "floor" -> FloorServer.run(arguments);
                case "report" -> Report.run(arguments);
                case "token" -> System.out.println(Tokens.fromEnvironment().of(arguments.required("user"), 3600));
                default -> throw new IllegalArgumentException("unknown command " + args[0] + "; see --help");
            }
        } catch (IllegalArgumentException | IllegalStateException e) {
            System.err.println("loadgen: " + e.getMessage());
            System.exit(e instanceof IllegalArgumentException ? 2 : 1);
        }
        System.exit(0);
    }
}
