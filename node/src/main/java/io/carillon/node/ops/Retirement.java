package io.carillon.node.ops;

import io.carillon.node.dispatch.Dispatch;
import io.carillon.node.edge.Edge;
import java.util.concurrent.atomic.AtomicBoolean;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;
import org.springframework.beans.factory.annotation.Value;
import org.springframework.boot.SpringApplication;
import org.springframework.boot.availability.AvailabilityChangeEvent;
import org.springframework.boot.availability.ReadinessState;
import org.springframework.context.ConfigurableApplicationContext;
import org.springframework.stereotype.Component;

/**
 * How a node ends, whoever asks for it (a signal, or an operator through the cluster): not ready, its sessions handed
 * over, HTTP requests answered, its lease given back, gone. Safe from any thread.
 */
@Component
public final class Retirement {
    private static final Logger log = LoggerFactory.getLogger(Retirement.class);

    private final ConfigurableApplicationContext context;
    private final Edge edge;
    private final boolean exits;
    private final AtomicBoolean begun = new AtomicBoolean();

    /** @param exits whether the process is the node's own and ends with it */
    Retirement(
            ConfigurableApplicationContext context,
            Edge edge,
            Dispatch dispatch,
            @Value("${carillon.ops.own-process:false}") boolean exits) {
        this.context = context;
        this.edge = edge;
        this.exits = exits;
        dispatch.onDrain(this::begin);
    }

    /** Begins it, once; returns at once. */
    public void begin() {
        // A thread that keeps the process until everything is said.
        if (begun.compareAndSet(false, true)) new Thread(this::run, "retirement").start();
    }

    private void run() {
        try {
            AvailabilityChangeEvent.publish(context, ReadinessState.REFUSING_TRAFFIC);
            edge.drain().join();
        } catch (RuntimeException e) {
            log.error("The node could not be drained in order; it ends.", e);
        }
        int code = SpringApplication.exit(context);
        if (exits) System.exit(code);
    }
}
