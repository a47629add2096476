package io.carillon.node.api;

import io.carillon.model.channel.ChannelName;
import io.carillon.model.channel.Namespace;
import io.carillon.model.event.Event;
import io.carillon.model.event.EventCodec;
import io.carillon.model.event.InvalidEventException;
import io.carillon.node.backplane.DeadLetters;
import io.carillon.node.backplane.DeadLetters.Letter;
import io.carillon.node.dispatch.Applications;
import io.carillon.node.dispatch.Publisher;
import io.swagger.v3.oas.annotations.Operation;
import io.swagger.v3.oas.annotations.Parameter;
import io.swagger.v3.oas.annotations.media.Content;
import io.swagger.v3.oas.annotations.media.Schema;
import io.swagger.v3.oas.annotations.tags.Tag;
import java.util.List;
import org.jspecify.annotations.Nullable;
import org.springframework.http.HttpStatus;
import org.springframework.http.MediaType;
import org.springframework.web.bind.annotation.DeleteMapping;
import org.springframework.web.bind.annotation.GetMapping;
import org.springframework.web.bind.annotation.PathVariable;
import org.springframework.web.bind.annotation.PostMapping;
import org.springframework.web.bind.annotation.RequestAttribute;
import org.springframework.web.bind.annotation.RequestBody;
import org.springframework.web.bind.annotation.RequestHeader;
import org.springframework.web.bind.annotation.RequestMapping;
import org.springframework.web.bind.annotation.RequestParam;
import org.springframework.web.bind.annotation.ResponseStatus;
import org.springframework.web.bind.annotation.RestController;

/** What could not be delivered, of all namespaces: seeing it, sending it again, taking it away. */
@RestController
@RequestMapping("/api/ws/dead-letters")
@Tag(name = "Dead letters")
class DeadLetterController {
    private final DeadLetters letters;
    private final Publisher publisher;
    private final Applications applications;
    private final Namespaces namespaces;
    private final Idempotency idempotency;

    DeadLetterController(
            DeadLetters letters,
            Publisher publisher,
            Applications applications,
            Namespaces namespaces,
            Idempotency idempotency) {
        this.letters = letters;
        this.publisher = publisher;
        this.applications = applications;
        this.namespaces = namespaces;
        this.idempotency = idempotency;
    }

    @Operation(summary = "What could not be delivered, the newest first")
    @GetMapping(produces = MediaType.APPLICATION_JSON_VALUE)
    Answers.DeadLetters list(
            @RequestAttribute(Gate.CALLER) String caller,
            @Parameter(
                            description = "most entries of the page, 1 to 1,000",
                            schema = @Schema(type = "integer", minimum = "1", maximum = "1000"))
                    @RequestParam(name = "limit", required = false)
                    @Nullable
                    String limit,
            @Parameter(description = "`next_cursor` of the page before")
                    @RequestParam(name = "cursor", required = false)
                    @Nullable
                    String cursor) {
        int most = Pages.limit(limit);
        if (cursor != null && !DeadLetters.validId(cursor)) {
            throw ApiException.badRequest("cursor must be the next_cursor of the page before");
        }
        List<Letter> page = Waits.answer(letters.list(cursor, most + 1));
        String next = page.size() > most ? page.get(most - 1).id() : null;
        return new Answers.DeadLetters(
                page.stream().limit(most).map(Answers.DeadLetter::of).toList(), next);
    }

    @Operation(
            summary = "Publish a dead letter, as it is or repaired, and take it away",
            description = "Without a body the message is published as it was kept, which needs that all of it was and "
                    + "that what was wrong is right by now. The event's id is the letter's unless it has one, so that "
                    + "a replay that is repeated is one event.")
    @io.swagger.v3.oas.annotations.parameters.RequestBody(
            required = false,
            description = "the event to publish in its place",
            content = @Content(schema = @Schema(implementation = EventBody.class)))
    @PostMapping(
            path = "/{id}/replay",
            consumes = MediaType.APPLICATION_JSON_VALUE,
            produces = MediaType.APPLICATION_JSON_VALUE)
    @ResponseStatus(HttpStatus.ACCEPTED)
    Answers.Accepted replay(
            @RequestAttribute(Gate.CALLER) String caller,
            @RequestHeader(name = PublishController.RETRY, required = false) @Nullable String key,
            @PathVariable("id") String id,
            @Parameter(description = "where to, if not where the letter was for: `push:user:u1`")
                    @RequestParam(name = "channel", required = false)
                    @Nullable
                    String channel,
            @RequestBody(required = false) byte @Nullable [] body) {
        byte[] given = body == null ? new byte[0] : body;
        String call = "replay " + id + " " + (channel == null ? "" : channel);
        return idempotency.once(Namespace.PUSH, caller, call, key, given, Answers.Accepted.class, name -> {
            Letter letter = find(id);
            Applications.Placed placed =
                    place(channel(channel == null ? letter.channel() : channel), event(letter, given));
            boolean durable = namespaces.durable(placed.channel().namespace(), placed.event());
            var published = Waits.answer(publisher.publish(placed.channel(), placed.event(), durable, null));
            Waits.answer(letters.remove(id));
            return Answers.Accepted.of(published);
        });
    }

    @Operation(summary = "Take a dead letter away")
    @DeleteMapping("/{id}")
    @ResponseStatus(HttpStatus.NO_CONTENT)
    void remove(@RequestAttribute(Gate.CALLER) String caller, @PathVariable("id") String id) {
        if (!DeadLetters.validId(id) || !Waits.answer(letters.remove(id))) throw gone();
    }

    private Letter find(String id) {
        if (!DeadLetters.validId(id)) throw gone();
        return Waits.answer(letters.find(id)).orElseThrow(DeadLetterController::gone);
    }

    private static ApiException gone() {
        return new ApiException(404, "there is no such dead letter");
    }

    private Applications.Placed place(ChannelName named, Event event) {
        try {
            return applications.place(named, event);
        } catch (InvalidEventException e) {
            throw ApiException.badRequest(e.sentence());
        }
    }

    private ChannelName channel(String text) {
        int colon = text.indexOf(':');
        ChannelName name = null;
        if (colon > 0 && namespaces.serves(text.substring(0, colon))) {
            name = ChannelName.parse(new Namespace(text.substring(0, colon)), text.substring(colon + 1));
        }
        if (name == null) {
            throw ApiException.badRequest(
                    "the letter is for no channel there is: name one in channel, such as push:user:u1");
        }
        return name;
    }

    private static Event event(Letter letter, byte[] given) {
        boolean repaired = given.length > 0;
        if (!repaired && letter.cut()) {
            throw ApiException.badRequest("only the first " + letter.message().length + " of " + letter.size()
                    + " bytes are kept: send the event as the body");
        }
        Event event;
        try {
            event = EventCodec.read(repaired ? given : letter.message());
        } catch (InvalidEventException e) {
            throw ApiException.badRequest(e.sentence());
        }
        PublishRequest.checkType(event);
        // What came from a channel has its id there already, and would count as a duplicate of itself.
        boolean own = repaired || letter.source().startsWith("ingress:");
        return own && event.id() != null
                ? event
                : event.with().id("dl-" + letter.id()).build();
    }
}
