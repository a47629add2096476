package io.carillon.node.api;

import org.jspecify.annotations.Nullable;
import tools.jackson.core.JacksonException;
import tools.jackson.core.StreamReadFeature;
import tools.jackson.core.json.JsonFactory;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;

/** The body of a call that posts a message: one JSON object. What it has beside the fields asked for is ignored. */
final class MessageBody {
    private static final JsonMapper JSON = JsonMapper.builder(JsonFactory.builder()
                    .enable(StreamReadFeature.STRICT_DUPLICATE_DETECTION)
                    .build())
            .build();

    private final JsonNode fields;

    private MessageBody(JsonNode fields) {
        this.fields = fields;
    }

    /** @throws ApiException when it is no JSON object */
    static MessageBody read(byte[] body) {
        try {
            JsonNode fields = JSON.readTree(body);
            if (fields.isObject()) return new MessageBody(fields);
        } catch (JacksonException e) {
            // Told below; what the parser says would repeat the caller's data.
        }
        throw ApiException.badRequest("the body must be one JSON object in UTF-8, without duplicate fields");
    }

    /** @throws ApiException when there is no such string */
    String content() {
        String content = text("content", Integer.MAX_VALUE);
        if (content == null) throw ApiException.badRequest("content is missing: a message says something");
        return content;
    }

    /**
     * A string; null where there is none.
     *
     * @throws ApiException when it is something else, or has more than so many characters
     */
    @Nullable
    String text(String name, int most) {
        JsonNode value = fields.path(name);
        if (value.isMissingNode() || value.isNull()) return null;
        if (!value.isString()) throw ApiException.badRequest(name + " must be a string");
        if (value.stringValue().length() > most) {
            throw ApiException.badRequest(name + " may have " + most + " characters at most");
        }
        return value.stringValue();
    }

    /** @throws ApiException when it is neither true nor false; false where it is left out */
    boolean flag(String name) {
        JsonNode value = fields.path(name);
        if (value.isMissingNode() || value.isNull()) return false;
        if (!value.isBoolean()) throw ApiException.badRequest(name + " must be true or false");
        return value.booleanValue();
    }

    /** A number, or a string that may be one, as text; null where there is neither. */
    @Nullable
    String number(String name) {
        JsonNode value = fields.path(name);
        if (value.isString()) return value.stringValue();
        return value.isIntegralNumber() ? value.bigIntegerValue().toString() : null;
    }
}
