package io.carillon.node.api;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import tools.jackson.databind.JsonNode;

/** Checks answers against the API's own description: the part of JSON Schema that it uses. */
final class Described {
    private final JsonNode api;

    Described(JsonNode api) {
        this.api = api;
    }

    /** The answer has a status, a media type and a body as the call's description says. */
    void holds(String path, String method, ApiIT.Answer answer) {
        JsonNode response =
                api.path("paths").path(path).path(method).path("responses").path(Integer.toString(answer.status()));
        assertThat(response.isMissingNode())
                .as("%s %s answers %s", method, path, answer.status())
                .isFalse();
        if (answer.text().isEmpty()) {
            assertThat(response.path("content").isEmpty()).isTrue();
            return;
        }
        String type = answer.header("Content-Type").replaceAll(";.*", "");
        JsonNode schema = response.path("content").path(type).path("schema");
        assertThat(schema.isMissingNode())
                .as("%s %s %s %s", method, path, answer.status(), response)
                .isFalse();
        var wrong = new ArrayList<String>();
        check(schema, answer.json(), "$", wrong);
        assertThat(wrong).as("%s %s: %s", method, path, answer.text()).isEmpty();
    }

    private void check(JsonNode schema, JsonNode value, String where, List<String> wrong) {
        if (schema.has("$ref")) {
            String name = schema.path("$ref").stringValue().replace("#/components/schemas/", "");
            JsonNode found = api.path("components").path("schemas").path(name);
            if (found.isMissingNode()) wrong.add(where + ": no schema " + name);
            check(found, value, where, wrong);
            return;
        }
        if (schema.has("oneOf")) {
            int fits = 0;
            for (JsonNode one : schema.path("oneOf")) {
                var not = new ArrayList<String>();
                check(one, value, where, not);
                if (not.isEmpty()) fits++;
            }
            if (fits != 1) wrong.add(where + ": fits " + fits + " of oneOf");
            return;
        }
        if (schema.has("type") && !is(schema.path("type"), value)) {
            wrong.add(where + ": " + value + " is not " + schema.path("type"));
            return;
        }
        for (JsonNode name : schema.path("required")) {
            if (!value.has(name.stringValue())) wrong.add(where + ": " + name + " is missing");
        }
        if (value.isObject()) {
            for (Map.Entry<String, JsonNode> field : value.properties()) {
                String at = where + '.' + field.getKey();
                JsonNode known = schema.path("properties").path(field.getKey());
                JsonNode additional = schema.path("additionalProperties");
                if (!known.isMissingNode()) check(known, field.getValue(), at, wrong);
                else if (additional.isObject()) check(additional, field.getValue(), at, wrong);
                else if (schema.has("properties")) wrong.add(at + " is not described");
            }
        }
        if (value.isArray()) {
            int i = 0;
            for (JsonNode item : value) check(schema.path("items"), item, where + '[' + i++ + ']', wrong);
        }
    }

    private static boolean is(JsonNode types, JsonNode value) {
        for (JsonNode type : types.isArray() ? types : List.of(types)) {
            boolean fits = switch (type.stringValue()) {
                case "object" -> value.isObject();
                case "array" -> value.isArray();
                case "string" -> value.isString();
                case "boolean" -> value.isBoolean();
                case "integer" -> value.isIntegralNumber();
                case "number" -> value.isNumber();
                case "null" -> value.isNull();
                default -> false;
            };
            if (fits) return true;
        }
        return false;
    }
}
