package io.carillon.loadgen;

import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.net.URI;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/** {@code publish}: events at a rate, by one of the ways in. */
final class PublishCommand {

    private PublishCommand() {}

    static void run(Arguments arguments) throws Exception {
        Transport transport = Transport.open(1, "publish");
        Sink sink = sink(arguments, transport);
        if (arguments.flag("interactive", false)) {
            System.out.println("ready");
            BufferedReader in = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
            String line;
            while ((line = in.readLine()) != null && !line.equals("quit")) {
                String[] words = line.split(" ");
                System.out.println(Json.line(measured(
                        arguments, transport, sink, Double.parseDouble(words[1]), Double.parseDouble(words[2]))));
            }
        } else {
            double rate = arguments.number("rate", 5);
            double warmup = arguments.number("warmup", 0);
            if (warmup > 0) {
                measured(arguments, transport, sink, rate, warmup);
            }
            Map<String, Object> result = new LinkedHashMap<>(arguments.labels());
            result.putAll(measured(arguments, transport, sink, rate, arguments.number("seconds", 10)));
            arguments.deliver(Json.pretty(result));
        }
        sink.close();
    }

    private static Map<String, Object> measured(
            Arguments arguments, Transport transport, Sink sink, double rate, double seconds)
            throws InterruptedException {
        boolean durable = List.of("fcall", "evalsha").contains(arguments.text("via", "redis"));
        RedisCost before = durable ? RedisCost.read(transport, arguments.redis()) : RedisCost.NONE;
        Map<String, Object> result = new LinkedHashMap<>(Pacer.run(sink, rate, seconds));
        if (durable) {
            result.putAll(RedisCost.read(transport, arguments.redis()).since(before));
        }
        return result;
    }

    /** Redis' own account of {@code FCALL} and {@code EVALSHA} and of its processor time, from INFO. */
    private record RedisCost(long calls, long micros, double cpuSeconds) {

        static final RedisCost NONE = new RedisCost(0, 0, 0);
        private static final Pattern FCALL = Pattern.compile("cmdstat_(?:fcall|evalsha):calls=(\\d+),usec=(\\d+)");
        private static final Pattern CPU = Pattern.compile("used_cpu_(?:sys|user):([0-9.]+)");

        static RedisCost read(Transport transport, String url) throws InterruptedException {
            Matcher calls =
                    FCALL.matcher(RedisConnection.text(RedisConnection.ask(transport, url, "INFO", "commandstats")));
            long count = 0;
            long micros = 0;
            while (calls.find()) {
                count += Long.parseLong(calls.group(1));
                micros += Long.parseLong(calls.group(2));
            }
            double cpu = 0;
            Matcher used = CPU.matcher(RedisConnection.text(RedisConnection.ask(transport, url, "INFO", "cpu")));
            while (used.find()) {
                cpu += Double.parseDouble(used.group(1));
            }
            return new RedisCost(count, micros, cpu);
        }

        Map<String, Object> since(RedisCost before) {
            long more = Math.max(1, calls - before.calls);
            Map<String, Object> result = new LinkedHashMap<>();
            result.put("redisCalls", calls - before.calls);
            result.put("redisMicrosPerCall", (double) (micros - before.micros) / more);
            result.put("redisCpuMicrosPerCall", (cpuSeconds - before.cpuSeconds) * 1e6 / more);
            return result;
        }
    }

    private static Sink sink(Arguments arguments, Transport transport) throws InterruptedException {
        String via = arguments.text("via", "redis");
        int size = arguments.integer("size", 200);
        int count = arguments.integer("users", 1000);
        String prefix = arguments.text("user-prefix", "u");
        boolean toUsers = arguments.text("to", "broadcast").equals("users");
        String namespace = arguments.text("namespace", "push");
        List<String> users = new ArrayList<>();
        List<String> channels = new ArrayList<>();
        for (int i = 0; toUsers && i < count; i++) {
            users.add(prefix + i);
            channels.add("carillon:" + namespace + ":user:{" + prefix + i + "}");
        }
        if (!toUsers) {
            channels.add(arguments.text("channel", "carillon:" + namespace + ":broadcast:{" + namespace + "}"));
        }
        return switch (via) {
            case "redis" -> new RedisSink(transport, arguments.redis(), RedisSink.Way.PLAIN, "", channels, size);
            case "fcall" -> new RedisSink(transport, arguments.redis(), RedisSink.Way.FUNCTION, "", channels, size);
            case "evalsha" ->
                new RedisSink(
                        transport,
                        arguments.redis(),
                        RedisSink.Way.SCRIPT,
                        script(arguments, transport),
                        channels,
                        size);
            case "http", "http-durable" ->
                new HttpSink(
                        transport,
                        URI.create(arguments.required("http")),
                        key(),
                        arguments.integer("senders", 16),
                        users,
                        size,
                        via.equals("http-durable"));
            case "ws" ->
                new SocketSink(
                        transport,
                        new Fleet.Plan(
                                LoadCommand.urls(arguments),
                                arguments.integer("senders", 16),
                                64,
                                0,
                                "sender-",
                                true,
                                1,
                                Tokens.fromEnvironment()),
                        switch (arguments.text("dialect", "push")) {
                            case "push" ->
                                SocketSink.push(toUsers ? prefix : null, count, size, arguments.flag("durable", false));
                            case "chat" -> new EventText[] {EventText.chat(size)};
                            default -> throw new IllegalArgumentException("--dialect is push or chat");
                        });
            default -> throw new IllegalArgumentException("--via " + via + " is not known; see --help");
        };
    }

    /** The publish script's name in Redis: {@code --script}, else what the nodes have noted there. */
    private static String script(Arguments arguments, Transport transport) throws InterruptedException {
        if (arguments.has("script")) {
            return arguments.required("script");
        }
        Object noted = RedisConnection.ask(transport, arguments.redis(), "HGET", "carillon:config", "publish");
        if (noted instanceof byte[]) {
            return RedisConnection.text(noted);
        }
        throw new IllegalStateException("carillon:config does not name the publish script; give --script");
    }

    private static String key() {
        String key = System.getenv("CARILLON_API_KEY");
        if (key == null) {
            throw new IllegalArgumentException("CARILLON_API_KEY is not set");
        }
        return key;
    }

    /** A publisher in a process of its own, so that its pauses and the receivers' stay apart. */
    static final class Child implements AutoCloseable {

        private final Process process;
        private final BufferedReader out;

        Child(Arguments arguments) throws IOException {
            String java =
                    Path.of(System.getProperty("java.home"), "bin", "java").toString();
            String classPath = System.getProperty("java.class.path");
            List<String> command = new ArrayList<>(List.of(
                    java,
                    "-Xmx96m",
                    "-XX:+UseSerialGC",
                    "-XX:TieredStopAtLevel=1",
                    "--enable-native-access=ALL-UNNAMED"));
            command.addAll(
                    classPath.endsWith(".jar")
                            ? List.of("-jar", classPath)
                            : List.of("-cp", classPath, LoadGenerator.class.getName()));
            command.add("publish");
            command.addAll(arguments.with("interactive", "true").words());
            process = new ProcessBuilder(command)
                    .redirectError(ProcessBuilder.Redirect.INHERIT)
                    .start();
            out = process.inputReader(StandardCharsets.UTF_8);
            expect("ready");
        }

        private String expect(String what) throws IOException {
            String line = out.readLine();
            if (line == null) {
                throw new IllegalStateException("the publisher ended before it was " + what);
            }
            return line;
        }

        Map<String, Object> run(double rate, double seconds) throws IOException {
            var in = process.outputWriter(StandardCharsets.UTF_8);
            in.write("run " + rate + " " + seconds + "\n");
            in.flush();
            return Json.map(expect("done"));
        }

        @Override
        public void close() throws IOException {
            process.outputWriter(StandardCharsets.UTF_8).close();
            process.onExit()
                    .orTimeout(15, java.util.concurrent.TimeUnit.SECONDS)
                    .handle((done, late) -> {
                        if (late != null) {
                            process.destroyForcibly();
                        }
                        return 0;
                    })
                    .join();
        }
    }
}
