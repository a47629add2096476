package io.carillon.node.ops;

import io.carillon.model.channel.ChannelName;
import io.carillon.model.channel.Namespace;
import io.carillon.model.event.Event;
import io.carillon.model.event.EventCodec;
import io.carillon.model.event.InvalidEventException;
import io.carillon.model.event.Payload;
import io.carillon.model.redis.Boot;
import io.carillon.node.backplane.Backplane;
import io.carillon.node.dialect.Dialect;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;
import org.springframework.beans.factory.annotation.Value;
import org.springframework.boot.ApplicationArguments;
import org.springframework.boot.ApplicationRunner;
import org.springframework.stereotype.Component;

/**
 * Runs the way of an event many times before the node says it is ready: the first seconds of a JVM, while its compilers
 * share the cores with the work, have tails of tens of milliseconds that no client should see.
 */
@Component
final class Warmup implements ApplicationRunner {
    private static final Logger log = LoggerFactory.getLogger(Warmup.class);

    private final Backplane backplane;
    private final List<Dialect> dialects;
    private final Boot boot;
    private final Duration length;

    /**
     * @param length how long to warm up; 0 = not at all
     */
    Warmup(
            Backplane backplane,
            List<Dialect> dialects,
            Boot boot,
            @Value("${carillon.ops.warm-up:1s}") Duration length) {
        this.backplane = backplane;
        this.dialects = dialects;
        this.boot = boot;
        this.length = length;
    }

    @Override
    public void run(ApplicationArguments arguments) throws InvalidEventException {
        long start = System.nanoTime();
        long end = start + length.toNanos();
        var channel = ChannelName.user(new Namespace("warm-up"), boot.id());
        Event event = new Event.Builder("chat")
                .id("warm-up")
                .from("u1", "Ada", null)
                .to("u2")
                .content(Payload.ofJson("{\"text\":\"" + "x".repeat(150) + "\"}"))
                .build();
        int rounds = 0;
        while (System.nanoTime() < end) {
            for (int i = 0; i < 500; i++) {
                Event read = EventCodec.read(EventCodec.write(event));
                for (Dialect dialect : dialects) {
                    byte[] frame = dialect.encode(read);
                    if (frame != null) dialect.decode(frame);
                }
            }
            if (!append(channel, EventCodec.write(event), rounds++)) break;
        }
        log.debug("Warmed up. rounds={} ms={}", rounds, (System.nanoTime() - start) / 1_000_000);
    }

    /** Whether Redis took part: without it there is nothing to be ready for. */
    private boolean append(ChannelName channel, byte[] bytes, int round) {
        try {
            for (int i = 0; i < 50; i++) {
                backplane
                        .append(channel, bytes, "w" + round + "-" + i, new Backplane.Retention(1, 1))
                        .toCompletableFuture()
                        .get(2, TimeUnit.SECONDS);
            }
            return true;
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            return false;
        } catch (ExecutionException | TimeoutException e) {
            return false;
        }
    }
}
