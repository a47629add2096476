package io.carillon.client;

import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpRequest.BodyPublishers;
import java.net.http.HttpResponse;
import java.net.http.HttpResponse.BodyHandlers;
import java.util.concurrent.CompletableFuture;
import tools.jackson.core.JacksonException;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;
import tools.jackson.databind.node.MissingNode;

/** Calls of the JDK's {@link HttpClient}. */
final class HttpCalls implements Calls {
    private static final JsonMapper JSON = JsonMapper.shared();

    private final HttpClient http;

    HttpCalls(HttpClient http) {
        this.http = http;
    }

    @Override
    public CompletableFuture<Answer> make(Call call) {
        var request = HttpRequest.newBuilder(call.address()).header("Accept", "application/json");
        call.headers().forEach(request::header);
        if (call.body() != null) {
            request.header("Content-Type", "application/json").POST(BodyPublishers.ofString(call.body()));
        }
        return http.sendAsync(request.build(), BodyHandlers.ofString()).thenApply(HttpCalls::answer);
    }

    private static Answer answer(HttpResponse<String> response) {
        long retryAfter = response.headers()
                .firstValue("Retry-After")
                .map(WebSockets::seconds)
                .orElse(0L);
        return new Answer(response.statusCode(), retryAfter, parsed(response.body()));
    }

    private static JsonNode parsed(String text) {
        try {
            return JSON.readTree(text);
        } catch (JacksonException e) {
            return MissingNode.getInstance();
        }
    }
}
