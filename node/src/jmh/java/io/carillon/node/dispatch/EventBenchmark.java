package io.carillon.node.dispatch;

import io.carillon.model.event.Event;
import io.carillon.model.event.EventCodec;
import io.carillon.model.event.InvalidEventException;
import io.carillon.node.dialect.Command;
import io.carillon.node.dialect.Dialect;
import io.carillon.node.dialect.push.PushDialect;
import java.nio.charset.StandardCharsets;
import java.util.concurrent.TimeUnit;
import org.openjdk.jmh.annotations.Benchmark;
import org.openjdk.jmh.annotations.BenchmarkMode;
import org.openjdk.jmh.annotations.Fork;
import org.openjdk.jmh.annotations.Measurement;
import org.openjdk.jmh.annotations.Mode;
import org.openjdk.jmh.annotations.OutputTimeUnit;
import org.openjdk.jmh.annotations.Param;
import org.openjdk.jmh.annotations.Scope;
import org.openjdk.jmh.annotations.Setup;
import org.openjdk.jmh.annotations.State;
import org.openjdk.jmh.annotations.Warmup;

/** What an event costs before it is fanned out: reading it from Redis or a client, and writing it for clients, once each. */
@State(Scope.Thread)
@BenchmarkMode(Mode.AverageTime)
@OutputTimeUnit(TimeUnit.NANOSECONDS)
@Warmup(iterations = 3, time = 1)
@Measurement(iterations = 5, time = 1)
@Fork(value = 1, jvmArgs = {"-XX:+UseSerialGC", "-XX:+UseCompactObjectHeaders", "-Xmx256m"})
public class EventBenchmark {

    @Param({"200", "4096"})
    int size;

    private final Dialect dialect = new PushDialect();
    private byte[] plain = {};
    private byte[] stamped = {};
    private byte[] message = {};
    private Event event = Event.of("bench", null);

    @Setup
    public void make() throws InvalidEventException {
        plain = sized("{\"type\":\"bench\",", "");
        stamped = sized(
                "{\"channel\":\"user:u1\",\"offset\":4711,\"epoch\":\"660b5a0123eca.6f67\",\"timestamp\":1760000000123,"
                        + "\"id\":\"0199c6a2-7c4e-7a31-9d43-5d1c0a3b2f10\",",
                "\"type\":\"bench\",\"from\":\"u2\",\"from_name\":\"Ada\",");
        message = sized("{\"type\":\"chat\",\"to\":\"u1\",\"ref\":\"17\",", "");
        event = EventCodec.readStamped(stamped);
    }

    private byte[] sized(String head, String more) {
        String start = head + more + "\"content\":{\"text\":\"";
        return (start + "x".repeat(Math.max(1, size - start.length() - 3)) + "\"}}").getBytes(StandardCharsets.UTF_8);
    }

    /** A plain PUBLISH of a service. */
    @Benchmark
    public Event readPlain() throws InvalidEventException {
        return EventCodec.read(plain);
    }

    /** A durable event, as the publish script stamped it. */
    @Benchmark
    public Event readStamped() throws InvalidEventException {
        return EventCodec.readStamped(stamped);
    }

    /** A client's message. */
    @Benchmark
    public Command decode() {
        return dialect.decode(message);
    }

    /** An event for Redis. */
    @Benchmark
    public byte[] write() {
        return EventCodec.write(event);
    }

    /** An event for clients: once for all of them. */
    @Benchmark
    public byte[] encode() {
        return dialect.encode(event);
    }

    /** All a node does with a durable event before it looks for sessions. */
    @Benchmark
    public byte[] readAndEncode() throws InvalidEventException {
        return dialect.encode(EventCodec.readStamped(stamped));
    }
}
