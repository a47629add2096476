package io.carillon.model.publish;

import io.carillon.model.channel.ChannelName;
import io.carillon.model.channel.Ids;
import io.carillon.model.channel.Namespace;
import io.carillon.model.channel.Position;
import io.carillon.model.event.Event;
import io.carillon.model.event.EventCodec;
import io.carillon.model.event.EventIds;
import io.carillon.model.event.InvalidEventException;
import io.carillon.model.event.Payload;
import io.carillon.model.redis.Keys;
import io.carillon.model.redis.Script;
import java.nio.charset.StandardCharsets;
import java.time.InstantSource;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.function.Function;
import org.jspecify.annotations.Nullable;

/**
 * Publishes a service's events to the clients of the cluster, straight into Redis.
 *
 * <pre>
 * publisher.toUser("push", "u1", "order_status", Map.of("status", "shipped"));           // the configured way
 * publisher.toUser("push", "u1", "order_status", content, "order-991-shipped");          // once, however often called
 * publisher.by(Way.PLAIN).toRoom("push", "7", "cursor", content);                        // at most once
 * </pre>
 *
 * <p>The content is any object Jackson writes, or a {@link Payload} that is JSON already. Calls block until Redis has
 * answered; safe from any thread. What breaks a rule of the contract is refused with {@link IllegalArgumentException}
 * before anything is sent; what Redis does not take fails with {@link PublishException}, which names the id to repeat it
 * with.
 *
 * <pre>
 * PLAIN    PUBLISH carillon:push:user:{u1} &lt;event&gt;               SPUBLISH in Cluster
 * DURABLE  EVALSHA publish.lua 1 carillon:push:user:{u1} &lt;event&gt; &lt;id&gt;
 * INGRESS  XADD carillon:ingress:{orders} * channel push:user:u1 event &lt;event&gt;
 * </pre>
 */
public final class EventPublisher {
    /** The largest event, in bytes: content of 512 KiB, and 16 KiB for the other fields. */
    public static final int MAX_EVENT = 540_672;

    private final PublisherLink link;
    private final Keys keys;
    private final Way way;
    private final @Nullable String service;
    private final Function<Object, byte[]> json;
    private final InstantSource clock;

    EventPublisher(
            PublisherLink link,
            Keys keys,
            Way way,
            @Nullable String service,
            Function<Object, byte[]> json,
            InstantSource clock) {
        this.link = link;
        this.keys = keys;
        this.way = way;
        this.service = service;
        this.json = json;
        this.clock = clock;
        if (service != null) Ids.check(service, "service");
        if (way == Way.INGRESS && service == null) {
            throw new IllegalArgumentException(
                    "carillon.publisher.service names the ingress stream: set it, or spring.application.name");
        }
    }

    /** The same publisher, going this way. */
    public EventPublisher by(Way other) {
        return other == way ? this : new EventPublisher(link, keys, other, service, json, clock);
    }

    /** Publishes to all sessions of a user. */
    public Published toUser(String namespace, String user, String type, @Nullable Object content) {
        return toUser(namespace, user, type, content, null);
    }

    /** The same under an id: on a durable way, the same id twice is one event. */
    public Published toUser(String namespace, String user, String type, @Nullable Object content, @Nullable String id) {
        return publish(ChannelName.user(new Namespace(namespace), user), event(type, content, id));
    }

    /** Publishes to everyone in a room. */
    public Published toRoom(String namespace, String room, String type, @Nullable Object content) {
        return toRoom(namespace, room, type, content, null);
    }

    /** The same under an id. */
    public Published toRoom(String namespace, String room, String type, @Nullable Object content, @Nullable String id) {
        return publish(ChannelName.room(new Namespace(namespace), room), event(type, content, id));
    }

    /** Publishes to everyone in the namespace. */
    public Published toBroadcast(String namespace, String type, @Nullable Object content) {
        return toBroadcast(namespace, type, content, null);
    }

    /** The same under an id. */
    public Published toBroadcast(String namespace, String type, @Nullable Object content, @Nullable String id) {
        return publish(ChannelName.broadcast(new Namespace(namespace)), event(type, content, id));
    }

    /** Publishes an event with any of the fields a service may set; one without an id gets one. */
    public Published publish(ChannelName channel, Event event) {
        String id = event.id() == null ? EventIds.next(clock.millis()) : event.id();
        byte[] bytes = checked(event.with()
                .id(id)
                .timestamp(way == Way.PLAIN ? clock.millis() : 0)
                .channel(null)
                .position(null)
                .build());
        try {
            return switch (way) {
                case PLAIN -> new Published(id, null, false, link.publish(keys.channel(channel), bytes));
                case DURABLE -> append(channel, bytes, id);
                case INGRESS -> {
                    String stream = keys.ingress(String.valueOf(service));
                    Map<String, byte[]> fields = new LinkedHashMap<>();
                    fields.put("channel", utf8(channel.namespace() + ":" + channel.label()));
                    fields.put("event", bytes);
                    link.add(stream, fields);
                    yield new Published(id, null, false, 0);
                }
            };
        } catch (RuntimeException e) {
            throw new PublishException(
                    id, "Redis did not take the event; publish it again with the same id: " + reason(e), e);
        }
    }

    private Published append(ChannelName channel, byte[] event, String id) {
        List<Object> reply = link.run(Script.PUBLISH, keys.channel(channel), event, utf8(id));
        String epoch = new String((byte[]) reply.get(1), StandardCharsets.UTF_8);
        return new Published(
                id, new Position(epoch, (Long) reply.get(0)), (Long) reply.get(3) == 1, (Long) reply.get(4));
    }

    private Event event(String type, @Nullable Object content, @Nullable String id) {
        if (id != null) Ids.check(id, "event");
        Payload payload = null;
        if (content instanceof Payload already) payload = already;
        else if (content != null) payload = Payload.ofJson(json.apply(content));
        return Event.of(type, payload).with().id(id).build();
    }

    /** The event as JSON, read again by the rules that nodes have. */
    private static byte[] checked(Event event) {
        byte[] bytes = EventCodec.write(event);
        if (bytes.length > MAX_EVENT) {
            throw new IllegalArgumentException(
                    "the event is " + bytes.length + " bytes; at most " + MAX_EVENT + " are allowed");
        }
        try {
            EventCodec.read(bytes);
        } catch (InvalidEventException e) {
            throw new IllegalArgumentException(e.sentence(), e);
        }
        return bytes;
    }

    private static String reason(Throwable failure) {
        Throwable cause = failure;
        while (cause.getCause() != null) cause = cause.getCause();
        return String.valueOf(cause.getMessage());
    }

    private static byte[] utf8(String text) {
        return text.getBytes(StandardCharsets.UTF_8);
    }
}
