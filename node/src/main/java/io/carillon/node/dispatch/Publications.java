package io.carillon.node.dispatch;

import io.carillon.model.channel.ChannelName;
import io.carillon.model.event.Event;
import io.carillon.model.event.EventCodec;
import io.carillon.model.event.EventIds;
import io.carillon.node.backplane.Backplane;
import io.carillon.node.backplane.Backplane.Appended;
import io.carillon.node.backplane.Backplane.Retention;
import io.carillon.node.backplane.Backplane.Source;
import io.carillon.node.session.EndpointSettings;
import java.time.InstantSource;
import java.util.concurrent.CompletionStage;
import org.jspecify.annotations.Nullable;

/** Hands events to the backplane: durable ones to the script that stamps, keeps and publishes them in one step. */
final class Publications implements Publisher {
    private final Backplane backplane;
    private final DispatchSettings settings;
    private final EndpointSettings endpoints;
    private final AckSettings acks;
    private final InstantSource clock;
    private final DispatchMetrics metrics;

    Publications(
            Backplane backplane,
            DispatchSettings settings,
            EndpointSettings endpoints,
            AckSettings acks,
            InstantSource clock,
            DispatchMetrics metrics) {
        this.backplane = backplane;
        this.settings = settings;
        this.endpoints = endpoints;
        this.acks = acks;
        this.clock = clock;
        this.metrics = metrics;
    }

    @Override
    public CompletionStage<Published> publish(
            ChannelName channel, Event event, boolean durable, @Nullable Retention retention) {
        long start = System.nanoTime();
        long now = clock.millis();
        String given = event.id();
        String id = given != null ? given : EventIds.next(now);
        Event.Builder stamped =
                event.with().id(id).durable(null).channel(null).position(null).timestamp(durable ? 0 : now);
        if (!durable || !asks(channel, event)) stamped.ack(false);
        byte[] bytes = EventCodec.write(stamped.build());
        CompletionStage<Published> done;
        if (durable) {
            Retention kept = kept(channel, event, retention != null ? retention : retention(channel));
            done = backplane.append(channel, bytes, id, kept).thenApply(appended -> {
                metrics.unacknowledged(appended.dropped());
                return new Published(id, appended.position(), appended.receivers(), appended.duplicate());
            });
        } else {
            done = backplane.publish(channel, bytes).thenApply(receivers -> new Published(id, null, receivers, false));
        }
        return counted(done, durable, start);
    }

    @Override
    public CompletionStage<Appended> relay(ChannelName channel, Event event, Source source) {
        String id = event.id();
        if (id == null) throw new IllegalArgumentException("an event from a stream has an id");
        long start = System.nanoTime();
        byte[] bytes = EventCodec.write(event.with()
                .durable(null)
                .channel(null)
                .position(null)
                .timestamp(0)
                .ack(asks(channel, event))
                .build());
        Retention kept = kept(channel, event, retention(channel));
        return counted(
                backplane.append(channel, bytes, id, kept, source).thenApply(appended -> {
                    metrics.unacknowledged(appended.dropped());
                    return appended;
                }),
                true,
                start);
    }

    private Retention retention(ChannelName channel) {
        return settings.retention(channel.kind(), endpoints.history(channel.namespace()));
    }

    /** Only what is kept for one user can be sent to him again. */
    private static boolean asks(ChannelName channel, Event event) {
        return event.ack() && channel.kind() == ChannelName.Kind.USER;
    }

    private Retention kept(ChannelName channel, Event event, Retention retention) {
        if (!asks(channel, event)) return retention;
        return new Retention(
                retention.events(),
                retention.seconds(),
                acks.events(),
                Math.toIntExact(acks.age().toSeconds()));
    }

    private <T> CompletionStage<T> counted(CompletionStage<T> publishing, boolean durable, long start) {
        return publishing.whenComplete((published, failure) -> {
            if (failure == null) metrics.published(durable, System.nanoTime() - start);
            else metrics.publishFailed();
        });
    }
}
