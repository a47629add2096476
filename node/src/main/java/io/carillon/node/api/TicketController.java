package io.carillon.node.api;

import io.carillon.node.identity.Authenticator;
import io.carillon.node.identity.Credentials;
import io.carillon.node.identity.Rule;
import io.carillon.node.identity.Tickets;
import io.carillon.node.identity.Verdict;
import io.swagger.v3.oas.annotations.Operation;
import io.swagger.v3.oas.annotations.Parameter;
import io.swagger.v3.oas.annotations.security.SecurityRequirement;
import io.swagger.v3.oas.annotations.tags.Tag;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;
import org.springframework.http.CacheControl;
import org.springframework.http.HttpHeaders;
import org.springframework.http.MediaType;
import org.springframework.http.ResponseEntity;
import org.springframework.web.bind.annotation.PostMapping;
import org.springframework.web.bind.annotation.RequestHeader;
import org.springframework.web.bind.annotation.RequestMapping;
import org.springframework.web.bind.annotation.RequestParam;
import org.springframework.web.bind.annotation.RestController;

/** Tickets for pages, which can put no header on a WebSocket: the user's token in, something short-lived out. */
@RestController
@RequestMapping("/api/ws")
@Tag(name = "Tickets")
class TicketController {
    private final Authenticator authenticator;
    private final Tickets tickets;
    private final Namespaces namespaces;

    TicketController(Authenticator authenticator, Tickets tickets, Namespaces namespaces) {
        this.authenticator = authenticator;
        this.tickets = tickets;
        this.namespaces = namespaces;
    }

    @Operation(
            summary = "Get a ticket that stands for the user's token",
            security = @SecurityRequirement(name = Gate.USER_TOKEN))
    @io.swagger.v3.oas.annotations.responses.ApiResponse(responseCode = "201")
    @PostMapping(path = "/tickets", produces = MediaType.APPLICATION_JSON_VALUE)
    ResponseEntity<Answers.Ticket> ticket(
            @Parameter(hidden = true) @RequestHeader(name = HttpHeaders.AUTHORIZATION, required = false) @Nullable
                    String authorization,
            @RequestParam(name = "namespace", required = false) @Nullable String namespace) {
        namespaces.named(namespace);
        Verdict verdict = authenticator.authenticate(new Credentials(authorization, List.of(), Map.of()), Rule.STRICT);
        if (verdict instanceof Verdict.Refused refused) {
            throw new ApiException(refused.status(), refused.sentence());
        }
        String token = authorization == null
                ? ""
                : authorization.substring("Bearer ".length()).strip();
        return ResponseEntity.status(201)
                .cacheControl(CacheControl.noStore())
                .body(new Answers.Ticket(tickets.mint(token), Tickets.LIFE.toSeconds()));
    }
}
