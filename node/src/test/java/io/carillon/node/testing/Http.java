package io.carillon.node.testing;

import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.time.Duration;
import org.jspecify.annotations.Nullable;
import tools.jackson.databind.JsonNode;

/** HTTP calls of clients and services, as tests make them. */
public final class Http {
    private static final HttpClient HTTP = HttpClient.newBuilder()
            .version(HttpClient.Version.HTTP_1_1)
            .connectTimeout(Duration.ofSeconds(5))
            .build();

    private Http() {}

    /** What was answered. */
    public record Answer(int status, String body) {
        public JsonNode json() {
            return Client.JSON.readTree(body);
        }
    }

    public static Answer get(String url, String... headers) throws Exception {
        return call("GET", url, null, headers);
    }

    public static Answer post(String url, String body, String... headers) throws Exception {
        return call("POST", url, body, headers);
    }

    private static Answer call(String method, String url, @Nullable String body, String... headers) throws Exception {
        var request = HttpRequest.newBuilder(URI.create(url)).timeout(Duration.ofSeconds(10));
        if (headers.length > 0) request.headers(headers);
        if (body == null) {
            request.method(method, HttpRequest.BodyPublishers.noBody());
        } else {
            request.method(method, HttpRequest.BodyPublishers.ofString(body))
                    .header("Content-Type", "application/json");
        }
        HttpResponse<String> answer = HTTP.send(request.build(), HttpResponse.BodyHandlers.ofString());
        return new Answer(answer.statusCode(), answer.body());
    }
}
