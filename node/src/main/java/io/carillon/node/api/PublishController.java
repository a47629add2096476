package io.carillon.node.api;

import io.carillon.model.channel.ChannelName;
import io.carillon.model.channel.Ids;
import io.carillon.model.channel.Namespace;
import io.carillon.model.event.Event;
import io.carillon.model.event.EventIds;
import io.carillon.model.event.InvalidEventException;
import io.carillon.node.dispatch.Applications;
import io.carillon.node.dispatch.Publisher;
import io.carillon.node.dispatch.Publisher.Published;
import io.carillon.node.presence.PresenceQueries;
import io.swagger.v3.oas.annotations.Operation;
import io.swagger.v3.oas.annotations.media.Content;
import io.swagger.v3.oas.annotations.media.Schema;
import io.swagger.v3.oas.annotations.tags.Tag;
import java.time.Clock;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import org.jspecify.annotations.Nullable;
import org.springframework.http.HttpStatus;
import org.springframework.http.MediaType;
import org.springframework.web.bind.annotation.PathVariable;
import org.springframework.web.bind.annotation.PostMapping;
import org.springframework.web.bind.annotation.RequestAttribute;
import org.springframework.web.bind.annotation.RequestBody;
import org.springframework.web.bind.annotation.RequestHeader;
import org.springframework.web.bind.annotation.RequestMapping;
import org.springframework.web.bind.annotation.RequestParam;
import org.springframework.web.bind.annotation.ResponseStatus;
import org.springframework.web.bind.annotation.RestController;

/** Publishing over HTTP. An answer of 202 means that Redis has the event. */
@RestController
@RequestMapping(path = "/api/ws", produces = MediaType.APPLICATION_JSON_VALUE)
@Tag(name = "Publish")
class PublishController {
    /** The header that makes a retry harmless. */
    static final String RETRY = "Idempotency-Key";

    private static final Duration LONGEST_TO_MANY = Duration.ofSeconds(5);

    private final Publisher publisher;
    private final Applications applications;
    private final PresenceQueries presence;
    private final Namespaces namespaces;
    private final Idempotency idempotency;
    private final Clock clock;

    PublishController(
            Publisher publisher,
            Applications applications,
            PresenceQueries presence,
            Namespaces namespaces,
            Idempotency idempotency,
            Clock clock) {
        this.publisher = publisher;
        this.applications = applications;
        this.presence = presence;
        this.namespaces = namespaces;
        this.idempotency = idempotency;
        this.clock = clock;
    }

    @Operation(summary = "Publish to everyone of a namespace")
    @io.swagger.v3.oas.annotations.parameters.RequestBody(
            required = true,
            content = @Content(schema = @Schema(implementation = EventBody.class)))
    @PostMapping(path = "/broadcast", consumes = MediaType.APPLICATION_JSON_VALUE)
    @ResponseStatus(HttpStatus.ACCEPTED)
    Answers.Accepted broadcast(
            @RequestAttribute(Gate.CALLER) String caller,
            @RequestHeader(name = RETRY, required = false) @Nullable String key,
            @RequestParam(name = "namespace", required = false) @Nullable String namespace,
            @RequestBody byte[] body)
            throws InvalidEventException {
        PublishRequest request = PublishRequest.read(body);
        if (request.to() != null || request.event().room() != null) {
            throw ApiException.badRequest("a broadcast goes to everyone: leave out to and room");
        }
        refuseAck(request.event());
        Namespace in = namespace(namespace, request);
        ChannelName channel =
                applications.place(ChannelName.broadcast(in), request.event()).channel();
        return idempotency.once(
                in,
                caller,
                "broadcast",
                key,
                body,
                Answers.Accepted.class,
                id -> Answers.Accepted.of(publish(channel, named(request.event(), id))));
    }

    @Operation(summary = "Publish to a user, or to up to 1,000")
    @io.swagger.v3.oas.annotations.parameters.RequestBody(
            required = true,
            content = @Content(schema = @Schema(implementation = EventBody.class)))
    @PostMapping(path = "/send", consumes = MediaType.APPLICATION_JSON_VALUE)
    @ResponseStatus(HttpStatus.ACCEPTED)
    Answers.Sent send(
            @RequestAttribute(Gate.CALLER) String caller,
            @RequestHeader(name = RETRY, required = false) @Nullable String key,
            @RequestParam(name = "namespace", required = false) @Nullable String namespace,
            @RequestBody byte[] body)
            throws InvalidEventException {
        PublishRequest request = PublishRequest.read(body);
        List<String> to = request.to();
        if (to == null) throw ApiException.badRequest("to is missing: name the user who gets the event");
        if (request.event().room() != null) {
            throw ApiException.badRequest("name a user in to or use the room's own address, not both");
        }
        Namespace in = namespace(namespace, request);
        ChannelName channel = ChannelName.user(in, to.getFirst());
        for (String user : to) {
            ChannelName named = ChannelName.user(in, user);
            channel = applications.place(named, request.event()).channel();
            if (request.many() && !channel.equals(named)) {
                throw ApiException.badRequest(
                        "an event of this type goes to one receiver and others with him: name one user in to");
            }
        }
        ChannelName target = channel;
        return idempotency.once(in, caller, "send", key, body, Answers.Sent.class, id -> {
            Event event = named(request.event(), id);
            if (request.many()) return sendToMany(in, to, event);
            boolean online = presence.isOnline(in, to.getFirst());
            Answers.Accepted accepted = Answers.Accepted.of(
                    publish(target, event.with().to(to.getFirst()).build()));
            return new Answers.Sent(accepted.id(), accepted.offset(), accepted.epoch(), online);
        });
    }

    private Answers.Sent sendToMany(Namespace namespace, List<String> to, Event event) {
        long online = presence.onlineOf(namespace, to).size();
        boolean durable = namespaces.durable(namespace, event);
        Event one = event.id() == null ? named(event, EventIds.next(clock.millis())) : event;
        var all = new ArrayList<CompletableFuture<Published>>();
        for (String user : to) {
            all.add(publisher
                    .publish(
                            ChannelName.user(namespace, user),
                            one.with().to(user).build(),
                            durable,
                            null)
                    .toCompletableFuture());
        }
        Waits.answer(CompletableFuture.allOf(all.toArray(CompletableFuture[]::new)), LONGEST_TO_MANY);
        return new Answers.Sent(all.getFirst().join().id(), null, null, online);
    }

    @Operation(summary = "Publish to a room")
    @io.swagger.v3.oas.annotations.parameters.RequestBody(
            required = true,
            content = @Content(schema = @Schema(implementation = EventBody.class)))
    @PostMapping(path = "/rooms/{room}/broadcast", consumes = MediaType.APPLICATION_JSON_VALUE)
    @ResponseStatus(HttpStatus.ACCEPTED)
    Answers.Accepted broadcastToRoom(
            @RequestAttribute(Gate.CALLER) String caller,
            @RequestHeader(name = RETRY, required = false) @Nullable String key,
            @PathVariable("room") String room,
            @RequestParam(name = "namespace", required = false) @Nullable String namespace,
            @RequestBody byte[] body)
            throws InvalidEventException {
        Ids.check(room, "room");
        PublishRequest request = PublishRequest.read(body);
        String said = request.event().room();
        if (request.to() != null || said != null && !said.equals(room)) {
            throw ApiException.badRequest("the address names the room: leave out to and room");
        }
        refuseAck(request.event());
        Namespace in = namespace(namespace, request);
        ChannelName channel =
                applications.place(ChannelName.room(in, room), request.event()).channel();
        return idempotency.once(in, caller, "room/" + room, key, body, Answers.Accepted.class, id -> {
            Event event = named(request.event(), id).with().room(room).build();
            return Answers.Accepted.of(publish(channel, event));
        });
    }

    private Published publish(ChannelName channel, Event event) {
        return Waits.answer(publisher.publish(channel, event, namespaces.durable(channel.namespace(), event), null));
    }

    private static void refuseAck(Event event) {
        if (event.ack()) throw ApiException.badRequest("only an event for users is acknowledged: leave out ack");
    }

    /** The event with the id that belongs to the caller's key, unless the caller named it. */
    private static Event named(Event event, @Nullable String id) {
        return event.id() != null || id == null ? event : event.with().id(id).build();
    }

    private Namespace namespace(@Nullable String parameter, PublishRequest request) {
        String said = request.namespace();
        if (parameter != null && said != null && !parameter.equals(said)) {
            throw ApiException.badRequest("the address and the body name different namespaces");
        }
        return namespaces.named(said != null ? said : parameter);
    }
}
