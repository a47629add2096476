package io.carillon.node.api;

import io.carillon.node.identity.ApiKeys;
import io.carillon.node.session.Bucket;
import io.micrometer.core.instrument.Counter;
import io.micrometer.core.instrument.MeterRegistry;
import java.util.List;
import java.util.Locale;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ConcurrentMap;
import java.util.concurrent.atomic.AtomicLong;
import org.jspecify.annotations.Nullable;
import org.springframework.core.annotation.Order;
import org.springframework.core.io.buffer.DataBuffer;
import org.springframework.core.io.buffer.DataBufferLimitException;
import org.springframework.core.io.buffer.DataBufferUtils;
import org.springframework.http.HttpHeaders;
import org.springframework.http.ResponseEntity;
import org.springframework.http.server.PathContainer;
import org.springframework.http.server.reactive.ServerHttpRequest;
import org.springframework.http.server.reactive.ServerHttpRequestDecorator;
import org.springframework.web.server.ServerWebExchange;
import org.springframework.web.server.WebFilter;
import org.springframework.web.server.WebFilterChain;
import org.springframework.web.util.pattern.PathPattern;
import org.springframework.web.util.pattern.PathPatternParser;
import reactor.core.publisher.Flux;
import reactor.core.publisher.Mono;

/**
 * Lets callers with an API key through to everything under {@code /api/ws/} and {@code /api/line/}, and tells the controllers who it is. What
 * has an identity of its own passes: tickets, event streams, the WebSocket endpoint. Controllers need the
 * {@link #CALLER}, so that none answers where this filter is missing.
 */
@Order(0)
final class Gate implements WebFilter {
    // What the API's description calls the ways to be let in.
    static final String API_KEY_BEARER = "apiKeyBearer";
    static final String API_KEY_HEADER = "apiKeyHeader";
    static final String USER_TOKEN = "userToken";

    /** Request attribute: who calls. */
    static final String CALLER = "io.carillon.caller";

    /** The largest body that is read, in bytes. */
    static final int MAX_BODY = 1024 * 1024;

    /** A refused body is read and thrown away up to here, in bytes; beyond it the connection is closed. */
    static final int READ_OUT = 16 * 1024 * 1024;

    static final String TOO_LARGE = "the body is larger than 1 MiB";

    private static final List<PathPattern> GUARDED = List.of(
            PathPatternParser.defaultInstance.parse("/api/ws/**"),
            PathPatternParser.defaultInstance.parse("/api/line/**"));
    private static final List<PathPattern> OWN_IDENTITY = List.of(
            PathPatternParser.defaultInstance.parse("/api/ws/tickets"),
            PathPatternParser.defaultInstance.parse("/api/ws/events"),
            PathPatternParser.defaultInstance.parse("/api/ws/connect"));

    private final ApiKeys keys;
    private final ApiSettings settings;
    private final Counter limited;

    /** When each caller's bucket is full again, nanoseconds; there are no more callers than keys. */
    private final ConcurrentMap<String, AtomicLong> full = new ConcurrentHashMap<>();

    Gate(ApiKeys keys, ApiSettings settings, MeterRegistry registry) {
        this.keys = keys;
        this.settings = settings;
        this.limited = registry.counter("carillon.api.limited");
    }

    private boolean mayCall(String caller) {
        int rate = settings.callsPerSecond();
        if (rate == 0) return true;
        long now = System.nanoTime();
        AtomicLong bucket = full.computeIfAbsent(caller, fresh -> new AtomicLong(now));
        while (true) {
            long at = bucket.get();
            long next = Bucket.take(at, now, 1_000_000_000L / rate, settings.callBurst());
            if (next == at) return false;
            if (bucket.compareAndSet(at, next)) return true;
        }
    }

    /**
     * What is to become of a request, whatever server has it.
     *
     * @param refusal the answer; null for none yet
     * @param caller who calls; null for somebody with an identity of another kind
     */
    record Judgement(
            @Nullable ResponseEntity<Problem> refusal,
            @Nullable String caller) {
        static Judgement refused(int status, String sentence) {
            return new Judgement(Problems.of(status, sentence), null);
        }
    }

    /**
     * Judges a request by its head.
     *
     * @param raw its path as it was sent
     * @param path the same parsed path that controllers are matched with: no spelling means one thing here and another
     *     there
     */
    Judgement judge(String raw, PathContainer path, HttpHeaders headers) {
        if (ambiguous(raw)) return Judgement.refused(400, "the address is malformed");
        String caller = null;
        if (GUARDED.stream().anyMatch(guarded -> guarded.matches(path))
                && OWN_IDENTITY.stream().noneMatch(own -> own.matches(path))) {
            caller = keys.caller(headers.getFirst(HttpHeaders.AUTHORIZATION), headers.getFirst("X-API-Key"));
            if (caller == null) {
                return Judgement.refused(
                        401, "this call needs an API key: `Authorization: Bearer <key>` or `X-API-Key`");
            }
            if (!mayCall(caller)) {
                limited.increment();
                return Judgement.refused(429, "too many calls with this API key: slow down");
            }
        }
        if (headers.getContentLength() > READ_OUT) return Judgement.refused(413, TOO_LARGE);
        return new Judgement(null, caller);
    }

    @Override
    public Mono<Void> filter(ServerWebExchange exchange, WebFilterChain chain) {
        ServerHttpRequest request = exchange.getRequest();
        Judgement judgement =
                judge(request.getURI().getRawPath(), request.getPath().pathWithinApplication(), request.getHeaders());
        ResponseEntity<Problem> refusal = judgement.refusal();
        if (refusal != null) {
            if (refusal.getStatusCode().value() == 413) {
                exchange.getResponse().getHeaders().set(HttpHeaders.CONNECTION, "close");
            }
            return ProblemHandler.write(exchange, refusal);
        }
        if (judgement.caller() != null) exchange.getAttributes().put(CALLER, judgement.caller());
        return chain.filter(
                exchange.mutate().request(new Bounded(exchange.getRequest())).build());
    }

    /**
     * Reads a body that is somewhat too large to its end before it is refused: a connection closed on a client that is
     * still sending is reset, and the client never sees the answer.
     */
    private static final class Bounded extends ServerHttpRequestDecorator {
        Bounded(ServerHttpRequest request) {
            super(request);
        }

        @Override
        public Flux<DataBuffer> getBody() {
            return Flux.defer(() -> {
                var read = new AtomicLong();
                return super.getBody()
                        .<DataBuffer>handle((buffer, sink) -> {
                            long total = read.addAndGet(buffer.readableByteCount());
                            if (total <= MAX_BODY) {
                                sink.next(buffer);
                                return;
                            }
                            DataBufferUtils.release(buffer);
                            if (total > READ_OUT) sink.error(new DataBufferLimitException("the body does not end"));
                        })
                        .concatWith(Mono.defer(() -> read.get() > MAX_BODY
                                ? Mono.error(new DataBufferLimitException(TOO_LARGE))
                                : Mono.empty()));
            });
        }
    }

    /** Whether proxies and servers may read the path in different ways: path parameters, hidden slashes and dots. */
    private static boolean ambiguous(String path) {
        if (path.indexOf(';') >= 0 || path.indexOf('\\') >= 0 || path.contains("//")) return true;
        if (path.indexOf('%') < 0) return dots(path);
        String lower = path.toLowerCase(Locale.ROOT);
        return lower.contains("%2f")
                || lower.contains("%5c")
                || lower.contains("%00")
                || dots(lower.replace("%2e", "."));
    }

    private static boolean dots(String path) {
        return path.contains("/./") || path.contains("/../") || path.endsWith("/.") || path.endsWith("/..");
    }
}
