package io.carillon.node.api;

import com.fasterxml.jackson.annotation.JsonProperty;
import io.swagger.v3.oas.annotations.media.Schema;
import org.jspecify.annotations.Nullable;

/** The body of a publishing call as the API's description shows it; {@link PublishRequest} is what reads it. */
@Schema(
        name = "Event",
        description = "One event. Fields that are not listed are kept and passed on.",
        additionalProperties = Schema.AdditionalPropertiesValue.TRUE)
record EventBody(
        @Schema(description = "unique; the same id twice on one durable channel is one event", pattern = EventBody.ID)
        @Nullable
        String id,

        @Schema(
                description = "what happened",
                pattern = "^[A-Za-z0-9_.:-]{1,64}$",
                example = "order_status",
                requiredMode = Schema.RequiredMode.REQUIRED)
        String type,

        @Schema(description = "the receiving user, or 1 to 1,000 of them; for `send` only") @Nullable
        Object to,

        @Schema(description = "the payload, any JSON, passed through byte for byte") @Nullable
        Object content,

        @Schema(description = "the sending user, if a service speaks for one", pattern = EventBody.ID) @Nullable
        String from,

        @JsonProperty("from_name") @Nullable String fromName,
        @JsonProperty("from_kind") @Nullable String fromKind,

        @Schema(description = "only this session of the user gets it", pattern = EventBody.ID) @Nullable
        String session,

        @Schema(description = "a session that must not get it", pattern = EventBody.ID) @Nullable
        String exclude,

        @Schema(description = "kept in the channel's history; true but for ephemeral types such as typing") @Nullable
        Boolean durable,

        @Schema(description = "redelivered until a session of the user acknowledges it") @Nullable
        Boolean ack,

        @Schema(description = "the application; `push` when left out") @Nullable
        String namespace) {
    static final String ID = "^[A-Za-z0-9._:@~+=-]{1,128}$";
}
