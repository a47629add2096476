package io.carillon.node.api;

import io.carillon.node.app.Chat;
import io.carillon.node.app.MessageLog.Outcome;
import io.carillon.node.app.MessageLog.Page;
import io.carillon.node.identity.Principal;
import io.carillon.node.presence.PresenceQueries;
import io.swagger.v3.oas.annotations.Operation;
import io.swagger.v3.oas.annotations.Parameter;
import io.swagger.v3.oas.annotations.media.Content;
import io.swagger.v3.oas.annotations.media.Schema;
import io.swagger.v3.oas.annotations.responses.ApiResponse;
import io.swagger.v3.oas.annotations.security.SecurityRequirement;
import io.swagger.v3.oas.annotations.tags.Tag;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;
import org.springframework.http.HttpHeaders;
import org.springframework.http.MediaType;
import org.springframework.http.ResponseEntity;
import org.springframework.web.bind.annotation.GetMapping;
import org.springframework.web.bind.annotation.PostMapping;
import org.springframework.web.bind.annotation.RequestBody;
import org.springframework.web.bind.annotation.RequestHeader;
import org.springframework.web.bind.annotation.RequestMapping;
import org.springframework.web.bind.annotation.RequestParam;
import org.springframework.web.bind.annotation.RestController;

/** The chat over HTTP, for clients that poll and to catch up. The same token as at the handshake. */
@RestController
@RequestMapping(path = "/api/chat", produces = MediaType.APPLICATION_JSON_VALUE)
@Tag(name = "Chat")
@SecurityRequirement(name = Gate.USER_TOKEN)
class ChatController {
    private final Callers callers;
    private final PresenceQueries presence;

    ChatController(Callers callers, PresenceQueries presence) {
        this.callers = callers;
        this.presence = presence;
    }

    @Operation(
            summary = "Say something to everyone",
            description =
                    "Counts as a message on the socket does. The same `client_id` again is answered with the first "
                            + "message (200), and nothing is sent; so is the same `Idempotency-Key` where there is no `client_id`.")
    @io.swagger.v3.oas.annotations.parameters.RequestBody(
            required = true,
            content = @Content(schema = @Schema(implementation = Answers.ChatPost.class)))
    @ApiResponse(
            responseCode = "201",
            description = "stored and sent",
            content = @Content(schema = @Schema(implementation = Answers.ChatMessage.class)))
    @ApiResponse(
            responseCode = "200",
            description = "stored before",
            content = @Content(schema = @Schema(implementation = Answers.ChatMessage.class)))
    @PostMapping(path = "/messages", consumes = MediaType.APPLICATION_JSON_VALUE)
    ResponseEntity<Answers.ChatMessage> post(
            @Parameter(hidden = true) @RequestHeader(name = HttpHeaders.AUTHORIZATION, required = false) @Nullable
                    String authorization,
            @RequestHeader(name = PublishController.RETRY, required = false) @Nullable String key,
            @RequestParam(name = "namespace", required = false) @Nullable String namespace,
            @Parameter(hidden = true) @RequestParam Map<String, String> query,
            @RequestBody byte[] body) {
        var served = callers.served(Chat.class, "chat", namespace);
        Principal sender = callers.client(served, authorization, query);
        MessageBody message = MessageBody.read(body);
        String content = message.content();
        String wrong = served.application().wrong(content);
        if (wrong != null) throw ApiException.badRequest(wrong);
        String mark = message.text("client_id", Chat.MAX_CLIENT_ID);
        if (mark != null && mark.isEmpty()) throw ApiException.badRequest("client_id is empty: leave it out");
        if (key != null) Idempotency.check(key);
        Outcome outcome =
                Waits.answer(served.application().post(served.endpoint().namespace(), sender, content, mark, key));
        return switch (outcome) {
            case Outcome.Stored stored ->
                ResponseEntity.status(stored.repeated() ? 200 : 201)
                        .body(Answers.read(stored.message(), Answers.ChatMessage.class));
            case Outcome.Conflict conflict -> throw Idempotency.conflict();
            case Outcome.Limited limited -> throw new ApiException(429, "too many messages; send fewer a second");
        };
    }

    @Operation(
            summary = "What was said behind a message",
            description =
                    "For clients that poll, and to catch up after a reconnect. A page ends at `limit` messages or "
                            + "2 MiB; `has_more` says whether there are further ones.")
    @GetMapping("/messages/new")
    Answers.ChatMessages after(
            @Parameter(hidden = true) @RequestHeader(name = HttpHeaders.AUTHORIZATION, required = false) @Nullable
                    String authorization,
            @Parameter(
                            description = "id of the message before the first; 0 when left out",
                            schema = @Schema(type = "integer", minimum = "0"))
                    @RequestParam(name = "after_id", required = false)
                    @Nullable
                    String after,
            @Parameter(
                            description = "most messages of the page, 1 to 1,000; 100 when left out",
                            schema = @Schema(type = "integer", minimum = "1", maximum = "1000"))
                    @RequestParam(name = "limit", required = false)
                    @Nullable
                    String limit,
            @RequestParam(name = "namespace", required = false) @Nullable String namespace,
            @Parameter(hidden = true) @RequestParam Map<String, String> query) {
        var served = callers.served(Chat.class, "chat", namespace);
        callers.client(served, authorization, query);
        Page page = Waits.answer(
                served.application().after(served.endpoint().namespace(), Pages.after(after), Pages.limit(limit)));
        return new Answers.ChatMessages(
                page.messages().stream()
                        .map(message -> Answers.read(message, Answers.ChatMessage.class))
                        .toList(),
                page.more());
    }

    @Operation(summary = "Who is online, over all nodes", description = "1,000 users a page where no limit is given.")
    @GetMapping("/online-users")
    Answers.ChatMembers members(
            @Parameter(hidden = true) @RequestHeader(name = HttpHeaders.AUTHORIZATION, required = false) @Nullable
                    String authorization,
            @Parameter(schema = @Schema(type = "integer", minimum = "1", maximum = "1000"))
                    @RequestParam(name = "limit", required = false)
                    @Nullable
                    String limit,
            @RequestParam(name = "cursor", required = false) @Nullable String cursor,
            @RequestParam(name = "namespace", required = false) @Nullable String namespace,
            @Parameter(hidden = true) @RequestParam Map<String, String> query) {
        var served = callers.served(Chat.class, "chat", namespace);
        callers.client(served, authorization, query);
        var in = served.endpoint().namespace();
        String most = limit == null ? Integer.toString(PresenceQueries.LARGEST_PAGE) : limit;
        PresenceQueries.Page page = Pages.read(most, upTo -> presence.roomMembers(in, Chat.ROOM, cursor, upTo));
        Map<String, String> names = presence.namesOf(in, Chat.ROOM, page.users());
        List<Answers.ChatMember> users = page.users().stream()
                .map(user -> new Answers.ChatMember(user, served.application().shown(names.getOrDefault(user, user))))
                .toList();
        return new Answers.ChatMembers(presence.roomCount(in, Chat.ROOM), users, page.cursor());
    }
}
