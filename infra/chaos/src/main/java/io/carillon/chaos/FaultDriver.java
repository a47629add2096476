package io.carillon.chaos;

import io.carillon.chaos.Plan.Fault;
import io.carillon.chaos.Plan.Step;
import io.carillon.chaos.World.Tenant;
import java.io.IOException;
import java.util.List;
import java.util.Random;

/** Carries out one step of the plan: breaks, holds, heals, and writes down when. For the main thread. */
final class FaultDriver {
    private final World world;
    private final Deployment deployment;
    private final Processes processes;
    private final List<Witness> witnesses;
    private final Journal journal;
    private final Random random;
    private int faults;

    FaultDriver(World world, List<Witness> witnesses, Journal journal) {
        this.world = world;
        this.deployment = world.deployment();
        this.processes = deployment.processes();
        this.witnesses = witnesses;
        this.journal = journal;
        this.random = new Random(world.seed() + 1);
    }

    void carryOut(Step step) throws IOException, InterruptedException {
        Fault fault = step.fault();
        String id = "f" + ++faults;
        journal.write(
                "fault",
                "id",
                id,
                "name",
                fault.word(),
                "loses",
                fault.loses(),
                "node",
                step.node() + 1,
                "hold",
                step.hold());
        journal.flush();
        String node = Deployment.node(step.node());
        double hold = step.hold();
        switch (fault) {
            case NODE_KILL -> {
                processes.kill(node);
                Moment.pause(hold);
                deployment.startNode(step.node());
                deployment.awaitReady(step.node(), 240);
            }
            case NODE_FREEZE, NODE_FREEZE_LONG -> {
                processes.signal(node, "STOP");
                Moment.pause(hold);
                processes.signal(node, "CONT");
            }
            case NODE_DRAIN -> restart(step.node());
            case ROLLING_RESTART -> {
                for (int i = 0; i < deployment.nodeCount(); i++) restart(i);
            }
            case PUBSUB_KILL -> deployment.everywhere("CLIENT", "KILL", "TYPE", "pubsub");
            case NORMAL_KILL -> deployment.everywhere("CLIENT", "KILL", "TYPE", "normal");
            case BUFFER_OVERRUN -> overrun(node, hold);
            case REDIS_KILL, REDIS_EMPTY -> {
                processes.kill(Deployment.redis(0));
                Moment.pause(hold);
                deployment.startRedis(0, fault == Fault.REDIS_EMPTY);
            }
            case REDIS_FREEZE -> {
                processes.signal(Deployment.redis(0), "STOP");
                Moment.pause(hold);
                processes.signal(Deployment.redis(0), "CONT");
            }
            case REDIS_FLUSH -> deployment.everywhere("FLUSHALL");
            case SCRIPT_FLUSH -> deployment.everywhere("SCRIPT", "FLUSH");
            case FUNCTION_FLUSH -> {
                deployment.everywhere("FUNCTION", "FLUSH");
                Deployment.until(30, "the nodes have loaded the functions again", deployment::functions);
            }
            case PARTITION_STALL -> {
                deployment.proxy(step.node()).stall();
                Moment.pause(hold);
                deployment.proxy(step.node()).heal();
            }
            case PARTITION_RESET -> {
                deployment.proxy(step.node()).reset();
                Moment.pause(hold);
                deployment.proxy(step.node()).heal();
            }
            case NGINX_RELOAD -> processes.signal("nginx", "HUP");
            case POISON -> poison();
            case SLOW_READERS -> {
                witnesses.stream()
                        .filter(one -> one.habit() == Witness.Habit.SLOW)
                        .forEach(one -> one.pauseReading(hold));
                Moment.pause(hold);
            }
            case PRIMARY_KILL -> {
                int primary = deployment.primary(step.node());
                processes.kill(Deployment.redis(primary));
                Moment.pause(hold);
                deployment.startRedis(primary, false);
            }
            case PRIMARY_FREEZE -> {
                String primary = Deployment.redis(deployment.primary(step.node()));
                processes.signal(primary, "STOP");
                Moment.pause(hold);
                processes.signal(primary, "CONT");
            }
            case FAILOVER -> {
                deployment.askForFailover(step.node());
                Moment.pause(hold);
            }
        }
        journal.write("heal", "id", id, "name", fault.word());
        journal.flush();
    }

    private void restart(int node) throws IOException, InterruptedException {
        double began = world.clock().now();
        int code = processes.stop(Deployment.node(node), 60);
        journal.write(
                "drain",
                "node",
                node + 1,
                "code",
                code,
                "seconds",
                world.clock().now() - began);
        deployment.startNode(node);
        deployment.awaitReady(node, 240);
    }

    /**
     * Floods the nodes' own topics, which nobody forwards: those that read are not troubled, and for the frozen one Redis
     * gives up.
     */
    private void overrun(String node, double hold) throws IOException, InterruptedException {
        int port = deployment.redisPorts().getFirst();
        try (Redis redis = new Redis(port, deployment.password(), 5000)) {
            redis.call("CONFIG", "SET", "client-output-buffer-limit", "pubsub 2mb 1mb 2");
            processes.signal(node, "STOP");
            double until = world.clock().now() + hold;
            List<Object> topics = redis.list("PUBSUB", "CHANNELS", "carillon:node:*");
            String junk = "x".repeat(64 * 1024);
            while (world.clock().now() < until) {
                for (Object topic : topics) redis.call("PUBLISH", topic, junk);
                Moment.pause(0.02);
            }
        } finally {
            processes.signal(node, "CONT");
            deployment.everywhere("CONFIG", "SET", "client-output-buffer-limit", "pubsub 256mb 64mb 60");
        }
    }

    private void poison() throws InterruptedException {
        String publish = deployment.clustered() ? "SPUBLISH" : "PUBLISH";
        for (Tenant tenant : World.TENANTS) {
            String broadcast = "carillon:" + tenant.namespace() + ":broadcast:{" + tenant.namespace() + "}";
            String user = "carillon:" + tenant.namespace() + ":user:{u" + random.nextInt(World.TARGETS) + "}";
            for (String topic : List.of(broadcast, user)) {
                List<String> messages = List.of(
                        "",
                        "junk",
                        "{",
                        "[]",
                        "null",
                        "{\"type\":7}",
                        "{\"type\":\"typing\",\"to\":{}}",
                        "{\"type\":\"x\",\"content\":\"" + "y".repeat(600 * 1024) + "\"}",
                        "{\"type\":\"x\",\"content\":" + "[".repeat(200) + "]".repeat(200) + "}",
                        // A place in the history that nobody gave it.
                        "{\"channel\":\"broadcast\",\"offset\":999999,\"epoch\":\"forged\",\"timestamp\":1,\"id\":\"z\",\"type\":\"x\",\"content\":1}",
                        "{\"type\":\"x\",\"offset\":1,\"epoch\":\"forged\",\"content\":1}");
                try (Redis redis = deployment.connect(topic, 2000)) {
                    if (redis == null) continue;
                    for (String message : messages) redis.call(publish, topic, message);
                } catch (IOException e) {
                    // The next topic will do.
                }
            }
        }
        Moment.pause(0.5);
    }
}
