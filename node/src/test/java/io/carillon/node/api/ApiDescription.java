package io.carillon.node.api;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.annotation.JsonProperty;
import io.carillon.node.session.Endpoint;
import io.swagger.v3.core.converter.ModelConverters;
import io.swagger.v3.oas.models.Components;
import io.swagger.v3.oas.models.OpenAPI;
import io.swagger.v3.oas.models.Operation;
import io.swagger.v3.oas.models.PathItem;
import io.swagger.v3.oas.models.SpecVersion;
import io.swagger.v3.oas.models.info.Info;
import io.swagger.v3.oas.models.media.Content;
import io.swagger.v3.oas.models.media.MediaType;
import io.swagger.v3.oas.models.media.Schema;
import io.swagger.v3.oas.models.parameters.Parameter;
import io.swagger.v3.oas.models.responses.ApiResponse;
import io.swagger.v3.oas.models.responses.ApiResponses;
import io.swagger.v3.oas.models.security.SecurityRequirement;
import io.swagger.v3.oas.models.security.SecurityScheme;
import java.lang.reflect.RecordComponent;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.jspecify.annotations.Nullable;
import org.springdoc.core.customizers.OpenApiCustomizer;

/**
 * What the generated description of the API says beside the calls: how to be let in, and how refusals look. Nodes serve the
 * description as a file; it is made and compared in {@link ApiIT}.
 */
final class ApiDescription implements OpenApiCustomizer {
    private static final Map<String, String> REFUSALS = refusals();

    private static Map<String, String> refusals() {
        var refusals = new LinkedHashMap<String, String>();
        refusals.put("400", "a parameter or the body breaks a rule");
        refusals.put("401", "no or a wrong credential");
        refusals.put("404", "no such namespace");
        refusals.put("429", "too many calls with this API key; see Retry-After");
        refusals.put("503", "Redis is away; see Retry-After");
        return refusals;
    }

    static OpenAPI frame() {
        return new OpenAPI()
                .info(new Info()
                        .title("Carillon")
                        .version("1")
                        .description("Publish events to WebSocket clients of the cluster, see who is online, move and "
                                + "close their sessions. Any node answers for all."))
                .components(new Components()
                        .addSecuritySchemes(
                                Gate.API_KEY_BEARER,
                                new SecurityScheme()
                                        .type(SecurityScheme.Type.HTTP)
                                        .scheme("bearer")
                                        .description("an API key"))
                        .addSecuritySchemes(
                                Gate.API_KEY_HEADER,
                                new SecurityScheme()
                                        .type(SecurityScheme.Type.APIKEY)
                                        .in(SecurityScheme.In.HEADER)
                                        .name("X-API-Key")
                                        .description("an API key"))
                        .addSecuritySchemes(
                                Gate.USER_TOKEN,
                                new SecurityScheme()
                                        .type(SecurityScheme.Type.HTTP)
                                        .scheme("bearer")
                                        .bearerFormat("JWT")
                                        .description("the user's token")));
    }

    @Override
    @SuppressWarnings("rawtypes") // as the model of the description has them
    public void customise(OpenAPI api) {
        api.setServers(null);
        ModelConverters.getInstance(true)
                .read(Problem.class)
                .forEach((name, schema) -> api.getComponents().addSchemas(name, schema));
        Map<String, Schema> schemas = api.getComponents().getSchemas();
        for (Class<?> answer : Answers.class.getDeclaredClasses()) require(answer, schemas);
        describeReceivers(schemas.get("Event"));
        api.path(Endpoint.STREAMS, new PathItem().get(stream()));
        api.getPaths().values().forEach(path -> path.readOperations().forEach(ApiDescription::complete));
        assertThat(api.getPaths().values().stream()
                        .flatMap(path -> path.readOperations().stream())
                        .map(Operation::getOperationId))
                .doesNotHaveDuplicates();
    }

    /** Event streams are answered ahead of the HTTP server, so no controller describes them. */
    private static Operation stream() {
        var operation = new Operation()
                .summary("The user's events as server-sent events, for clients without WebSocket")
                .description("Each event's data is a push frame, the id of a durable one an opaque position of all "
                        + "channels. `resync` is sent where continuity is lost, `close` before the end. A stream is a "
                        + "session of its user.")
                .operationId("stream")
                .tags(List.of("Events"))
                .addParametersItem(parameter("query", "channels", "`user:<id>`, `room:<id>`, `broadcast`; 32 at most")
                        .required(true))
                .addParametersItem(parameter("query", "namespace", "`push` when left out"))
                .addParametersItem(parameter("query", "ticket", "in place of the user's token"))
                .addParametersItem(parameter("header", "Last-Event-ID", "goes on behind this id, at any node"))
                .addParametersItem(parameter("query", "last_event_id", "the same, for clients that set no headers"))
                .responses(new ApiResponses()
                        .addApiResponse(
                                "200",
                                new ApiResponse()
                                        .description("the stream")
                                        .content(new Content()
                                                .addMediaType(
                                                        "text/event-stream",
                                                        new MediaType().schema(typed("string"))))));
        operation.setSecurity(List.of(new SecurityRequirement().addList(Gate.USER_TOKEN)));
        refuse(operation, "403", "a channel that is not the user's to have, or a page that may not ask");
        refuse(operation, "404", "no such namespace");
        refuse(operation, "429", "too many sessions of this user or address");
        return operation;
    }

    private static Parameter parameter(String in, String name, String description) {
        return new Parameter().in(in).name(name).description(description).schema(typed("string"));
    }

    /** The field is any object in Java, since the body is read by hand: here it is as on the wire. */
    private static void describeReceivers(@Nullable Schema<?> event) {
        Schema<?> to = event == null ? null : event.getProperties().get("to");
        if (to == null) return;
        Schema<?> user = typed("string").pattern(EventBody.ID);
        Schema<?> users = typed("array").items(user).minItems(1).maxItems(PublishRequest.MAX_RECEIVERS);
        to.setOneOf(List.of(user, users));
    }

    private static Schema<?> typed(String type) {
        return new Schema<>(SpecVersion.V31).types(Set.of(type));
    }

    /** Says which fields of an answer are always there: those that are not nullable. */
    @SuppressWarnings("rawtypes")
    private static void require(Class<?> answer, Map<String, Schema> schemas) {
        var name = answer.getAnnotation(io.swagger.v3.oas.annotations.media.Schema.class);
        Schema<?> schema = name == null ? null : schemas.get(name.name());
        if (schema == null) return;
        for (RecordComponent field : answer.getRecordComponents()) {
            if (field.getAnnotatedType().isAnnotationPresent(Nullable.class)) continue;
            JsonProperty written = field.getAccessor().getAnnotation(JsonProperty.class);
            schema.addRequiredItem(written == null ? field.getName() : written.value());
        }
    }

    private static void complete(Operation operation) {
        operation.setOperationId(name(operation));
        if (operation.getSecurity() == null) {
            operation.setSecurity(List.of(
                    new SecurityRequirement().addList(Gate.API_KEY_BEARER),
                    new SecurityRequirement().addList(Gate.API_KEY_HEADER)));
        }
        REFUSALS.forEach((status, what) -> refuse(operation, status, what));
        if (operation.getRequestBody() != null) {
            refuse(operation, "413", "the body is larger than 1 MiB");
            refuse(operation, "415", "the body is not application/json");
            refuse(operation, "422", "the Idempotency-Key came with another body before");
        }
    }

    /**
     * Of two methods of one name it is chance which is found first, and the second gets a number: the names of their groups
     * before them say which is which, and stay.
     */
    private static String name(Operation operation) {
        String group = operation.getTags().getFirst().replace(" ", "");
        String method = operation.getOperationId().replaceFirst("_\\d+$", "");
        return Character.toLowerCase(group.charAt(0))
                + group.substring(1)
                + Character.toUpperCase(method.charAt(0))
                + method.substring(1);
    }

    private static void refuse(Operation operation, String status, String what) {
        Schema<?> schema = new Schema<>().$ref("#/components/schemas/Problem");
        operation
                .getResponses()
                .addApiResponse(
                        status,
                        new ApiResponse()
                                .description(what)
                                .content(new Content()
                                        .addMediaType("application/problem+json", new MediaType().schema(schema))));
    }
}
