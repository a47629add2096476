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
import org.springframework.core.annotation.Order;
import org.springframework.core.io.buffer.DataBuffer;
import org.springframework.core.io.buffer.DataBufferLimitException;
import org.springframework.core.io.buffer.DataBufferUtils;
import org.springframework.http.HttpHeaders;
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
    /** Request attribute: who calls. */
    static final String CALLER = "io.carillon.caller";

    /** The largest body that is read, in bytes. */
    static final int MAX_BODY = 1024 * 1024;

    /** A refused body is read and thrown away up to here, in bytes; beyond it the connection is closed. */
    private static final int READ_OUT = 16 * 1024 * 1024;

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

    @Override
    public Mono<Void> filter(ServerWebExchange exchange, WebFilterChain chain) {
        if (ambiguous(exchange.getRequest().getURI().getRawPath())) {
            return refuse(exchange, 400, "the address is malformed");
        }
        // The same parsed path that controllers are matched with: no spelling means one thing here and another there.
        PathContainer path = exchange.getRequest().getPath().pathWithinApplication();
        if (GUARDED.stream().anyMatch(guarded -> guarded.matches(path))
                && OWN_IDENTITY.stream().noneMatch(own -> own.matches(path))) {
            HttpHeaders headers = exchange.getRequest().getHeaders();
            String caller = keys.caller(headers.getFirst(HttpHeaders.AUTHORIZATION), headers.getFirst("X-API-Key"));
            if (caller == null) {
                return refuse(
                        exchange, 401, "this call needs an API key: `Authorization: Bearer <key>` or `X-API-Key`");
            }
            if (!mayCall(caller)) {
                limited.increment();
                return refuse(exchange, 429, "too many calls with this API key: slow down");
            }
            exchange.getAttributes().put(CALLER, caller);
        }
        if (exchange.getRequest().getHeaders().getContentLength() > READ_OUT) {
            exchange.getResponse().getHeaders().set(HttpHeaders.CONNECTION, "close");
            return refuse(exchange, 413, "the body is larger than 1 MiB");
        }
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
                                ? Mono.error(new DataBufferLimitException("the body is larger than 1 MiB"))
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

    private static Mono<Void> refuse(ServerWebExchange exchange, int status, String sentence) {
        return ProblemHandler.write(exchange, Problems.of(status, sentence));
    }
}
