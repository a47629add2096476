package io.carillon.model.event;

import io.carillon.model.channel.Position;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * One event, as services publish it and the cluster carries it. Immutable. Ids and the type are checked by
 * {@link EventCodec}, which is how events come in from outside.
 *
 * @param id unique name, and idempotency key of a durable event; null when a plain publisher gave none
 * @param type what happened: 1 to 64 of {@code A-Za-z0-9_.:-}
 * @param from the sending user's id; null for a service
 * @param fromName the sending user's display name
 * @param fromKind the sending user's kind
 * @param to the receiving user's id
 * @param room the room
 * @param session only this session gets it
 * @param content the payload, byte for byte; null when there is none
 * @param timestamp milliseconds since the epoch, UTC; 0 until the cluster accepts the event
 * @param durable whether it is kept in the channel's history; null when the publisher did not say
 * @param channel label of the channel it was published on; null until then
 * @param position place in the channel's history; only on durable events that Redis has
 * @param ack whether it is redelivered until a session of the user acknowledges it
 * @param exclude a session that must not get it
 * @param extra fields the contract does not know, kept and passed on, in their order
 */
public record Event(
        @Nullable String id,
        String type,
        @Nullable String from,
        @Nullable String fromName,
        @Nullable String fromKind,
        @Nullable String to,
        @Nullable String room,
        @Nullable String session,
        @Nullable Payload content,
        long timestamp,
        @Nullable Boolean durable,
        @Nullable String channel,
        @Nullable Position position,
        boolean ack,
        @Nullable String exclude,
        Map<String, Payload> extra) {

    /** An event of this type and content, from nobody to nobody yet. */
    public static Event of(String type, @Nullable Payload content) {
        return new Builder(type).content(content).build();
    }

    /** A builder that starts as this event. */
    public Builder with() {
        return new Builder(this);
    }

    /** Collects the fields of an event. Not for sharing between threads. */
    public static final class Builder {
        private @Nullable String id;
        private String type;
        private @Nullable String from;
        private @Nullable String fromName;
        private @Nullable String fromKind;
        private @Nullable String to;
        private @Nullable String room;
        private @Nullable String session;
        private @Nullable Payload content;
        private long timestamp;
        private @Nullable Boolean durable;
        private @Nullable String channel;
        private @Nullable Position position;
        private boolean ack;
        private @Nullable String exclude;
        private Map<String, Payload> extra = Map.of();

        public Builder(String type) {
            this.type = type;
        }

        private Builder(Event event) {
            id = event.id;
            type = event.type;
            from = event.from;
            fromName = event.fromName;
            fromKind = event.fromKind;
            to = event.to;
            room = event.room;
            session = event.session;
            content = event.content;
            timestamp = event.timestamp;
            durable = event.durable;
            channel = event.channel;
            position = event.position;
            ack = event.ack;
            exclude = event.exclude;
            extra = event.extra;
        }

        public Builder id(@Nullable String value) {
            id = value;
            return this;
        }

        public Builder type(String value) {
            type = value;
            return this;
        }

        public Builder from(@Nullable String user, @Nullable String name, @Nullable String kind) {
            from = user;
            fromName = name;
            fromKind = kind;
            return this;
        }

        public Builder to(@Nullable String value) {
            to = value;
            return this;
        }

        public Builder room(@Nullable String value) {
            room = value;
            return this;
        }

        public Builder session(@Nullable String value) {
            session = value;
            return this;
        }

        public Builder content(@Nullable Payload value) {
            content = value;
            return this;
        }

        public Builder timestamp(long value) {
            timestamp = value;
            return this;
        }

        public Builder durable(@Nullable Boolean value) {
            durable = value;
            return this;
        }

        public Builder channel(@Nullable String value) {
            channel = value;
            return this;
        }

        public Builder position(@Nullable Position value) {
            position = value;
            return this;
        }

        public Builder ack(boolean value) {
            ack = value;
            return this;
        }

        public Builder exclude(@Nullable String value) {
            exclude = value;
            return this;
        }

        public Builder extra(Map<String, Payload> value) {
            extra = value;
            return this;
        }

        public Event build() {
            return new Event(
                    id, type, from, fromName, fromKind, to, room, session, content, timestamp, durable, channel,
                    position, ack, exclude, extra);
        }
    }
}
