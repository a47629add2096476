package io.carillon.node.api;

import io.carillon.node.app.Conversation;
import io.carillon.node.app.MessageLog.Outcome;
import io.carillon.node.app.MessageLog.Page;
import io.carillon.node.identity.Principal;
import io.swagger.v3.oas.annotations.Operation;
import io.swagger.v3.oas.annotations.Parameter;
import io.swagger.v3.oas.annotations.media.Content;
import io.swagger.v3.oas.annotations.media.Schema;
import io.swagger.v3.oas.annotations.responses.ApiResponse;
import io.swagger.v3.oas.annotations.security.SecurityRequirement;
import io.swagger.v3.oas.annotations.tags.Tag;
import java.util.HashMap;
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

/**
 * What is said in conversations. Who calls is judged as at the handshake of {@code /ws}; an API key is an agent's
 * identity.
 */
@RestController
@RequestMapping(path = "/messages", produces = MediaType.APPLICATION_JSON_VALUE)
@Tag(name = "Conversation")
@SecurityRequirement(name = Gate.USER_TOKEN)
@SecurityRequirement(name = Gate.API_KEY_BEARER)
@SecurityRequirement(name = Gate.API_KEY_HEADER)
@ApiResponse(
        responseCode = "403",
        description = "the token is for another conversation, or not an agent's",
        content =
                @Content(
                        mediaType = MediaType.APPLICATION_PROBLEM_JSON_VALUE,
                        schema = @Schema(implementation = Problem.class)))
class ConversationController {
    private static final String ID = "conversation_id";

    private final Callers callers;

    ConversationController(Callers callers) {
        this.callers = callers;
    }

    @Operation(
            summary = "Say something in a conversation",
            description =
                    "Stores the message and pushes it to every session of the conversation. A retry with the same "
                            + "`Idempotency-Key` is answered with the first message (200) and pushes nothing.")
    @io.swagger.v3.oas.annotations.parameters.RequestBody(
            required = true,
            content = @Content(schema = @Schema(implementation = Answers.ConversationPost.class)))
    @ApiResponse(
            responseCode = "201",
            description = "stored and pushed",
            content = @Content(schema = @Schema(implementation = Answers.ConversationMessage.class)))
    @ApiResponse(
            responseCode = "200",
            description = "stored before",
            content = @Content(schema = @Schema(implementation = Answers.ConversationMessage.class)))
    @PostMapping(consumes = MediaType.APPLICATION_JSON_VALUE)
    ResponseEntity<Answers.ConversationMessage> post(
            @Parameter(hidden = true) @RequestHeader(name = HttpHeaders.AUTHORIZATION, required = false) @Nullable
                    String authorization,
            @Parameter(hidden = true) @RequestHeader(name = "X-API-Key", required = false) @Nullable String apiKey,
            @RequestHeader(name = PublishController.RETRY, required = false) @Nullable String key,
            @RequestParam(name = "namespace", required = false) @Nullable String namespace,
            @Parameter(hidden = true) @RequestParam Map<String, String> query,
            @RequestBody byte[] body) {
        var served = callers.served(Conversation.class, "conversation", namespace);
        MessageBody message = MessageBody.read(body);
        String conversation = conversation(message.number(ID));
        boolean agent = agent(served, conversation, authorization, apiKey, query);
        boolean asAgent = message.flag("sender_is_agent");
        if (asAgent && !agent) {
            throw new ApiException(403, "sender_is_agent needs the identity of an agent: leave it out or be one");
        }
        String content = message.content();
        String wrong = served.application().wrong(content);
        if (wrong != null) throw ApiException.badRequest(wrong);
        if (key != null) Idempotency.check(key);
        Outcome outcome = Waits.answer(
                served.application().post(served.endpoint().namespace(), conversation, content, asAgent, key));
        return switch (outcome) {
            case Outcome.Stored stored ->
                ResponseEntity.status(stored.repeated() ? 200 : 201)
                        .body(Answers.read(stored.message(), Answers.ConversationMessage.class));
            case Outcome.Conflict conflict -> throw Idempotency.conflict();
            case Outcome.Limited limited -> throw new ApiException(429, "too many messages: slow down");
        };
    }

    @Operation(
            summary = "What was said in a conversation",
            description =
                    "For clients that poll, and to catch up after a reconnect. A page ends at `limit` messages or "
                            + "2 MiB; `has_more` says whether there are further ones.")
    @GetMapping
    Answers.ConversationMessages after(
            @Parameter(hidden = true) @RequestHeader(name = HttpHeaders.AUTHORIZATION, required = false) @Nullable
                    String authorization,
            @Parameter(hidden = true) @RequestHeader(name = "X-API-Key", required = false) @Nullable String apiKey,
            @Parameter(
                            required = true,
                            schema = @Schema(type = "integer", minimum = "0", maximum = "18446744073709551615"))
                    @RequestParam(name = ID, required = false)
                    @Nullable
                    String id,
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
        var served = callers.served(Conversation.class, "conversation", namespace);
        String conversation = conversation(id);
        agent(served, conversation, authorization, apiKey, query);
        Page page = Waits.answer(served.application()
                .after(served.endpoint().namespace(), conversation, Pages.after(after), Pages.limit(limit)));
        return new Answers.ConversationMessages(
                page.messages().stream()
                        .map(message -> Answers.read(message, Answers.ConversationMessage.class))
                        .toList(),
                page.more());
    }

    private static String conversation(@Nullable String text) {
        String conversation = Conversation.number(text);
        if (conversation == null) {
            throw ApiException.badRequest(ID + " is missing or no unsigned integer of 64 bits");
        }
        return conversation;
    }

    /** Whether an agent calls. */
    private boolean agent(
            Callers.Served<Conversation> served,
            String conversation,
            @Nullable String authorization,
            @Nullable String apiKey,
            Map<String, String> query) {
        if (callers.service(authorization, apiKey)) return true;
        var asked = new HashMap<>(query);
        asked.put(ID, conversation);
        Principal principal = callers.client(served, authorization, asked);
        return Conversation.agent(principal);
    }
}
