package io.carillon.node.api;

import io.carillon.model.channel.ChannelName;
import io.carillon.model.channel.Ids;
import io.carillon.model.channel.Namespace;
import io.carillon.model.event.EventCodec;
import io.carillon.model.event.InvalidEventException;
import io.carillon.node.backplane.Backplane;
import io.carillon.node.backplane.Backplane.HistoryRead;
import io.carillon.node.dispatch.Acknowledgements;
import io.carillon.node.dispatch.Acknowledgements.Fate;
import io.swagger.v3.oas.annotations.Operation;
import io.swagger.v3.oas.annotations.Parameter;
import io.swagger.v3.oas.annotations.media.Schema;
import io.swagger.v3.oas.annotations.tags.Tag;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import org.jspecify.annotations.Nullable;
import org.springframework.http.MediaType;
import org.springframework.web.bind.annotation.GetMapping;
import org.springframework.web.bind.annotation.PathVariable;
import org.springframework.web.bind.annotation.RequestAttribute;
import org.springframework.web.bind.annotation.RequestMapping;
import org.springframework.web.bind.annotation.RequestParam;
import org.springframework.web.bind.annotation.RestController;
import tools.jackson.databind.util.RawValue;

/** What became of events: what is kept of a channel, and whether a user has acknowledged one. */
@RestController
@RequestMapping(path = "/api/ws", produces = MediaType.APPLICATION_JSON_VALUE)
@Tag(name = "History")
class HistoryController {
    private final Backplane backplane;
    private final Acknowledgements acknowledgements;
    private final Namespaces namespaces;

    HistoryController(Backplane backplane, Acknowledgements acknowledgements, Namespaces namespaces) {
        this.backplane = backplane;
        this.acknowledgements = acknowledgements;
        this.namespaces = namespaces;
    }

    @Operation(
            summary = "What is kept of a channel",
            description = "Events in order, as push clients see them, and the channel's own position. A page ends at "
                    + "`limit` events or 2 MiB; the next begins behind the offset of its last event.")
    @GetMapping("/history")
    Answers.History history(
            @RequestAttribute(Gate.CALLER) String caller,
            @Parameter(description = "`broadcast`, `user:<id>` or `room:<id>`", example = "room:7", required = true)
                    @RequestParam(name = "channel", required = false)
                    @Nullable
                    String channel,
            @Parameter(
                            description =
                                    "offset of the event before the first; the start of what is kept when left out",
                            schema = @Schema(type = "integer", format = "int64", minimum = "0"))
                    @RequestParam(name = "after", required = false)
                    @Nullable
                    String after,
            @Parameter(
                            description = "most events of the page, 1 to 1,000; 100 when left out",
                            schema = @Schema(type = "integer", minimum = "1", maximum = "1000"))
                    @RequestParam(name = "limit", required = false)
                    @Nullable
                    String limit,
            @RequestParam(name = "namespace", required = false) @Nullable String namespace) {
        Namespace in = namespaces.named(namespace);
        ChannelName name = channel == null ? null : ChannelName.parse(in, channel);
        if (name == null) {
            throw ApiException.badRequest("channel must be broadcast, user:<id> or room:<id>, with an id of 1 to 128 "
                    + "characters of A-Z a-z 0-9 . _ : @ ~ + = -");
        }
        if (after != null && !after.matches("0|[1-9][0-9]{0,14}")) {
            throw ApiException.badRequest("after must be an offset, a number from 0");
        }
        long from = after == null ? 0 : Long.parseLong(after);
        HistoryRead read = Waits.answer(backplane.history(name, from, Pages.limit(limit)));
        List<RawValue> events = new ArrayList<>(read.events().size());
        for (byte[] message : read.events()) {
            try {
                byte[] frame = EventCodec.writeFrame(EventCodec.readStamped(message));
                events.add(new RawValue(new String(frame, StandardCharsets.UTF_8)));
            } catch (InvalidEventException e) {
                // Its place stays empty, as for every reader of the channel.
                continue;
            }
        }
        return new Answers.History(
                name.label(), events, read.top().offset(), read.top().epoch());
    }

    @Operation(
            summary = "Whether a user has acknowledged an event",
            description = "Of an event that was published with `ack`: it is `pending` until a session of the user "
                    + "acknowledges it, `dropped` if too many newer ones came to wait, and `unknown` after 24 hours.")
    @GetMapping("/acks/{id}")
    Answers.Acknowledgement acknowledgement(
            @RequestAttribute(Gate.CALLER) String caller,
            @PathVariable("id") String id,
            @Parameter(description = "the user to whom it went", required = true)
                    @RequestParam(name = "user", required = false)
                    @Nullable
                    String user,
            @RequestParam(name = "namespace", required = false) @Nullable String namespace) {
        Ids.check(id, "event");
        if (user == null) throw ApiException.badRequest("user is missing: name the user to whom the event went");
        Ids.check(user, "user");
        Namespace in = namespaces.named(namespace);
        Fate fate = Waits.answer(acknowledgements.fate(ChannelName.user(in, user), id));
        return new Answers.Acknowledgement(
                id, user, fate.state().name().toLowerCase(Locale.ROOT), fate.since() == 0 ? null : fate.since());
    }
}
