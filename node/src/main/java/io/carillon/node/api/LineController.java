package io.carillon.node.api;

import com.fasterxml.jackson.annotation.JsonProperty;
import io.carillon.model.channel.Namespace;
import io.carillon.node.app.ActivationCodes;
import io.carillon.node.dispatch.ClusterControl;
import io.swagger.v3.oas.annotations.Operation;
import io.swagger.v3.oas.annotations.media.Content;
import io.swagger.v3.oas.annotations.media.Schema;
import io.swagger.v3.oas.annotations.responses.ApiResponse;
import io.swagger.v3.oas.annotations.tags.Tag;
import org.jspecify.annotations.Nullable;
import org.springframework.http.HttpStatus;
import org.springframework.http.MediaType;
import org.springframework.http.ResponseEntity;
import org.springframework.web.bind.annotation.DeleteMapping;
import org.springframework.web.bind.annotation.GetMapping;
import org.springframework.web.bind.annotation.PathVariable;
import org.springframework.web.bind.annotation.PutMapping;
import org.springframework.web.bind.annotation.RequestAttribute;
import org.springframework.web.bind.annotation.RequestBody;
import org.springframework.web.bind.annotation.RequestMapping;
import org.springframework.web.bind.annotation.RequestParam;
import org.springframework.web.bind.annotation.ResponseStatus;
import org.springframework.web.bind.annotation.RestController;
import tools.jackson.core.JacksonException;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;

/**
 * The activation codes of the line application's Windows clients. A call that failed half way may be made again: what it
 * left undone is done then.
 */
@RestController
@RequestMapping("/api/line/activation-codes/{code}")
@Tag(name = "Line")
class LineController {
    private static final String DEFAULT = "line";
    private static final JsonMapper JSON = JsonMapper.shared();

    private final ActivationCodes codes;
    private final ClusterControl control;
    private final Namespaces namespaces;

    LineController(ActivationCodes codes, ClusterControl control, Namespaces namespaces) {
        this.codes = codes;
        this.control = control;
        this.namespaces = namespaces;
    }

    /** The body of a put, for the API's description. */
    @Schema(name = "CodeGroup")
    record CodeGroup(
            @JsonProperty("group_id")
            @Schema(
                    type = "integer",
                    format = "int64",
                    minimum = "1",
                    maximum = "9007199254740991",
                    example = "1",
                    requiredMode = Schema.RequiredMode.REQUIRED)
            long groupId) {}

    @Operation(
            summary = "Give a group an activation code",
            description = "A code of another group is moved; the sessions opened with it are closed (4503).")
    @ApiResponse(responseCode = "200", description = "the code was there already")
    @ApiResponse(responseCode = "201", description = "the code is new")
    @io.swagger.v3.oas.annotations.parameters.RequestBody(
            required = true,
            content = @Content(schema = @Schema(implementation = CodeGroup.class)))
    @PutMapping(consumes = MediaType.APPLICATION_JSON_VALUE, produces = MediaType.APPLICATION_JSON_VALUE)
    ResponseEntity<Answers.ActivationCode> put(
            @RequestAttribute(Gate.CALLER) String caller,
            @PathVariable("code") String code,
            @RequestParam(name = "namespace", required = false) @Nullable String namespace,
            @RequestBody byte[] body) {
        Namespace in = namespaces.named(namespace, DEFAULT);
        check(code);
        long group = group(body);
        ActivationCodes.Put done = Waits.answer(codes.put(in, code, group));
        if (done == ActivationCodes.Put.FULL) {
            throw new ApiException(409, "there are as many activation codes as there may be: remove some first");
        }
        if (done == ActivationCodes.Put.MOVED) {
            Waits.answer(control.kick(in, ActivationCodes.user(code)));
            Waits.answer(codes.moved(in, code, group));
        }
        return ResponseEntity.status(done == ActivationCodes.Put.CREATED ? 201 : 200)
                .body(new Answers.ActivationCode(code, group));
    }

    @Operation(summary = "Which group an activation code is of")
    @GetMapping(produces = MediaType.APPLICATION_JSON_VALUE)
    Answers.ActivationCode get(
            @RequestAttribute(Gate.CALLER) String caller,
            @PathVariable("code") String code,
            @RequestParam(name = "namespace", required = false) @Nullable String namespace) {
        Namespace in = namespaces.named(namespace, DEFAULT);
        check(code);
        long group = Waits.answer(codes.find(in, code)).orElseThrow(LineController::unknown);
        return new Answers.ActivationCode(code, group);
    }

    @Operation(summary = "Take an activation code away; the sessions opened with it are closed (4503)")
    @DeleteMapping
    @ResponseStatus(HttpStatus.NO_CONTENT)
    void remove(
            @RequestAttribute(Gate.CALLER) String caller,
            @PathVariable("code") String code,
            @RequestParam(name = "namespace", required = false) @Nullable String namespace) {
        Namespace in = namespaces.named(namespace, DEFAULT);
        check(code);
        boolean known = Waits.answer(codes.remove(in, code));
        // Also where it was gone: the call that took it away may have failed before it came to this.
        Waits.answer(control.kick(in, ActivationCodes.user(code)));
        if (!known) throw unknown();
    }

    private static ApiException unknown() {
        return new ApiException(404, "there is no such activation code");
    }

    private static void check(String code) {
        if (!ActivationCodes.valid(code)) {
            throw ApiException.badRequest("an activation code is " + ActivationCodes.FORM);
        }
    }

    private static long group(byte[] body) {
        JsonNode group;
        try {
            group = JSON.readTree(body).path("group_id");
        } catch (JacksonException e) {
            throw ApiException.badRequest("the body is not valid JSON");
        }
        boolean fine = group.isIntegralNumber()
                && group.canConvertToLong()
                && group.asLong() >= 1
                && group.asLong() <= ActivationCodes.MOST_GROUP;
        if (!fine) {
            throw ApiException.badRequest(
                    "the body is {\"group_id\":…}, a whole number from 1 to " + ActivationCodes.MOST_GROUP);
        }
        return group.asLong();
    }
}
