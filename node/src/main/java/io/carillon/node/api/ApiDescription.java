package io.carillon.node.api;

import io.swagger.v3.core.converter.ModelConverters;
import io.swagger.v3.oas.models.Components;
import io.swagger.v3.oas.models.OpenAPI;
import io.swagger.v3.oas.models.Operation;
import io.swagger.v3.oas.models.info.Info;
import io.swagger.v3.oas.models.media.Content;
import io.swagger.v3.oas.models.media.MediaType;
import io.swagger.v3.oas.models.media.Schema;
import io.swagger.v3.oas.models.responses.ApiResponse;
import io.swagger.v3.oas.models.security.SecurityRequirement;
import io.swagger.v3.oas.models.security.SecurityScheme;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.springdoc.core.customizers.OpenApiCustomizer;

/** What the generated description of the API says beside the calls: how to be let in, and how refusals look. */
final class ApiDescription implements OpenApiCustomizer {
    static final String API_KEY_BEARER = "apiKeyBearer";
    static final String API_KEY_HEADER = "apiKeyHeader";
    static final String USER_TOKEN = "userToken";

    private static final Map<String, String> REFUSALS = refusals();

    private static Map<String, String> refusals() {
        var refusals = new LinkedHashMap<String, String>();
        refusals.put("400", "a parameter or the body breaks a rule");
        refusals.put("401", "no or a wrong credential");
        refusals.put("404", "no such namespace");
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
                                API_KEY_BEARER,
                                new SecurityScheme()
                                        .type(SecurityScheme.Type.HTTP)
                                        .scheme("bearer")
                                        .description("an API key"))
                        .addSecuritySchemes(
                                API_KEY_HEADER,
                                new SecurityScheme()
                                        .type(SecurityScheme.Type.APIKEY)
                                        .in(SecurityScheme.In.HEADER)
                                        .name("X-API-Key")
                                        .description("an API key"))
                        .addSecuritySchemes(
                                USER_TOKEN,
                                new SecurityScheme()
                                        .type(SecurityScheme.Type.HTTP)
                                        .scheme("bearer")
                                        .bearerFormat("JWT")
                                        .description("the user's token")));
    }

    @Override
    public void customise(OpenAPI api) {
        api.setServers(null);
        ModelConverters.getInstance(true)
                .read(Problem.class)
                .forEach((name, schema) -> api.getComponents().addSchemas(name, schema));
        api.getPaths().values().forEach(path -> path.readOperations().forEach(ApiDescription::complete));
    }

    private static void complete(Operation operation) {
        if (operation.getSecurity() == null) {
            operation.setSecurity(List.of(
                    new SecurityRequirement().addList(API_KEY_BEARER),
                    new SecurityRequirement().addList(API_KEY_HEADER)));
        }
        REFUSALS.forEach((status, what) -> refuse(operation, status, what));
        if (operation.getRequestBody() != null) {
            refuse(operation, "413", "the body is larger than 1 MiB");
            refuse(operation, "415", "the body is not application/json");
            refuse(operation, "422", "the Idempotency-Key came with another body before");
        }
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
