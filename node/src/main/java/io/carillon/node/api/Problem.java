package io.carillon.node.api;

import io.swagger.v3.oas.annotations.media.Schema;

/**
 * A refusal as callers see it ({@code application/problem+json}, RFC 9457).
 *
 * @param title the status in words
 * @param status HTTP status
 * @param error one sentence: what is wrong and what is right
 */
@Schema(description = "A refusal, after RFC 9457")
record Problem(
        @Schema(example = "Bad Request", requiredMode = Schema.RequiredMode.REQUIRED)
        String title,

        @Schema(example = "400", requiredMode = Schema.RequiredMode.REQUIRED)
        int status,

        @Schema(
                example = "limit must be a number from 1 to 1000",
                description = "one sentence: what is wrong and what is right",
                requiredMode = Schema.RequiredMode.REQUIRED)
        String error) {}
