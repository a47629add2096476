package io.carillon.loadgen;

import org.jspecify.annotations.Nullable;

/**
 * Publishes as clients do: from WebSocket connections of users of their own, each event to one user or to all. A sender
 * is allowed 20 messages a second unless the server is told otherwise, so {@code rate / senders} should stay below.
 */
final class SocketSink implements Sink {

    private final Fleet fleet;
    private final int senders;
    private final EventText[] events;
    private final Answers answers = new Answers();

    SocketSink(Transport transport, Fleet.Plan plan, EventText[] events) throws InterruptedException {
        this.senders = plan.connections();
        this.fleet = new Fleet(transport, plan);
        this.events = events;
        fleet.open(30);
    }

    /** What the push dialect takes: to each of the users in turn, or to all where there is no prefix. */
    static EventText[] push(@Nullable String userPrefix, int users, int size, boolean durable) {
        EventText[] events = new EventText[userPrefix == null ? 1 : users];
        for (int i = 0; i < events.length; i++) {
            String to = userPrefix == null ? "" : "\"to\":\"" + userPrefix + i + "\",";
            events[i] = new EventText(to + "\"durable\":" + durable + ",", size);
        }
        return events;
    }

    @Override
    public void send(long number, long scheduledNanos) {
        byte[] text = events[(int) (number % events.length)].bytes(scheduledNanos, number);
        int sender = (int) (number % senders);
        ReceivingConnection connection = fleet.connection(sender);
        if (connection == null) {
            answers.failed("sender " + sender + " is not connected");
            return;
        }
        fleet.loop(sender).execute(() -> {
            connection.send(text, true);
            answers.accepted(scheduledNanos, 0);
        });
    }

    @Override
    public void flush() {
        // Each sender's frame has left with send().
    }

    @Override
    public Answers answers() {
        return answers;
    }

    @Override
    public void close() throws InterruptedException {
        if (!fleet.counts().closedByServer().isEmpty()) {
            System.err.println("loadgen: senders closed by the server, by code: "
                    + fleet.counts().closedByServer());
        }
        fleet.close();
    }
}
